from __future__ import annotations

import copy
import logging
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from autogluon.core.callbacks import EarlyStoppingCountCallback
from autogluon.tabular.models import LGBModel

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.models import GeneratorModel, LatentDiffModel
from imbllm_autogluon.plugin.portfolio import RebalanceCallback, rebalance_hyperparameters
from imbllm_autogluon.plugin.twins import twin_of

FIRST: dict[str, Any] = {"IMBLLM": [{}]}
"""The generator."""

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
            {"twins": 1},
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


def test_a_twin_is_fitted_behind_all_plain_models_and_without_out_of_bag_rows() -> None:
    config = {"ag_args": {"priority": 3}, "ag_args_ensemble": {"use_child_oof": True}, "ag.ens.use_child_oof": True}
    (twin,) = rebalance_hyperparameters({"RF": config})["RF_IMB"]
    assert twin == {"ag_args": {"priority": -997}, "ag_args_ensemble": {}}
    assert config["ag_args"]["priority"] == 3


def test_a_portfolio_can_be_named() -> None:
    portfolio = rebalance_hyperparameters("default", twins="all")
    assert len(portfolio["GBM_IMB"]) == len(portfolio["GBM"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tune": {"num_trails": 3}}, "did you mean 'num_trials'"),
        ({"tune": {"space": {"method": ("smote",)}}}, "method"),
        ({"mode": "twins"}, "mode"),
        ({"twins": 0}, "twins"),
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
    assert twin["ag_args"]["priority"] == -997
    assert generator == {}


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


def test_a_generator_of_ones_own_stays_as_it_is() -> None:
    given = {"GBM": {}, "IMBLLM": {"ag.imbllm.steps": 9}}
    assert rebalance_hyperparameters(given)["IMBLLM"] == {"ag.imbllm.steps": 9}


def test_latent_diff_has_the_bins_of_the_twins() -> None:
    made = rebalance_hyperparameters({"GBM": {}}, latent_diff=True, method="smogn", n_bins=7, bins="quantile")
    assert made["LATENT_DIFF"] == [{"n_bins": 7, "bins": "quantile"}]
    assert made["GBM_IMB"][0]["ag.imbllm.n_bins"] == 7


RARE = pd.Series([0] * 90 + [1] * 10)
NEARLY_HALF = pd.Series([0] * 64 + [1] * 36)


def portfolio_after(
    problem_type: str, y: pd.Series, level_start: int = 1, sample_weight: str | None = None, **parameters: Any
) -> dict[str, object]:
    hyperparameters: dict[str, object] = {"GBM": {}}
    callback = RebalanceCallback(**parameters)
    trainer = SimpleNamespace(callbacks=[], problem_type=problem_type, sample_weight=sample_weight)
    callback.before_trainer_fit(trainer, y=y, hyperparameters=hyperparameters, level_start=level_start, X=None)
    return hyperparameters


def test_a_callback_that_sees_a_fit_without_twins_forgets_the_clock_of_the_one_before() -> None:
    callback, trainer = RebalanceCallback(), SimpleNamespace(callbacks=[], problem_type="binary")
    for labels, has_clock in ((RARE, True), (pd.Series([0, 1] * 50), False)):
        callback.before_trainer_fit(trainer, y=labels, hyperparameters={"GBM": {}})
        assert (callback.clock is not None) is has_clock


def test_twins_join_the_very_mapping_that_the_trainer_uses() -> None:
    assert set(portfolio_after("binary", RARE)) == {"GBM", "GBM_IMB", "IMBLLM"}


@pytest.mark.parametrize(
    ("problem_type", "parameters", "method"),
    [("binary", {}, "smote_nc"), ("multiclass", {}, None), ("binary", {"method": "imbllm"}, "imbllm")],
)
def test_forests_of_two_classes_get_rows_of_smote_where_nothing_else_is_asked_for(
    problem_type: str, parameters: dict[str, Any], method: str | None
) -> None:
    made: dict[str, Any] = {"GBM": {}, "RF": {}, "XT": {}}
    trainer = SimpleNamespace(callbacks=[], problem_type=problem_type)
    RebalanceCallback(**parameters).before_trainer_fit(trainer, y=RARE, hyperparameters=made)
    assert [made[key][0].get("ag.imbllm.method") for key in ("RF_IMB", "XT_IMB")] == [method] * 2
    assert made["GBM_IMB"] == [{f"ag.imbllm.{name}": value for name, value in parameters.items()}]


@pytest.mark.parametrize(
    ("problem_type", "y", "level", "reason"),
    [
        ("binary", pd.Series([0, 1] * 50), 1, "balanced"),
        ("quantile", pd.Series(range(100)), 1, "problem type quantile is not rebalanced"),
        ("regression", pd.Series([1.0] * 100), 1, "at least 2 distinct values"),
        ("regression", pd.Series(range(19)), 1, "19 rows, and 20 are needed"),
        ("regression", pd.Series(range(100)), 2, "stacked"),
        ("binary", RARE, 2, "stacked"),
    ],
)
def test_where_twins_would_not_help_none_are_added_and_the_log_says_why(
    problem_type: str, y: pd.Series, level: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(20, "autogluon.imbllm"):
        assert set(portfolio_after(problem_type, y, level)) == {"GBM"}
    assert reason in caplog.text


SKEWED = pd.Series([1.0] * 90 + [5.0] * 10)


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, {"GBM", "GBM_IMB", "IMBLLM", "LATENT_DIFF"}),
        ({"latent_diff": True}, {"GBM", "GBM_IMB", "IMBLLM", "LATENT_DIFF"}),
        ({"latent_diff": False}, {"GBM", "GBM_IMB", "IMBLLM"}),
        ({"method": "smogn"}, {"GBM", "GBM_IMB", "LATENT_DIFF"}),
        ({"mode": "only"}, {"GBM_IMB", "IMBLLM", "LATENT_DIFF"}),
        ({"classifier": True}, {"GBM", "GBM_IMB", "IMBLLM", "LATENT_DIFF"}),
    ],
)
def test_latent_diff_joins_the_twins_of_a_regression_unless_it_is_told_not_to(
    options: dict[str, Any], keys: set[str]
) -> None:
    assert set(portfolio_after("regression", SKEWED, **options)) == keys


