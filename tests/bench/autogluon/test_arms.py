from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.bench import one_fit
from imbllm_autogluon.bench.autogluon.arms import (
    ADDED,
    IMBLLM,
    OURS,
    RANDOM,
    SMOTE_NC,
    SORTS,
    TUNED,
    TWICE,
    WEIGHTS,
    Plan,
    answering,
    costs,
    fitted,
    fitted_with_weights,
)
from imbllm_autogluon.bench.autogluon.split import ClassSplit
from imbllm_autogluon.bench.one_fit import PLAIN, sort_of
from imbllm_autogluon.plugin.fold_writer import cache_of
from imbllm_autogluon.rebalancing.fold_rows import GENERATORS
from tests.jobs.fits import labelled

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor

QUICK = Plan(
    families=("LR",),
    folds=2,
    tuned=True,
    twins={"steps": 1, "warmup_steps": 1},
    tuning={"num_trials": 3, "top_k": 2, "prune": False},
)


def split() -> ClassSplit:
    return ClassSplit.of(labelled({"no": 100, "yes": 24}), 0)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    """One family in two folds, its twins tuned too."""
    return fitted(split(), QUICK, tmp_path_factory.mktemp("fit") / "predictor")


def test_a_portfolio_has_every_family_twice_and_as_a_twin_of_every_method() -> None:
    portfolio = Plan(twins={"target_ratio": 0.5}).portfolio()
    assert list(portfolio) == ["GBM", "CAT", "RF", "GBM_IMB", "CAT_IMB", "RF_IMB"]
    assert [len(models) for models in portfolio.values()] == [2, 2, 2, 3, 3, 3]
    assert [twin["ag.imbllm.method"] for twin in portfolio["RF_IMB"]] == ["random", "smote_nc", "imbllm"]
    assert {twin["ag.imbllm.target_ratio"] for twin in portfolio["GBM_IMB"]} == {0.5}


def test_tuned_twins_choose_their_method_and_are_fitted_only_where_they_are_wanted() -> None:
    assert TUNED not in Plan().arms
    assert list(QUICK.arms) == list(ADDED)
    tuned = QUICK.portfolio()["LR_IMB"][-1]
    assert "ag.imbllm.method" not in tuned
    search = tuned["ag_args"]["hyperparameter_tune_kwargs"]
    assert (search["searcher"], search["num_trials"]) == ("imbllm_optuna", 3)


def test_every_model_of_the_fit_is_of_the_sort_its_name_says(predictor: TabularPredictor) -> None:
    sorts = {model: sort_of(model, SORTS) for model in predictor.model_names()}
    trials = {model for model, sort in sorts.items() if sort == "Tuned"}
    assert len(trials) == 2
    assert all(model.startswith("LinearModelImbTuned_BAG_L1/T") for model in trials)
    assert {model: sort for model, sort in sorts.items() if model not in trials} == {
        "LinearModel_BAG_L1": PLAIN,
        "LinearModelAgain_BAG_L1": "Again",
        "LinearModelImbRandom_BAG_L1": "Random",
        "LinearModelImbSmote_BAG_L1": "Smote",
        "LinearModelImbImbLLM_BAG_L1": "ImbLLM",
    }


def test_an_ensemble_is_offered_the_plain_models_and_what_its_arm_adds(
    predictor: TabularPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: dict[str, set[str]] = {}

    def record(base_models: list[str], name_suffix: str, num_cpus: int) -> list[str]:
        offered[name_suffix] = {sort_of(model, SORTS) for model in base_models}
        return [name_suffix]

    def record_ours(asked: TabularPredictor, models: list[str], name_suffix: str, num_cpus: int) -> str:
        assert asked is predictor
        return record(models, name_suffix, num_cpus)[0]

    monkeypatch.setattr(predictor, "fit_weighted_ensemble", record)
    monkeypatch.setattr(one_fit, "fit_ensemble", record_ours)
    names = {arm: answering(predictor, arm, 1) for arm in ADDED}
    assert len(set(names.values())) == len(names), "ensembles must not replace one another"
    assert {arm: offered[name] for arm, name in names.items()} == {
        PLAIN: {PLAIN},
        TWICE: {PLAIN, "Again"},
        OURS: {PLAIN},
        RANDOM: {PLAIN, "Random"},
        SMOTE_NC: {PLAIN, "Smote"},
        IMBLLM: {PLAIN, "ImbLLM"},
        TUNED: {PLAIN, "Tuned"},
    }
    assert [arm for arm, name in names.items() if not name.startswith("Our")] == [PLAIN, TWICE]


def test_costs_are_seconds_and_weight_of_what_was_added(predictor: TabularPredictor) -> None:
    board = predictor.leaderboard().set_index("model")["fit_time_marginal"]
    name = answering(predictor, SMOTE_NC, 1)
    weights = predictor._trainer.load_model(name)._get_model_weights()
    assert costs(predictor, SMOTE_NC, name) == {
        "fit s": pytest.approx(board["LinearModelImbSmote_BAG_L1"]),
        "weight": pytest.approx(100 * (1 - weights.get("LinearModel_BAG_L1", 0.0))),
    }
    assert costs(predictor, PLAIN, "") == {"fit s": pytest.approx(board["LinearModel_BAG_L1"])}


def test_generators_are_counted_and_all_trials_cost_seconds(predictor: TabularPredictor) -> None:
    untuned, tuned = (costs(predictor, arm, answering(predictor, arm, 1)) for arm in (IMBLLM, TUNED))
    assert untuned["generators"] == 2, "one for each fold"
    in_all = len(GENERATORS.keys(cache_of(Path(predictor.path))))
    assert untuned["generators"] + tuned["generators"] == in_all
    board = predictor.leaderboard().set_index("model")["fit_time_marginal"]
    kept = board[board.index.str.contains("Tuned_BAG_L1/")].sum()
    assert tuned["fit s"] > kept, "three trials, of which two are models"


def test_class_weights_are_a_fit_of_the_plain_models_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    predictor = fitted_with_weights(split(), QUICK, tmp_path_factory.mktemp("weights") / "predictor")
    assert predictor.model_names() == ["LinearModel_BAG_L1"]
    assert predictor.sample_weight == "balance_weight"
    assert list(costs(predictor, WEIGHTS, answering(predictor, WEIGHTS, 1))) == ["fit s"]
