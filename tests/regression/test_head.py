"""The linear head trained anew."""

from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.regression.head import Head, retrained


def _problem(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, 3)) + 1.0
    return features, features @ [1.0, -2.0, 0.5] + 3.0 + 0.1 * rng.normal(size=n)


START = Head(np.zeros(3), 0.0)


def test_without_shrinkage_it_is_weighted_least_squares() -> None:
    from sklearn.linear_model import LinearRegression

    features, targets = _problem()
    weights = np.random.default_rng(1).random(200)
    head = retrained(START, features, targets, weights, 0.0)
    expected = LinearRegression().fit(features, targets, sample_weight=weights)
    assert head.weights == pytest.approx(expected.coef_)
    assert head.intercept == pytest.approx(expected.intercept_)


def test_strong_shrinkage_keeps_the_weights_it_starts_from_and_frees_the_intercept() -> None:
    features, targets = _problem()
    start = Head(np.array([1.0, 1.0, 1.0]), 0.0)
    head = retrained(start, features, targets, np.ones(200), 1e6)
    assert head.weights == pytest.approx(start.weights, abs=1e-4)
    assert (targets - head.predict(features)).mean() == pytest.approx(0.0, abs=1e-9)


def test_shrinkage_lies_between_both() -> None:
    features, targets = _problem()
    distances = [np.linalg.norm(retrained(START, features, targets, np.ones(200), s).weights) for s in (0, 0.1, 1, 10)]
    assert distances == sorted(distances, reverse=True)


def test_rows_of_weight_zero_do_not_count() -> None:
    features, targets = _problem()
    weights = np.r_[np.ones(100), np.zeros(100)]
    whole = retrained(START, features, targets, weights, 0.1)
    half = retrained(START, features[:100], targets[:100], np.ones(100), 0.1)
    assert whole.weights == pytest.approx(half.weights)


def test_a_feature_without_spread_does_not_break_it() -> None:
    features, targets = _problem()
    features[:, 1] = 1.0
    assert np.isfinite(retrained(START, features, targets, np.ones(200), 0.0).predict(features)).all()


def test_absolute_errors_leave_outliers_alone() -> None:
    features, targets = _problem()
    truth = targets.copy()
    targets[:15] += 50.0
    absolute = retrained(START, features, targets, np.ones(200), 0.0, "absolute")
    squared = retrained(START, features, targets, np.ones(200), 0.0, "squared")
    assert np.abs(absolute.predict(features) - truth).mean() < 0.3
    assert np.abs(squared.predict(features) - truth).mean() > 2.0
