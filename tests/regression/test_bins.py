"""Bins of a target: edges from training targets alone, every target in one bin, shots by count."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import BinKind, TargetBins, checked_targets, shots

TARGETS = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=60).filter(lambda y: len(set(y)) > 1)
KINDS: tuple[BinKind, ...] = ("equal_width", "quantile", "unit")


@given(y=TARGETS.filter(lambda y: np.ptp(y) < 9000), n_bins=st.integers(1, 40), kind=st.sampled_from(KINDS))
def test_every_training_target_lies_between_the_edges_of_its_bin(y: list[float], n_bins: int, kind: BinKind) -> None:
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
