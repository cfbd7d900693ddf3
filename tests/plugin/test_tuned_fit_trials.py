"""Whole tuned fits in which a trial is pruned, fails, or has no time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from autogluon.core.utils.exceptions import TimeLimitExceeded

from imbllm_autogluon.plugin.tuning import OptunaHpoExecutor
from tests.plugin.tuned_fits import fail_at, study_trials, trial_models, trials_of, tuned, watch_fits

if TYPE_CHECKING:
    import pytest


def test_a_trial_with_a_bad_first_fold_gets_no_further_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna.pruners.MedianPruner, "prune", lambda self, study, trial: trial.number == 1)
    seen = watch_fits(monkeypatch)
    predictor = tuned(tmp_path / "p", num_bag_folds=2, tune={"num_trials": 3, "top_k": 3})
    trials = study_trials(predictor.path, "LightGBMImb_BAG_L1")
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert list(trials[1].intermediate_values) == [1]
    folds = ["/".join(path.split("/")[-2:]) for path in seen]
    assert folds == ["T1/S1F1", "T1/S1F2", "T2/S1F1", "T3/S1F1", "T3/S1F2"]
    assert trial_models(predictor, "LightGBMImb_BAG_L1") == ["LightGBMImb_BAG_L1/T1", "LightGBMImb_BAG_L1/T3"]
    assert not (Path(predictor.path) / "models" / "LightGBMImb_BAG_L1" / "T2").exists()


def test_a_trial_that_fails_is_reported_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch_fits(monkeypatch, fail_at("/T2", ValueError("no luck")))
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        predictor = tuned(tmp_path / "p", verbosity=1)
    assert "Trial T2 failed: ValueError: no luck" in caplog.text
    states = [trial.state.name for trial in study_trials(predictor.path, "LightGBMImb")]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert len(trial_models(predictor, "LightGBMImb")) == 2


def test_when_every_trial_fails_the_plain_model_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch_fits(monkeypatch, fail_at("/LightGBMImb", ValueError("no luck")))
    predictor = tuned(tmp_path / "p")
    assert trials_of(seen) == ["T1", "T2", "T3", "T4"]
    assert trial_models(predictor, "LightGBMImb") == []
    assert "LightGBM" in set(predictor.leaderboard()["model"])


def test_a_trial_that_runs_out_of_time_ends_the_search_and_the_finished_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_fits(monkeypatch, fail_at("/T3", TimeLimitExceeded()))
    predictor = tuned(tmp_path / "p")
    assert trials_of(seen) == ["T1", "T2", "T3"]
    assert trial_models(predictor, "LightGBMImb") == ["LightGBMImb/T1", "LightGBMImb/T2"]


def test_no_trial_is_begun_when_the_time_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual: list[float] = []
    monkeypatch.setattr(OptunaHpoExecutor, "_has_time", lambda self, spent, each: not usual.append(each) and each == 0)
    predictor = tuned(tmp_path / "p", time_limit=300)
    assert len(study_trials(predictor.path, "LightGBMImb")) == 1
    assert usual[0] == 0 < usual[1]
