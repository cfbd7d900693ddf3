from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from autogluon.core.callbacks import EarlyStoppingCountCallback

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.callback import RebalanceCallback
from imbllm_autogluon.plugin.generator_model import GeneratorModel

RARE = pd.Series([0] * 90 + [1] * 10)


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
        ("regression", RARE, 1, "regression"),
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


def test_bad_options_are_refused_before_the_fit() -> None:
    with pytest.raises(InvalidInputError, match="did you mean"):
        RebalanceCallback(temprature=1.0)


def test_the_log_belongs_to_autogluons_logger() -> None:
    assert logging.getLogger("autogluon.imbllm").parent is logging.getLogger("autogluon")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"method": "none"}, "method is none"),
        ({"target_ratio": 0.1}, "no class can or needs to be continued"),
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
    trainer = SimpleNamespace(problem_type="regression", callbacks=[limit])
    RebalanceCallback().before_trainer_fit(trainer, y=RARE, hyperparameters={"GBM": {}})
    assert limit.patience == 4
