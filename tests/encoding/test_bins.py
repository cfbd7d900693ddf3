"""Bins hold about equal weight, keep spikes apart, and decode into themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.encoding.bins import QuantileBins

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import IntArray


UNITS = st.integers(0, 20) | st.integers(-(10**6), 10**6) | st.integers(2**60, 2**60 + 40) | st.integers(0, 2**63 - 1)


@st.composite
def samples(draw: st.DrawFn) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Values less than 2**63 apart, each with a weight."""
    values = draw(st.lists(UNITS, min_size=1, max_size=60))
    low = min(values)
    values = [value for value in values if value - low < 2**63]
    weights = draw(st.lists(st.floats(0.01, 100), min_size=len(values), max_size=len(values)))
    return np.array(values, dtype=np.int64), np.array(weights)


def equal(n: int) -> npt.NDArray[np.float64]:
    return np.ones(n)


@given(samples(), st.integers(2, 9), st.integers(2, 5))
def test_bins_are_at_most_as_many_as_asked_for_and_cover_seen_values(
    sample: tuple[IntArray, npt.NDArray[np.float64]], max_bins: int, max_knots: int
) -> None:
    bins = QuantileBins.fit(*sample, max_bins, max_knots)
    assert 1 <= bins.n_bins <= max_bins
    assert bins.starts[0] == 0
    assert bins.starts[-1] == len(bins.knots) == len(bins.weights)
    assert ((np.diff(bins.starts) > 0) & (np.diff(bins.starts) <= max_knots)).all()
    assert (bins.knots[1:] > bins.knots[:-1]).all()
    assert set(bins.knots) <= set(sample[0])
    assert {sample[0].min(), sample[0].max()} <= set(bins.knots)


@given(samples(), st.integers(2, 9), st.integers(2, 5), st.integers(0, 99))
def test_a_drawn_value_lies_in_its_own_bin_between_values_seen_there(
    sample: tuple[IntArray, npt.NDArray[np.float64]], max_bins: int, max_knots: int, seed: int
) -> None:
    bins = QuantileBins.fit(*sample, max_bins, max_knots)
    codes = np.repeat(np.arange(bins.n_bins), 5)
    drawn = bins.decode(codes, np.random.default_rng(seed))
    assert drawn.dtype == np.int64
    assert (drawn >= bins.knots[bins.starts[codes]]).all()
    assert (drawn <= bins.knots[bins.starts[codes + 1] - 1]).all()
    assert bins.encode(drawn).tolist() == codes.tolist()


@given(samples(), st.integers(0, 99))
def test_with_as_many_bins_as_distinct_values_every_value_comes_back_exactly(
    sample: tuple[IntArray, npt.NDArray[np.float64]], seed: int
) -> None:
    values, weights = sample
    bins = QuantileBins.fit(values, weights, max(2, len(set(values.tolist()))))
    assert bins.decode(bins.encode(values), np.random.default_rng(seed)).tolist() == values.tolist()


@given(samples(), st.integers(2, 9))
def test_every_seen_value_is_encoded_as_a_bin_next_to_it(
    sample: tuple[IntArray, npt.NDArray[np.float64]], max_bins: int
) -> None:
    values, weights = sample
    bins = QuantileBins.fit(values, weights, max_bins)
    codes = bins.encode(values)
    assert (bins.knots[bins.starts[codes]] <= values).all()
    assert (values <= bins.knots[bins.starts[codes + 1] - 1]).all()


@given(samples(), st.integers(2, 9))
def test_the_centre_of_a_bin_is_a_value_seen_in_it(
    sample: tuple[IntArray, npt.NDArray[np.float64]], max_bins: int
) -> None:
    bins = QuantileBins.fit(*sample, max_bins)
    assert bins.centers.dtype == np.int64
    assert set(bins.centers.tolist()) <= set(sample[0].tolist())
    assert bins.encode(bins.centers).tolist() == list(range(bins.n_bins))


