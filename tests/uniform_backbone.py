"""A language model that knows nothing: every legal token is equally likely, whatever it is trained on.

It stands in for the compact backbone where only the contract is tested: counts, dtypes, legality, columns, index,
seeds, storage. Sentences, automata, training loop, decoder and storage are the real ones; only the network is free of
charge. Tests of what is learned keep the real model.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from imbllm_autogluon.language import model, table_backbone
from imbllm_autogluon.language.compact import build_compact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel


class UniformModel(torch.nn.Module):
    """What a transformers causal LM shows of itself to this package; all logits are 0 and stay so."""

    config = None  # the key-value cache then has no layers

    def __init__(self, n_tokens: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(n_tokens, 1)
        self.head = torch.nn.Linear(1, n_tokens, bias=False)
        torch.nn.init.zeros_(self.head.weight)

    @property
    def base_model(self) -> UniformModel:
        return self

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.embedding

    def get_output_embeddings(self) -> torch.nn.Linear:
        return self.head

    def forward(
        self, input_ids: torch.Tensor | None = None, inputs_embeds: torch.Tensor | None = None, **_: Any
    ) -> SimpleNamespace:
        """Hidden states of 0, from which no gradient comes; ids that the embedding does not have are an error."""
        read = self.embedding(input_ids) if inputs_embeds is None else inputs_embeds
        return SimpleNamespace(last_hidden_state=torch.zeros_like(read))


@contextmanager
def drawing_uniformly() -> Iterator[None]:
    """Inside, `backbone="compact"` is built as a :class:`UniformModel`, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_backbone, "build_compact", _build_uniform)
        patch.setattr(model, "start_from_other_tables", lambda *_: None)  # it has no blocks to give weights to
        yield


def _build_uniform(n_tokens: int, longest_sentence: int, config: LanguageConfig) -> LanguageModel:
    """In place of :func:`imbllm_autogluon.language.compact.build_compact`; a masked model is the real one."""
    is_masked = config.backbone == "compact_masked"
    return build_compact(n_tokens, longest_sentence, config) if is_masked else UniformModel(n_tokens)
