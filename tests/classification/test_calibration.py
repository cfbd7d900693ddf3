"""Corrections of probabilities: towards a prior, fitted to held-out rows, biases of the decision; rows held out."""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax

from imbllm_autogluon.classification.calibration import (
    _FEWEST_TO_HOLD_OUT,
    LabelCalibration,
    _fitted_scaling,
    _matching_biases,
    _prior_biases,
    correct_prior,
    fitted_factors,
    held_out_rows,
    prior_factors,
)

KINDS: list[Literal["bias", "temperature"]] = ["bias", "temperature"]
EVEN = np.zeros(2)


def drawn(n: int, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and classes drawn from them."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.linspace(2, 0.4, k), n)
    return probabilities, (probabilities.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(max=k - 1)


def loss(probabilities: np.ndarray, codes: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(codes)), codes]).mean())


def test_no_calibration_changes_nothing() -> None:
    probabilities, _ = drawn(50)
    none = LabelCalibration.none(3)
    assert none.probabilities(np.log(probabilities)) == pytest.approx(probabilities)
    assert none.decide(probabilities).tolist() == probabilities.argmax(axis=1).tolist()


def test_a_calibration_comes_back_from_json() -> None:
    calibration = LabelCalibration(np.array([1.0, 0.3]), np.array([0.1, -2.0]), np.array([0.0, 1e-9]))
    again = LabelCalibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    assert again.to_dict() == calibration.to_dict()


