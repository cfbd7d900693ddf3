from __future__ import annotations

import logging
from types import SimpleNamespace

import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.callback import RebalanceCallback

RARE = pd.Series([0] * 90 + [1] * 10)


def portfolio_after(problem_type: str, y: pd.Series, level_start: int = 1) -> dict[str, object]:
    hyperparameters: dict[str, object] = {"GBM": {}}
    callback = RebalanceCallback()
    trainer = SimpleNamespace(problem_type=problem_type)
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


def test_bad_options_are_refused_before_the_fit() -> None:
    with pytest.raises(InvalidInputError, match="did you mean"):
        RebalanceCallback(temprature=1.0)


def test_the_log_belongs_to_autogluons_logger() -> None:
    assert logging.getLogger("autogluon.imbllm").parent is logging.getLogger("autogluon")
