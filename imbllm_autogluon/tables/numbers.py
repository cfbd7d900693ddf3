"""Numbers and times of a pandas column as float64 or int64, and back to the column's own dtype."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.formats import MISSING_OBJECTS, ColumnFormat, as_stored, refuse_missing

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.tables.kinds import ColumnName

Numbers = npt.NDArray[Any]

_WHOLE_FLOATS = 2.0**53
"""Beyond this, float64 no longer holds every whole number."""

_NANOSECONDS = {"D": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def read_floats(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Numbers:
    """Numbers of a dense series as float64, 0 where missing.

    Raises
    ------
    TableError
        A number is infinite, or a whole number is too large for float64.
    """
    raw = _filled(series, missing, np.float64)
    if np.isinf(raw).any():
        raise TableError(
            f"column {name!r} holds the infinite value {raw[np.isinf(raw)][0]}; numbers must be finite: "
            "replace it by a number, or by a missing value with df.replace([np.inf, -np.inf], np.nan)."
        )
    if fmt.nature == "integer" and (np.abs(raw) > _WHOLE_FLOATS).any():
        raise TableError(f"column {name!r} holds {_largest(raw)}, too large to be continuous: make its kind 'integer'.")
    return raw


def read_integers(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Numbers:
    """Whole numbers of a dense series as int64, 0 where missing.

    Raises
    ------
    TableError
        A number is not whole, is infinite, or does not fit into int64.
    """
    if fmt.nature != "continuous":
        return _filled(series, missing, np.int64)
    raw = read_floats(series, missing, fmt, name)
    odd = raw[(raw != np.rint(raw)) | (np.abs(raw) >= 2.0**63)]
    if len(odd):
        raise TableError(f"column {name!r} holds {odd[0]}, which is no 64-bit integer: make its kind 'continuous'.")
    return raw.astype(np.int64)


def read_times(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat, unit: str, name: ColumnName) -> Numbers:
    """Return the times of a dense datetime or duration series as int64 counts of `unit`, 0 where missing.

    Raises
    ------
    TableError
        A time is finer than `unit` or does not fit into int64.
    """
    counts = np.where(missing, 0, _own_counts(series, missing, fmt)).astype(np.int64)
    if fmt.unit == unit:
        return counts
    ratio = _NANOSECONDS[fmt.unit or unit] / _NANOSECONDS[unit]
    scaled = counts * int(ratio) if ratio >= 1 else counts // round(1 / ratio)
    back = scaled // int(ratio) if ratio >= 1 else scaled * round(1 / ratio)
    if np.any(back != counts):
        raise TableError(
            f"column {name!r} holds times in {fmt.unit} that are no whole number of {unit}, the unit of the schema: "
            f"round them, for example with .dt.as_unit({unit!r})."
        )
    return scaled


def restore_numbers(values: Numbers, missing: BoolArray, fmt: ColumnFormat, name: ColumnName) -> Any:
    """Array of `fmt.dtype` for the values of a continuous or integer column."""
    dtype = fmt.dense_dtype
    if pdt.is_object_dtype(dtype) or (fmt.arrow is not None and pa.types.is_decimal(fmt.arrow)):
        return _restore_cells(_python_numbers(values, fmt), missing, fmt)
    own = _cast(values, getattr(dtype, "numpy_dtype", dtype))
    if fmt.arrow is not None:
        return pd.array(pa.array(own, type=fmt.arrow, mask=missing), dtype=fmt.dtype)
    if not isinstance(dtype, np.dtype):
        return dtype.construct_array_type()(own, missing.copy())
    if missing.any():
        if dtype.kind != "f":
            raise refuse_missing(fmt, name)
        own[missing] = np.nan
    return as_stored(own, fmt)


def restore_times(values: Numbers, missing: BoolArray, fmt: ColumnFormat) -> Any:
    """Array of `fmt.dtype` for the values of a datetime or duration column."""
    if fmt.arrow is not None:
        counts = pa.array(values, mask=missing)
        counts = counts.cast(pa.int32()) if pa.types.is_date32(fmt.arrow) else counts
        return pd.array(counts.cast(fmt.arrow), dtype=fmt.dtype)
    prefix = "m8" if fmt.nature == "duration" else "M8"
    times = values.astype(np.int64).view(f"{prefix}[{fmt.unit}]").copy()
    times[missing] = np.datetime64("NaT") if prefix == "M8" else np.timedelta64("NaT")
    if fmt.cell_type:
        listed = list(pd.DatetimeIndex(times)) if fmt.cell_type == "Timestamp" else times.tolist()
        return _restore_cells(listed, missing, fmt)
    if fmt.timezone is not None:
        return pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(fmt.timezone).array
    return as_stored(times, fmt)


def _filled(series: pd.Series[Any], missing: BoolArray, dtype: type[Any]) -> Numbers:
    """Return the series as a new NumPy array of `dtype`, 0 where missing."""
    if isinstance(series.dtype, np.dtype) and not pdt.is_object_dtype(series.dtype):
        return np.where(missing, 0, series.to_numpy()).astype(dtype)
    if pdt.is_object_dtype(series.dtype) or (isinstance(series.dtype, pd.ArrowDtype) and _is_decimal(series)):
        cells = series.to_numpy(dtype=object).copy()
        cells[missing] = 0
        return cells.astype(dtype)
    return series.to_numpy(dtype=dtype, na_value=0).copy() if not missing.all() else np.zeros(len(series), dtype)


def _is_decimal(series: pd.Series[Any]) -> bool:
    arrow: Any = series.dtype
    return bool(pa.types.is_decimal(arrow.pyarrow_dtype))


def _largest(numbers: Numbers) -> float:
    return float(numbers[np.argmax(np.abs(numbers))])


def _own_counts(series: pd.Series[Any], missing: BoolArray, fmt: ColumnFormat) -> Numbers:
    """Return times as int64 counts of the column's own unit; anything where missing."""
    if fmt.arrow is not None:
        array: Any = series.array
        stored = array.__arrow_array__()
        stored = stored.cast(pa.int32()) if pa.types.is_date32(fmt.arrow) else stored
        return np.asarray(stored.cast(pa.int64()).fill_null(0), dtype=np.int64)
    if fmt.cell_type:
        cells = series.to_numpy().copy()
        cells[missing] = None
        return np.array([_bare(cell) for cell in cells], dtype=f"M8[{fmt.unit}]").view(np.int64)
    times = pd.TimedeltaIndex(series) if fmt.nature == "duration" else pd.DatetimeIndex(series)
    return times.asi8


