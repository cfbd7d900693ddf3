"""Pretrained backbones: which there are, where their files lie, how they get there and how they are loaded."""

from __future__ import annotations

from imbllm_autogluon.language.backbones.loading import load_model, load_tokenizer
from imbllm_autogluon.language.backbones.registry import fetch, find_backbone, list_backbones
from imbllm_autogluon.language.backbones.sources import BackboneSource, BackboneStatus

__all__ = [
    "BackboneSource",
    "BackboneStatus",
    "fetch",
    "find_backbone",
    "list_backbones",
    "load_model",
    "load_tokenizer",
]