def test_values_between_two_bins_go_to_the_nearer_one() -> None:
    bins = QuantileBins.fit(np.array([0, 10]), equal(2), 2)
    assert bins.encode(np.array([-99, 4, 5, 6, 99])).tolist() == [0, 0, 0, 1, 1]


def test_equal_weights_are_cut_into_bins_of_equal_weight() -> None:
    bins = QuantileBins.fit(np.arange(1000), equal(1000), 10, max_knots=1000)
    assert np.diff(bins.starts).tolist() == [100] * 10


def test_weights_not_counts_decide_where_bins_begin() -> None:
    weights = np.where(np.arange(110) < 100, 0.1, 1.0)
    bins = QuantileBins.fit(np.arange(110), weights, 10, max_knots=1000)
    assert [int((bins.starts[:-1] < 100).sum()), int((bins.starts[:-1] >= 100).sum())] == [5, 5]


@pytest.mark.parametrize("spike", [0, 50, 99])
def test_a_value_heavier_than_a_bin_has_a_bin_of_its_own(spike: int) -> None:
    values = np.concatenate([np.arange(100), np.full(60, spike)])
    bins = QuantileBins.fit(values, equal(160), 8)
    code = bins.encode(np.array([spike]))
    assert bins.n_bins <= 8
    assert bins.starts[code + 1] - bins.starts[code] == 1
    assert set(bins.decode(code.repeat(50), np.random.default_rng(0))) == {spike}


def test_a_spike_hardly_heavier_than_a_bin_shares_it_with_neither_neighbour() -> None:
    values = np.concatenate([np.arange(88), np.full(12, 7)])
    bins = QuantileBins.fit(values, equal(100), 9)
    assert bins.knots[bins.starts[1:3]].tolist() == [7, 8]


def test_many_spikes_do_not_raise_the_number_of_bins() -> None:
    values = np.repeat(np.arange(40), np.tile([1, 9], 20))
    assert QuantileBins.fit(values, equal(200), 20).n_bins <= 20


def test_drawing_gives_new_values_between_all_neighbours_of_a_bin() -> None:
    bins = QuantileBins(np.array([0, 100, 200]), equal(3), np.array([0, 3]))
    drawn = bins.decode(np.zeros(4000, dtype=np.int64), np.random.default_rng(0))
    assert set(drawn) == set(range(201))


def test_heavy_values_are_drawn_as_often_as_they_weigh() -> None:
    bins = QuantileBins(np.array([0, 1000]), np.array([9.0, 1.0]), np.array([0, 2]))
    drawn = bins.decode(np.zeros(4000, dtype=np.int64), np.random.default_rng(0))
    assert (drawn > 500).mean() == pytest.approx(0.1, abs=0.02)


def test_neighboring_bins_do_not_lend_each_other_weight() -> None:
    bins = QuantileBins(np.array([0, 10, 20, 30]), np.array([1.0, 1.0, 98.0, 1.0]), np.array([0, 2, 4]))
    drawn = bins.decode(np.zeros(2000, dtype=np.int64), np.random.default_rng(0))
    assert drawn.max() == 10
    assert (drawn > 5).mean() == pytest.approx(0.5, abs=0.05)


def test_values_far_apart_or_beyond_floats_stay_exact() -> None:
    values = np.array([0, 2**53 + 1, 2**62 + 3, 2**63 - 1])
    bins = QuantileBins.fit(values, equal(4), 4)
    assert bins.decode(bins.encode(values), np.random.default_rng(0)).tolist() == values.tolist()
    assert bins.encode(np.array([2**62 + 4, 2**63 - 2])).tolist() == [2, 3]


@given(samples())
def test_bins_survive_json(sample: tuple[IntArray, npt.NDArray[np.float64]]) -> None:
    bins = QuantileBins.fit(*sample, 4)
    again = QuantileBins.from_dict(json.loads(json.dumps(bins.to_dict())))
    for name in ("knots", "weights", "starts"):
        assert getattr(again, name).dtype == getattr(bins, name).dtype
        assert getattr(again, name).tolist() == getattr(bins, name).tolist()
