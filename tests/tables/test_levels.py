"""Distinct cells are told apart as Python tells them apart, and by type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.column import distinct_levels, find_levels


def levels_of(series: pd.Series) -> tuple[list[int], list[Any]]:
    codes, levels = distinct_levels(series, series.isna().to_numpy(), "x")
    return codes.tolist(), levels


def test_one_and_true_and_one_point_zero_are_three_levels() -> None:
    codes, levels = levels_of(pd.Series([1, True, 1.0, None, 1], dtype=object))
    assert codes == [0, 1, 2, -1, 0]
    assert [type(level) for level in levels[:3]] == [int, bool, float]


@pytest.mark.parametrize("dtype", ["float32", "float16", "Float32", "float[pyarrow]"])
def test_short_floats_become_their_short_decimal(dtype: str) -> None:
    assert levels_of(pd.Series([0.1, 2.3], dtype=dtype))[1] == [0.1, 2.3]


@pytest.mark.parametrize("dtype", ["int8", "Int64", "int64[pyarrow]", "uint64"])
def test_levels_are_python_objects(dtype: str) -> None:
    assert [type(level) for level in levels_of(pd.Series([3, 1, 3], dtype=dtype))[1]] == [int, int]


def test_levels_of_a_category_include_unseen_ones() -> None:
    assert levels_of(pd.Series(pd.Categorical(["b", None], categories=["a", "b"]))) == ([1, -1], ["a", "b"])


@pytest.mark.parametrize("cells", [["a", float("inf")], [1.0, float("-inf")]])
def test_infinite_levels_are_refused(cells: list[Any]) -> None:
    with pytest.raises(TableError, match="infinite"):
        levels_of(pd.Series(cells, dtype=object))


def test_tuples_around_lists_are_refused() -> None:
    with pytest.raises(TableError, match="no single value"):
        levels_of(pd.Series([("a", []), "b"], dtype=object))


def test_levels_are_found_by_type_first_then_by_value_but_never_across_booleans() -> None:
    assert find_levels([1.0, 1, True, 2, "z"], (1, 1.0, 2.0)).tolist() == [1, 0, -1, 2, -1]
    assert find_levels([np.bool_(True)], (1, True)).tolist() == [1]
