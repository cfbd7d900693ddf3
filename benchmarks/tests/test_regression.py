from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from benchmarks import regression, regression_features
from benchmarks.regression import ABLATIONS, COPIES, LATENT_DIFF, METHODS, RETRAINED, RegressionSplit, fitted
from benchmarks.tables import Table, turned_digits
from benchmarks.tests.frames import houses_table, task_of
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.gate import FeatureGenerator
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor

if TYPE_CHECKING:
    from collections.abc import Iterator


QUICK: dict[str, Any] = {"encoder_epochs": 2, "diffusion_steps": 5, "encoder_width": 16, "generation_ratio": 0.5}
SPLIT = RegressionSplit.of(houses_table(), 0, 6)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Train every regressor for a moment."""
    new = regression._new
    monkeypatch.setattr(regression, "_new", lambda settings, *given: new({**QUICK, **settings}, *given))
    regression._latent_diff.cache_clear()
    yield
    regression._latent_diff.cache_clear()


def test_a_quarter_is_unseen_and_bins_are_fixed_on_learned_targets() -> None:
    assert (len(SPLIT.real.y), len(SPLIT.test.y), len(SPLIT.bins)) == (120, 40, 6)
    assert SPLIT.bins.edges[0] == pytest.approx(SPLIT.real.y.min())
    with pytest.raises(InvalidInputError, match="houses has 39 rows; at least 40"):
        RegressionSplit.of(Table(houses_table(39).frame, "price", "houses"), 0, 6)
    task = task_of(regression.PROTOCOL, houses_table(), "none", bins=6)
    line = regression.describe(task.table, task.options)
    assert line.startswith("6 bins of `price` from ")
    assert sum(map(int, line.rpartition("each: ")[2].split())) == 120


def test_all_methods_differ_and_no_ablation_is_the_default_under_another_name() -> None:
    configs = [(spec.get("rows"), LatentDiffConfig.from_flat(dict(spec["settings"]))) for spec in METHODS.values()]
    assert all(configs.count(config) == 1 for config in configs)
    assert len(ABLATIONS) >= 10


@pytest.mark.parametrize("name", ["none", "FDS", LATENT_DIFF, COPIES, "SMOGN rows"])
def test_every_method_predicts_unseen_rows_with_bins_of_the_split(name: str) -> None:
    regressor, seconds = fitted(METHODS[name], SPLIT, 0, 1)
    assert seconds > 0
    assert np.isfinite(regressor.predict(SPLIT.test.X)).all()
    assert regressor.n_bins == 6


class Writer:
    """Stands for the language model: gives the first rows of what it was fitted on."""

    def __init__(self, *, random_state: int, threads: int) -> None: ...

    def fit(self, X: pd.DataFrame, y: Any, bins: Any, counts: Any) -> Writer:
        self.given, self.rows = (X, y), sum(counts.values())
        return self

    def sample(self) -> tuple[pd.DataFrame, Any]:
        return self.given[0].head(self.rows), self.given[1].head(self.rows)


@pytest.mark.parametrize("name", ["SMOGN rows", "ImbLLM rows"])
def test_new_rows_are_learned_with_the_real_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[int] = []

    class Counted(LatentDiffRegressor):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LatentDiffRegressor:
            learned.append(len(X))
            return super().fit(X, y, sample_weight)

    monkeypatch.setattr(regression, "LatentDiffRegressor", Counted)
    monkeypatch.setattr(regression, "TargetImbLLM", Writer)
    fitted(METHODS[name], SPLIT, 0, 1)
    assert learned == [120, 180], "half as many new rows as real ones"


def test_methods_that_differ_in_the_head_alone_share_an_encoder_and_a_denoiser() -> None:
    names = (LATENT_DIFF, RETRAINED, COPIES)
    (whole, _), (alone, without), (copies, _) = [fitted(METHODS[name], SPLIT, 0, 1) for name in names]
    assert whole.encoders_ is alone.encoders_ is copies.encoders_
    taken = alone.report_.seconds
    assert without == pytest.approx(taken["encoder"] + taken["choice"] + taken["head"])
    assert not np.allclose(alone.predict(SPLIT.test.X), copies.predict(SPLIT.test.X))


def test_figures_are_errors_by_shot_and_latent_diff_has_those_of_its_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUICK, "gate", "none")
    task = task_of(regression.PROTOCOL, houses_table(), LATENT_DIFF, bins=6)
    found = regression.measure(task)
    assert found["all n"] == 40
    assert found["all MAE"] > 0
    assert {"AUC", "mean gap", "distinct", "synthetic", "accepted"} <= set(found)
    without = regression.measure(task_of(regression.PROTOCOL, houses_table(), "none", bins=6))
    assert "AUC" not in without
    assert "synthetic" not in without


def test_a_generator_that_collapsed_and_features_off_their_bins_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUICK, "gate", "none")
    model = fitted(METHODS[LATENT_DIFF], SPLIT, 0, 1)[0]
    targets, draw = SPLIT.real.y.to_numpy(dtype=float), FeatureGenerator.generate

    def judged(change: Any) -> dict[str, float]:
        monkeypatch.setattr(FeatureGenerator, "generate", lambda *given, **named: change(draw(*given, **named)))
        return regression.feature_quality(model, SPLIT.real.X, targets)

    own = judged(lambda made: made)
    assert 0.55 < own["distinct of draws"] < 0.75
    assert (
        judged(lambda made: made._replace(features=np.repeat(made.features[:1], len(made.features), 0)))["distinct"]
        < 0.05
    )
    assert judged(lambda made: made._replace(features=made.features + 2.0))["mean gap"] > own["mean gap"] + 1.0


def test_given_features_are_split_as_the_file_says_and_read_by_ridge_regressions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = houses_table()
    part = np.where(np.arange(len(table.frame)) % 5 == 0, "test", "train")
    reviews = Table(table.frame.assign(part=part, review="text"), "price", "reviews", task="regression")
    split = regression_features.split_of(reviews, 0, 6)
    assert (len(split.real.y), len(split.test.y), len(split.bins)) == (128, 32, 6)
    states = np.random.default_rng(0).normal(size=(160, 3))
    monkeypatch.setattr(regression_features, "embedded", lambda texts: pd.DataFrame(states[: len(texts)]))
    task = task_of(regression_features.PROTOCOL, reviews, LATENT_DIFF, bins=6)
    assert regression_features.measure(task)["all n"] == 32
    assert "6 bins of `price`" in regression_features.describe(reviews, task.options)


def test_digits_are_turned_by_skewed_angles_that_their_pixels_tell() -> None:
    frame = turned_digits()
    assert frame.shape == (1797, 65)
    assert frame["angle"].between(0, 90).all()
    assert (frame["angle"] > 45).mean() < 0.1
    pixels = frame.drop(columns="angle")
    assert LinearRegression().fit(pixels, frame["angle"]).score(pixels, frame["angle"]) > 0.5