def test_probabilities_of_extreme_scores_are_finite() -> None:
    assert softmax(np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]]), axis=1) == pytest.approx(
        np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    )
    sure = LabelCalibration.none(2).decide(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert sure.tolist() == [1, 0]


def test_biases_turn_answers_under_one_prior_into_those_under_another() -> None:
    """Two normal classes: the posterior under any shares is known."""
    x = np.linspace(-3, 3, 41)
    likelihoods = np.column_stack([np.exp(-((x + 1) ** 2) / 2), np.exp(-((x - 1) ** 2) / 2)])

    def posterior(shares: np.ndarray) -> np.ndarray:
        joint: np.ndarray = likelihoods * shares
        return joint / joint.sum(axis=1, keepdims=True)

    own, wanted = np.array([0.9, 0.1]), np.array([0.4, 0.6])
    corrected = softmax(np.log(posterior(own)) + _prior_biases(wanted, own), axis=1)
    assert corrected == pytest.approx(posterior(wanted))


def test_a_model_that_answers_with_the_shares_alone_answers_with_the_wanted_ones() -> None:
    own, wanted = np.array([0.8, 0.15, 0.05]), np.array([0.2, 0.3, 0.5])
    assert softmax(np.log(own)[None] + _prior_biases(wanted, own), axis=1)[0] == pytest.approx(wanted)


def test_a_prior_of_nothing_leaves_biases_finite() -> None:
    assert np.isfinite(_prior_biases(np.array([1.0, 0.0]), np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_scaling_undoes_a_shift_on_other_rows(kind: Literal["bias", "temperature"]) -> None:
    probabilities, codes = drawn(3000)
    other, other_codes = drawn(3000, seed=1)
    shift = np.array([0.0, 1.5, 3.0])

    def answers(p: np.ndarray) -> np.ndarray:
        scores = np.log(p) + shift
        return np.asarray(scores - np.logaddexp.reduce(scores, axis=1)[:, None])

    slopes, biases = _fitted_scaling(answers(probabilities), codes, np.ones(3000), np.zeros(3), kind)
    fitted = LabelCalibration(slopes, biases, np.zeros(3)).probabilities(answers(other))
    assert loss(fitted, other_codes) == pytest.approx(loss(other, other_codes), abs=0.01)
    assert loss(fitted, other_codes) < loss(np.exp(answers(other)), other_codes) - 0.1
    assert np.diff(biases) == pytest.approx(-np.diff(shift), abs=0.3)


def test_a_bias_leaves_the_slopes_at_one_and_a_temperature_cools_what_is_overconfident() -> None:
    probabilities, codes = drawn(3000)
    sharp = np.log(softmax(3 * np.log(probabilities), axis=1))
    assert _fitted_scaling(sharp, codes, np.ones(3000), np.zeros(3), "bias")[0].tolist() == [1, 1, 1]
    slopes, biases = _fitted_scaling(sharp, codes, np.ones(3000), np.zeros(3), "temperature")
    assert slopes == pytest.approx(np.full(3, 1 / 3), abs=0.1)
    assert loss(softmax(slopes * sharp + biases, axis=1), codes) == pytest.approx(loss(probabilities, codes), abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_few_rows_change_little_and_no_row_nothing(kind: Literal["bias", "temperature"]) -> None:
    start = np.array([0.5, -0.5])
    nothing = _fitted_scaling(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), np.zeros(0), start, kind)
    assert [part.tolist() for part in nothing] == [[1.0, 1.0], start.tolist()]
    slopes, biases = _fitted_scaling(np.log([[0.5, 0.5]]), np.array([1]), np.ones(1), start, kind)
    assert np.abs(biases - start).max() < 1
    assert np.abs(slopes - 1).max() < 1


def test_weights_count_as_repeated_rows() -> None:
    probabilities, codes = drawn(40)
    weights = np.random.default_rng(0).integers(0, 4, 40)
    logs = np.log(probabilities)
    weighed = _fitted_scaling(logs, codes, weights.astype(float), np.zeros(3), "temperature")
    rows = np.repeat(np.arange(40), weights)
    repeated = _fitted_scaling(logs[rows], codes[rows], np.ones(len(rows)), np.zeros(3), "temperature")
    assert np.concatenate(weighed) == pytest.approx(np.concatenate(repeated), abs=1e-3)


def test_certain_answers_that_are_wrong_leave_the_scaling_finite() -> None:
    logs = np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    found = _fitted_scaling(logs, np.array([1, 0]), np.ones(2), EVEN, "temperature")
    assert np.isfinite(found).all()


@given(seed=st.integers(0, 10**6), k=st.integers(2, 5), n=st.integers(60, 300))
def test_matched_decisions_have_the_wanted_shares_as_nearly_as_rows_allow(seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities, wanted = rng.dirichlet(np.ones(k), n), rng.dirichlet(np.full(k, 3.0))
    biases = _matching_biases(probabilities, np.ones(n), wanted)
    answers = LabelCalibration(np.ones(k), np.zeros(k), biases).decide(probabilities)
    assert np.bincount(answers, minlength=k) / n == pytest.approx(wanted, abs=0.025 + k / n)
    assert biases.mean() == pytest.approx(0, abs=1e-9)


def test_a_class_that_is_never_the_most_likely_is_answered_after_matching() -> None:
    rare = np.random.default_rng(0).uniform(0.01, 0.4, 1000)
    probabilities = np.column_stack([1 - rare, rare])
    biases = _matching_biases(probabilities, np.ones(1000), np.array([0.9, 0.1]))
    answers = LabelCalibration(np.ones(2), EVEN, biases).decide(probabilities)
    assert answers.mean() == pytest.approx(0.1, abs=0.01)
    assert rare[answers == 1].min() > rare[answers == 0].max()


def test_shares_are_those_of_the_weighed_rows() -> None:
    rare = np.linspace(0.1, 0.9, 400)
    probabilities, weights = np.column_stack([1 - rare, rare]), np.where(rare > 0.5, 3.0, 1.0)
    biases = _matching_biases(probabilities, weights, np.array([0.5, 0.5]))
    answers = LabelCalibration(np.ones(2), EVEN, biases).decide(probabilities)
    assert np.average(answers, weights=weights) == pytest.approx(0.5, abs=0.02)


def test_shares_that_no_bias_can_reach_leave_it_finite() -> None:
    same = np.tile([0.9, 0.1], (50, 1))
    assert np.isfinite(_matching_biases(same, np.ones(50), np.array([0.5, 0.5]))).all()
    assert np.isfinite(_matching_biases(np.tile([1.0, 0.0], (50, 1)), np.ones(50), np.array([0.0, 1.0]))).all()


def test_factors_are_real_share_over_rebalanced_share() -> None:
    assert prior_factors({0: 90, 1: 10}, {1: 80}, 2) == pytest.approx([0.9 / 0.5, 0.1 / 0.5])
    assert prior_factors({0: 90, 1: 10}, {0: -60, 1: 20}, 2) == pytest.approx([0.9 / 0.5, 0.1 / 0.5])


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


@pytest.mark.parametrize(
    ("n", "share", "kept"), [(100, 0.2, 20), (20, 0.2, 4), (20, 0.001, 1), (19, 0.5, 0), (50, 0, 0)]
)
def test_the_share_of_a_class_is_held_out_and_none_of_a_small_one(n: int, share: float, kept: int) -> None:
    codes = (np.arange(200) < n).astype(np.int64)
    chosen = held_out_rows(codes, [1], share, 0)
    assert chosen.shape == (200,)
    assert chosen.sum() == kept
    assert not chosen[codes == 0].any()


def test_held_out_rows_are_drawn_by_the_seed() -> None:
    codes = np.zeros(2 * _FEWEST_TO_HOLD_OUT, dtype=np.int64)
    first, again, other = (held_out_rows(codes, [0], 0.3, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other
