"""Cut a pretrained model's vocabulary down to the tokens that one table uses.

SmolLM2's 49,152 tokens are a fifth of its weights and, with one sentence's loss over all of them, most of the memory
of a training step; a table needs a few dozen to a few thousand.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.language.losses import LanguageModel


def trim_vocabulary(model: LanguageModel, sources: Sequence[Sequence[int]]) -> None:
    """Replace input embedding and output layer by those of the given tokens, in place.

    Parameters
    ----------
    model
        A transformers language model.
    sources
        For each new token the old tokens that it stands for; its embedding and its output weights are their mean
        (zero where there are none).
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head.weight is embedding.weight
    rows = _means(embedding.weight, sources)
    model.set_input_embeddings(torch.nn.Embedding(len(rows), rows.shape[1], _weight=rows))
    outputs = torch.nn.Linear(rows.shape[1] if tied else head.weight.shape[1], len(rows), bias=head.bias is not None)
    with torch.no_grad():
        outputs.weight.copy_(rows if tied else _means(head.weight, sources))
        if head.bias is not None:
            outputs.bias.copy_(_means(head.bias[:, None], sources)[:, 0])
    model.set_output_embeddings(outputs)
    model.config.vocab_size = len(rows)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):  # ids of the old vocabulary
        setattr(model.config, name, None)
    if tied:
        outputs.weight = model.get_input_embeddings().weight


def base_fingerprint(model: LanguageModel) -> str:
    """SHA-256 of the embeddings and of the first tensor of each block: tells one base model from another."""
    digest = hashlib.sha256()
    seen: set[str] = set()
    for name, weight in model.named_parameters():
        block = ".".join(part for part in name.split(".") if part.isdigit())
        if block not in seen:
            seen.add(block)
            digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _means(weights: torch.Tensor, sources: Sequence[Sequence[int]]) -> torch.Tensor:
    """Mean row of each group of rows, shape (len(sources), width)."""
    zero = torch.zeros_like(weights[0])
    rows = [weights[list(source)].mean(dim=0) if len(source) else zero for source in sources]
    return torch.stack(rows).detach().clone()
