"""The judge of written rows: one for all arms, by the decimals, ranges and levels of the real table alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api import types

from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from typing import Any

MOST_DECIMALS = 12
"""Decimals from which on a column counts as continuous: float64 has about 15 digits."""


def legal_rows(written: pd.DataFrame, real: pd.DataFrame) -> pd.Series[bool]:
    """Whether every cell of a row is a legal value of its column.

    A number is legal within the range of its column and on its decimals, a category if the column has it, and a missing
    cell if the column has missing cells.

    Parameters
    ----------
    written
        Rows to judge, at least the columns of `real`.
    real
        The table that they should look like.

    Returns
    -------
    Series of bool, indexed like `written`

    Examples
    --------
    >>> real = pd.DataFrame({"age": [61.5, 35.0], "city": ["Oslo", "Bergen"]})
    >>> written = pd.DataFrame({"age": [40.5, 40.25, 90.0], "city": ["Oslo", "Oslo", "Oslo"]})
    >>> legal_rows(written, real).tolist()
    [True, False, False]
    """
    legal = pd.Series(True, index=written.index)
    for name in real.columns:
        legal &= _legal_cells(written[name], real[name])
    return legal


def read_cells(texts: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Cells of a generator that writes text, as values of the real table; what cannot be read is never legal.

    Parameters
    ----------
    texts
        Cells as text; None means missing.
    real
        The table that they should look like.
    """
    return pd.DataFrame({name: _read_column(texts[name], real[name]) for name in real.columns})


def _legal_cells(cells: pd.Series[Any], real: pd.Series[Any]) -> pd.Series[bool]:
    seen = real.dropna()
    if holds_numbers(real.dtype):
        values = pd.to_numeric(cells, errors="coerce").astype(float)
        known = values.between(seen.min(), seen.max()) & (values.round(_decimals(seen)) == values)
    elif types.is_datetime64_any_dtype(real.dtype):
        known = cells.between(seen.min(), seen.max())
    else:
        known = cells.isin(seen.unique())
    return known | cells.isna() if real.isna().any() else known


def _read_column(texts: pd.Series[Any], real: pd.Series[Any]) -> pd.Series[Any]:
    if holds_numbers(real.dtype):
        numbers = pd.to_numeric(texts, errors="coerce").astype(float)
        # NaN would pass for a missing cell.
        return numbers.mask(numbers.isna() & texts.notna(), np.inf)
    if types.is_datetime64_any_dtype(real.dtype):
        dates = pd.to_datetime(texts, errors="coerce", format="ISO8601")
        return dates.mask(dates.isna() & texts.notna(), pd.Timestamp.max)
    levels = {str(level): level for level in real.dropna().unique()}
    return texts.map(lambda text: levels.get(text, text))


def _decimals(seen: pd.Series[Any]) -> int:
    """Fewest decimals that write every number of a column."""
    values = seen.astype(float)
    return next((d for d in range(MOST_DECIMALS) if (values.round(d) == values).all()), MOST_DECIMALS)
