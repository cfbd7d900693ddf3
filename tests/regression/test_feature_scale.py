"""Scale of features."""

from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.regression.feature_scale import FeatureScale
from imbllm_autogluon.regression.head import Head

FEATURES = np.random.default_rng(0).normal(size=(100, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, -2.0]


def test_features_get_mean_0_and_deviation_1() -> None:
    scaled = FeatureScale.fit(FEATURES).transform(FEATURES)
    assert scaled.mean(0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert scaled.std(0) == pytest.approx(np.ones(3))


def test_a_head_on_scaled_features_predicts_the_same() -> None:
    scale, head = FeatureScale.fit(FEATURES), Head(np.array([0.3, -1.0, 7.0]), 2.0)
    moved = scale.head_on_scaled(head)
    assert moved.predict(scale.transform(FEATURES)) == pytest.approx(head.predict(FEATURES))


@pytest.mark.parametrize("value", [0.0, 4.0])
def test_a_dead_feature_is_not_blown_up(value: float) -> None:
    features = FEATURES.copy()
    features[:, 2] = value
    scale = FeatureScale.fit(features)
    assert scale.transform(features)[:, 2] == pytest.approx(np.zeros(100))
    assert scale.transform(features + 1e-6)[:, 2] == pytest.approx(np.zeros(100), abs=1e-3)


def test_features_all_alike_stay_finite() -> None:
    assert FeatureScale.fit(np.ones((5, 2))).transform(np.ones((5, 2))).tolist() == [[0.0, 0.0]] * 5
