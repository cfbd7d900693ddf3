"""The stages of LatentDiff and their report."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.regression.amount import RATIOS
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.latent_model import FeatureCopier, LatentModel
from tests.regression.latent import BRIEF, QUICK, skewed_table


def _fitted(time_limit: float | None = None, n: int = 400, **settings: Any) -> LatentModel:
    X, y = skewed_table(n)
    config = LatentDiffConfig.from_flat({**BRIEF, **settings})
    bins = TargetBins.fit(y.to_numpy(), config.treatment.n_bins)
    model = LatentModel(config, bins, seed=0, threads=1)
    return model.fit(X, y.to_numpy(), time_limit=time_limit)


@pytest.fixture(scope="module")
def model() -> LatentModel:
    return _fitted(**QUICK)


@pytest.fixture(scope="module")
def untreated() -> LatentModel:
    return _fitted(**QUICK, method="none")


def test_the_report_says_what_each_bin_has_wants_and_got(model: LatentModel) -> None:
    table = model.report.bins
    assert table["n"].sum() == 400
    assert table["wanted"].sum() == round(0.7 * 400)
    assert (table["kept"] <= table["wanted"]).all()
    assert (table["accepted"] <= table["drawn"]).all()
    assert table["acceptance"].dropna().between(0, 1).all()
    assert (table.loc[table["n"] == 0, "wanted"] == 0).all()


def test_rare_bins_want_more_than_the_most_frequent_one(model: LatentModel) -> None:
    table = model.report.bins
    filled = table[table["n"] > 0]
    assert filled["wanted"].iloc[-1] > filled.loc[filled["n"].idxmax(), "wanted"]


def test_standardised_targets_are_deviations_of_those_that_were_fitted(model: LatentModel) -> None:
    _, y = skewed_table(400)
    scaled = model.standardised(y.to_numpy())
    assert scaled.mean() == pytest.approx(0.0, abs=1e-12)
    assert scaled.std() == pytest.approx(1.0)
    assert model.standardised(np.array([model.centre + 2 * model.spread])) == pytest.approx(2.0)


def test_the_report_holds_curves_and_seconds_of_every_stage(model: LatentModel) -> None:
    assert set(model.report.seconds) == {"encoder", "denoiser", "sampling", "head"}
    assert set(model.report.curves) == {"encoder", "denoiser"}


def test_the_encoder_is_that_of_no_treatment_and_the_head_is_not(model: LatentModel, untreated: LatentModel) -> None:
    X, _ = skewed_table()
    assert np.array_equal(model._raw_features(X), untreated._raw_features(X))
    assert not np.allclose(model.predict(X), untreated.predict(X))
    assert untreated.generator is None


def test_high_targets_are_predicted_higher_with_synthetic_features(model: LatentModel, untreated: LatentModel) -> None:
    X, y = skewed_table(2000, seed=1)
    rare = (y > y.quantile(0.97)).to_numpy()
    plain = untreated.predict(X)[rare]
    assert model.predict(X)[rare].mean() > plain.mean()


def test_a_ratio_of_0_trains_the_head_on_real_features_alone() -> None:
    model = _fitted(generation_ratio=0.0)
    assert model.generator is None
    assert model.report.bins["kept"].sum() == 0
    assert "head" in model.report.seconds


def test_a_gate_that_lets_too_few_through_is_reported_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model = _fitted(gate_quantile=0.0, gate_rounds=1, diffusion_steps=2)
    assert len(model.report.notes) == 1
    assert "synthetic features are missing" in model.report.notes[0]
    assert model.report.notes[0] in caplog.text


def test_without_a_gate_every_bin_gets_what_it_wants() -> None:
    table = _fitted(gate="none").report.bins
    assert (table["kept"] == table["wanted"]).all()
    assert table["acceptance"].dropna().eq(1).all()


def test_a_time_limit_ends_both_trainings_early() -> None:
    model = _fitted(time_limit=1.0, encoder_epochs=10_000, encoder_patience=10_000, diffusion_steps=10_000_000)
    assert model.report.seconds["encoder"] < 2.0
    assert model.report.seconds["denoiser"] < 1.5
    assert np.isfinite(model.predict(skewed_table()[0])).all()


def test_a_bin_of_one_row_borrows_the_gate_of_all_bins() -> None:
    X, y = skewed_table()
    targets = y.to_numpy().copy()
    targets[0] = 3 * targets.max()
    config = LatentDiffConfig.from_flat(BRIEF)
    model = LatentModel(config, TargetBins.fit(targets, 10), seed=0, threads=1).fit(X, targets)
    last = model.report.bins.iloc[-1]
    assert last["n"] == 1
    assert last["wanted"] > 0
    assert np.isfinite(model.predict(X)).all()


def test_the_ratio_is_chosen_by_the_rows_that_the_encoder_held_out() -> None:
    model = _fitted(n=600, generation_ratio="auto")
    trials, table = model.report.trials, model.report.bins
    assert trials is not None
    assert model.report.ratio in {None, *RATIOS}
    assert table["wanted"].sum() == round((model.report.ratio or 0.0) * 600)
    assert (table["kept"] <= table["wanted"]).all()


def test_a_ratio_that_was_chosen_gives_the_same_head_as_the_same_ratio_given() -> None:
    chosen = _fitted(n=600, generation_ratio="auto", synthetic="copies", overall_budget=10.0)
    given = _fitted(n=600, generation_ratio=chosen.report.ratio, synthetic="copies")
    X, _ = skewed_table(100, seed=2)
    assert chosen.predict(X) == pytest.approx(given.predict(X))


def test_with_few_held_out_rows_the_ratio_is_the_least_of_the_paper() -> None:
    model = _fitted(n=200, generation_ratio="auto")
    assert model.report.trials is None
    assert model.report.ratio == 0.2


def test_copies_take_the_place_of_generated_features() -> None:
    model = _fitted(synthetic="copies")
    assert isinstance(model.generator, FeatureCopier)
    assert "denoiser" not in model.report.curves
    assert model.report.bins["kept"].sum() == round(0.7 * 400)


def test_the_progress_of_a_fit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _fitted(encoder_epochs=1, diffusion_steps=2)
    stages = ("encoder", "denoiser", "sampling", "head")
    assert [stage for stage in stages if f"LatentDiff: {stage} begins." in caplog.messages] == list(stages)
