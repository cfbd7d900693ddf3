"""The compact backbone: a small transformers causal LM over the schema vocabulary, trained on the fold."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from transformers import GPT2Config, GPT2LMHeadModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel

HEAD_WIDTH = 16


def build_compact(n_tokens: int, longest_sentence: int, config: LanguageConfig) -> LanguageModel:
    """A GPT-2 architecture with random weights drawn from torch's global generator.

    ReLU instead of GELU: 1.3 to 1.6 times as many training steps per second on 1 or 2 CPU cores. No dropout: a
    fold's few hundred steps do not over-fit the whole fold, and copies of real rows are removed after generation.
    """
    with _quiet_transformers():
        architecture = GPT2Config(
            vocab_size=n_tokens,
            n_positions=longest_sentence,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=config.width // HEAD_WIDTH,
            activation_function="relu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
            tie_word_embeddings=True,
        )
        return GPT2LMHeadModel(architecture)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence advice of transformers about its own defaults, and give its log level back."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
