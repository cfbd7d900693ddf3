"""Synthetic features of each bin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.regression.allocation import allocate, bin_errors, largest_remainder, priorities
from imbllm_autogluon.regression.config import AllocationConfig

COUNTS = np.array([100, 50, 0, 5])
ERRORS = np.array([0.1, 0.2, 0.0, 1.0])


def test_the_error_of_a_bin_is_its_mean_over_the_largest() -> None:
    errors = bin_errors(np.array([1.0, 3.0, 8.0]), np.array([0, 0, 3]), 4)
    assert errors.tolist() == [0.25, 0.0, 0.0, 1.0]


def test_perfect_predictions_have_no_errors_to_normalise() -> None:
    assert bin_errors(np.zeros(3), np.array([0, 1, 1]), 2).tolist() == [0.0, 0.0]


def test_priorities_follow_the_papers_formula() -> None:
    raw = 0.3 * ERRORS + 0.7 * (1 - COUNTS / 100)
    raw[2] = 0.0
    assert priorities(ERRORS, COUNTS, 0.3) == pytest.approx(raw / raw.sum())


@pytest.mark.parametrize(("error_weight", "first"), [(1.0, 0.1 / 1.3), (0.0, 0.0)])
def test_the_weight_chooses_between_errors_and_scarcity(error_weight: float, first: float) -> None:
    assert priorities(ERRORS, COUNTS, error_weight)[0] == pytest.approx(first)


def test_bins_of_one_size_share_evenly_where_errors_do_not_count() -> None:
    assert priorities(np.array([0.5, 1.0]), np.array([7, 7]), 0.0).tolist() == [0.5, 0.5]


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
