from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.counts import counts_by_code, in_shares

LABELS = ["a", "b", "c"]


def test_labels_become_codes_and_numpy_counts_plain_ones() -> None:
    counts = counts_by_code({"c": np.int64(4), "a": 0}, LABELS, LABELS)
    assert counts == {2: 4, 0: 0}
    assert {type(n) for n in counts.values()} == {int}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, r"counts is empty; name at least one of the labels: \['b', 'c'\]"),
        ({"a": 3}, r"counts name the label 'a'; the labels are: \['b', 'c'\]"),
        ({"b": -1}, r"counts ask for -1 rows of 'b'; a count must be 0, 1, 2, \.\.\."),
        ({"b": 2.5}, r"counts ask for 2\.5 rows of 'b'"),
        ({"b": "2"}, r"counts ask for '2' rows of 'b'"),
    ],
)
def test_counts_that_mean_nothing_are_refused(counts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        counts_by_code(counts, ["b", "c"], LABELS)


@pytest.mark.parametrize(
    ("total", "sizes", "expected"),
    [
        (10, [5, 3, 2], [5, 3, 2]),
        (100, [1, 1, 1], [34, 33, 33]),
        (1, [2, 3, 4], [0, 0, 1]),
        (7, [50, 49, 1], [4, 3, 0]),
        (0, [1, 2, 3], [0, 0, 0]),
    ],
)
def test_rests_go_to_the_largest_remainders(total: int, sizes: list[int], expected: list[int]) -> None:
    assert list(in_shares(total, dict(zip(LABELS, sizes, strict=True))).values()) == expected


@given(st.integers(0, 10**6), st.lists(st.integers(1, 10**6), min_size=1, max_size=30))
def test_shares_add_up_and_are_less_than_one_row_off(total: int, sizes: list[int]) -> None:
    counts = in_shares(total, dict(enumerate(sizes)))
    assert sum(counts.values()) == total
    assert all(abs(counts[i] * sum(sizes) - total * size) < sum(sizes) for i, size in enumerate(sizes))
