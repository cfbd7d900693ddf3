"""How pandas holds a column: everything needed to give its values their exact form back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.kinds import ColumnName, Nature, decimal_places, dense, nature_of

MissingValue = Literal["None", "nan", "NA", "NaT"]
"""Which object stands for a missing cell in an ``object`` column."""

TimeUnit = Literal["D", "s", "ms", "us", "ns"]
"""Unit in which the times of a column are counted since 1970-01-01."""

MISSING_OBJECTS: dict[MissingValue, object] = {"None": None, "nan": np.nan, "NA": pd.NA, "NaT": pd.NaT}

_OBJECT_UNITS: dict[str, TimeUnit] = {"date": "D", "datetime": "us", "Timestamp": "ns"}


@dataclass(frozen=True)
class ColumnFormat:
    """The physical form of one column.

    Examples
    --------
    >>> ColumnFormat.of(pd.Series([1.5, None], dtype="Float32"), "price").float_bits
    32
    """

    dtype: Any
    """The pandas or NumPy dtype object."""

    nature: Nature
    """What the cells physically are."""

    cell_type: str = ""
    """Name of the one Python type of all cells of an ``object`` column; empty for other dtypes and mixed cells."""

    missing: MissingValue = "nan"
    """The first missing object of an ``object`` column: all missing cells are restored as this one."""

    places: int = 0
    """Most decimal places among the cells of a ``Decimal`` column."""

    @classmethod
    def of(cls, series: pd.Series[Any], name: ColumnName) -> ColumnFormat:
        """Read the format off a series.

        Raises
        ------
        TableError
            The dtype or a cell is of a sort that no table may hold.
        """
        plain = dense(series)
        nature = nature_of(plain, name)
        if not pdt.is_object_dtype(plain.dtype):
            return cls(series.dtype, nature)
        mask = plain.isna().to_numpy()
        cells, gaps = plain.to_numpy()[~mask], plain.to_numpy()[mask]
        cell_type = _one_type(cells)
        places = max(map(decimal_places, cells)) if (cell_type, nature) == ("Decimal", "continuous") else 0
        return cls(series.dtype, nature, cell_type, _missing_value(gaps), places)

    @property
    def dense_dtype(self) -> Any:
        """The dtype, or that of the dense values of a sparse column."""
        return np.dtype(self.dtype.subtype) if isinstance(self.dtype, pd.SparseDtype) else self.dtype

    @property
    def arrow(self) -> pa.DataType | None:
        """Arrow's own type, for columns with an `ArrowDtype`."""
        return self.dtype.pyarrow_dtype if isinstance(self.dtype, pd.ArrowDtype) else None

    @property
    def float_bits(self) -> int:
        """Width of the column's floats: 16, 32 or 64."""
        if self.nature != "continuous" or pdt.is_object_dtype(self.dense_dtype):
            return 64
        if self.arrow is not None and pa.types.is_decimal(self.arrow):
            return 64
        return 8 * int(getattr(self.dense_dtype, "numpy_dtype", self.dense_dtype).itemsize)

    @property
    def unit(self) -> TimeUnit | None:
        """Unit of the int64 values of a datetime or duration column; None for every other column."""
        if self.nature not in ("datetime", "duration"):
            return None
        if self.arrow is not None:
            return _arrow_unit(self.arrow)
        if self.cell_type:
            return _OBJECT_UNITS[self.cell_type]
        unit: Any = getattr(self.dtype, "unit", None) or np.datetime_data(self.dtype)[0]
        return cast("TimeUnit", unit)

    @property
    def timezone(self) -> Any:
        """Time zone of a datetime column, or None."""
        if self.arrow is not None:
            return getattr(self.arrow, "tz", None)
        return getattr(self.dtype, "tz", None)

    def missing_mask(self, series: pd.Series[Any]) -> npt.NDArray[np.bool_]:
        """Missing cells of a dense series of this format; NaN inside nullable and Arrow floats counts as missing."""
        mask = np.array(series.isna(), dtype=bool)
        if self.nature == "continuous" and not isinstance(self.dense_dtype, np.dtype):
            mask |= np.isnan(series.to_numpy(dtype=np.float64, na_value=np.nan))
        return mask


def restore_levels(levels: tuple[Any, ...], codes: npt.NDArray[np.int64], fmt: ColumnFormat, name: ColumnName) -> Any:
    """Array of `fmt.dtype` that holds ``levels[code]``, and a missing cell where the code is -1."""
    if isinstance(fmt.dtype, pd.CategoricalDtype):
        positions = fmt.dtype.categories.get_indexer(pd.Index(list(levels), dtype=fmt.dtype.categories.dtype))
        return pd.Categorical.from_codes(np.append(positions, -1)[codes], dtype=fmt.dtype)
    lookup = _lookup(levels, fmt, name, with_gap=bool(np.any(codes < 0)))
    return as_stored(lookup.take(np.where(codes < 0, len(levels), codes)), fmt)


def as_stored(array: Any, fmt: ColumnFormat) -> Any:
    """Return a dense array as it is, or made sparse where the column was sparse."""
    return pd.arrays.SparseArray(array, dtype=fmt.dtype) if isinstance(fmt.dtype, pd.SparseDtype) else array


def refuse_missing(fmt: ColumnFormat, name: ColumnName) -> TableError:
    """Error for a missing cell in a column whose dtype has no missing value."""
    return TableError(
        f"column {name!r} of dtype {fmt.dtype} cannot hold the missing cell it was asked to: "
        "it had none when the schema was made; give no missing cells for it."
    )


def _lookup(levels: tuple[Any, ...], fmt: ColumnFormat, name: ColumnName, *, with_gap: bool) -> Any:
    """Return an array of the levels in the column's dense dtype, with a missing cell at its end if asked."""
    dtype = fmt.dense_dtype
    if with_gap and isinstance(dtype, np.dtype) and dtype.kind in "iub":
        raise refuse_missing(fmt, name)
    if pdt.is_object_dtype(dtype):
        cells = np.empty(len(levels) + 1, dtype=object)
        cells[:] = [*levels, MISSING_OBJECTS[fmt.missing]]
        return cells
    listed = [*levels, None] if with_gap else list(levels)
    if fmt.arrow is not None:
        # pyarrow 24 takes a Timedelta of another unit for nanoseconds; timedelta64 it reads right.
        plain = [cell.asm8 if isinstance(cell, pd.Timedelta) else cell for cell in listed]
        return pd.array(pa.array(plain, type=fmt.arrow), dtype=fmt.dtype)
    return pd.Series(listed, dtype=dtype).array


def _one_type(cells: npt.NDArray[Any]) -> str:
    types = set(map(type, cells))
    return types.pop().__name__ if len(types) == 1 else ""


def _missing_value(gaps: npt.NDArray[Any]) -> MissingValue:
    first = gaps[0] if len(gaps) else None
    return next((key for key, value in MISSING_OBJECTS.items() if first is value), "nan")


def _arrow_unit(arrow: pa.DataType) -> TimeUnit:
    if pa.types.is_date(arrow):
        return "D" if pa.types.is_date32(arrow) else "ms"
    unit: TimeUnit = arrow.unit
    return unit
