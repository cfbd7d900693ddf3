"""A fold rebalanced: how many rows of which class, by which method, made once and shared; knows no AutoGluon."""

from __future__ import annotations

from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.fold_rows import Fold, FoldRows, fold_rows
from imbllm_autogluon.rebalancing.plan import OversamplingPlan, plan_oversampling

__all__ = ["Fold", "FoldRows", "OversamplingPlan", "RebalanceConfig", "fold_rows", "plan_oversampling"]
