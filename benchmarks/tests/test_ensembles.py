from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import autogluon, ensembles, regression_autogluon
from benchmarks.autogluon import DEFAULT, IMBLLM, OURS, TUNED, TWICE, WEIGHTS, portfolio
from benchmarks.ensembles import PLAIN, Fit, sort_of
from benchmarks.protocol import Options
from benchmarks.tests.frames import classes_table, houses_table, task_of
from imbllm_autogluon.errors import InvalidInputError

OWN = {"family": ["GBM", "RF"], "trials": 3}


class Predictor:
    """Stands for AutoGluon's: ten seconds for every model, and a tenth of an ensemble for each."""

    names = ("A_BAG_L1", "AAgain_BAG_L1", "AImbRandom_BAG_L1", "AImbSmote_BAG_L1", "AImbImbLLM_BAG_L1")

    def __init__(self) -> None:
        self.offered: dict[str, list[str]] = {}
        weights = dict.fromkeys(self.names, 0.1)
        model = SimpleNamespace(_get_model_weights=lambda: weights)
        self._trainer = SimpleNamespace(get_model_names=lambda stack_name: list(self.names), load_model=lambda _: model)

    def leaderboard(self) -> pd.DataFrame:
        return pd.DataFrame({"model": self.names, "fit_time_marginal": 10.0})

    def fit_weighted_ensemble(self, base_models: list[str], name_suffix: str, num_cpus: int) -> list[str]:
        self.offered[name_suffix] = [sort_of(model, autogluon.SORTS) for model in base_models]
        return [f"WeightedEnsemble{name_suffix}"]


def options(**own: Any) -> Options:
    settings = {"steps": 5, "target_ratio": 0.2}
    return autogluon.PROTOCOL.with_defaults(Options(own={**OWN, **own}, settings=settings))


def test_a_portfolio_has_what_the_methods_add() -> None:
    methods = autogluon.PROTOCOL.chosen_methods(options())
    assert TUNED not in methods
    assert methods[IMBLLM]["settings"] == {"steps": 5, "target_ratio": 0.2}, "other settings are another measurement"
    made = portfolio(methods, options())
    assert {key: len(models) for key, models in made.items()} == {"GBM": 2, "RF": 2, "GBM_IMB": 3, "RF_IMB": 3}
    assert [twin["ag.imbllm.method"] for twin in made["RF_IMB"]] == ["random", "smote_nc", "imbllm"]
    assert [twin.get("ag.imbllm.steps") for twin in made["RF_IMB"]] == [None, None, 5]
    assert {twin["ag.imbllm.target_ratio"] for twin in made["RF_IMB"]} == {0.2}, "all twins have the same dose"
    assert portfolio({PLAIN: methods[PLAIN]}, options()) == {"GBM": [{"ag.early_stop": 50}], "RF": [{}]}


def test_tuned_twins_are_searched_and_class_weights_are_another_fit_of_plain_models() -> None:
    methods = autogluon.PROTOCOL.all_methods(options())
    groups = autogluon.together(methods)
    assert [WEIGHTS in group for group in groups] == [False, True]
    search = portfolio(groups[0], options())["RF_IMB"][-1]["ag_args"]["hyperparameter_tune_kwargs"]
    assert (search["searcher"], search["num_trials"]) == ("imbllm_optuna", 3)
    assert portfolio(groups[1], options()) == {"GBM": [{"ag.early_stop": 50}], "RF": [{}]}


def test_an_ensemble_is_offered_the_plain_models_and_what_its_method_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor()
    fit = Fit(predictor, autogluon.SORTS, 1)  # type: ignore[arg-type]
    ours = lambda models, suffix: predictor.fit_weighted_ensemble(models, suffix, 1)[-1]  # noqa: E731
    monkeypatch.setattr(fit, "_our_ensemble", ours)
    names = {name: fit.answering(spec) for name, spec in autogluon.METHODS.items() if name not in (TUNED, WEIGHTS)}
    assert len(set(names.values())) == len(names), "ensembles must not replace one another"
    offered = {name: predictor.offered[made.removeprefix("WeightedEnsemble")] for name, made in names.items()}
    assert offered[PLAIN] == offered[OURS] == [PLAIN]
    assert offered[TWICE] == [PLAIN, "Again"]
    assert offered[IMBLLM] == [PLAIN, "ImbLLM"]
    assert [name for name, made in names.items() if "Our" not in made] == [PLAIN, TWICE]


