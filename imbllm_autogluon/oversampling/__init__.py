"""Oversampling of rare classes: interpolation, conditioning, generators, the imbalanced-learn sampler."""

from __future__ import annotations

from imbllm_autogluon.oversampling.config import ConditioningConfig, ImbLLMConfig, InterpolationConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM

__all__ = ["ConditioningConfig", "ImbLLM", "ImbLLMConfig", "InterpolationConfig"]
