from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from autogluon.core.callbacks import EarlyStoppingCountCallback

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.models import GeneratorModel
from imbllm_autogluon.plugin.portfolio import RebalanceCallback

RARE = pd.Series([0] * 90 + [1] * 10)
NEARLY_HALF = pd.Series([0] * 64 + [1] * 36)


def portfolio_after(
    problem_type: str, y: pd.Series, level_start: int = 1, sample_weight: str | None = None, **parameters: Any
) -> dict[str, object]:
    hyperparameters: dict[str, object] = {"GBM": {}}
    callback = RebalanceCallback(**parameters)
    trainer = SimpleNamespace(problem_type=problem_type, sample_weight=sample_weight)
    callback.before_trainer_fit(trainer, y=y, hyperparameters=hyperparameters, level_start=level_start, X=None)
    return hyperparameters


def test_twins_join_the_very_mapping_that_the_trainer_uses() -> None:
    assert set(portfolio_after("binary", RARE)) == {"GBM", "GBM_IMB", "IMBLLM"}


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


def test_the_classifier_joins_where_it_is_asked_for() -> None:
    assert set(portfolio_after("binary", RARE, classifier=True)) == {"GBM", "GBM_IMB", "IMBLLM", "IMBLLM_CLF"}


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


def test_latent_diff_is_tuned_with_the_twins() -> None:
    portfolio: Any = portfolio_after("regression", SKEWED, tune={"num_trials": 3})
    assert portfolio["LATENT_DIFF"][0]["ag_args"]["hyperparameter_tune_kwargs"]["num_trials"] == 3


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


@pytest.mark.parametrize(
    ("types", "kept"),
    [
        ({"G": GeneratorModel, "A": object}, ["A"]),
        ({"A": object, "B": object}, ["A", "B"]),
        ({"G": GeneratorModel}, ["G"]),
        (None, ["A"]),
    ],
)
def test_the_generator_is_kept_out_of_ensembles_that_have_other_members(
    types: dict[str, type] | None, kept: list[str]
) -> None:
    ensemble = SimpleNamespace(base_model_names=list(types or ["A"]), _base_model_types_inner_dict=types)
    assert RebalanceCallback().before_model_fit(SimpleNamespace(), ensemble) == (False, False)
    assert ensemble.base_model_names == kept


def test_models_without_base_models_are_left_alone() -> None:
    model = SimpleNamespace()
    RebalanceCallback().before_model_fit(SimpleNamespace(), model)
    assert not vars(model)


@pytest.mark.parametrize(
    ("options", "patience", "most"),
    [
        ({}, 4, 9),
        ({"mode": "only"}, 4, 5),
        ({"method": "random"}, 4, 8),
        ({"method": "great"}, 4, 9),
        ({"classifier": True}, 4, 10),
        ({}, None, None),
    ],
)
def test_a_limit_on_the_number_of_models_counts_plain_models_only(
    options: dict[str, Any], patience: int | None, most: int | None
) -> None:
    limit = EarlyStoppingCountCallback(patience=patience)
    trainer = SimpleNamespace(problem_type="binary", callbacks=[limit])
    RebalanceCallback(**options).before_trainer_fit(trainer, y=RARE, hyperparameters={"GBM": {}})
    assert limit.patience == most


def test_without_twins_a_limit_on_the_number_of_models_stays() -> None:
    limit = EarlyStoppingCountCallback(patience=4)
    trainer = SimpleNamespace(problem_type="quantile", callbacks=[limit])
    RebalanceCallback().before_trainer_fit(trainer, y=RARE, hyperparameters={"GBM": {}})
    assert limit.patience == 4


def test_a_limit_on_the_number_of_models_leaves_room_for_latent_diff() -> None:
    limit = EarlyStoppingCountCallback(patience=4)
    trainer = SimpleNamespace(problem_type="regression", callbacks=[limit])
    RebalanceCallback().before_trainer_fit(trainer, y=SKEWED, hyperparameters={"GBM": {}})
    assert limit.patience == 10
