"""Everything that AutoGluon sees: the stage, the twins, the cache, the presets."""

from __future__ import annotations

from imbllm_autogluon.plugin.portfolio import RebalanceCallback, rebalance_hyperparameters
from imbllm_autogluon.plugin.presets import register
from imbllm_autogluon.plugin.twins import twin_of

__all__ = ["RebalanceCallback", "rebalance_hyperparameters", "register", "twin_of"]
