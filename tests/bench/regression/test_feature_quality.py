"""How close generated features are to real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.bench.regression.feature_quality import FEATURE_METRICS, feature_quality
from imbllm_autogluon.regression.feature_generation import FeatureGenerator, SyntheticFeatures
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from tests.regression.latent import QUICK, skewed_table

X, Y = skewed_table(400)


@pytest.fixture(scope="module")
def regressor() -> LatentDiffRegressor:
    return LatentDiffRegressor(random_state=0, threads=1, **QUICK).fit(X, Y)


def _judged(
    regressor: LatentDiffRegressor, monkeypatch: pytest.MonkeyPatch, change: Any = lambda made: made
) -> dict[str, float]:
    draw = FeatureGenerator.generate
    monkeypatch.setattr(FeatureGenerator, "generate", lambda *given, **named: change(draw(*given, **named)))
    return feature_quality(regressor.model_, X, Y.to_numpy())


def test_every_figure_is_there_and_within_its_range(
    regressor: LatentDiffRegressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = _judged(regressor, monkeypatch)
    assert tuple(figures) == FEATURE_METRICS
    assert 0.0 <= figures["AUC"] <= 1.0
    assert 0.0 < figures["distinct"] <= 1.0
    assert 0.55 < figures["distinct of draws"] < 0.7
    assert figures["covariance gap of draws"] < figures["covariance gap"]


def test_a_generator_that_collapsed_is_seen(regressor: LatentDiffRegressor, monkeypatch: pytest.MonkeyPatch) -> None:
    def collapsed(made: SyntheticFeatures) -> SyntheticFeatures:
        return made._replace(features=np.repeat(made.features[:1], len(made.features), axis=0))

    figures = _judged(regressor, monkeypatch, collapsed)
    assert figures["distinct"] < 0.02
    assert figures["AUC"] > 0.95


def test_features_off_their_bins_are_seen(regressor: LatentDiffRegressor, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = _judged(regressor, monkeypatch, lambda made: made._replace(features=made.features + 2.0))
    assert figures["mean gap"] > 1.5
    assert figures["AUC"] > 0.95


def test_without_generated_features_there_is_nothing_to_say() -> None:
    quick = {**QUICK, "encoder_epochs": 1}
    untreated = LatentDiffRegressor(random_state=0, threads=1, method="none", **quick).fit(X, Y)
    copied = LatentDiffRegressor(random_state=0, threads=1, synthetic="copies", **quick).fit(X, Y)
    assert feature_quality(untreated.model_, X, Y.to_numpy()) == {}
    assert feature_quality(copied.model_, X, Y.to_numpy()) == {}
