"""Classes asked of a language model: the label query, measures against copying the prior, the classifier."""

from __future__ import annotations

from imbllm_autogluon.classification.classifier import LanguageModelClassifier
from imbllm_autogluon.classification.config import RECOMMENDED, RECOMMENDED_FOR_TEXTS, ClassifierConfig, DebiasingConfig

__all__ = ["RECOMMENDED", "RECOMMENDED_FOR_TEXTS", "ClassifierConfig", "DebiasingConfig", "LanguageModelClassifier"]
