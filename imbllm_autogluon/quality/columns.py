"""Columns of real and synthetic tables as plain arrays that metrics can compare."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError, nearest
from imbllm_autogluon.tables.dtypes import dense, physical_type_of
from imbllm_autogluon.tables.io import check_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.tables.dtypes import ColumnName, PhysicalType

_LARGEST = 1e100  # numbers beyond are set to this size: some may be infinite, and squares must not overflow
_FEW_LEVELS = 20  # up to which a column is a category however few rows there are
_NUMBERS: tuple[PhysicalType, ...] = ("integer", "continuous")
_TIMES: tuple[PhysicalType, ...] = ("datetime", "duration")
_DAY = 86_400 * 10**6  # microseconds


@dataclass(frozen=True, eq=False)
class PairedColumn:
    """One column of a real and a synthetic table, shapes (n,) and (m,), NaN where missing."""

    name: ColumnName
    is_number: bool  # numbers, or times in days; else codes of levels that both tables share
    real: FloatArray
    synthetic: FloatArray

    @property
    def known(self) -> FloatArray:
        """Real values without the missing ones."""
        return self.real[~np.isnan(self.real)]

    @property
    def is_free_text(self) -> bool:
        """Whether most real rows have a level of their own: names, notes, keys."""
        return not self.is_number and len(np.unique(self.known)) > max(_FEW_LEVELS, len(self.known) / 2)

    def take(self, real: IntArray, synthetic: IntArray) -> PairedColumn:
        """Some rows of each side."""
        return replace(self, real=self.real[real], synthetic=self.synthetic[synthetic])


def paired_columns(real: pd.DataFrame, synthetic: pd.DataFrame | Mapping[str, pd.DataFrame]) -> list[PairedColumn]:
    """Every column of the real table and its like in the synthetic one, whose further columns are ignored.

    The real column decides what is a number: all that is no number and no time is compared by its levels, text too.
    Several synthetic tables, by the names that errors give them, are stacked. Raises `TableError` as
    :func:`check_pair`, and where a real column is a number or a time and its like is not, or holds an infinite number.
    """
    others = {"synthetic": synthetic} if isinstance(synthetic, pd.DataFrame) else synthetic
    for called, table in others.items():
        check_pair(real, table, called)
    return [_pair(real[name], {called: table[name] for called, table in others.items()}, name) for name in real.columns]


def check_pair(real: pd.DataFrame, synthetic: pd.DataFrame, called_other: str = "synthetic") -> None:
    """Raise `TableError` unless both tables have rows and the columns of the real one, each once."""
    for table, called in ((real, "real"), (synthetic, called_other)):
        check_frame(table, f"the {called} table")
    absent = [name for name in real.columns if name not in synthetic.columns]
    if absent:
        names = [str(name) for name in synthetic.columns]
        raise TableError(
            f"the {called_other} table has no column {absent[0]!r}{nearest(str(absent[0]), names)}; it needs all "
            f"columns of the real one and has: {', '.join(map(repr, names[:20]))}."
        )


def shared_codes(real: pd.Series[Any], synthetic: pd.Series[Any], name: ColumnName) -> tuple[IntArray, IntArray]:
    """As :func:`codes_of`, of two columns of which one may hold narrower floats."""
    return tuple(codes_of(_same_width(_values(real), _values(synthetic)), name))  # type: ignore[return-value]


def codes_of(parts: Sequence[pd.Series[Any]], name: ColumnName) -> list[IntArray]:
    """Code of each cell of each series, equal exactly where two cells are equal, from 0 in order; -1 where missing.

    Raises `TableError` for a cell that is no single value.
    """
    try:
        codes = pd.factorize(pd.concat(parts, ignore_index=True))[0].astype(np.int64)
    except TypeError as error:
        raise TableError(f"column {name!r} holds a cell that is no single value ({error}): drop it.") from error
    return np.split(codes, np.cumsum([len(part) for part in parts])[:-1])


def row_codes(real: pd.DataFrame, synthetic: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Code of each row of both tables, the same exactly where two rows are equal in all columns of the real table."""
    check_pair(real, synthetic)
    rows = np.zeros(len(real) + len(synthetic), dtype=np.int64)
    for name in real.columns:
        cells = np.concatenate(shared_codes(real[name], synthetic[name], name)) + 1
        # Both factors are at most the number of rows (+ 1), so the product fits into int64.
        rows = np.unique(rows * (cells.max() + 1) + cells, return_inverse=True)[1].astype(np.int64)
    return rows[: len(real)], rows[len(real) :]


