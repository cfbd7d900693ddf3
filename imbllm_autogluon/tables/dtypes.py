"""What pandas dtypes mean, how pandas holds a column, and the exact way back into its dtype.

The values of strings are never looked at: digits in a string column stay strings (ZIP codes, product codes).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray

Kind = Literal["continuous", "integer", "categorical", "boolean", "datetime", "text"]  # what a column means
KINDS: tuple[Kind, ...] = get_args(Kind)
ColumnName = str | int  # what a column may be called

PhysicalType = Literal["integer", "continuous", "boolean", "datetime", "duration", "words", "levels"]
"""What the cells of a column physically are; `words` are strings, `levels` anything else that can only be listed."""

_TimeUnit = Literal["D", "s", "ms", "us", "ns"]  # unit in which the times of a column are counted since 1970-01-01

_MissingObject = Literal["None", "nan", "NA", "NaT"]
_MISSING_OBJECTS: dict[_MissingObject, object] = {"None": None, "nan": np.nan, "NA": pd.NA, "NaT": pd.NaT}
KINDS_OF: dict[PhysicalType, tuple[Kind, ...]] = {  # kinds that a user may choose for a column, the default first
    "integer": ("integer", "continuous", "categorical", "boolean"),
    "continuous": ("continuous", "integer", "categorical", "boolean"),
    "boolean": ("boolean", "categorical"),
    "datetime": ("datetime", "categorical"),
    "duration": ("integer", "categorical"),
    "words": ("categorical", "boolean", "text"),
    "levels": ("categorical", "boolean", "text"),
}

_NATURES: dict[str, PhysicalType] = {  # by the kind of a dtype, which NumPy's, pandas' nullable and Arrow's share
    "i": "integer",
    "u": "integer",
    "f": "continuous",
    "b": "boolean",
    "M": "datetime",
    "m": "duration",
    "U": "words",
}

_OBJECT_NATURES: dict[type, PhysicalType] = {
    int: "integer",
    float: "continuous",
    Decimal: "continuous",
    bool: "boolean",
    np.bool_: "boolean",
    datetime.date: "datetime",
    datetime.datetime: "datetime",
    pd.Timestamp: "datetime",
    str: "words",
}

_OBJECT_UNITS: dict[str, _TimeUnit] = {"date": "D", "datetime": "us", "Timestamp": "ns"}
_NANOSECOND_YEARS = range(1678, 2262)  # years whose every nanosecond int64 can count since 1970
_SAFE_DIGITS = 15  # Decimal digits that a float64 always keeps (IEEE 754)


def holds_numbers(dtype: Any) -> bool:
    """Whether a column of this dtype holds numbers; pandas counts booleans among them, nobody else does."""
    return pdt.is_numeric_dtype(dtype) and not pdt.is_bool_dtype(dtype)


def as_numpy(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with pandas' nullable and Arrow's numbers in NumPy's dtypes, float64 where there is a gap.

    AutoGluon 1.6.3 drops columns of other dtypes.
    """
    dtypes: dict[Any, Any] = {name: dtype for name, dtype in frame.dtypes.items() if pdt.is_numeric_dtype(dtype)}
    other = {name: dtype.numpy_dtype for name, dtype in dtypes.items() if hasattr(dtype, "numpy_dtype")}
    return frame.astype({name: np.float64 if frame[name].hasnans else dtype for name, dtype in other.items()})


def dense(series: pd.Series[Any]) -> pd.Series[Any]:
    """The series itself, or its dense copy if it is sparse."""
    cells: Any = series
    return cells.sparse.to_dense() if isinstance(series.dtype, pd.SparseDtype) else series


def physical_type_of(series: pd.Series[Any], name: ColumnName) -> PhysicalType:
    """What the cells of a dense series are; of ``object`` columns only the types of the cells are looked at.

    `TableError` where they are complex, of a float type wider than 64 bits, or cannot be hashed.

    >>> physical_type_of(pd.Series(["8001", "0900"]), "zip")
    'words'
    """
    dtype: Any = series.dtype
    arrow = dtype.pyarrow_dtype if isinstance(dtype, pd.ArrowDtype) else None
    if pdt.is_object_dtype(dtype):
        return _object_nature(series, name)
    if pdt.is_complex_dtype(dtype):
        raise _complex(name)
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize > np.dtype(np.float64).itemsize:
        raise TableError(
            f"column {name!r} has dtype {dtype}; floats of at most 64 bits are supported: use astype('float64')."
        )
    if arrow is not None and pa.types.is_nested(arrow):
        raise _unhashable(name, str(arrow))
    if arrow is not None and pa.types.is_decimal(arrow):
        return "continuous" if arrow.precision <= _SAFE_DIGITS or _fit_a_float(series.dropna()) else "levels"
    return "words" if isinstance(dtype, pd.StringDtype) else _NATURES.get(dtype.kind, "levels")


