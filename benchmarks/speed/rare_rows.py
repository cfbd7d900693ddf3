"""Tables of which only the rarest class is learned and written, and the judge of the written rows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api import types

from benchmarks.tables import Table
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from typing import Any

log = logging.getLogger(__name__)


def with_few_rare(table: Table, rows: int) -> tuple[Table, str]:
    """Keep at most `rows` rows of the rarest class, and the columns that every method writes; returns that class too.

    Labels and column names are texts, categories plain values, as be_great wants them. Columns that ImbLLM would not
    write, such as identifiers, are left out for all methods.
    """
    from imbllm_autogluon.tables import TableSchema

    *_, rarest = table.counts
    frame = pd.DataFrame({str(name): _plain(column) for name, column in table.frame.items()})
    label, rare = str(table.label), str(rarest)
    frame[label] = frame[label].astype(str).to_numpy(dtype=object)
    frame = frame.drop(index=frame.index[frame[label] == rare][rows:]).reset_index(drop=True)
    left_out = [str(part.name) for part in TableSchema.from_frame(frame, label).excluded]
    if left_out:
        log.warning("%s: left out, because ImbLLM sets them aside: %s.", table.name, ", ".join(left_out))
    return Table(frame.drop(columns=left_out), label, table.name), rare


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column


def legal_rows(written: pd.DataFrame, real: pd.DataFrame) -> pd.Series[bool]:
    """Whether every cell of a row is a legal value of its column, by the real table alone.

    A number is legal within the range of its column and on its decimals, a category if the column has it, and a missing
    cell if the column has missing cells. Both tables have shape (n, m), and the answer the index of `written`.

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


def _decimals(seen: pd.Series[Any]) -> int:
    """Fewest decimals that write every number of a column; from 12 on it is continuous: float64 has about 15 digits."""
    values = seen.astype(float)
    return next((decimals for decimals in range(12) if (values.round(decimals) == values).all()), 12)


def read_cells(texts: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Cells that a generator wrote as text (None: missing) as values of the real table; unreadable ones are illegal."""
    return pd.DataFrame({name: _read_column(texts[name], real[name]) for name in real.columns})


def _read_column(texts: pd.Series[Any], real: pd.Series[Any]) -> pd.Series[Any]:
    if holds_numbers(real.dtype):
        numbers = pd.to_numeric(texts, errors="coerce").astype(float)
        return numbers.mask(numbers.isna() & texts.notna(), np.inf)  # NaN would pass for a missing cell
    if types.is_datetime64_any_dtype(real.dtype):
        dates = pd.to_datetime(texts, errors="coerce", format="ISO8601")
        return dates.mask(dates.isna() & texts.notna(), pd.Timestamp.max)
    levels = {str(level): level for level in real.dropna().unique()}
    return texts.map(lambda text: levels.get(text, text))