def test_latent_diff_never_joins_classes_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(20, "autogluon.imbllm"):
        assert "LATENT_DIFF" not in portfolio_after("binary", RARE)
        assert "left out" not in caplog.text
        assert "LATENT_DIFF" not in portfolio_after("binary", RARE, latent_diff=True)
    assert "left out" in caplog.text


@pytest.mark.parametrize(
    ("problem_type", "options", "message"),
    [
        ("regression", {"method": "great"}, "'great' is none for regression.*'smogn'"),
        ("regression", {"method": "smote_nc", "tune": {}}, "'smote_nc' is none for regression"),
        ("regression", {"tune": {"space": {"target_ratio": (1.0, 0.5)}}}, r"unknown setting 'space.target_ratio'"),
        ("binary", {"method": "smogn"}, "'smogn' is none for classification.*'smote_nc'"),
        ("binary", {"tune": {"space": {"method": ("smogn",)}}}, "'smogn' is none for classification"),
    ],
)
def test_a_method_of_the_other_task_is_refused_before_the_fit(
    problem_type: str, options: dict[str, Any], message: str
) -> None:
    y = SKEWED if problem_type == "regression" else RARE
    with pytest.raises(InvalidInputError, match=message):
        portfolio_after(problem_type, y, **options)


def test_bad_options_are_refused_before_the_fit() -> None:
    with pytest.raises(InvalidInputError, match="did you mean"):
        RebalanceCallback(temprature=1.0)