def _pair(real: pd.Series[Any], others: dict[str, pd.Series[Any]], name: ColumnName) -> PairedColumn:
    physical_type = physical_type_of(dense(real), name)
    if physical_type not in (*_NUMBERS, *_TIMES):
        codes = codes_of([_values(part) for part in (real, *others.values())], name)
        levels = [np.where(part < 0, np.nan, part).astype(np.float64) for part in codes]
        return PairedColumn(name, False, levels[0], np.concatenate(levels[1:]))
    numbers = _numbers(real, physical_type, name)
    if np.isinf(numbers).any():
        raise TableError(f"the real column {name!r} holds an infinite number: replace it by a missing value.")
    read = np.concatenate([_numbers(other, physical_type, name, called) for called, other in others.items()])
    return PairedColumn(name, True, numbers, np.clip(read, -_LARGEST, _LARGEST))


def _numbers(series: pd.Series[Any], wanted: PhysicalType, name: ColumnName, called: str = "real") -> FloatArray:
    """Numbers, or times in days; NaN where missing."""
    physical_type = physical_type_of(dense(series), name)
    if series.isna().all():
        return np.full(len(series), np.nan)
    if physical_type != wanted and not (physical_type in _NUMBERS and wanted in _NUMBERS):
        raise TableError(
            f"column {name!r} of dtype {series.dtype} holds {physical_type} cells in the {called} table and "
            f"{wanted} ones in the real table: convert it first, for example with pd.to_numeric or pd.to_datetime."
        )
    if physical_type in _NUMBERS:
        return _floats(dense(series))
    code = "M8[us]" if physical_type == "datetime" else "m8[us]"
    counts = _times(dense(series)).to_numpy(dtype=code).view(np.int64)
    return np.where(series.isna().to_numpy(), np.nan, counts / _DAY)


def _floats(series: pd.Series[Any]) -> FloatArray:
    if pdt.is_object_dtype(series.dtype):
        return series.where(series.notna(), np.nan).to_numpy().astype(np.float64)
    return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _times(series: pd.Series[Any]) -> pd.Series[Any]:
    """Missing cells as None: NumPy takes pandas' own NA, and NaN among objects, for no time."""
    if isinstance(series.dtype, pd.ArrowDtype) or pdt.is_object_dtype(series.dtype):
        return series.astype(object).where(series.notna(), None)
    return series


def _values(series: pd.Series[Any]) -> pd.Series[Any]:
    """Cells by what they are worth: levels without their order and their unused ones."""
    plain = dense(series)
    is_level = isinstance(plain.dtype, pd.CategoricalDtype) or pdt.is_object_dtype(plain.dtype)
    # pandas looks at the cells of a series, not only at its dtype, for strings.
    return plain.astype(object) if is_level or pdt.is_string_dtype(plain) else plain


def _same_width(real: pd.Series[Any], synthetic: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Floats in the narrower of both widths: the float64 0.1 is no float32 number, but was written for one."""
    kinds: tuple[Any, Any] = (real.dtype, synthetic.dtype)
    if not all(pdt.is_float_dtype(kind) for kind in kinds) or kinds[0] == kinds[1]:
        return real, synthetic
    narrow = min(kinds, key=lambda kind: getattr(kind, "itemsize", 8))
    return real.astype(narrow), synthetic.astype(narrow)
