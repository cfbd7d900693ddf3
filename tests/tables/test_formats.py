"""A format remembers how pandas holds a column."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.formats import ColumnFormat, restore_levels


def format_of(cells: list[Any], dtype: Any) -> ColumnFormat:
    return ColumnFormat.of(pd.Series(cells, dtype=dtype), "x")


@pytest.mark.parametrize(
    ("gap", "missing"), [(None, "None"), (np.nan, "nan"), (pd.NA, "NA"), (pd.NaT, "NaT"), (float("nan"), "nan")]
)
def test_the_missing_object_of_an_object_column_is_remembered(gap: object, missing: str) -> None:
    assert format_of(["a", gap], object).missing == missing


def test_python_types_and_decimal_places_of_cells_are_remembered() -> None:
    fmt = format_of([Decimal("1.1"), None, Decimal("2.25")], object)
    assert (fmt.cell_type, fmt.places) == ("Decimal", 2)
    assert format_of(["a", 1], object).cell_type == ""


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("float16", 16), ("Float32", 32), ("float[pyarrow]", 32), (object, 64), (pd.ArrowDtype(pa.decimal128(9, 1)), 64)],
)
def test_the_width_of_floats_is_known(dtype: Any, bits: int) -> None:
    assert format_of([Decimal("1.5")] if "decimal" in str(dtype) else [1.5], dtype).float_bits == bits


@pytest.mark.parametrize(
    ("cells", "dtype", "unit"),
    [
        ([pd.Timestamp(0)], "datetime64[ms]", "ms"),
        ([pd.Timestamp(0, tz="UTC")], "datetime64[us, UTC]", "us"),
        ([pd.Timedelta(0)], "timedelta64[s]", "s"),
        ([datetime.date(2020, 1, 1)], object, "D"),
        ([datetime.datetime(2020, 1, 1)], object, "us"),
        ([datetime.date(2020, 1, 1)], pd.ArrowDtype(pa.date32()), "D"),
        ([datetime.date(2020, 1, 1)], pd.ArrowDtype(pa.date64()), "ms"),
        ([datetime.datetime(2020, 1, 1)], pd.ArrowDtype(pa.timestamp("s")), "s"),
        ([1], "int64", None),
    ],
)
def test_times_are_counted_in_the_columns_own_unit(cells: list[Any], dtype: Any, unit: str | None) -> None:
    assert format_of(cells, dtype).unit == unit


def test_nan_inside_nullable_floats_counts_as_missing() -> None:
    series = pd.Series(pd.arrays.FloatingArray(np.array([1.0, np.nan, 0.0]), np.array([False, False, True])))
    assert ColumnFormat.of(series, "x").missing_mask(series).tolist() == [False, True, True]


def test_levels_come_back_with_unseen_ones_and_gaps() -> None:
    dtype = pd.CategoricalDtype(["c", "b", "a"], ordered=True)
    array = restore_levels(("a", "c"), np.array([1, 0, -1]), ColumnFormat(dtype, "levels"), "x")
    assert array.dtype == dtype
    assert pd.Series(array).tolist()[:2] == ["c", "a"]
    assert pd.isna(array[2])


@pytest.mark.parametrize("dtype", ["int8", "bool"])
def test_a_gap_in_a_dtype_that_has_none_is_refused(dtype: str) -> None:
    with pytest.raises(TableError, match=f"'x' of dtype {dtype} cannot hold the missing cell"):
        restore_levels((1,), np.array([0, -1]), ColumnFormat(np.dtype(dtype), "integer"), "x")
