"""Rows to predict: cells that are not as they were in training are read as the nearest value there is, and logged."""

from __future__ import annotations

import datetime
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.dtypes import dense, holds_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.tables.column import Column

_log = logging.getLogger(__name__)

_MOST_WHOLE = 2.0**63 - 1024  # largest float64 that int64 holds
_WORDS = {"true": 1, "false": 0}


def read_unseen(column: Column, series: pd.Series[Any]) -> tuple[npt.NDArray[Any], BoolArray]:
    """Values and missing mask of cells of any dtype and value, as :meth:`Column.encode` gives them.

    Numbers in text are read, fractions of whole numbers rounded, infinite numbers become the end of the range, times
    change their form, unit and zone; a category is found by its text, letter case aside, or its number (1 is True).
    What is left is missing.
    """
    plain = dense(series).reset_index(drop=True)
    again = np.array(plain.notna(), dtype=bool)
    try:
        values, missing = column.encode(plain, unknown="missing")
        again &= missing & column.is_category
    except TableError:  # every cell is read on its own
        values, missing = column.encode(pd.Series([None] * len(plain), dtype=object))
    if again.any():
        cells = list(plain[again])
        near = _nearest(column, cells)
        values[again], missing[again] = column.encode(near)
        _report(column.name, column.format.dtype, cells, near, len(plain))
    return values, missing


def read_as(series: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    """Cells that an array of numbers or times can hold, as near as possible; what is neither, or infinite, is missing.

    Logged where a cell changes; the series itself where none does, or the dtype is another one.
    """
    kind, plain = getattr(dtype, "kind", ""), dense(series)
    near: pd.Series[Any] | None = None
    if kind in ("i", "u", "f"):
        near = _finite(plain, whole=kind != "f")
    elif kind == "M" and not holds_numbers(plain.dtype) and plain.dtype != dtype:
        near = _moments(list(plain), aware=isinstance(dtype, pd.DatetimeTZDtype))
    if near is None:
        return series
    known = plain.notna().to_numpy()
    _report(series.name, dtype, list(plain[known]), near[known], len(series))
    near.index, near.name = series.index, series.name
    return near


def _finite(plain: pd.Series[Any], *, whole: bool) -> pd.Series[Any] | None:
    """Numbers of cells, NaN where there is none; None where all cells are such numbers already."""
    are_numbers = holds_numbers(plain.dtype)
    read = plain.to_numpy(np.float64, na_value=np.nan) if are_numbers else np.array([_number(cell) for cell in plain])
    finite = np.where(np.abs(read) < (2.0**63 if whole else np.inf), read, np.nan)
    finite = np.rint(finite) if whole else finite
    return None if are_numbers and np.array_equal(finite, read, equal_nan=True) else pd.Series(finite)


def _nearest(column: Column, cells: list[Any]) -> pd.Series[Any]:
    """Cells that the column can encode, or missing ones."""
    if column.is_category:
        # The first of the categories that share a key has it.
        known = {key: category for category in reversed(column.categories) for key in _keys(category)}
        found = [next((known[key] for key in _keys(cell) if key in known), None) for cell in cells]
        return pd.Series(found, dtype=object)
    if column.unit is None:
        assert column.grid is not None
        read = np.array([_number(cell) for cell in cells])
        ends = np.where(read > 0, float(column.grid.maximum), float(column.grid.minimum))
        finite = np.where(np.isinf(read), ends, read)
        near = finite if column.kind == "continuous" else np.clip(np.rint(finite), -_MOST_WHOLE, _MOST_WHOLE)
        return pd.Series(near)
    if column.kind == "datetime":
        times = _moments(cells, aware=column.format.timezone is not None)
    else:
        times = pd.to_timedelta(_of_types(cells, str, datetime.timedelta, np.timedelta64), errors="coerce")
    whole: pd.Series[Any] = times.dt.floor("D") if column.unit == "D" else times.dt.as_unit(column.unit)
    return whole


def _keys(value: Any) -> Iterator[str | float]:
    """What a category is found by, the most exact first."""
    text = str(value)
    word = text.strip().casefold()
    yield from (f"{type(value)}{value!r}", text, word)
    number = _number(_WORDS.get(word, value))
    if not np.isnan(number):
        yield number


def _number(cell: Any) -> float:
    try:
        return np.nan if np.iscomplexobj(cell) else float(cell)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _moments(cells: list[Any], *, aware: bool) -> pd.Series[Any]:
    """Dates and times, in UTC where they have a zone; numbers say no unit, so they are missing."""
    known = _of_types(cells, str, datetime.date, np.datetime64)
    moments = pd.to_datetime(known, errors="coerce", utc=True, format="mixed")
    return moments if aware else moments.dt.tz_localize(None)


def _of_types(cells: list[Any], *types: type) -> pd.Series[Any]:
    return pd.Series([cell if isinstance(cell, types) else None for cell in cells], dtype=object)


def _report(name: Any, dtype: Any, cells: list[Any], near: pd.Series[Any], n_rows: int) -> None:
    odd = [cell for cell, kept in zip(cells, near, strict=True) if not _is_same(cell, kept)]
    if odd:
        lost = int(near.isna().sum())
        _log.log(
            # Categories that training did not have are an everyday matter.
            logging.INFO if near.dtype == object and lost == len(odd) else logging.WARNING,
            "column %r: %d of %d cells are not as in training (%s), such as %r; read as the nearest values there "
            "are, %d as missing.",
            *(name, len(odd), n_rows, dtype, odd[0], lost),
        )


def _is_same(cell: Any, kept: Any) -> bool:
    try:
        return bool(cell == kept)
    except (TypeError, ValueError):
        return False
