"""The six kinds of a column, and how the dtype of a pandas Series decides among them.

The values of strings are never looked at: digits in a string column stay strings (ZIP codes, product codes).
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

from imbllm_autogluon.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["continuous", "integer", "categorical", "boolean", "datetime", "text"]
"""What a column means to the package."""

ColumnName = str | int
"""What a column may be called."""

Nature = Literal["integer", "continuous", "boolean", "datetime", "duration", "words", "levels"]
"""What the cells of a column physically are; `words` are strings, `levels` anything else that can only be listed."""

Unknown = Literal["refuse", "missing"]
"""What becomes of a category that was not there when a schema was made."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_KINDS_OF: dict[Nature, tuple[Kind, ...]] = {
    "integer": ("integer", "continuous", "categorical", "boolean"),
    "continuous": ("continuous", "integer", "categorical", "boolean"),
    "boolean": ("boolean", "categorical"),
    "datetime": ("datetime", "categorical"),
    "duration": ("integer", "categorical"),
    "words": ("categorical", "boolean", "text"),
    "levels": ("categorical", "boolean", "text"),
}

_ARROW_NATURES: tuple[tuple[Callable[[pa.DataType], bool], Nature], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "continuous"),
    (pa.types.is_decimal, "continuous"),
    (pa.types.is_timestamp, "datetime"),
    (pa.types.is_date, "datetime"),
    (pa.types.is_duration, "duration"),
    (pa.types.is_string, "words"),
    (pa.types.is_large_string, "words"),
)

_OBJECT_NATURES: dict[type, Nature] = {
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

_NANOSECOND_YEARS = range(1678, 2262)
"""Years whose every nanosecond int64 can count since 1970."""

_SAFE_DIGITS = 15
"""Decimal digits that a float64 always keeps (IEEE 754)."""


def default_kind(nature: Nature) -> Kind:
    """Kind of a column for which the user names none."""
    return _KINDS_OF[nature][0]


def allowed_kinds(nature: Nature) -> tuple[Kind, ...]:
    """Return the kinds a user may choose for a column of this nature."""
    return _KINDS_OF[nature]


def dense(series: pd.Series[Any]) -> pd.Series[Any]:
    """Return the series itself, or its dense copy if it is sparse."""
    cells: Any = series
    return cells.sparse.to_dense() if isinstance(series.dtype, pd.SparseDtype) else series


def nature_of(series: pd.Series[Any], name: ColumnName) -> Nature:
    """Nature of the cells of a dense series.

    Parameters
    ----------
    series
        Any column; only the Python types of the cells of ``object`` columns are looked at, never their text.
    name
        How errors call the column.

    Raises
    ------
    TableError
        The column is complex, of a float type wider than 64 bits, or holds cells that cannot be hashed.

    Examples
    --------
    >>> nature_of(pd.Series(["8001", "0900"]), "zip")
    'words'
    """
    dtype: Any = series.dtype
    _refuse_unsupported(dtype, name)
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow_nature(series, dtype.pyarrow_dtype, name)
    if isinstance(dtype, (pd.CategoricalDtype, pd.PeriodDtype, pd.IntervalDtype)):
        return "levels"
    return _object_nature(series, name) if pdt.is_object_dtype(dtype) else _numpy_nature(dtype)


def _numpy_nature(dtype: Any) -> Nature:
    tests: tuple[tuple[Callable[[Any], bool], Nature], ...] = (
        (pdt.is_bool_dtype, "boolean"),
        (pdt.is_integer_dtype, "integer"),
        (pdt.is_float_dtype, "continuous"),
        (pdt.is_datetime64_any_dtype, "datetime"),
        (pdt.is_timedelta64_dtype, "duration"),
        (pdt.is_string_dtype, "words"),
    )
    return next((nature for test, nature in tests if test(dtype)), "levels")


def _arrow_nature(series: pd.Series[Any], arrow: pa.DataType, name: ColumnName) -> Nature:
    if pa.types.is_nested(arrow):
        raise _unhashable(name, str(arrow))
    if pa.types.is_decimal(arrow) and arrow.precision > _SAFE_DIGITS:
        return "continuous" if _fit_a_float(series.dropna()) else "levels"
    return next((nature for test, nature in _ARROW_NATURES if test(arrow)), "levels")


def _object_nature(series: pd.Series[Any], name: ColumnName) -> Nature:
    cells = series.to_numpy()[series.notna().to_numpy()]
    types = set(map(type, cells))
    for cell_type in types:
        if cell_type.__hash__ is None:
            raise _unhashable(name, cell_type.__name__)
        if issubclass(cell_type, (complex, np.complexfloating)):
            raise _complex(name)
    nature = _OBJECT_NATURES.get(types.pop(), "levels") if len(types) == 1 else "levels"
    return nature if _are_plain(cells, nature) else "levels"


def _are_plain(cells: np.ndarray[Any, Any], nature: Nature) -> bool:
    """Whether Python objects survive the way through a NumPy array of their nature."""
    if nature == "levels" or not len(cells):
        return True
    first = cells[0]
    if nature == "integer":
        return bool(min(cells) >= -(2**63) and max(cells) < 2**63)
    if isinstance(first, pd.Timestamp):
        return all(cell.tzinfo is None and cell.year in _NANOSECOND_YEARS for cell in cells)
    if isinstance(first, datetime.datetime):
        return all(cell.tzinfo is None for cell in cells)
    return _fit_a_float(cells) if isinstance(first, Decimal) else True


def _fit_a_float(decimals: Any) -> bool:
    """Whether decimals, all written with the places of the finest one, keep every digit as float64."""
    finite = [number for number in decimals if number.is_finite()]
    places = max((decimal_places(number) for number in finite), default=0)
    digits = max((number.adjusted() for number in finite if number), default=0) + 1 + places
    return digits <= _SAFE_DIGITS and places <= _SAFE_DIGITS


def decimal_places(number: Decimal) -> int:
    """Places after the point with which a finite decimal is written."""
    return max(0, -int(number.as_tuple().exponent))


def _refuse_unsupported(dtype: Any, name: ColumnName) -> None:
    if pdt.is_complex_dtype(dtype):
        raise _complex(name)
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize > np.dtype(np.float64).itemsize:
        raise TableError(
            f"column {name!r} has dtype {dtype}; floats of at most 64 bits are supported: use astype('float64')."
        )


def _complex(name: ColumnName) -> TableError:
    return TableError(
        f"column {name!r} holds complex numbers; numbers must be real: split it into two columns (.real and .imag)."
    )


def _unhashable(name: ColumnName, type_name: str) -> TableError:
    return TableError(
        f"column {name!r} holds cells of type {type_name}; every cell must be a single value (a number, "
        "a string, a date, ...): spread it over several columns or drop it."
    )
