"""Whole fits whose twins are tuned by Optuna."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from autogluon.common.space import Categorical, Int
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.presets import make_preset
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS
from imbllm_autogluon.search import SearchSpace
from tests.plugin.tables import imbalanced_table
from tests.plugin.tuned_fits import GBM, SEARCH, TUNE, fit, study_trials, trial_models, tuned

TWIN = {0: "LightGBMImb", 2: "LightGBMImb_BAG_L1"}
"""Names by number of folds."""


@pytest.fixture(scope="module", params=[0, 2], ids=["holdout", "bagged"])
def predictor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    return tuned(tmp_path_factory.mktemp("tuned") / "p", num_bag_folds=request.param)


@pytest.fixture
def twin(request: pytest.FixtureRequest) -> str:
    return TWIN[request.node.callspec.params["predictor"]]


def test_the_best_trials_stay_beside_the_plain_model_which_is_fitted_once(
    predictor: TabularPredictor, twin: str
) -> None:
    kept = trial_models(predictor, twin)
    assert len(kept) == TUNE["top_k"]
    plain = {twin.replace("Imb", ""), twin.replace("LightGBMImb", "ImbLLM"), "WeightedEnsemble_L2"}
    assert set(predictor.leaderboard()["model"]) == {*kept, *plain}


def test_every_trial_is_in_the_study_and_the_best_are_kept(predictor: TabularPredictor, twin: str) -> None:
    trials = study_trials(predictor.path, twin)
    assert len(trials) == TUNE["num_trials"]
    scores = {f"{twin}/T{trial.number + 1}": trial.value for trial in trials}
    kept = trial_models(predictor, twin)
    others = [score for name, score in scores.items() if name not in kept]
    assert min(scores[name] for name in kept) >= max(others)
    shown = predictor.leaderboard().set_index("model")["score_val"]
    assert {name: shown[name] for name in kept} == pytest.approx({name: scores[name] for name in kept})


def test_the_first_trial_has_the_defaults(predictor: TabularPredictor, twin: str) -> None:
    assert study_trials(predictor.path, twin)[0].params == SearchSpace().first("imbllm.")


def test_the_ensemble_can_only_choose_what_stays(predictor: TabularPredictor, twin: str) -> None:
    ensemble = predictor._trainer.load_model("WeightedEnsemble_L2")
    names = set(predictor.leaderboard()["model"])
    assert set(ensemble.base_model_names) <= names


def test_every_real_row_of_a_bagged_trial_has_its_out_of_fold_prediction(
    predictor: TabularPredictor, twin: str
) -> None:
    if "BAG" in twin:
        for name in trial_models(predictor, twin):
            assert predictor.predict_proba_oof(name).notna().all(axis=None)


def test_folders_of_other_trials_are_gone(predictor: TabularPredictor, twin: str) -> None:
    folder = Path(predictor.path) / "models" / twin
    assert sorted(path.name for path in folder.iterdir()) == [
        name.split("/")[1] for name in trial_models(predictor, twin)
    ]


def test_a_kept_model_is_the_trial_that_the_study_says(predictor: TabularPredictor, twin: str) -> None:
    for name in trial_models(predictor, twin):
        trial = study_trials(predictor.path, twin)[int(name.rpartition("T")[2]) - 1]
        model = predictor._trainer.load_model(name)
        children = [model.load_child(child) for child in model.models] if hasattr(model, "models") else [model]
        for child in children:
            own = {key: value for key, value in child.params_aux.items() if key in trial.params}
            assert own == trial.params
            assert bool(child.imbllm_report["added"]) == (trial.params["imbllm.method"] != "none")


def test_generators_are_shared_by_trials(predictor: TabularPredictor, twin: str) -> None:
    learned = {
        trial.params["imbllm.interpolation_ratio"]
        for trial in study_trials(predictor.path, twin)
        if trial.params["imbllm.method"] == "imbllm"
    }
    folds = 2 if "BAG" in twin else 1
    assert len(GENERATORS.keys(cache_of(Path(predictor.path)))) == folds * len(learned)


def test_a_trial_predicts_and_can_be_refitted_on_all_rows(predictor: TabularPredictor, twin: str) -> None:
    name = trial_models(predictor, twin)[0]
    full = predictor.refit_full(model=name, num_cpus=1)[name]
    probabilities = predictor.predict_proba(imbalanced_table(30, seed=1), model=full).to_numpy()
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize("method", ["none", "random", "smote_nc"])
def test_every_method_works_as_a_trial(method: str, tmp_path: Path) -> None:
    predictor = tuned(tmp_path / "p", tune={"num_trials": 1, "space": {"method": (method,)}})
    (name,) = trial_models(predictor, "LightGBMImb")
    report = predictor._trainer.load_model(name).imbllm_report
    assert bool(report["added"]) == (method != "none")
    assert not GENERATORS.keys(cache_of(Path(predictor.path)))


def test_hyperparameters_of_the_model_are_searched_together_with_rebalancing(tmp_path: Path) -> None:
    config = {
        **GBM,
        "num_leaves": Int(4, 12, default=6),
        "ag.imbllm.condition_pairs": Categorical(1, 2),
        "ag.imbllm.temperature": 0.9,
    }
    predictor = fit(tmp_path / "p", hyperparameters={"GBM": GBM, "GBM_IMB": config}, hyperparameter_tune_kwargs=SEARCH)
    trials = study_trials(predictor.path, "LightGBMImb")
    assert len(trials) == TUNE["num_trials"]
    assert trials[0].params["num_leaves"] == 6
    assert trials[0].params["ag.imbllm.condition_pairs"] == 1
    assert all({"imbllm.method", "num_leaves", "ag.imbllm.condition_pairs"} <= set(trial.params) for trial in trials)
    assert {trial.params.get("imbllm.temperature", 0.9) for trial in trials} == {0.9}
    for name in trial_models(predictor, "LightGBMImb"):
        model, trial = predictor._trainer.load_model(name), trials[int(name.rpartition("T")[2]) - 1]
        assert model.params["num_leaves"] == trial.params["num_leaves"]
        assert model.params_aux["imbllm.condition_pairs"] == trial.params["ag.imbllm.condition_pairs"]
        assert model.params_aux["imbllm.temperature"] == 0.9
    assert trial_models(predictor, "LightGBM") == ["LightGBM/T1"]


def test_another_searcher_is_autogluons_own(tmp_path: Path) -> None:
    predictor = fit(
        tmp_path / "p",
        hyperparameters={"GBM_IMB": {**GBM, "ag.imbllm.temperature": Categorical(0.7, 1.0)}},
        hyperparameter_tune_kwargs={"searcher": "random", "scheduler": "local", "num_trials": 2},
    )
    assert trial_models(predictor, "LightGBMImb") == ["LightGBMImb/T1", "LightGBMImb/T2"]
    temperatures = {
        predictor._trainer.load_model(f"LightGBMImb/T{number}").params_aux["imbllm.temperature"] for number in (1, 2)
    }
    assert temperatures == {0.7, 1.0}
    assert not (cache_of(Path(predictor.path)) / STUDIES).exists()


def test_xgboost_can_be_tuned_for_decisions_among_several_classes(tmp_path: Path) -> None:
    table = imbalanced_table(180, rare=0.3)
    table["paid"] = table["paid"].where(table["calls"] < 4, "late")
    predictor = TabularPredictor("paid", eval_metric="balanced_accuracy", path=str(tmp_path), verbosity=0)
    predictor.fit(
        table,
        presets=[make_preset({}, "only", tune={"num_trials": 2, "top_k": 2}, method="random")],
        hyperparameters={"XGB": {"n_estimators": 5}},
        num_bag_folds=2,
        num_cpus=1,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
    )
    trials = study_trials(predictor.path, "XGBoostImb_BAG_L1")
    assert [trial.state.name for trial in trials].count("FAIL") == 0, "AutoGluon's own space has a failing objective"
    assert predictor.model_names()