def _bare(cell: Any) -> Any:
    """Return a Timestamp as `datetime64`, which keeps its nanoseconds; dates and datetimes as they are."""
    return cell.to_datetime64() if isinstance(cell, pd.Timestamp) else cell


def _cast(values: Numbers, dtype: np.dtype[Any]) -> Numbers:
    """Copy in the column's own NumPy type, rounded first where the type is whole and the values are not."""
    whole = dtype.kind in "iu" and values.dtype.kind == "f"
    return (np.rint(values) if whole else values).astype(dtype)


def _python_numbers(values: Numbers, fmt: ColumnFormat) -> list[Any]:
    if fmt.cell_type == "int":
        return list(_cast(values, np.dtype(np.int64)).tolist())
    if fmt.cell_type == "float":
        return list(values.astype(np.float64).tolist())
    places = fmt.places if fmt.arrow is None else max(0, fmt.arrow.scale)
    return [Decimal(f"{number:.{places}f}") for number in values.tolist()]


def _restore_cells(cells: list[Any], missing: BoolArray, fmt: ColumnFormat) -> Any:
    """Array of Python objects, with the column's own missing object; or Arrow decimals."""
    if fmt.arrow is not None:
        return pd.array(pa.array(cells, type=fmt.arrow, mask=missing), dtype=fmt.dtype)
    restored = np.empty(len(cells), dtype=object)
    restored[:] = cells
    restored[missing] = MISSING_OBJECTS[fmt.missing]
    return restored


def time_steps(unit: str) -> tuple[int, ...]:
    """Day, hour, minute, second, ms, us and ns as counts of `unit`, coarsest first, down to 1.

    Examples
    --------
    >>> time_steps("s")
    (86400, 3600, 60, 1)
    """
    own = _NANOSECONDS[unit]
    day = datetime.timedelta(days=1) // datetime.timedelta(seconds=1) * 10**9
    return tuple(step // own for step in (day, 3600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3, 1) if step >= own)
