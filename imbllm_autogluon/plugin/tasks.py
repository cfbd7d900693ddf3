"""Which problem types of AutoGluon are rebalanced, and as which task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.rebalancing import OversamplingPlan, RebalanceConfig, plan_fold

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from imbllm_autogluon.tables.labeled import Task

TASKS: Mapping[str, Task] = {"binary": "classification", "multiclass": "classification", "regression": "regression"}
"""Tasks by problem type. Quantiles are conformalised on real rows, and soft classes are what a teacher says."""


def task_of(problem_type: object) -> Task | None:
    """The task of a problem type; `None` where nothing is rebalanced.

    Examples
    --------
    >>> task_of("binary"), task_of("quantile")
    ('classification', None)
    """
    return TASKS.get(str(problem_type))


def plan_for(problem_type: object, y: pd.Series, config: RebalanceConfig) -> OversamplingPlan:
    """Rows to write for a fold, or the reason why there are none.

    Raises
    ------
    InvalidInputError
        The method does not go with the problem type.
    """
    task = task_of(problem_type)
    if task is None:
        return OversamplingPlan({}, {}, f"problem type {problem_type} is not rebalanced")
    return plan_fold(y, config, task)
