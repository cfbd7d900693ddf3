"""What a model learns from a sentence: its values among the legal ones, or every token of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from imbllm_autogluon.sentences import AutomatonTables, Sentences

LanguageModel: TypeAlias = Any
"""A transformers model: ``base_model`` gives hidden states, ``get_output_embeddings()`` the output layer."""

NOT_LEGAL = -1e9
"""Logit of an illegal token: finite, so that a mask can never turn a whole row into NaN."""


class Loss(Protocol):
    """Negative log-likelihood of a batch."""

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """Sum over the learned tokens (nats), and their number."""


class ValueLoss:
    """Each value token among the tokens that its automaton allows there: what the decoder samples from.

    Forced tokens (column names, endings without alternative) cost nothing.
    """

    def __init__(self, tables: AutomatonTables, device: torch.device) -> None:
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._device = device

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """Sum of the value tokens' negative log-likelihoods, and their number."""
        losses, _ = self.by_token(model, sentences)
        return losses.sum(), len(losses)

    def by_token(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, torch.Tensor]:
        """Negative log-likelihood of each value token, shape (n_values,), and its row."""
        ids = torch.from_numpy(sentences.ids).to(self._device)
        states = torch.from_numpy(sentences.states).to(self._device)
        rows, places = torch.nonzero(states >= 0, as_tuple=True)
        hidden = hidden_states(model, sentences.before_last(), self._device)
        logits = model.get_output_embeddings()(hidden[rows, places - 1])
        logits = logits.float().masked_fill(~self._allowed[states[rows, places]], NOT_LEGAL)
        return functional.cross_entropy(logits, ids[rows, places], reduction="none"), rows


class SentenceLoss:
    """Every token of the sentence and its end, among all tokens of the table: for decoding without automata."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """Sum of the tokens' negative log-likelihoods, and their number."""
        ids = functional.pad(torch.from_numpy(sentences.ids), (0, 1)).to(self._device)  # padding is the end
        real = functional.pad(torch.from_numpy(sentences.real), (1, 0), value=True).to(self._device)
        real[:, 0] = False  # nothing comes before the first token
        rows, places = torch.nonzero(real, as_tuple=True)
        logits = model.get_output_embeddings()(hidden_states(model, sentences, self._device)[rows, places - 1])
        return functional.cross_entropy(logits.float(), ids[rows, places], reduction="sum"), len(rows)


def hidden_states(model: LanguageModel, sentences: Sentences, device: torch.device) -> torch.Tensor:
    """Last hidden states of a causal model, shape (n, length, width)."""
    # A causal model never looks behind the end of a row; without the mask transformers would warn of padding.
    mask = None if sentences.real.all() else torch.from_numpy(sentences.real).long().to(device)
    ahead = None if sentences.ahead is None else torch.from_numpy(sentences.ahead).to(device)
    read = read_tokens(model, torch.from_numpy(sentences.ids).to(device), ahead)
    states: torch.Tensor = model.base_model(**read, attention_mask=mask, use_cache=False).last_hidden_state
    return states


def read_tokens(model: LanguageModel, ids: torch.Tensor, ahead: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    """Keyword by which a model reads tokens: their ids, or their embeddings with those of what comes next added."""
    if ahead is None:
        return {"input_ids": ids}
    embed = model.get_input_embeddings()
    return {"inputs_embeds": embed(ids) + embed(ahead)}