def test_default_twins_are_those_of_smote_in_forests_and_of_imbllm_elsewhere() -> None:
    predictor = Predictor()
    predictor.names = (*predictor.names, "RandomForestImbSmote_BAG_L1", "RandomForestImbImbLLM_BAG_L1")
    fit = Fit(predictor, autogluon.SORTS, 1)  # type: ignore[arg-type]
    assert fit.added_by(autogluon.METHODS[DEFAULT]) == ["AImbImbLLM_BAG_L1", "RandomForestImbSmote_BAG_L1"]


def test_costs_are_seconds_and_weight_of_what_was_added() -> None:
    fit = Fit(Predictor(), autogluon.SORTS, 1)  # type: ignore[arg-type]
    assert fit.costs(autogluon.METHODS[IMBLLM], "e") == {"fit s": 10.0, "weight": pytest.approx(10.0)}
    assert fit.costs(autogluon.METHODS[PLAIN], "e") == {"fit s": 10.0}
    assert fit.costs(regression_autogluon.METHODS["LatentDiff alone"], "e") == {"fit s": 0.0}


def test_a_fit_that_lacks_a_model_is_refused() -> None:
    class Lacking(Predictor):
        def fit(self, rows: pd.DataFrame, **given: Any) -> None:
            assert given["hyperparameters"] == {"GBM": [{"ag.early_stop": 50}], "RF": [{}]}

        def model_names(self) -> list[str]:
            return ["LightGBM_BAG_L1/T1", "LightGBM_BAG_L1/T2"]

    with pytest.raises(InvalidInputError, match="fitted 1 of 2 models"):
        ensembles._fit_models(Lacking(), pd.DataFrame(), {"GBM": [{"ag.early_stop": 50}], "RF": [{}]}, 2, 1)  # type: ignore[arg-type]


def test_more_classes_are_decided_by_the_answer_and_judged_by_the_probabilities() -> None:
    truth = pd.Series(["a", "b", "c"])
    answers = pd.DataFrame(np.eye(3)[[0, 1, 1]], columns=["a", "b", "c"])
    found = autogluon.of_classes(truth, answers, pd.DataFrame(np.full((3, 3), 1 / 3), columns=["a", "b", "c"]))
    assert found["balanced accuracy"] == pytest.approx(200 / 3)
    assert found["log-loss"] == pytest.approx(np.log(3))


def test_tables_of_two_classes_are_a_part_of_their_own_and_so_are_those_of_few_rare_rows() -> None:
    rows = [("visits", "average precision", 1.0), ("visits", "rare rows", 59.0), ("car", "macro F1", 1.0)]
    rows += [("bills", "average precision", 1.0), ("bills", "rare rows", 60.0), ("car", "rare rows", 20.0)]
    tidy = pd.DataFrame(rows, columns=["table", "metric", "value"]).assign(split=0, method=PLAIN)
    assert list(autogluon.parts(tidy).values()) == [["visits", "bills"], ["visits"], ["bills"], ["car"]]


@pytest.mark.slow
def test_every_method_of_one_fit_is_judged() -> None:
    own = {"family": ["LR"], "folds": 2, "trials": 2}
    table = classes_table({"no": 100, "yes": 24})
    for methods in ((PLAIN, OURS, IMBLLM, TUNED), (WEIGHTS,)):
        task = task_of(autogluon.PROTOCOL, table, *methods, **own)
        task = task._replace(options=Options(own=task.options.own, settings={"steps": 1, "pretrain_steps": 1}))
        found = pd.DataFrame(autogluon.measure(task)).pivot_table("value", "method", "metric")
        assert set(found.index) == set(methods)
        assert found[["average precision", "F1", "log-loss", "fit s"]].notna().all(axis=None)
        if IMBLLM in methods:
            assert found.loc[IMBLLM, "generators"] == 2, "one for each fold"


@pytest.mark.slow
def test_every_method_for_numbers_is_judged() -> None:
    names = [name for name in regression_autogluon.METHODS if "ImbLLM" not in name and "three" not in name]
    own = {"family": ["LR"], "folds": 2, "bins": 6}
    task = task_of(regression_autogluon.PROTOCOL, houses_table(), *names, **own)
    found = pd.DataFrame(regression_autogluon.measure(task)).pivot_table("value", "method", "metric")
    assert set(found.index) == set(names)
    assert (found["all n"] == 40).all()
