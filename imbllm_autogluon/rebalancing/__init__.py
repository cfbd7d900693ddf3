"""A fold rebalanced: how many rows of which class or target, by which method. Knows no AutoGluon."""

from __future__ import annotations

from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.plan import OversamplingPlan, plan_fold
from imbllm_autogluon.rebalancing.rows import Fold, FoldRows

__all__ = ["Fold", "FoldRows", "OversamplingPlan", "RebalanceConfig", "plan_fold"]
