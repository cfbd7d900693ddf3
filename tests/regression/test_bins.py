"""Bins of a target: edges from training targets alone, every target in one bin, shots by count."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import (
    TargetBins,
    _BinKind,
    allocate,
    checked_counts,
    checked_targets,
    largest_remainder,
    shots,
    targets_of,
)
from imbllm_autogluon.regression.config import AllocationConfig

TARGETS = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=60).filter(lambda y: len(set(y)) > 1)
KINDS: tuple[_BinKind, ...] = ("equal_width", "quantile", "unit")


@given(y=TARGETS.filter(lambda y: np.ptp(y) < 9000), n_bins=st.integers(1, 40), kind=st.sampled_from(KINDS))
def test_every_training_target_lies_between_the_edges_of_its_bin(y: list[float], n_bins: int, kind: _BinKind) -> None:
    bins = TargetBins.fit(y, n_bins, kind)
    codes = bins.assign(y)
    assert (np.diff(bins.edges) > 0).all()
    assert (bins.edges[codes] <= y).all()
    inner = codes < len(bins) - 1
    assert (np.asarray(y)[inner] < bins.edges[codes + 1][inner]).all()
    assert (np.asarray(y) <= bins.edges[-1]).all()
    assert bins.counts(y).sum() == len(y)


def test_equal_width_bins_are_equally_wide_and_quantile_bins_equally_full() -> None:
    y = np.random.default_rng(0).exponential(size=1000)
    assert np.ptp(np.diff(TargetBins.fit(y, 10).edges)) == pytest.approx(0.0, abs=1e-12)
    assert set(TargetBins.fit(y, 10, "quantile").counts(y)) <= {99, 100, 101}


def test_quantile_bins_are_fewer_where_targets_repeat() -> None:
    y = np.array([0.0] * 90 + [1.0] * 5 + [2.0] * 5)
    bins = TargetBins.fit(y, 10, "quantile")
    assert bins.edges.tolist() == [0.0, 1.0, 2.0]
    assert bins.counts(y).tolist() == [90, 10]


def test_bins_of_one_unit_stand_around_whole_numbers() -> None:
    bins = TargetBins.fit([3.0, 4.0, 7.0], kind="unit")
    assert bins.centres.tolist() == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert bins.counts([3, 4, 4, 7]).tolist() == [1, 2, 0, 0, 1]


def test_targets_beyond_the_training_range_belong_to_the_outer_bins() -> None:
    bins = TargetBins.fit([0.0, 10.0], 5)
    assert bins.assign([-1e9, 1e9]).tolist() == [0, 4]


@given(y=TARGETS, centre=st.floats(-100, 100), scale=st.floats(0.1, 100))
def test_scaled_bins_hold_the_scaled_targets(y: list[float], centre: float, scale: float) -> None:
    # Edges that share no digits with targets: rounding may carry a target on an edge over it.
    bins = TargetBins(np.sort(np.random.default_rng(0).uniform(-1e4, 1e4, 6)))
    clear = np.array([value for value in y if np.abs(bins.edges - value).min() > 1e-6])
    assert bins.scaled(centre, scale).assign((clear - centre) / scale).tolist() == bins.assign(clear).tolist()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, np.nan], "got nan in row 1 and 1 such rows"),
        ([np.inf, 1.0, -np.inf], "got inf in row 0 and 2 such rows"),
        ([5.0, 5.0, 5.0], "got 5.0 in all 3 rows"),
        ([], "got no rows"),
        ([-1.7e308, 1.7e308], "range must be a finite float64"),
    ],
)
def test_targets_that_cannot_be_binned_are_refused_with_a_reason(y: list[float], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        TargetBins.fit(y)
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        checked_targets(y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_bins": 0}, "n_bins must be a whole number between 1 and 10000; got 0"),
        ({"kind": "quantiles"}, "did you mean 'quantile'"),
        ({"kind": "unit"}, "bins of one unit would be 1000001; at most 10000"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        TargetBins.fit([0.0, 1e6], **settings)


def test_the_description_shows_edges_counts_and_shots_of_every_bin() -> None:
    y = np.array([0.0] * 150 + [1.5] * 50 + [3.0])
    table = TargetBins.fit(y, 3).describe(y)
    assert table["n"].tolist() == [150, 50, 1]
    assert table["shots"].tolist() == ["many", "medium", "few"]
    assert table[["from", "to", "centre"]].to_numpy().tolist() == [[0, 1, 0.5], [1, 2, 1.5], [2, 3, 2.5]]


def test_a_bin_without_training_rows_is_few_shot() -> None:
    assert shots(np.array([0, 1, 19, 20, 100, 101])).tolist() == ["few"] * 3 + ["medium"] * 2 + ["many"]


COUNTS = np.array([100, 50, 0, 5])
ERRORS = np.array([0.1, 0.2, 0.0, 1.0])


def test_the_error_of_a_bin_is_its_mean_over_the_largest() -> None:
    bins = TargetBins(np.arange(5.0))
    assert bins.relative_errors([0.5, 0.5, 3.5], np.array([1.0, 3.0, 8.0])).tolist() == [0.25, 0.0, 0.0, 1.0]


def test_perfect_predictions_have_no_errors_to_normalize() -> None:
    assert TargetBins(np.arange(3.0)).relative_errors([0.5, 1.5, 1.5], np.zeros(3)).tolist() == [0.0, 0.0]


def test_shares_follow_the_papers_formula() -> None:
    raw = 0.3 * ERRORS + 0.7 * (1 - COUNTS / 100)
    raw[2] = 0.0
    many = allocate(ERRORS, COUNTS, AllocationConfig(error_weight=0.3), 1e6)
    assert many / many.sum() == pytest.approx(raw / raw.sum(), abs=1e-7)


@pytest.mark.parametrize(("error_weight", "first"), [(1.0, 0.1 / 1.3), (0.0, 0.0)])
def test_the_weight_chooses_between_errors_and_scarcity(error_weight: float, first: float) -> None:
    many = allocate(ERRORS, COUNTS, AllocationConfig(error_weight=error_weight), 1e6)
    assert many[0] / many.sum() == pytest.approx(first, abs=1e-7)


def test_bins_of_one_size_share_evenly_where_errors_do_not_count() -> None:
    config = AllocationConfig(error_weight=0.0)
    assert allocate(np.array([0.5, 1.0]), np.array([7, 7]), config, 1.0).tolist() == [7, 7]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30).filter(any), st.integers(0, 10_000))
def test_counts_add_up_exactly_and_stay_within_one_of_their_share(raw: list[float], total: int) -> None:
    shares = np.array(raw) / np.sum(raw)
    counts = largest_remainder(shares, total)
    assert counts.sum() == total
    assert (np.abs(counts - shares * total) < 1 + 1e-6).all()


@pytest.mark.parametrize("kind", ["priority", "uniform"])
def test_the_ratio_sets_the_number_and_empty_bins_get_nothing(kind: str) -> None:
    config = AllocationConfig(allocation=kind, generation_ratio=0.8)  # type: ignore[arg-type]
    counts = allocate(ERRORS, COUNTS, config)
    assert counts.sum() == round(0.8 * 155)
    assert counts[2] == 0


def test_uniform_allocation_gives_every_filled_bin_the_same() -> None:
    counts = allocate(ERRORS, COUNTS, AllocationConfig(allocation="uniform", generation_ratio=3 / 155))
    assert counts.tolist() == [1, 1, 0, 1]


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


def test_rare_bins_get_more_rows_and_empty_ones_none() -> None:
    y = np.repeat([0.5, 1.5, 3.5], [80, 15, 5])
    bins = TargetBins.fit(y, n_bins=4)
    counts = bins.counts_by_priority(y, AllocationConfig(generation_ratio=0.5, error_weight=0.0))
    assert sum(counts.values()) == 50
    assert set(counts) == {1, 3}
    assert counts[3] > counts[1]


def test_errors_of_a_model_move_rows_to_where_it_errs() -> None:
    y = np.repeat([0.5, 1.5, 3.5], [80, 15, 5])
    bins = TargetBins.fit(y, n_bins=4)
    config = AllocationConfig(generation_ratio=0.5, error_weight=1.0)
    assert bins.counts_by_priority(y, config, np.array([0.0, 1.0, 0.0, 0.0])) == {1: 50}
