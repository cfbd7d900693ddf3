"""Weights by rarity: formulas of LDS and DenseWeight, mean 1, their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.weights import dense_weights, gaussian_window, lds_weights

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=80).filter(lambda y: len(set(y)) > 1)


@given(y=TARGETS)
def test_all_weights_are_positive_with_mean_one(y: list[float]) -> None:
    bins = TargetBins.fit(y)
    for weights in (lds_weights(y, bins), lds_weights(y, bins, "inverse"), dense_weights(y)):
        assert weights.shape == (len(y),)
        assert (weights > 0).all()
        assert weights.mean() == pytest.approx(1.0)


def test_without_smoothing_lds_weighs_by_the_inverse_of_counts_or_of_their_roots() -> None:
    y = np.array([0.0] * 90 + [1.0] * 10)
    bins = TargetBins.fit(y, 2)
    inverse, roots = lds_weights(y, bins, "inverse", size=1), lds_weights(y, bins, size=1)
    assert inverse[-1] / inverse[0] == pytest.approx(9.0)
    assert roots[-1] / roots[0] == pytest.approx(3.0)


def test_lds_counts_the_neighbours_of_a_bin() -> None:
    y = np.array([0.5] * 80 + [1.5] * 5 + [8.5] * 5 + [9.5])
    bins = TargetBins(np.arange(11.0))
    weights = lds_weights(y, bins, "inverse")
    beside_the_crowd, far_from_it = weights[80], weights[85]
    assert beside_the_crowd < 0.5 * far_from_it
    window = np.exp(-0.5 * (np.arange(-2, 3) / 2.0) ** 2)
    expected = (window[2] * 5 + window[3] * 1) / (window[2] * 80 + window[3] * 5)
    assert weights[0] / far_from_it == pytest.approx(expected)


def test_dense_weights_fall_linearly_with_the_density() -> None:
    y = np.random.default_rng(0).normal(size=2000)
    at = np.argsort(np.abs(y[:, None] - [0.0, 1.0, 2.0]), axis=0)[0]
    weights = dense_weights(y, alpha=0.8)
    # Density of a standard normal, widened by the kernel (Silverman: about 0.2), against its peak.
    wide = 1 + (0.9 * 2000**-0.2) ** 2
    expected = 1 - 0.8 * np.exp(-0.5 * np.array([0.0, 1.0, 4.0]) / wide)
    assert weights[at] / weights[at[2]] == pytest.approx(expected / expected[2], abs=0.04)


def test_alpha_zero_weighs_all_rows_alike_and_a_large_alpha_ends_at_the_floor() -> None:
    y = np.random.default_rng(0).normal(size=500)
    assert dense_weights(y, alpha=0.0) == pytest.approx(np.ones(500))
    strong = dense_weights(y, alpha=2.0, floor=0.01)
    assert strong.max() / strong.min() == pytest.approx(100.0, rel=0.01)


def test_dense_weights_do_not_depend_on_the_unit_of_the_target() -> None:
    y = np.random.default_rng(0).exponential(size=300)
    assert dense_weights(y) == pytest.approx(dense_weights(y * 1e200 - 1e200), rel=0.02)


def test_a_far_outlier_and_a_target_mostly_of_one_value_have_weights_too() -> None:
    outlier = dense_weights(np.r_[np.random.default_rng(0).normal(size=200), 1e9])
    assert np.isfinite(outlier).all()
    assert outlier.argmax() == 200
    mostly = dense_weights(np.r_[np.zeros(190), np.arange(1.0, 11.0)])
    assert mostly[:190].max() < mostly[190:].min()


def test_two_equally_frequent_targets_weigh_alike() -> None:
    assert dense_weights(np.array([0.0, 1.0] * 20)) == pytest.approx(np.ones(40), rel=1e-6)


def test_the_window_is_symmetric_and_sums_to_one() -> None:
    window = gaussian_window(5, 2.0)
    assert window == pytest.approx(window[::-1])
    assert window.sum() == pytest.approx(1.0)


BAD: list[Callable[[], object]] = [
    lambda: gaussian_window(4, 2.0),
    lambda: gaussian_window(5, 0.0),
    lambda: dense_weights([0.0, 1.0], alpha=-1.0),
    lambda: dense_weights([0.0, 1.0], floor=0.0),
    lambda: dense_weights([1.0, 1.0]),
    lambda: lds_weights([0.0, 1.0], TargetBins.fit([0.0, 1.0]), "root"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("make", BAD)
def test_settings_out_of_range_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidInputError, match="must "):
        make()
