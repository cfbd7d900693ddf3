from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imbllm_autogluon.classification.prior import correct_prior, fitted_factors, prior_factors


def test_factors_are_real_share_over_rebalanced_share() -> None:
    assert prior_factors({0: 90, 1: 10}, {1: 80}, 2) == pytest.approx([0.9 / 0.5, 0.1 / 0.5])


def test_a_class_without_rows_keeps_the_factor_one() -> None:
    assert prior_factors({0: 90, 2: 10}, {2: 80}, 3)[1] == 1.0


def test_a_model_that_knows_only_the_rebalanced_shares_predicts_the_real_ones_after_correction() -> None:
    factors = prior_factors({0: 90, 1: 10}, {1: 80}, 2)
    assert correct_prior(np.array([0.5]), factors) == pytest.approx([0.1])
    assert correct_prior(np.array([[0.5, 0.5]]), factors) == pytest.approx(np.array([[0.9, 0.1]]))


@given(hnp.arrays(np.float32, 20, elements=st.floats(0, 1, width=32)))
def test_correction_keeps_range_order_dtype_and_the_certain_cases(probabilities: np.ndarray) -> None:
    corrected = correct_prior(probabilities, prior_factors({0: 90, 1: 10}, {1: 80}, 2))
    assert corrected.dtype == np.float32
    assert ((corrected >= 0) & (corrected <= 1)).all()
    assert (np.diff(corrected[np.argsort(probabilities, kind="stable")]) >= 0).all()
    assert (corrected[probabilities == 0] == 0).all()
    assert (corrected[probabilities == 1] == 1).all()


def test_binary_and_two_column_forms_agree() -> None:
    positive = np.linspace(0, 1, 7)
    factors = prior_factors({0: 50, 1: 5}, {1: 20}, 2)
    both = correct_prior(np.column_stack([1 - positive, positive]), factors)
    assert correct_prior(positive, factors) == pytest.approx(both[:, 1])
    assert both.sum(axis=1) == pytest.approx(1.0)


def test_rows_of_zero_probability_everywhere_are_returned_as_they_are() -> None:
    assert correct_prior(np.zeros((1, 3)), np.array([1.0, 2.0, 3.0])).tolist() == [[0.0, 0.0, 0.0]]


def drifted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions that lean to the rare class more than the rebalanced shares say, true labels, factors."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-2.0, 1.0, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    overconfident = 1 / (1 + np.exp(-(logit + 4.0)))
    return overconfident, labels, prior_factors({0: 90, 1: 10}, {1: 80}, 2)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    chances = np.column_stack([1 - probabilities, probabilities]) if probabilities.ndim == 1 else probabilities
    return float(-np.log(chances[np.arange(len(labels)), labels]).mean())


def test_factors_fitted_to_real_rows_beat_those_of_the_shares_and_none_on_other_rows() -> None:
    probabilities, labels, start = drifted(500)
    other, other_labels, _ = drifted(500, seed=1)
    fitted = log_loss(correct_prior(other, fitted_factors(probabilities, labels, start)), other_labels)
    assert fitted < log_loss(correct_prior(other, start), other_labels) < log_loss(other, other_labels)


@pytest.mark.parametrize(("n", "share"), [(0, 0.0), (2, 0.7), (5000, 1.0)])
def test_few_rows_change_the_factors_little(n: int, share: float) -> None:
    probabilities, labels, start = drifted(n)
    found = fitted_factors(probabilities, labels, start)
    moved = np.abs(np.log(found / start)).sum()
    whole = np.abs(np.log(fitted_factors(*drifted(20000)) / start)).sum()
    assert moved <= share * whole * 1.1 + 1e-9
    assert np.log(found).mean() == pytest.approx(np.log(start).mean())


def test_both_forms_of_binary_probabilities_give_the_same_factors() -> None:
    probabilities, labels, start = drifted(200)
    both = fitted_factors(np.column_stack([1 - probabilities, probabilities]), labels, start)
    assert fitted_factors(probabilities, labels, start) == pytest.approx(both)


def test_factors_of_several_classes_lower_the_loss_on_the_rows_they_were_fitted_to() -> None:
    rng = np.random.default_rng(2)
    probabilities = rng.dirichlet([1, 1, 1], 300)
    labels = rng.choice(3, 300, p=[0.8, 0.15, 0.05])
    start = np.ones(3)
    found = fitted_factors(probabilities, labels, start)
    assert found[0] > found[1] > found[2]
    assert log_loss(correct_prior(probabilities, found), labels) < log_loss(probabilities, labels)


def test_certain_predictions_that_are_wrong_leave_the_factors_finite() -> None:
    found = fitted_factors(np.array([0.0, 1.0]), np.array([1, 0]), np.array([1.8, 0.2]))
    assert np.isfinite(found).all()
