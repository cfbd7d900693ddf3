"""LatentDiff under AutoGluon's and our own search, and under AutoGluon's acceptance test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from autogluon.common.space import Categorical, Real
from autogluon.tabular.testing import FitHelper
from autogluon.tabular.testing.fit_helper import DatasetLoaderHelper

from imbllm_autogluon.plugin.models import _SEARCH_START, _SEARCHED, LatentDiffModel
from imbllm_autogluon.regression.config import LatentDiffConfig
from tests.plugin.regression_fits import NAME, QUICK, fit
from tests.plugin.tuned_fits import study_trials
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    Dataset = tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]


def enough_rows() -> Dataset:
    """A table of mixed columns that is large enough to be learned in every fold."""
    X, y = skewed(60)
    table = X.assign(label=y)
    return table, table, {"problem_type": "regression", "label": "label"}


@pytest.mark.filterwarnings("ignore")  # on toy tables of 4 rows metrics warn of constant inputs
@pytest.mark.parametrize("rows", ["toy", "enough"])
def test_it_passes_the_acceptance_test_of_autogluon(rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    if rows == "enough":
        monkeypatch.setitem(DatasetLoaderHelper.toy_map, "toy_regression", enough_rows)
    settings = {**QUICK, "ag_args_fit": {"num_cpus": 1}}
    FitHelper.verify_model(model_cls=LatentDiffModel, model_hyperparameters=settings, extra_metrics=True)


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
    X, y = skewed(120)
    predictor = fit(
        tmp_path / "p",
        X.assign(price=y),
        {"method": Categorical("latent_diff", "lds"), "guidance": Real(1.0, 2.0)},
        num_bag_folds=folds,
        hyperparameter_tune_kwargs=search,
        fit_weighted_ensemble=False,
    )
    names = predictor.model_names()
    assert names
    assert all(f"{NAME}{'_BAG_L1' if folds else ''}/T" in name for name in names)


def test_left_to_itself_a_search_tries_the_default_settings_first(tmp_path: Path) -> None:
    search = {"num_trials": 1, "searcher": "imbllm_optuna", "scheduler": "local"}
    X, y = skewed(80)
    fit(tmp_path / "p", X.assign(price=y), hyperparameter_tune_kwargs=search, fit_weighted_ensemble=False)
    (trial,) = study_trials(tmp_path / "p", NAME)
    usual = {**LatentDiffConfig().flat(), "generation_ratio": _SEARCH_START}
    assert trial.params == {name: usual[name] for name in _SEARCHED}
