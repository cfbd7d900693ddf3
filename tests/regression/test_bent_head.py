"""The head that bends where predictions are far from the mean."""

from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.regression.bent_head import BENDS, BentHead, retrained_head
from imbllm_autogluon.regression.config import MethodConfig
from imbllm_autogluon.regression.head import Head, retrained

START = Head(np.array([1.0, 0.0]), 0.0)


def _curved(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Targets that run away from the prediction beyond one deviation."""
    features = np.random.default_rng(0).normal(size=(n, 2))
    score = features[:, 0]
    return features, score + 2.0 * np.maximum(score - 1.0, 0.0)


def test_it_follows_a_bend_that_a_linear_head_cannot() -> None:
    features, targets = _curved()
    config = MethodConfig(head_loss="squared", head_shrinkage=1e-6)
    bent = retrained_head(START, features, targets, np.ones(600), config)
    straight = retrained_head(START, features, targets, np.ones(600), MethodConfig(head="linear"))
    assert isinstance(bent, BentHead)
    assert isinstance(straight, Head)
    assert np.abs(bent.predict(features) - targets).max() < 0.01
    assert np.abs(straight.predict(features) - targets).max() > 1.0


def test_the_linear_head_is_the_one_of_the_paper() -> None:
    features, targets = _curved()
    found = retrained_head(START, features, targets, np.ones(600), MethodConfig(head="linear", head_loss="absolute"))
    expected = retrained(START, features, targets, np.ones(600), 1e-3, "absolute")
    assert found.predict(features) == pytest.approx(expected.predict(features))


def test_without_a_reason_it_stays_what_it_starts_from() -> None:
    features, _ = _curved()
    config = MethodConfig(head_shrinkage=1e3)
    head = retrained_head(START, features, START.predict(features), np.ones(600), config)
    assert head.predict(features) == pytest.approx(START.predict(features), abs=1e-9)


def test_predictions_between_the_innermost_bends_do_not_feel_a_change_beyond_them() -> None:
    start = Head(np.array([1.0, 0.0]), 0.0)
    bends = np.zeros(len(BENDS))
    bends[0] = bends[-1] = 5.0
    head = BentHead(start, Head(np.r_[1.0, 0.0, bends], 0.0))
    inner = np.column_stack([np.linspace(-1.5, 1.5, 50), np.zeros(50)])
    assert np.array_equal(head.predict(inner), start.predict(inner))
    assert head.predict(np.array([[2.0, 0.0], [-2.0, 0.0]])).tolist() == [4.5, 0.5]
