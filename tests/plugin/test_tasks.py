from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.tasks import plan_for, task_of
from imbllm_autogluon.rebalancing import RebalanceConfig

Y = pd.Series([0] * 60 + [1] * 20)


@pytest.mark.parametrize(
    ("problem_type", "task"),
    [
        ("binary", "classification"),
        ("multiclass", "classification"),
        ("regression", "regression"),
        ("quantile", None),
        ("softclass", None),
        (None, None),
    ],
)
def test_each_problem_type_is_one_task_or_none(problem_type: str | None, task: str | None) -> None:
    assert task_of(problem_type) == task


def test_the_same_column_is_planned_by_class_or_by_bin() -> None:
    assert plan_for("binary", Y, RebalanceConfig()).counts == {1: 15}
    assert plan_for("regression", Y, RebalanceConfig()).counts == {19: 40}


def test_other_problem_types_have_a_reason() -> None:
    plan = plan_for("quantile", Y, RebalanceConfig())
    assert (plan.counts, plan.reason) == ({}, "problem type quantile is not rebalanced")


def test_a_method_of_the_other_task_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'smogn' is none for classification"):
        plan_for("binary", Y, RebalanceConfig(method="smogn"))
