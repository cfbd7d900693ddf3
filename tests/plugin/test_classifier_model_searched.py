"""The classifier under AutoGluon's and our own search, and under AutoGluon's acceptance test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from autogluon.common.space import Categorical
from autogluon.tabular.testing import FitHelper

from imbllm_autogluon.classification.config import RECOMMENDED, MeasuresConfig
from imbllm_autogluon.plugin.classifier_model import _SEARCHED_MEASURES, ClassifierModel
from tests.plugin.classifier_fits import NAME, QUICK, fit
from tests.plugin.tables import imbalanced_table
from tests.plugin.tuned_fits import study_trials

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore")  # on toy tables of 4 and 6 rows metrics warn of constant inputs
def test_it_passes_the_acceptance_test_of_autogluon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    FitHelper.verify_model(
        model_cls=ClassifierModel, model_hyperparameters={**QUICK, "ag.num_cpus": 1}, extra_metrics=True
    )


FEW = {"weighting": Categorical("none", "inverse"), "oversampling_cap": 2.0, "focal_gamma": 1.0, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("searcher", "folds"),
    [
        ("random", 0),
        ("imbllm_optuna", 2),
        pytest.param("random", 2, marks=pytest.mark.exhaustive),
        pytest.param("imbllm_optuna", 0, marks=pytest.mark.exhaustive),
    ],
)
def test_every_trial_of_a_search_is_a_model_of_the_fit(searcher: str, folds: int, tmp_path: Path) -> None:
    search = {"num_trials": 3, "searcher": searcher, "scheduler": "local"}
    predictor = fit(
        tmp_path / "p",
        imbalanced_table(120),
        FEW,
        num_bag_folds=folds,
        hyperparameter_tune_kwargs=search,
        fit_weighted_ensemble=False,
    )
    names = predictor.model_names()
    assert names
    assert all(f"{NAME}{'_BAG_L1' if folds else ''}/T" in name for name in names)
    if searcher == "imbllm_optuna":
        trials = study_trials(predictor.path, f"{NAME}{'_BAG_L1' if folds else ''}")
        assert trials[0].params == {"weighting": "none"}


def test_left_to_itself_a_search_tries_the_default_settings_first(tmp_path: Path) -> None:
    search = {"num_trials": 1, "searcher": "imbllm_optuna", "scheduler": "local"}
    own = {"steps": 2, "layers": 1, "width": 16}
    usual = {**vars(MeasuresConfig()), **RECOMMENDED}
    fit(tmp_path / "p", imbalanced_table(100), own, hyperparameter_tune_kwargs=search, fit_weighted_ensemble=False)
    (trial,) = study_trials(tmp_path / "p", NAME)
    assert trial.params == {"learning_rate": 3e-3, **{name: usual[name] for name in _SEARCHED_MEASURES}}