def test_the_log_belongs_to_autogluons_logger() -> None:
    assert logging.getLogger("autogluon.imbllm").parent is logging.getLogger("autogluon")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"method": "none"}, "method is none"),
        ({"target_ratio": 0.1}, r"no class can or needs to be continued (target ratio 0.1)"),
        ({"balanced_below": 20}, "balanced"),
    ],
)
def test_settings_that_leave_nothing_to_do_add_no_twins(
    parameters: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(20, "autogluon.imbllm"):
        assert set(portfolio_after("binary", RARE, **parameters)) == {"GBM"}
    assert reason in caplog.text


def test_a_search_keeps_its_twins_even_where_its_own_settings_would_leave_nothing_to_do() -> None:
    assert "GBM_IMB" in portfolio_after("binary", RARE, method="none", tune={"num_trials": 2})


@pytest.mark.parametrize(
    ("parameters", "twins"),
    [({}, True), ({"target_ratio": 0.4}, False), ({"target_ratio": 0.4, "tune": {"num_trials": 2}}, True)],
)
def test_two_classes_near_one_to_two_get_twins_unless_a_lower_ratio_is_wanted_and_not_searched(
    parameters: dict[str, Any], twins: bool
) -> None:
    assert ("GBM_IMB" in portfolio_after("binary", NEARLY_HALF, **parameters)) is twins


def test_with_a_stack_policy_twins_join_a_higher_level_too() -> None:
    assert "GBM_IMB" in portfolio_after("binary", RARE, 2, stack="copy")


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"included_model_types": ["GBM"]}, {"included_model_types": ["GBM", "GBM_IMB", "IMBLLM"]}),
        ({"excluded_model_types": ["GBM"]}, {"excluded_model_types": ["GBM", "GBM_IMB"]}),
        ({"included_model_types": ["GBM", "RF_IMB"]}, {"included_model_types": ["GBM", "RF_IMB"]}),
        ({"included_model_types": None}, {"included_model_types": None}),
    ],
)
def test_twins_follow_the_model_types_that_are_included_or_excluded(given: dict[str, Any], seen: object) -> None:
    trainer = SimpleNamespace(callbacks=[], problem_type="binary")
    RebalanceCallback().before_trainer_fit(trainer, y=RARE, hyperparameters={"GBM": {}}, core_kwargs=given)
    assert given == seen


@pytest.mark.parametrize(("sample_weight", "warned"), [("balance_weight", True), ("weight", False), (None, False)])
def test_balancing_by_weights_and_by_rows_at_once_is_warned_about(
    sample_weight: str | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        assert "GBM_IMB" in portfolio_after("binary", RARE, sample_weight=sample_weight)
    assert ("rare classes count twice" in caplog.text) == warned


def test_no_warning_where_weights_alone_balance(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        portfolio_after("binary", RARE, sample_weight="balance_weight", method="none")
    assert not caplog.text


def test_the_classifier_and_latent_diff_are_tuned_with_the_twins() -> None:
    portfolio = rebalance_hyperparameters({}, classifier=True, latent_diff=True, tune={"num_trials": 4})
    for (config,) in portfolio.values():
        assert config["ag_args"]["hyperparameter_tune_kwargs"]["num_trials"] == 4
    assert set(portfolio) == {"IMBLLM_CLF", "LATENT_DIFF"}


@pytest.mark.parametrize(("mode", "counted"), [("both", LGBModel), ("only", twin_of(LGBModel))])
def test_a_limit_on_the_number_of_models_counts_the_models_that_were_there_before_twins(
    mode: str, counted: type[Any]
) -> None:
    limit = EarlyStoppingCountCallback(patience=2)
    trainer: Any = SimpleNamespace(problem_type="binary", callbacks=[limit], _callback_early_stop=False, logger=logging)
    RebalanceCallback(mode=mode).before_trainer_fit(trainer, y=RARE, hyperparameters={"GBM": {}})
    (counting,) = trainer.callbacks
    skipped = []
    for kind in (counted, GeneratorModel, LatentDiffModel, counted, counted, GeneratorModel):
        _, skips = counting.before_model_fit(trainer, kind(path="", name="model", problem_type="binary"), level=1)
        skipped.append(skips)
        if not skips:
            counting.after_model_fit(trainer, ["model"], level=1)
    assert skipped == [False, False, False, False, True, False]
