"""Language models of tables: backbones, training, constrained decoding."""

from __future__ import annotations

from imbllm_autogluon.language.config import LanguageConfig

__all__ = ["LanguageConfig"]
