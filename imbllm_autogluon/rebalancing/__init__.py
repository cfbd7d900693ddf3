"""A fold rebalanced: how many rows of which class or target, by which method, made once and shared.

Knows no AutoGluon.
"""

from __future__ import annotations

from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.fold import Fold
from imbllm_autogluon.rebalancing.fold_rows import FoldRows, fold_rows
from imbllm_autogluon.rebalancing.plan import OversamplingPlan, plan_oversampling
from imbllm_autogluon.rebalancing.target_plan import plan_fold, plan_targets

__all__ = [
    "Fold",
    "FoldRows",
    "OversamplingPlan",
    "RebalanceConfig",
    "fold_rows",
    "plan_fold",
    "plan_oversampling",
    "plan_targets",
]