def _object_nature(series: pd.Series[Any], name: ColumnName) -> PhysicalType:
    cells = series.to_numpy()[series.notna().to_numpy()]
    types = set(map(type, cells))
    for cell_type in types:
        if cell_type.__hash__ is None:
            raise _unhashable(name, cell_type.__name__)
        if issubclass(cell_type, (complex, np.complexfloating)):
            raise _complex(name)
    physical_type = _OBJECT_NATURES.get(types.pop(), "levels") if len(types) == 1 else "levels"
    return physical_type if physical_type == "levels" or _are_plain(cells) else "levels"


def _are_plain(cells: npt.NDArray[Any]) -> bool:
    """Whether objects of one type survive the way through a NumPy array of their physical_type."""
    first = cells[0]
    if type(first) is int:
        return bool(min(cells) >= -(2**63) and max(cells) < 2**63)
    if isinstance(first, pd.Timestamp):
        return all(cell.tzinfo is None and cell.year in _NANOSECOND_YEARS for cell in cells)
    if isinstance(first, datetime.datetime):
        return all(cell.tzinfo is None for cell in cells)
    return _fit_a_float(cells) if isinstance(first, Decimal) else True


def _fit_a_float(decimals: Any) -> bool:
    """Whether decimals, all written with the places of the finest one, keep every digit as float64."""
    finite = [number for number in decimals if number.is_finite()]
    places = max(map(_decimal_places, finite), default=0)
    digits = max((number.adjusted() for number in finite if number), default=0) + 1 + places
    return digits <= _SAFE_DIGITS and places <= _SAFE_DIGITS


def _decimal_places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0  # infinite ones have a letter there


def _complex(name: ColumnName) -> TableError:
    return TableError(
        f"column {name!r} holds complex numbers; numbers must be real: split it into two columns (.real and .imag)."
    )


def _unhashable(name: ColumnName, type_name: str) -> TableError:
    return TableError(
        f"column {name!r} holds cells of type {type_name}; every cell must be a single value (a number, "
        "a string, a date, ...): spread it over several columns or drop it."
    )


