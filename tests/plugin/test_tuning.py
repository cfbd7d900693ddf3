"""The executor of AutoGluon that runs trials of Optuna, and whole fits whose twins are tuned."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from autogluon.common.space import Categorical, Int
from autogluon.core.hpo.exceptions import EmptySearchSpace
from autogluon.core.hpo.executors import CustomHpoExecutor, HpoExecutorFactory
from autogluon.core.utils.exceptions import TimeLimitExceeded
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.parameters import TuningOptions
from imbllm_autogluon.plugin.presets import make_preset
from imbllm_autogluon.plugin.tuning import _LEAST_SHARE, _REGISTRY, OptunaHpoExecutor
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS
from imbllm_autogluon.search import SearchSpace
from tests.plugin.tables import imbalanced_table
from tests.plugin.test_trials import always, trials
from tests.plugin.tuned_fits import (
    GBM,
    SEARCH,
    TUNE,
    fail_at,
    fit,
    study_trials,
    trial_models,
    trials_of,
    tuned,
    watch_fits,
)

OURS = {"searcher": "imbllm_optuna", "scheduler": "local", "num_trials": 3, "top_k": 2}


def executor(tune: Any = OURS, time_limit: float | None = None) -> OptunaHpoExecutor:
    made = OptunaHpoExecutor()
    made.initialize(tune, time_limit=time_limit)
    return made


def test_autogluon_knows_the_executor_and_registering_again_is_harmless() -> None:
    OptunaHpoExecutor.register()
    OptunaHpoExecutor.register()
    assert HpoExecutorFactory.get_hpo_executor("custom") is OptunaHpoExecutor


def test_an_autogluon_that_keeps_its_executors_elsewhere_gets_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(HpoExecutorFactory, _REGISTRY)
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        OptunaHpoExecutor.register()
    assert "the searcher imbllm_optuna is unknown" in caplog.text


@pytest.mark.parametrize("tune", [OURS, "imbllm_optuna"])
def test_our_searcher_reads_its_options_and_keeps_the_time_limit(tune: Any) -> None:
    made = executor(tune, 60.0)
    assert made.options == TuningOptions.of(tune)
    assert made.time_limit == 60.0
    assert made.executor_type == "custom"


def test_other_searchers_are_set_up_as_autogluon_does() -> None:
    random = {"searcher": "random", "scheduler": "local", "num_trials": 2}
    ours, theirs = executor(random, 60.0), CustomHpoExecutor()
    theirs.initialize(random, time_limit=60.0)
    assert ours.options is None
    assert ours.scheduler_options[0] is theirs.scheduler_options[0]
    assert ours.scheduler_options[1].keys() == theirs.scheduler_options[1].keys()
    with pytest.raises(EmptySearchSpace):
        ours.validate_search_space({"depth": 3}, "M")


def test_an_empty_search_space_is_no_error_for_our_searcher() -> None:
    made = executor()
    made.validate_search_space({"depth": 3}, "M")
    assert made.search_space == {"depth": 3}


@pytest.mark.parametrize(
    ("limit", "spent", "usual", "expected"),
    [
        (None, 1e9, 1e9, True),
        (10.0, 0.0, 0.0, True),
        (10.0, 10.0, 0.0, False),
        (10.0, 4.0, 6.0 / _LEAST_SHARE - 0.1, True),
        (10.0, 4.0, 6.0 / _LEAST_SHARE + 0.1, False),
    ],
)
def test_a_trial_begins_only_if_much_of_a_usual_ones_time_is_left(
    limit: float | None, spent: float, usual: float, expected: bool
) -> None:
    assert executor(OURS, limit)._has_time(spent, usual) is expected


def test_the_best_trials_become_models_in_autogluons_form_and_the_data_files_go(tmp_path: Path) -> None:
    made = executor()
    made.trials = trials(tmp_path, num_trials=3, scores={0: 0.2, 1: 0.9, 2: 0.6})
    made.trials.run(always)
    root = tmp_path / "models"
    for name in ("dataset_train.pkl", "dataset_val.pkl"):
        (root / "M" / name).touch()
    models, info = made.get_hpo_results("M", str(root), time.time())
    assert list(models) == ["M/T2", "M/T3"]
    assert models["M/T2"]["path"] == str(root / "M" / "T2")
    assert models["M/T2"]["val_score"] == 0.9
    assert models["M/T2"]["trial"] == 1
    assert models["M/T2"]["hyperparameters"] == made.trials.study.trials[1].params
    assert info["hpo_model_performances"] == {"M/T2": 0.9, "M/T3": 0.6}
    assert sorted(path.name for path in (root / "M").iterdir()) == ["T2", "T3"]


TWINS = {0: "LightGBMImb", 2: "LightGBMImb_BAG_L1"}
"""Names by number of folds."""


@pytest.fixture(scope="module", params=[0, 2], ids=["holdout", "bagged"])
def predictor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    return tuned(tmp_path_factory.mktemp("tuned") / "p", num_bag_folds=request.param)


@pytest.fixture
def twin(request: pytest.FixtureRequest) -> str:
    return TWINS[request.node.callspec.params["predictor"]]


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


TWIN = "LightGBMImb_BAG_L1"


def test_an_interrupted_fit_goes_on_in_a_new_predictor_of_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        watch_fits(patch, fail_at("/T3", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            tuned(tmp_path / "p", num_bag_folds=2)
    before = study_trials(tmp_path / "p", TWIN)
    assert [trial.state.name for trial in before] == ["COMPLETE", "COMPLETE", "RUNNING"]
    seen = watch_fits(monkeypatch)
    predictor = tuned(tmp_path / "p", num_bag_folds=2)
    after = study_trials(tmp_path / "p", TWIN)
    assert trials_of(seen) == ["T4", "T5"]
    assert [trial.state.name for trial in after] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert after[3].params == before[2].params
    assert len(trial_models(predictor, TWIN)) == TUNE["top_k"]


def test_a_finished_fit_that_is_repeated_fits_no_trial_and_other_data_is_another_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trial_models(tuned(tmp_path / "p"), "LightGBMImb")
    seen = watch_fits(monkeypatch)
    assert trial_models(tuned(tmp_path / "p"), "LightGBMImb") == first
    assert seen == []
    tuned(tmp_path / "p", settings={"imbllm.steps": 3}, tune={"num_trials": 1})
    assert trials_of(seen) == ["T1"]


KILLED = """
import os, signal, sys
from pathlib import Path
import pytest
from tests.plugin.tuned_fits import tuned, watch_fits

def at(path):
    if "/T3/S1F2" in path:
        os.kill(os.getpid(), signal.SIGKILL)

watch_fits(pytest.MonkeyPatch(), at)
tuned(Path(sys.argv[1]), num_bag_folds=2)
"""


@pytest.mark.slow
def test_a_killed_fit_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p"
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=root, env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    seen = watch_fits(monkeypatch)
    predictor = tuned(path, num_bag_folds=2)
    trials = study_trials(path, TWIN)
    assert trials_of(seen) == ["T4", "T5"]
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[3].params == trials[2].params
    assert not (path / "models" / TWIN / "T3").exists()
    assert len(trial_models(predictor, TWIN)) == TUNE["top_k"]
