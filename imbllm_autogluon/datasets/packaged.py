"""Two real tables that travel with the package: one with a rare class, one with several."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def load_hypothyroid() -> tuple[pd.DataFrame, pd.Series[str]]:
    """Load the UCI hypothyroid table: mixed types, missing values, 4.8 % positive.

    The table is read from the installed package, so no network is used; every call returns new objects.

    Returns
    -------
    X : DataFrame of shape (3163, 25)
        Seven ``float64`` columns (``age`` in years and six laboratory values, missing as NaN), 17 ``bool`` columns
        and ``sex`` (``object``: ``"F"``, ``"M"`` or None). 77 rows repeat an earlier row with the same label.
    y : Series of shape (3163,)
        Named ``"diagnosis"``, ``object``: ``"hypothyroid"`` (151 rows) or ``"negative"`` (3,012 rows).

    Notes
    -----
    Source: Quinlan (1987), *Thyroid Disease*, UCI Machine Learning Repository, https://doi.org/10.24432/C5D010,
    CC BY 4.0. ``hypothyroid.md`` next to this file names what was changed and describes the columns.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> X, y = load_hypothyroid()
    >>> X.shape, y.value_counts().to_dict()
    ((3163, 25), {'negative': 3012, 'hypothyroid': 151})
    """
    return _load("hypothyroid")


def load_yeast() -> tuple[pd.DataFrame, pd.Series[str]]:
    """Load the UCI yeast table: numbers only, ten classes of proteins, six of them with 51 rows or fewer.

    Read from the installed package as :func:`load_hypothyroid` does.

    Returns
    -------
    X : DataFrame of shape (1484, 8)
        ``float64`` scores of the protein's sequence from 0 to 1, none missing. 31 rows repeat an earlier row with the
        same label.
    y : Series of shape (1484,)
        Named ``"site"``, ``object``: where in the cell the protein is found, from ``"CYT"`` (463 rows) to ``"ERL"``
        (5 rows).

    Notes
    -----
    Source: Nakai (1991), *Yeast*, UCI Machine Learning Repository, https://doi.org/10.24432/C5KG68, CC BY 4.0.
    ``yeast.md`` next to this file names what was changed and describes columns and classes.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_yeast
    >>> X, y = load_yeast()
    >>> X.shape, y.value_counts().tail(4).to_dict()
    ((1484, 8), {'EXC': 35, 'VAC': 30, 'POX': 20, 'ERL': 5})
    """
    return _load("yeast")


def _load(name: str) -> tuple[pd.DataFrame, pd.Series[str]]:
    """Features and label of a table; the label is its last column."""
    import pandas as pd

    with as_file(files(__package__) / f"{name}.parquet") as path:
        table = pd.read_parquet(path)
    return table.iloc[:, :-1], table.iloc[:, -1]
