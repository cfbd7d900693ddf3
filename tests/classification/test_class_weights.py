"""Weights of classes and repeated rows: the formulas, their limits, their edges."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.classification.label_model import class_weights, repeated_rows

COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any)
WEIGHTINGS = st.sampled_from(["none", "effective", "inverse"])


@given(counts=COUNTS, weighting=WEIGHTINGS, beta=st.floats(0, 1 - 1e-12))
def test_the_mean_weight_of_all_rows_is_one(
    counts: list[int], weighting: Literal["none", "effective", "inverse"], beta: float
) -> None:
    rows = np.array(counts)
    weights = class_weights(rows, weighting, beta)
    assert np.isfinite(weights).all()
    assert (weights * rows).sum() / rows.sum() == pytest.approx(1.0, rel=1e-6)
    assert (weights[rows == 0] == 0).all()


def test_by_the_inverse_every_class_weighs_the_same_in_all() -> None:
    counts = np.array([900, 90, 10])
    assert class_weights(counts, "inverse", 0.0) * counts == pytest.approx(np.full(3, 1000 / 3))


def test_effective_numbers_are_those_of_the_paper() -> None:
    counts, beta = np.array([500, 50, 5]), 0.99
    expected = (1 - beta) / (1 - beta**counts)
    found = class_weights(counts, "effective", beta)
    assert found / found[0] == pytest.approx(expected / expected[0])


@pytest.mark.parametrize(("beta", "like"), [(0.0, "none"), (1 - 1e-9, "inverse")])
def test_beta_leads_from_equal_rows_to_the_inverse(beta: float, like: Literal["none", "inverse"]) -> None:
    counts = np.array([500, 50, 5])
    assert class_weights(counts, "effective", beta) == pytest.approx(class_weights(counts, like, 0.0), rel=1e-4)


def codes_of(*counts: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))


@pytest.mark.parametrize("cap", [1.0, 2.0, 2.5, 3.0, 50.0])
@pytest.mark.parametrize("counts", [(100, 10), (100, 60, 7, 1), (5, 5), (0, 30, 2)])
def test_the_largest_class_has_at_most_the_cap_times_any_others_rows(cap: float, counts: tuple[int, ...]) -> None:
    codes = codes_of(*counts)
    more = repeated_rows(codes, cap, np.random.default_rng(0))
    before, after = np.bincount(codes), np.bincount(np.concatenate([codes, codes[more]]))
    present = before > 0
    assert after.max() == before.max()
    assert after.max() <= cap * after[present].min() + 1e-9
    wanted = np.maximum(before, np.ceil(before.max() / cap))
    assert after[present].tolist() == wanted[present].tolist()


def test_every_row_of_a_class_is_repeated_as_often_as_any_other_give_or_take_one() -> None:
    codes = codes_of(100, 7)
    times = np.bincount(repeated_rows(codes, 2.0, np.random.default_rng(0)), minlength=107)
    assert set(times[codes == 0]) == {0}
    assert np.ptp(times[codes == 1]) <= 1
    assert times[codes == 1].sum() == 43


def test_where_the_cap_is_met_no_row_is_repeated() -> None:
    more = repeated_rows(codes_of(20, 10), 2.0, np.random.default_rng(0))
    assert (len(more), more.dtype) == (0, np.int64)
