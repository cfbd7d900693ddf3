from __future__ import annotations

import numpy as np
import pytest
from autogluon.core.metrics import accuracy, balanced_accuracy, get_metric

from imbllm_autogluon.classification.prior import correct_prior
from imbllm_autogluon.classification.tilting import tilt, tilt_degree

SHARES = np.array([0.8, 0.15, 0.05])


def answers(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities, shape (n, 3), and classes drawn from them."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, n, p=SHARES)
    seen = codes[:, None] * 1.0 + rng.normal(0, 1.0, (n, 1))
    likelihoods = np.exp(-((seen - np.arange(3.0)) ** 2) / 2)
    probabilities = likelihoods * SHARES
    return probabilities / probabilities.sum(axis=1, keepdims=True), codes


def test_the_full_tilt_divides_by_the_shares() -> None:
    factors = tilt(SHARES, 1.0)
    assert factors / factors[0] == pytest.approx(SHARES[0] / SHARES)
    assert np.log(factors).mean() == pytest.approx(0.0)
    assert tilt(SHARES, 0.0) == pytest.approx(1.0)


def test_a_class_without_rows_is_not_raised_above_the_others() -> None:
    factors = tilt(np.array([0.9, 0.1, 0.0]), 1.0)
    assert np.isfinite(factors).all()
    assert factors[2] == factors.min()


def test_balanced_accuracy_asks_for_a_tilt_and_accuracy_for_none() -> None:
    probabilities, codes = answers()
    assert tilt_degree(probabilities, codes, SHARES, accuracy, 0.0) == 0.0
    assert tilt_degree(probabilities, codes, SHARES, balanced_accuracy, 0.5) >= 0.7


def test_macro_f1_asks_for_less_than_balanced_accuracy() -> None:
    probabilities, codes = answers()
    macro = tilt_degree(probabilities, codes, SHARES, get_metric("f1_macro", "multiclass"), 0.5)
    assert 0.0 < macro < tilt_degree(probabilities, codes, SHARES, balanced_accuracy, 0.5)


def test_decisions_of_the_chosen_degree_are_better_on_rows_that_did_not_choose() -> None:
    degree = tilt_degree(*answers(), SHARES, balanced_accuracy, 0.5)
    probabilities, codes = answers(seed=1)
    tilted = correct_prior(probabilities, tilt(SHARES, degree)).argmax(axis=1)
    plain = balanced_accuracy(codes, probabilities.argmax(axis=1))
    assert balanced_accuracy(codes, tilted) > plain + 0.1


@pytest.mark.parametrize("usual", [0.0, 0.5])
def test_the_fewer_the_rows_the_nearer_the_degree_is_to_the_usual_one(usual: float) -> None:
    many, few = (
        np.mean([abs(usual - tilt_degree(*answers(n, seed), SHARES, balanced_accuracy, usual)) for seed in range(6)])
        for n in (2000, 60)
    )
    assert few < many


def test_without_rivals_the_usual_degree_stays() -> None:
    probabilities, codes = answers(100)
    assert [tilt_degree(probabilities, codes, SHARES, lambda y, h: 0.5, usual) for usual in (0.0, 0.5)] == [0.0, 0.5]


def test_a_usual_degree_that_is_clearly_wrong_is_left() -> None:
    probabilities, codes = answers(8000)
    assert tilt_degree(probabilities, codes, SHARES, accuracy, 1.0) < 0.5
