from __future__ import annotations

import copy
from typing import Any

import pytest
from autogluon.tabular.models import LGBModel

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.portfolio import rebalance_hyperparameters
from imbllm_autogluon.plugin.twins import twin_of

FIRST: dict[str, Any] = {"IMBLLM": [{}]}
"""The generator, which is fitted first."""

BOTH = {"GBM": {}, "GBM_IMB": [{}], **FIRST}

WARM = {"ag.imbllm.temperature": 1.0}

GREAT = {"ag.imbllm.method": "great"}


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        ({"GBM": {}}, {}, {"GBM": {}, "GBM_IMB": [{}], **FIRST}),
        ({"GBM": {}}, {"mode": "only"}, {"GBM_IMB": [{}], **FIRST}),
        (
            {"GBM": [{"a": 1}, {"a": 2}]},
            {"max_per_family": 1},
            {"GBM": [{"a": 1}, {"a": 2}], "GBM_IMB": [{"a": 1}], **FIRST},
        ),
        ({"GBM": {}}, {"temperature": 1.0}, {"GBM": {}, "GBM_IMB": [WARM], "IMBLLM": [WARM]}),
        ({"GBM": {}}, {"method": "random"}, {"GBM": {}, "GBM_IMB": [{"ag.imbllm.method": "random"}]}),
        ({"GBM": {}}, {"method": "great"}, {"GBM": {}, "GBM_IMB": [GREAT], "IMBLLM": [GREAT]}),
        ({LGBModel: {}}, {}, {LGBModel: {}, twin_of(LGBModel): [{}], **FIRST}),
        ({"DUMMY": {}, "UNKNOWN": {}}, {}, {"DUMMY": {}, "UNKNOWN": {}}),
        ({"GBM": {}, "GBM_IMB": {"a": 1}}, {}, {"GBM": {}, "GBM_IMB": {"a": 1}}),
        (
            {1: {"GBM": {}}, "default": {"RF": {}}},
            {},
            {1: {"GBM": {}, "GBM_IMB": [{}], **FIRST}, "default": {"RF": {}}},
        ),
        (
            {"default": {"GBM": {}}, 2: {"RF": {}}},
            {},
            {"default": {"GBM": {}, "GBM_IMB": [{}], **FIRST}, 2: {"RF": {}}},
        ),
        ({}, {}, {}),
        ({"GBM": {}}, {"classifier": True}, {"IMBLLM_CLF": [{}], **BOTH}),
        ({"GBM": {}, "IMBLLM_CLF": {"a": 1}}, {"classifier": True}, {"IMBLLM_CLF": {"a": 1}, **BOTH}),
        ({"GBM": {}}, {"latent_diff": True}, {"LATENT_DIFF": [{}], **BOTH}),
        ({"GBM": {}, "LATENT_DIFF": {"a": 1}}, {"latent_diff": True}, {"LATENT_DIFF": {"a": 1}, **BOTH}),
        ({"GBM": {}}, {"latent_diff": False}, BOTH),
        ({"GBM": {}}, {"method": "smogn"}, {"GBM": {}, "GBM_IMB": [{"ag.imbllm.method": "smogn"}]}),
        (
            {1: {"GBM": {}}, "default": {"RF": {}}},
            {"latent_diff": True},
            {1: {"LATENT_DIFF": [{}], **BOTH}, "default": {"RF": {}}},
        ),
        ({"GBM": {}, "IMBLLM_CLF": {"a": 1}}, {"mode": "only"}, {"IMBLLM_CLF": {"a": 1}, "GBM_IMB": [{}], **FIRST}),
        (
            {1: {"GBM": {}}, "default": {"RF": {}}},
            {"classifier": True},
            {1: {"IMBLLM_CLF": [{}], **BOTH}, "default": {"RF": {}}},
        ),
    ],
)
def test_twins_are_added_or_replace_their_plain_models(
    given: dict[Any, Any], options: dict[str, Any], expected: dict[Any, Any]
) -> None:
    before = copy.deepcopy(given)
    assert rebalance_hyperparameters(given, **options) == expected
    assert given == before


