"""Everything that AutoGluon sees: the stage, the twins, the cache, the presets."""

from __future__ import annotations

from imbllm_autogluon.plugin.class_scorers import (
    brier_score,
    expected_cost,
    geometric_mean,
    precision_at_k,
    precision_at_recall,
    recall_at_precision,
)
from imbllm_autogluon.plugin.decisions import decide, stored_decision
from imbllm_autogluon.plugin.portfolio import RebalanceCallback, rebalance_hyperparameters
from imbllm_autogluon.plugin.presets import register
from imbllm_autogluon.plugin.twins import twin_of

__all__ = [
    "RebalanceCallback", "brier_score", "decide", "expected_cost", "geometric_mean", "precision_at_k",
    "precision_at_recall", "rebalance_hyperparameters", "recall_at_precision", "register", "stored_decision", "twin_of",
]  # fmt: skip
