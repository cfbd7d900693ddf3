"""Numbers and times leave pandas as plain arrays and return."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.column import (
    read_floats,
    read_integers,
    read_times,
    restore_numbers,
    restore_times,
    time_steps,
)
from imbllm_autogluon.tables.formats import ColumnFormat


def parts(series: pd.Series) -> tuple[pd.Series, np.ndarray, ColumnFormat]:
    fmt = ColumnFormat.of(series, "x")
    return series, fmt.missing_mask(series), fmt


@pytest.mark.parametrize("dtype", ["float32", "Float64", "double[pyarrow]", "Int8", object])
def test_missing_numbers_are_read_as_zero(dtype: Any) -> None:
    values = read_floats(*parts(pd.Series([2, None], dtype=dtype)), "x")
    assert (values.tolist(), values.dtype) == ([2.0, 0.0], np.float64)


@pytest.mark.parametrize("dtype", ["float64", "Float32", "double[pyarrow]", object])
@pytest.mark.parametrize("sign", [1, -1])
def test_infinite_numbers_are_refused_with_a_remedy(dtype: Any, sign: int) -> None:
    with pytest.raises(TableError, match=r"'x' holds the infinite value -?inf; .*df\.replace"):
        read_floats(*parts(pd.Series([1.0, sign * float("inf")], dtype=dtype)), "x")


def test_integers_too_large_for_floats_are_refused() -> None:
    with pytest.raises(TableError, match="make its kind 'integer'"):
        read_floats(*parts(pd.Series([2**60 + 1])), "x")


@pytest.mark.parametrize("odd", [1.5, 1e30])
def test_numbers_that_are_no_int64_are_refused(odd: float) -> None:
    with pytest.raises(TableError, match="make its kind 'continuous'"):
        read_integers(*parts(pd.Series([1.0, odd])), "x")


def test_large_integers_beside_missing_ones_keep_every_digit() -> None:
    assert read_integers(*parts(pd.Series([2**62 + 1, None], dtype="Int64")), "x").tolist() == [2**62 + 1, 0]


@pytest.mark.parametrize(("unit", "count"), [("s", 86_400), ("ms", 86_400_000), ("D", 1)])
def test_times_are_converted_to_the_unit_asked_for(unit: str, count: int) -> None:
    series = pd.Series([pd.Timestamp(1970, 1, 2), pd.NaT]).astype("datetime64[ms]")
    assert read_times(*parts(series), unit, "x").tolist() == [count, 0]


def test_times_finer_than_the_unit_are_refused() -> None:
    with pytest.raises(TableError, match="round them"):
        read_times(*parts(pd.Series([pd.Timestamp("1970-01-01 00:00:00.5")])), "s", "x")


def test_zoned_times_are_counted_in_utc() -> None:
    series = pd.Series(pd.to_datetime(["1970-01-01 01:00"]).tz_localize("Europe/Berlin"))
    assert read_times(*parts(series), "s", "x").tolist() == [0]


@pytest.mark.parametrize(
    ("series", "values"),
    [
        (pd.Series([3, 4], dtype="int8"), [2.9, 4.2]),
        (pd.Series([Decimal("2.90"), None], dtype=object), [2.9, 0.0]),
        (pd.Series([3, None], dtype=object), [3.0, 0.0]),
    ],
)
def test_numbers_return_rounded_as_their_column_holds_them(series: pd.Series, values: list[float]) -> None:
    _, missing, fmt = parts(series)
    restored = restore_numbers(np.array(values), missing, fmt, "x")
    assert list(restored) == series.tolist()
    assert [type(cell) for cell in restored] == [type(cell) for cell in series.to_numpy()]


def test_a_missing_integer_without_a_place_for_it_is_refused() -> None:
    _, _, fmt = parts(pd.Series([1, 2]))
    with pytest.raises(TableError, match="int64 cannot hold the missing cell"):
        restore_numbers(np.array([1, 0]), np.array([False, True]), fmt, "x")


def test_dates_return_as_dates() -> None:
    _, missing, fmt = parts(pd.Series([datetime.date(1970, 1, 2), None], dtype=object))
    assert list(restore_times(np.array([1, 0]), missing, fmt)) == [datetime.date(1970, 1, 2), None]


@pytest.mark.parametrize(
    ("unit", "steps"), [("D", (1,)), ("s", (86400, 3600, 60, 1)), ("ms", (86400000, 3600000, 60000, 1000, 1))]
)
def test_time_steps_run_from_a_day_to_the_unit(unit: str, steps: tuple[int, ...]) -> None:
    assert time_steps(unit) == steps