def test_a_twin_is_fitted_right_after_its_plain_model_and_without_out_of_bag_rows() -> None:
    config = {"ag_args": {"priority": 3}, "ag_args_ensemble": {"use_child_oof": True}, "ag.ens.use_child_oof": True}
    (twin,) = rebalance_hyperparameters({"RF": config})["RF_IMB"]
    assert twin == {"ag_args": {"priority": 2.5}, "ag_args_ensemble": {}}
    assert config["ag_args"]["priority"] == 3


def test_a_portfolio_can_be_named() -> None:
    portfolio = rebalance_hyperparameters("default")
    assert len(portfolio["GBM_IMB"]) == len(portfolio["GBM"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tune": {"num_trails": 3}}, "did you mean 'num_trials'"),
        ({"tune": {"space": {"method": ("smote",)}}}, "method"),
        ({"mode": "twins"}, "mode"),
        ({"max_per_family": 0}, "max_per_family"),
        ({"classifier": "yes"}, "classifier"),
        ({"latent_diff": "yes"}, "latent_diff"),
        ({"temprature": 1.0}, "temperature"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        rebalance_hyperparameters({"GBM": {}}, **options)


def test_tuned_twins_carry_their_search_and_the_generator_does_not() -> None:
    portfolio = rebalance_hyperparameters({"GBM": {"ag_args": {"priority": 3}}}, tune={"num_trials": 4})
    (twin,), (generator,) = portfolio["GBM_IMB"], portfolio["IMBLLM"]
    assert twin["ag_args"]["hyperparameter_tune_kwargs"] == {
        "searcher": "imbllm_optuna",
        "scheduler": "local",
        "num_trials": 4,
    }
    assert twin["ag_args"]["priority"] == 2.5
    assert generator == {}


def test_the_classifier_is_tuned_with_the_twins() -> None:
    ((classifier,),) = [rebalance_hyperparameters({}, classifier=True, tune={"num_trials": 4})["IMBLLM_CLF"]]
    assert classifier["ag_args"]["hyperparameter_tune_kwargs"]["num_trials"] == 4


@pytest.mark.parametrize(
    ("methods", "generator"),
    [(("none", "great"), [GREAT]), (("random", "imbllm", "great"), [{}]), (("none", "random"), None)],
)
def test_a_search_brings_the_generator_of_the_first_method_that_trains_one(
    methods: tuple[str, ...], generator: list[dict[str, Any]] | None
) -> None:
    portfolio = rebalance_hyperparameters({"GBM": {}}, tune={"space": {"method": methods}})
    assert portfolio.get("IMBLLM") == generator


def test_every_level_gets_twins_where_a_stack_policy_says_what_written_rows_hold_there() -> None:
    portfolio = rebalance_hyperparameters({1: {"GBM": {}}, "default": {"RF": {}}}, stack="copy")
    assert set(portfolio["default"]) == {"RF", "RF_IMB", "IMBLLM"}


@pytest.mark.parametrize("method", ["random", "smote_nc", "none"])
def test_only_the_language_model_brings_a_generator(method: str) -> None:
    assert "IMBLLM" not in rebalance_hyperparameters({"GBM": {}}, method=method)


def test_a_generator_of_ones_own_stays_as_it_is() -> None:
    given = {"GBM": {}, "IMBLLM": {"ag.imbllm.steps": 9}}
    assert rebalance_hyperparameters(given)["IMBLLM"] == {"ag.imbllm.steps": 9}


def test_latent_diff_has_the_bins_of_the_twins() -> None:
    made = rebalance_hyperparameters({"GBM": {}}, latent_diff=True, method="smogn", n_bins=7, bins="quantile")
    assert made["LATENT_DIFF"] == [{"n_bins": 7, "bins": "quantile"}]
    assert made["GBM_IMB"][0]["ag.imbllm.n_bins"] == 7
