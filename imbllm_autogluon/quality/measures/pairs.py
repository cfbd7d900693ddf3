"""Two tables of the same columns, as plain arrays that metrics can compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError, nearest
from imbllm_autogluon.tables.dtypes import dense, nature_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.tables.dtypes import ColumnName, Nature


LARGEST = 1e100
"""Numbers beyond stand at this size: what could not be read may be infinite, and squares must not overflow."""

_NUMBERS: tuple[Nature, ...] = ("integer", "continuous")
_TIMES: tuple[Nature, ...] = ("datetime", "duration")
_DAY = 86_400 * 10**6


@dataclass(frozen=True, eq=False)
class PairedColumn:
    """One column of a real and a synthetic table."""

    name: ColumnName
    is_number: bool
    """Whether the values are numbers (or times, in days); else codes of levels that both tables share."""

    real: FloatArray
    """Shape (n,); NaN where missing."""

    synthetic: FloatArray
    """Shape (m,); NaN where missing."""


def paired_columns(real: pd.DataFrame, synthetic: pd.DataFrame) -> list[PairedColumn]:
    """Every column of the real table and its like in the synthetic one.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns, in any order; further columns of `synthetic` are left alone. The real column
        decides what is a number: all that is no number and no time is compared by its levels, text too.

    Raises
    ------
    TableError
        A table is empty or has a column twice, a real column is absent from the synthetic table, or is a number or a
        time and its like is not, or holds an infinite number.

    Examples
    --------
    >>> column, = paired_columns(pd.DataFrame({"a": ["x", None]}), pd.DataFrame({"a": ["y", "x"]}))
    >>> column.is_number, column.real.tolist(), column.synthetic.tolist()
    (False, [0.0, nan], [1.0, 0.0])
    """
    check_pair(real, synthetic)
    return [_pair(real[name], synthetic[name], name) for name in real.columns]


def stacked_columns(real: pd.DataFrame, others: Sequence[tuple[str, pd.DataFrame]]) -> list[PairedColumn]:
    """Every column of the real table beside those of several tables, one below the other; levels are shared by all.

    Parameters
    ----------
    real
        n rows.
    others
        What to call each table in messages, and its rows; together m.

    Raises
    ------
    TableError
        As :func:`paired_columns`.

    Examples
    --------
    >>> tables = [("synthetic", pd.DataFrame({"a": ["y"]})), ("hold-out", pd.DataFrame({"a": ["z", "y"]}))]
    >>> stacked_columns(pd.DataFrame({"a": ["x"]}), tables)[0].synthetic.tolist()
    [1.0, 2.0, 1.0]
    """
    for called, table in others:
        check_pair(real, table, called)
    return [_stack(real[name], [(called, table[name]) for called, table in others], name) for name in real.columns]


def check_pair(real: pd.DataFrame, synthetic: pd.DataFrame, called_other: str = "synthetic") -> None:
    """Raise `TableError` unless both tables have rows and the columns of the real one, each once."""
    for table, called in ((real, "real"), (synthetic, called_other)):
        if not len(table) or not len(table.columns):
            raise TableError(f"the {called} table has shape {table.shape}; at least one row and one column are needed.")
        if not table.columns.is_unique:
            twice = table.columns[table.columns.duplicated()][0]
            raise TableError(f"the {called} table has two columns {twice!r}: rename one of them.")
    absent = [name for name in real.columns if name not in synthetic.columns]
    if absent:
        names = [str(name) for name in synthetic.columns]
        raise TableError(
            f"the {called_other} table has no column {absent[0]!r}{nearest(str(absent[0]), names)}; it needs all "
            f"columns of the real one and has: {', '.join(map(repr, names[:20]))}."
        )


def shared_codes(real: pd.Series[Any], synthetic: pd.Series[Any], name: ColumnName) -> tuple[IntArray, IntArray]:
    """Code of each cell, the same exactly where two cells are equal; -1 where missing.

    Raises
    ------
    TableError
        A cell is no single value.
    """
    return tuple(codes_of(_same_width(_values(real), _values(synthetic)), name))  # type: ignore[return-value]


def codes_of(parts: Sequence[pd.Series[Any]], name: ColumnName) -> list[IntArray]:
    """Code of each cell of each series, equal exactly where two cells are equal, from 0 in order; -1 where missing."""
    try:
        codes = pd.factorize(pd.concat(parts, ignore_index=True))[0].astype(np.int64)
    except TypeError as error:
        raise TableError(f"column {name!r} holds a cell that is no single value ({error}): drop it.") from error
    return np.split(codes, np.cumsum([len(part) for part in parts])[:-1])


def _pair(real: pd.Series[Any], synthetic: pd.Series[Any], name: ColumnName) -> PairedColumn:
    return _stack(real, [("synthetic", synthetic)], name)


def _stack(real: pd.Series[Any], others: list[tuple[str, pd.Series[Any]]], name: ColumnName) -> PairedColumn:
    nature = nature_of(dense(real), name)
    if nature not in (*_NUMBERS, *_TIMES):
        codes = codes_of([_values(part) for part in (real, *(other for _, other in others))], name)
        levels = [np.where(part < 0, np.nan, part).astype(np.float64) for part in codes]
        return PairedColumn(name, False, levels[0], np.concatenate(levels[1:]))
    numbers = _numbers(real, nature, nature, name)
    if np.isinf(numbers).any():
        raise TableError(f"the real column {name!r} holds an infinite number: replace it by a missing value.")
    read = [_numbers(other, nature_of(dense(other), name), nature, name, called) for called, other in others]
    return PairedColumn(name, True, numbers, np.clip(np.concatenate(read), -LARGEST, LARGEST))


def _numbers(
    series: pd.Series[Any], nature: Nature, wanted: Nature, name: ColumnName, called: str = "synthetic"
) -> FloatArray:
    """Numbers, or times in days; NaN where missing."""
    if series.isna().all():
        return np.full(len(series), np.nan)
    if nature != wanted and not (nature in _NUMBERS and wanted in _NUMBERS):
        raise TableError(
            f"column {name!r} of dtype {series.dtype} holds {nature} cells in the {called} table and {wanted} ones in "
            "the real table: convert it first, for example with pd.to_numeric or pd.to_datetime."
        )
    if nature in _NUMBERS:
        return np.asarray(_floats(dense(series)), dtype=np.float64)
    code = "M8[us]" if nature == "datetime" else "m8[us]"
    counts = _times(dense(series)).to_numpy(dtype=code).view(np.int64)
    return np.where(series.isna().to_numpy(), np.nan, counts / _DAY)


def _floats(series: pd.Series[Any]) -> npt.NDArray[Any]:
    if pdt.is_object_dtype(series.dtype):
        return series.where(series.notna(), np.nan).to_numpy().astype(np.float64)
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _times(series: pd.Series[Any]) -> pd.Series[Any]:
    """Missing cells as None: NumPy takes pandas' own NA, and NaN among objects, for no time."""
    if isinstance(series.dtype, pd.ArrowDtype) or pdt.is_object_dtype(series.dtype):
        return series.astype(object).where(series.notna(), None)
    return series


def _values(series: pd.Series[Any]) -> pd.Series[Any]:
    """Cells by what they are worth: levels without their order and their unused ones."""
    plain = dense(series)
    if isinstance(plain.dtype, pd.CategoricalDtype) or pdt.is_object_dtype(plain.dtype) or _is_words(plain):
        return plain.astype(object)
    return plain


def _is_words(series: pd.Series[Any]) -> bool:
    return pdt.is_string_dtype(series.dtype)


def _same_width(real: pd.Series[Any], synthetic: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Floats in the narrower of both widths: the float64 0.1 is no float32 number, but was written for one."""
    kinds: tuple[Any, Any] = (real.dtype, synthetic.dtype)
    if not all(pdt.is_float_dtype(kind) for kind in kinds) or kinds[0] == kinds[1]:
        return real, synthetic
    narrow = min(kinds, key=lambda kind: getattr(kind, "itemsize", 8))
    return real.astype(narrow), synthetic.astype(narrow)
