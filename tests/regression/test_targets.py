from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.config import AllocationConfig
from imbllm_autogluon.regression.targets import as_target, checked_counts, counts_by_priority, targets_of

X = pd.DataFrame({"a": [1, 2, 3]})


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, 2.0], "same number of rows"),
        ([1.0, np.nan, 2.0], "1 such rows"),
        ([1.0, np.inf, -np.inf], "2 such rows"),
        ([2.0, 2.0, 2.0], "2 distinct"),
        (["a", "b", "c"], "must be a number"),
        ([True, False, True], "must be a number"),
        (pd.array([1, None, 3], dtype="Int64"), "1 such rows"),
    ],
)
def test_targets_that_are_no_finite_numbers_are_refused(y: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        targets_of(X, pd.Series(y))


def test_targets_become_float64() -> None:
    found = targets_of(X, pd.Series([1, 2, 3], dtype="int8"))
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "empty"),
        ({3: 1}, "the bin 3"),
        ({-1: 1}, "the bin -1"),
        ({"0": 1}, "the bin '0'"),
        ({0: -1}, "-1 rows"),
        ({0: 1.5}, "1.5 rows"),
    ],
)
def test_counts_that_no_bin_can_fulfil_are_refused(counts: dict[Any, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        checked_counts(counts, 3)


def test_counts_come_in_the_order_of_the_bins() -> None:
    assert list(checked_counts({np.int64(2): np.int64(5), 0: 1}, 3).items()) == [(0, 1), (2, 5)]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("float64", [1.25, 2.75]), ("float32", [1.25, 2.75]), ("int64", [1, 3]), ("uint8", [1, 3]), ("Int64", [1, 3])],
)
def test_new_targets_are_whole_only_where_the_dtype_is(dtype: str, expected: list[float]) -> None:
    found = as_target(np.array([1.25, 2.75]), pd.Series([0, 9], dtype=dtype, name="price"))
    assert found.dtype == dtype
    assert found.name == "price"
    assert found.tolist() == expected


def test_whole_numbers_in_a_float_column_do_not_round_new_targets() -> None:
    assert as_target(np.array([1.5]), pd.Series([1.0, 2.0])).tolist() == [1.5]


def test_rare_bins_get_more_rows_and_empty_ones_none() -> None:
    y = np.repeat([0.5, 1.5, 3.5], [80, 15, 5])
    bins = TargetBins.fit(y, n_bins=4)
    counts = counts_by_priority(y, bins, AllocationConfig(generation_ratio=0.5, error_weight=0.0))
    assert sum(counts.values()) == 50
    assert set(counts) == {1, 3}
    assert counts[3] > counts[1]


def test_errors_of_a_model_move_rows_to_where_it_errs() -> None:
    y = np.repeat([0.5, 1.5, 3.5], [80, 15, 5])
    bins = TargetBins.fit(y, n_bins=4)
    config = AllocationConfig(generation_ratio=0.5, error_weight=1.0)
    assert counts_by_priority(y, bins, config, np.array([0.0, 1.0, 0.0, 0.0])) == {1: 50}
