"""Tiny masked language models over an encoding and the mask token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import BertConfig, BertForMaskedLM, DistilBertConfig, DistilBertForMaskedLM

if TYPE_CHECKING:
    from imbllm_autogluon.sentences import SentenceEncoding

ARCHITECTURES = ["bert", "distilbert"]


def random_masked_model(architecture: str, encoding: SentenceEncoding, seed: int = 0) -> Any:
    """A tiny model with weights so large that every token, before or after, changes what is written."""
    size: dict[str, Any] = {"vocab_size": encoding.n_tokens + 1, "pad_token_id": 0, "initializer_range": 0.4}
    size["max_position_embeddings"] = encoding.longest_sentence
    torch.manual_seed(seed)
    if architecture == "bert":
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
        model: Any = BertForMaskedLM(BertConfig(**shape, **size))
    else:
        model = DistilBertForMaskedLM(DistilBertConfig(dim=32, hidden_dim=48, n_layers=2, n_heads=2, **size))
    return model.eval()
