from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.target_groups import TargetGroups


def groups_of(values: list[float], sizes: list[int], counts: dict[int, int], clause: str = "bin") -> TargetGroups:
    """Groups of a table with the given number of rows of each target, in bins of one unit."""
    y = np.repeat(np.asarray(values, dtype=np.float64), sizes)
    return TargetGroups.of(y, TargetBins.fit(y, kind="unit"), counts, clause)  # type: ignore[arg-type]


def test_bins_of_enough_rows_are_groups_of_their_own() -> None:
    groups = groups_of([0, 1, 2], [50, 6, 7], {1: 5, 2: 9})
    assert groups.names == ("0", "1", "2")
    assert groups.counts == {1: 5, 2: 9}
    assert np.bincount(groups.of_rows).tolist() == [50, 6, 7]


def test_small_bins_join_the_smaller_of_their_neighbours() -> None:
    groups = groups_of([0, 1, 2, 3], [50, 3, 40, 30], {1: 5})
    assert groups.names == ("0", "1 to 2", "3")
    assert groups.counts == {1: 5}


def test_small_bins_do_not_drown_in_a_crowded_one() -> None:
    groups = groups_of([0, 1, 2], [500, 2, 500], {1: 5})
    assert groups.names == ("0", "1", "2")


def test_a_lone_row_joins_even_a_crowded_bin() -> None:
    groups = groups_of([0, 1, 2], [500, 1, 600], {1: 5})
    assert groups.names == ("0 to 1", "2")
    assert groups.counts == {0: 5}


def test_rows_wanted_of_an_empty_bin_go_to_the_nearest_target() -> None:
    groups = groups_of([0, 1, 6], [50, 20, 20], {3: 5, 4: 7})
    assert groups.counts == {1: 5, 2: 7}


def test_by_value_bins_that_are_not_crowded_fall_apart_into_their_targets() -> None:
    groups = groups_of([0, 0.2, 1, 1.25, 2], [90, 60, 10, 30, 7], {1: 8, 2: 2}, "value")
    assert groups.names == ("0 to 0.2", "1", "1.25", "2")
    assert groups.counts == {1: 2, 2: 6, 3: 2}  # a bin's rows in proportion to those that its groups hold


def test_by_value_targets_of_few_rows_are_joined() -> None:
    y = np.sort(np.random.default_rng(0).normal(size=90))
    groups = TargetGroups.of(y, TargetBins.fit(y, n_bins=3), {0: 10}, "value")
    assert np.bincount(groups.of_rows).min() >= 6
    assert len(groups.lows) > 6
    assert sum(groups.counts.values()) == 10


@pytest.mark.parametrize("sizes", [[1, 1], [3, 1, 1], [1] * 25])
def test_tables_that_are_too_small_for_groups_make_one(sizes: list[int]) -> None:
    groups = groups_of([float(j) for j in range(len(sizes))], sizes, {0: 3})
    assert np.bincount(groups.of_rows).min() >= min(6, sum(sizes))
    assert sum(groups.counts.values()) == 3


def test_groups_are_numbered_by_target_in_any_order_of_rows() -> None:
    y = np.repeat([3.0, 1.0, 2.0], [10, 20, 30])
    order = np.random.default_rng(0).permutation(60)
    bins = TargetBins.fit(y, n_bins=3)
    groups, shuffled = TargetGroups.of(y, bins, {0: 1}), TargetGroups.of(y[order], bins, {0: 1})
    assert groups.of_rows.tolist() == [2] * 10 + [0] * 20 + [1] * 30
    np.testing.assert_array_equal(shuffled.of_rows, groups.of_rows[order])


def test_names_differ_where_six_digits_would_not() -> None:
    y = np.repeat([1.0, 1.0 + 1e-9], 10)
    groups = TargetGroups.of(y, TargetBins.fit(y, n_bins=2), {0: 1})
    assert len(set(groups.names)) == 2


def test_targets_between_two_groups_belong_to_the_nearer_one() -> None:
    groups = groups_of([0, 10], [10, 10], {0: 1})
    assert groups.distance(np.array([-5.0, 4.0, 5.0, 8.0]), 0).tolist() == [0.0, 0.0, 0.0, 3.0]
    assert groups.distance(np.array([2.0, 5.0, 99.0]), 1).tolist() == [3.0, 0.0, 0.0]


def test_other_counts_go_to_groups_that_may_get_rows() -> None:
    groups = groups_of([0, 0.2, 1, 1.25, 2], [90, 60, 10, 30, 7], {1: 8}, "value")
    assert groups.counts_of({1: 8}, [2, 3]) == {2: 8}
    assert groups.counts_of({1: 8, 2: 0}) == {1: 2, 2: 6}
    with pytest.raises(InvalidInputError, match=r"bin 2, which was not learned; learned are: \[1\]"):
        groups.counts_of({2: 1}, [1, 2])
