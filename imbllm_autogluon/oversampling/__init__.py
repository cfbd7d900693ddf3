"""Oversampling of rare classes: interpolation, conditioning, generators, the imbalanced-learn sampler."""

from __future__ import annotations

from imbllm_autogluon.oversampling.config import ConditioningConfig, GeneratorConfig, InterpolationConfig, QueryConfig
from imbllm_autogluon.oversampling.imbllm import GReaT, ImbLLM
from imbllm_autogluon.oversampling.synthesizer import PredLLM

__all__ = ["ConditioningConfig", "GReaT", "GeneratorConfig", "ImbLLM", "InterpolationConfig", "PredLLM", "QueryConfig"]
