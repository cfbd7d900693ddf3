from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.bench.one_fit import sort_of
from imbllm_autogluon.bench.regression.tables import RegressionSplit, RegressionTable
from imbllm_autogluon.bench.regression_autogluon.arms import (
    ADDED,
    SORTS,
    Plan,
    added_models,
    answering,
    costs,
    fitted,
)
from imbllm_autogluon.bench.regression_autogluon.page import ALL_THREE, ALONE, IMBLLM, LATENT, PLAIN, SMOGN, TWICE
from imbllm_autogluon.errors import InvalidInputError
from tests.bench.regression.houses import house_table

if TYPE_CHECKING:
    from pathlib import Path

    from autogluon.tabular import TabularPredictor


def split() -> RegressionSplit:
    return RegressionSplit.of(RegressionTable.of("houses", house_table(60), "price", 4000), 0, 50)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    """One family in two folds; what is added learns next to nothing."""
    plan = Plan(
        families=("RF",),
        folds=2,
        latent_diff={"method": "none", "encoder_epochs": 3},
        twins={"steps": 1, "warmup_steps": 1},
    )
    return fitted(split(), plan, tmp_path_factory.mktemp("fit") / "predictor")


def test_a_portfolio_has_every_family_twice_and_as_two_twins_and_latent_diff() -> None:
    portfolio = Plan().portfolio(7)
    assert list(portfolio) == ["GBM", "CAT", "RF", "GBM_IMB", "CAT_IMB", "RF_IMB", "LATENT_DIFF"]
    assert sum(map(len, portfolio.values())) == 3 * 2 + 3 * 2 + 1
    plain, again = portfolio["CAT"]
    assert plain == {}
    assert again["ag_args_ensemble"] == {"model_random_seed": 1}
    assert [twin["ag.imbllm.method"] for twin in portfolio["RF_IMB"]] == ["smogn", "imbllm"]


def test_twins_and_latent_diff_have_the_bins_of_the_split_and_settings_of_their_own() -> None:
    portfolio = Plan(families=("GBM",), latent_diff={"guidance": 2.0}, twins={"generation_ratio": 0.25}).portfolio(7)
    assert portfolio["LATENT_DIFF"] == [{"n_bins": 7, "guidance": 2.0}]
    assert {twin["ag.imbllm.n_bins"] for twin in portfolio["GBM_IMB"]} == {7}
    assert {twin["ag.imbllm.generation_ratio"] for twin in portfolio["GBM_IMB"]} == {0.25}


def test_every_model_of_the_fit_is_of_the_sort_its_name_says(predictor: TabularPredictor) -> None:
    sorts = {model: sort_of(model, SORTS) for model in predictor.model_names()}
    assert sorts == {
        "RandomForest_BAG_L1": PLAIN,
        "RandomForestAgain_BAG_L1": "Again",
        "RandomForestImbSmogn_BAG_L1": "Smogn",
        "RandomForestImbImbLLM_BAG_L1": "ImbLLM",
        "LatentDiff_BAG_L1": "LatentDiff",
    }


def test_a_copy_with_another_seed_answers_otherwise(predictor: TabularPredictor) -> None:
    X = split().unseen_X
    plain, again = (predictor.predict(X, model=f"RandomForest{end}_BAG_L1") for end in ("", "Again"))
    assert not plain.equals(again)


def test_an_ensemble_is_offered_the_plain_models_and_what_its_arm_adds(
    predictor: TabularPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: dict[str, set[str]] = {}

    def record(base_models: list[str], name_suffix: str, num_cpus: int) -> list[str]:
        offered[name_suffix] = {sort_of(model, SORTS) for model in base_models}
        return [name_suffix]

    monkeypatch.setattr(predictor, "fit_weighted_ensemble", record)
    names = {arm: answering(predictor, arm, 1) for arm in ADDED}
    assert names.pop(ALONE) == "LatentDiff_BAG_L1"
    assert len(set(names.values())) == len(names), "ensembles must not replace one another"
    assert {arm: offered[name] for arm, name in names.items()} == {
        PLAIN: {PLAIN},
        TWICE: {PLAIN, "Again"},
        LATENT: {PLAIN, "LatentDiff"},
        SMOGN: {PLAIN, "Smogn"},
        IMBLLM: {PLAIN, "ImbLLM"},
        ALL_THREE: {PLAIN, "LatentDiff", "Smogn", "ImbLLM"},
    }


def test_costs_are_seconds_and_weight_of_what_was_added(predictor: TabularPredictor) -> None:
    board = predictor.leaderboard().set_index("model")["fit_time_marginal"]
    name = answering(predictor, SMOGN, 1)
    figures = costs(predictor, SMOGN, name)
    weights = predictor._trainer.load_model(name)._get_model_weights()
    assert added_models(predictor, SMOGN) == ["RandomForestImbSmogn_BAG_L1"]
    assert figures["fit s"] == pytest.approx(board["RandomForestImbSmogn_BAG_L1"])
    assert figures["weight"] == pytest.approx(100 * (1 - weights.get("RandomForest_BAG_L1", 0.0)))
    assert costs(predictor, PLAIN, "") == {"fit s": pytest.approx(board["RandomForest_BAG_L1"])}


def test_a_model_that_autogluon_leaves_out_is_named_instead_of_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_one = SimpleNamespace(fit=lambda *rows, **options: None, model_names=lambda: ["LightGBM_BAG_L1"])
    monkeypatch.setattr("autogluon.tabular.TabularPredictor", lambda *label, **options: fitted_one)
    with pytest.raises(InvalidInputError, match=r"1 of 5 models \(LightGBM_BAG_L1\)"):
        fitted(split(), Plan(families=("GBM",)), tmp_path)
