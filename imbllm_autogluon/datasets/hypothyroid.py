"""The packaged thyroid table: 3,163 records, 151 of them hypothyroid."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LABEL = "diagnosis"
"""Name of the label, in the file and of the returned series."""


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
    import pandas as pd

    with as_file(files(__package__) / "hypothyroid.parquet") as path:
        table = pd.read_parquet(path)
    return table.drop(columns=LABEL), table[LABEL]