@dataclass(frozen=True)
class ColumnFormat:
    """How pandas holds a column: everything needed to give its values their exact form back."""

    dtype: Any
    physical_type: PhysicalType
    cell_type: str = ""  # name of the one Python type of an `object` column; empty for other dtypes and mixed cells
    missing: _MissingObject = "nan"  # first missing object of an `object` column: missing cells are restored as this
    places: int = 0  # most decimal places among the cells of a `Decimal` column

    @classmethod
    def of(cls, series: pd.Series[Any], name: ColumnName) -> ColumnFormat:
        """Read the format off a series, see :func:`physical_type_of`."""
        plain = dense(series)
        physical_type = physical_type_of(plain, name)
        if not pdt.is_object_dtype(plain.dtype):
            return cls(series.dtype, physical_type)
        mask = plain.isna().to_numpy()
        cells, gaps = plain.to_numpy()[~mask], plain.to_numpy()[mask]
        types = set(map(type, cells))
        cell_type = types.pop().__name__ if len(types) == 1 else ""
        places = max(map(_decimal_places, cells)) if (cell_type, physical_type) == ("Decimal", "continuous") else 0
        first = gaps[0] if len(gaps) else None
        missing: _MissingObject = next((key for key, value in _MISSING_OBJECTS.items() if first is value), "nan")
        return cls(series.dtype, physical_type, cell_type, missing, places)

    @property
    def dense_dtype(self) -> Any:
        """The dtype, or that of the dense values of a sparse column."""
        return np.dtype(self.dtype.subtype) if isinstance(self.dtype, pd.SparseDtype) else self.dtype

    @property
    def arrow(self) -> pa.DataType | None:
        """Arrow's own type, for columns with an `ArrowDtype`."""
        return self.dtype.pyarrow_dtype if isinstance(self.dtype, pd.ArrowDtype) else None

    @property
    def is_decimal(self) -> bool:
        """Whether cells are Python's or Arrow's decimals."""
        return self.cell_type == "Decimal" or (self.arrow is not None and pa.types.is_decimal(self.arrow))

    @property
    def float_bits(self) -> int:
        """Width of the column's floats: 16, 32 or 64."""
        own = getattr(self.dense_dtype, "numpy_dtype", self.dense_dtype)
        return 8 * int(own.itemsize) if isinstance(own, np.dtype) and own.kind == "f" else 64

    @property
    def unit(self) -> _TimeUnit | None:
        """Unit of the int64 values of a datetime or duration column; None for every other column."""
        if self.physical_type not in ("datetime", "duration"):
            return None
        if self.cell_type:
            return _OBJECT_UNITS[self.cell_type]
        if self.arrow is not None and pa.types.is_date(self.arrow):
            return "D" if pa.types.is_date32(self.arrow) else "ms"
        dtype: Any = self.arrow or self.dtype
        return cast("_TimeUnit", getattr(dtype, "unit", None) or np.datetime_data(dtype)[0])

    @property
    def timezone(self) -> Any:
        """Time zone of a datetime column, or None."""
        return getattr(self.arrow or self.dtype, "tz", None)

    def missing_mask(self, series: pd.Series[Any]) -> BoolArray:
        """Missing cells of a dense series of this format; NaN inside nullable and Arrow floats counts as missing."""
        mask = np.array(series.isna(), dtype=bool)
        if self.physical_type == "continuous" and not isinstance(self.dense_dtype, np.dtype):
            mask |= np.isnan(series.to_numpy(dtype=np.float64, na_value=np.nan))
        return mask

    def restore(self, cells: npt.NDArray[Any], missing: BoolArray, name: ColumnName) -> Any:
        """Array of `dtype` from numbers, times (NumPy's, in UTC) or Python objects; anything where missing."""
        dtype = self.dense_dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "iub" and missing.any():
            raise TableError(
                f"column {name!r} of dtype {dtype} cannot hold the missing cell it was asked to: "
                "it had none when the schema was made; give no missing cells for it."
            )
        if pdt.is_object_dtype(dtype) or self.is_decimal:
            return self._objects(cells, missing)
        own = getattr(dtype, "numpy_dtype", dtype)
        if isinstance(own, np.dtype) and own.kind in "iuf" and cells.dtype.kind in "if":
            cells = _cast(cells, own)
        if self.arrow is not None:
            return _arrow_array(cells, missing, self.dtype)
        if isinstance(dtype, pd.CategoricalDtype):
            positions = np.full(len(missing), -1)
            present = pd.Index(cells[~missing], dtype=dtype.categories.dtype)
            positions[~missing] = dtype.categories.get_indexer(present)
            return pd.Categorical.from_codes(positions, dtype=dtype)
        if isinstance(self.dtype, np.dtype) and (cells.dtype.kind != "O" or dtype.kind in "biuf"):
            return _with_gaps(cells, missing).astype(dtype)
        if cells.dtype.kind in "iu" and missing.any():
            return dtype.construct_array_type()(cells, missing.copy())
        plain = pd.Series(_with_gaps(cells, missing), dtype=cells.dtype)
        if self.timezone is not None and cells.dtype.kind == "M":
            plain = plain.dt.tz_localize("UTC").dt.tz_convert(self.timezone)
        return plain.astype(self.dtype).array

    def _objects(self, cells: npt.NDArray[Any], missing: BoolArray) -> Any:
        """Array of Python objects, with the column's own missing object; or Arrow decimals."""
        listed = self._listed(cells)
        if self.arrow is not None:
            return _arrow_array(listed, missing, self.dtype)
        restored = np.fromiter(listed, dtype=object, count=len(listed))
        restored[missing] = _MISSING_OBJECTS[self.missing]
        return restored

    def _listed(self, cells: npt.NDArray[Any]) -> list[Any]:
        if cells.dtype.kind == "M" and self.cell_type == "Timestamp":
            return list(pd.DatetimeIndex(cells))
        if cells.dtype.kind in "if" and self.is_decimal:
            places = self.places if self.arrow is None else max(0, self.arrow.scale)
            return [Decimal(f"{number:.{places}f}") for number in cells.tolist()]
        if cells.dtype.kind in "if":
            return list(_cast(cells, np.dtype(self.cell_type)).tolist())
        return list(cells.tolist())


def _cast(numbers: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Numbers in another NumPy type, rounded first where it is whole and they are not."""
    return (np.rint(numbers) if dtype.kind in "iu" and numbers.dtype.kind == "f" else numbers).astype(dtype)


def _with_gaps(cells: npt.NDArray[Any], missing: BoolArray) -> npt.NDArray[Any]:
    """Numbers, times or objects with NaN or NaT where missing."""
    if not missing.any():
        return cells
    array = cells.copy()
    array[missing] = "NaT" if cells.dtype.kind in "mM" else np.nan
    return array


def _arrow_array(cells: Any, missing: BoolArray, dtype: pd.ArrowDtype) -> Any:
    # pyarrow 24 takes a Timedelta of another unit for nanoseconds; timedelta64 it reads right.
    if isinstance(cells, np.ndarray) and cells.dtype == object:
        cells = [cell.asm8 if isinstance(cell, pd.Timedelta) else cell for cell in cells]
    return pd.array(pa.array(cells, type=dtype.pyarrow_dtype, mask=missing), dtype=dtype)
