from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pytest

from imbllm_autogluon.bench.autogluon import arms as autogluon_arms
from imbllm_autogluon.bench.one_fit import (
    FitPlan,
    bag_name,
    fit_models,
    models_of,
    plain_twice,
    require_twins,
    sort_of,
    twin_settings,
)
from imbllm_autogluon.bench.regression_autogluon import arms as regression_autogluon_arms
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor

SORTS = ("Again", "Random", "Tuned")


def stand_in(*names: str) -> TabularPredictor:
    trainer = SimpleNamespace(get_model_names=lambda stack_name: list(names))
    given = SimpleNamespace(fit=lambda *rows, **options: None, model_names=lambda: list(names), _trainer=trainer)
    return cast("TabularPredictor", given)


@pytest.mark.parametrize(
    ("model", "sort"),
    [
        ("RandomForest_BAG_L1", "plain"),
        ("RandomForestAgain_BAG_L1", "Again"),
        ("RandomForestImbRandom_BAG_L1", "Random"),
        ("LightGBMImbTuned_BAG_L1/T3", "Tuned"),
    ],
)
def test_the_end_of_a_name_is_the_sort_of_a_model(model: str, sort: str) -> None:
    assert sort_of(model, SORTS) == sort


def test_every_family_is_fitted_as_it_is_and_with_another_seed() -> None:
    portfolio = plain_twice(["GBM", "RF"])
    assert list(portfolio) == ["GBM", "RF"]
    plain, again = portfolio["GBM"]
    assert plain == {}
    assert again == {"ag_args": {"name_suffix": "Again"}, "ag_args_ensemble": {"model_random_seed": 1}}


def test_a_twin_has_parameters_under_their_prefix_and_its_sort_as_the_end_of_its_name() -> None:
    settings = twin_settings("Tuned", {"steps": 3}, {"priority": 1})
    assert settings == {"ag.imbllm.steps": 3, "ag_args": {"name_suffix": "Tuned", "priority": 1}}


def test_models_are_found_by_their_sorts() -> None:
    predictor = stand_in("LightGBM_BAG_L1", "LightGBMAgain_BAG_L1", "LightGBMImbTuned_BAG_L1/T1")
    assert models_of(predictor, ("plain", "Tuned"), SORTS) == ["LightGBM_BAG_L1", "LightGBMImbTuned_BAG_L1/T1"]


def test_trials_count_as_one_model_and_a_model_left_out_is_named() -> None:
    rows, portfolio = pd.DataFrame(), {"GBM": [{}], "GBM_IMB": [{}]}
    trials = ("LightGBMImb_BAG_L1/T1", "LightGBMImb_BAG_L1/T2")
    assert {bag_name(name) for name in trials} == {"LightGBMImb"}
    assert fit_models(stand_in("LightGBM_BAG_L1", *trials), rows, portfolio, 2, 1)
    with pytest.raises(InvalidInputError, match=r"1 of 2 models \(LightGBMImb_BAG_L1/T1, .*\); leave out the families"):
        fit_models(stand_in(*trials), rows, portfolio, 2, 1)


@pytest.mark.parametrize(
    ("families", "message"),
    [
        (["REALMPL"], r"'REALMPL' is no model key with a twin \(did you mean 'REALMLP'\?\)"),
        (["LATENT_DIFF"], "'LATENT_DIFF' is no model key with a twin"),
        (["GBM_IMB"], "'GBM_IMB' is no model key with a twin"),
        (["GBM", "GBM"], "each once; got GBM, GBM"),
        ([], "each once; got none"),
    ],
)
def test_families_without_a_twin_and_families_named_twice_are_refused(families: list[str], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        require_twins(families)


@pytest.mark.parametrize("plan", [FitPlan, autogluon_arms.Plan, regression_autogluon_arms.Plan])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"families": ("GBM_IMB",)}, "'GBM_IMB' is no model key with a twin"),
        ({"folds": 1}, "folds"),
        ({"threads": 0}, "threads"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(
    plan: type[FitPlan], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        plan(**settings)
