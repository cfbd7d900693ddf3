"""Kinds follow the dtype, never the text of strings, and a format remembers how pandas holds a column."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.dtypes import KINDS_OF, ColumnFormat, as_numpy, dense, physical_type_of

NATURES: list[tuple[list[Any], Any, str]] = [
    ([1, 2], "int8", "integer"),
    ([1, None], "UInt16", "integer"),
    ([1, 2], "int32[pyarrow]", "integer"),
    ([1.5, None], "float16", "continuous"),
    ([1.5, None], "Float64", "continuous"),
    ([True, None], "boolean", "boolean"),
    ([True, False], "bool[pyarrow]", "boolean"),
    (["0900", "8001"], "string", "words"),
    (["0900", "8001"], object, "words"),
    (["2020-01-01"], object, "words"),
    ([True, None], object, "boolean"),
    ([1, None], object, "integer"),
    ([2**63, None], object, "levels"),
    ([1.5, None], object, "continuous"),
    ([1, 1.5], object, "levels"),
    ([1, True], object, "levels"),
    ([Decimal("1.10"), None], object, "continuous"),
    ([Decimal("0.1234567890123456")], object, "levels"),
    ([datetime.date(2020, 1, 1)], object, "datetime"),
    ([datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)], object, "levels"),
    ([pd.Timestamp(2020, 1, 1)], object, "datetime"),
    (["a"], "category", "levels"),
    ([True], "category", "levels"),
    ([pd.Timestamp(2020, 1, 1)], "datetime64[s]", "datetime"),
    ([pd.Timedelta(1)], "timedelta64[ns]", "duration"),
    ([pd.Period("2020-01", "M")], "period[M]", "levels"),
    ([None, None], object, "levels"),
]


@pytest.mark.parametrize(("cells", "dtype", "physical_type"), NATURES)
def test_the_nature_of_cells_follows_their_type(cells: list[Any], dtype: Any, physical_type: str) -> None:
    assert physical_type_of(pd.Series(cells, dtype=dtype), "x") == physical_type


@pytest.mark.parametrize(
    ("physical_type", "kind"),
    [
        ("integer", "integer"),
        ("continuous", "continuous"),
        ("boolean", "boolean"),
        ("datetime", "datetime"),
        ("duration", "integer"),
        ("words", "categorical"),
        ("levels", "categorical"),
    ],
)
def test_every_nature_has_a_kind_and_may_be_listed(physical_type: Any, kind: str) -> None:
    assert KINDS_OF[physical_type][0] == kind
    assert "categorical" in KINDS_OF[physical_type]


@pytest.mark.parametrize(
    "cells", [[[1], [2]], [{"a": 1}], [np.array([1]), np.array([2])], [{1}, "a"]], ids=["list", "dict", "array", "set"]
)
def test_cells_that_hold_several_values_are_refused(cells: list[Any]) -> None:
    with pytest.raises(TableError, match=r"'tags' holds cells of type .* spread it"):
        physical_type_of(pd.Series(cells, dtype=object), "tags")


def test_arrow_lists_are_refused() -> None:
    with pytest.raises(TableError, match="'tags'"):
        physical_type_of(pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), "tags")


@pytest.mark.parametrize("series", [pd.Series([1j]), pd.Series([1j, "a"], dtype=object)])
def test_complex_numbers_are_refused_with_a_remedy(series: pd.Series) -> None:
    with pytest.raises(TableError, match=r"'z' holds complex .*\.real and \.imag"):
        physical_type_of(series, "z")


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long doubles have 64 bits here")
def test_floats_wider_than_64_bits_are_refused() -> None:
    with pytest.raises(TableError, match="float64"):
        physical_type_of(pd.Series(np.array([1.5], dtype=np.longdouble)), "x")


def test_sparse_series_become_dense_and_others_stay_themselves() -> None:
    plain = pd.Series([0, 1])
    assert dense(plain) is plain
    pd.testing.assert_series_equal(dense(plain.astype("Sparse[int64]")), plain)


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


def test_levels_come_back_in_the_order_of_the_dtype_with_gaps() -> None:
    dtype = pd.CategoricalDtype(["c", "b", "a"], ordered=True)
    cells, missing = np.array(["c", "a", None], dtype=object), np.array([False, False, True])
    array = ColumnFormat(dtype, "levels").restore(cells, missing, "x")
    pd.testing.assert_series_equal(pd.Series(array), pd.Series(["c", "a", None], dtype=dtype))


@pytest.mark.parametrize("dtype", ["int8", "bool"])
def test_a_gap_in_a_dtype_that_has_none_is_refused(dtype: str) -> None:
    with pytest.raises(TableError, match=f"'x' of dtype {dtype} cannot hold the missing cell"):
        ColumnFormat(np.dtype(dtype), "integer").restore(np.array([1, 0]), np.array([False, True]), "x")


def test_numbers_of_any_dtype_become_those_that_autogluon_knows() -> None:
    frame = pd.DataFrame(
        {
            "gap": pd.array([1, None], "Int64"), "whole": pd.array([1, 2], "Int8"),
            "on": pd.array([True, False], "boolean"), "maybe": pd.array([True, None], "boolean"),
            "arrow": pd.array([1, None], "int64[pyarrow]"),
            "text": ["a", None], "kind": pd.Categorical([1, 2]), "plain": [1.5, 2.5],
        },
        index=[7, 3],
    )  # fmt: skip
    plain = as_numpy(frame)
    kinds = ["float64", "int8", "bool", "float64", "float64", "object", "category", "float64"]
    assert [str(dtype) for dtype in plain.dtypes] == kinds
    assert plain["gap"].tolist() == pytest.approx([1, np.nan], nan_ok=True)
    assert plain.index.tolist() == [7, 3]
