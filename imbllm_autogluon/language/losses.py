"""What a model learns from a sentence: its values among the legal ones, its label above all, or every token of it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch.nn import functional

from imbllm_autogluon._config import require_number
from imbllm_autogluon.encoding import END
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.encoding import AutomatonTables, SentenceEncoding, Sentences

LanguageModel: TypeAlias = Any  # of transformers, or CompactModel, which has what is used of one

Loss: TypeAlias = "Callable[[LanguageModel, Sentences], tuple[torch.Tensor, int]]"
"""Negative log-likelihood of a batch: sum over what is learned (nats), and its number."""

_MOST_COMPETING = 8_192  # tokens of a column whose weights are worth a copy in each step
_Reader: TypeAlias = "Callable[[Sentences], torch.Tensor]"
"""Gives the last hidden states of rows, shape (n, length, width)."""

NOT_LEGAL = -1e9  # logit of an illegal token: finite, so that a mask can never turn a whole row into NaN


class ValueLoss:
    """Each value token among the tokens that its automaton allows there: what the decoder samples from.

    Forced tokens (column names, endings without alternative) cost nothing.
    """

    def __init__(self, tables: AutomatonTables, device: torch.device, frozen: _Reader | None = None) -> None:
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._device = device
        self._frozen = frozen
        self._columns = _ColumnTokens.of(tables, device)

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """See `Loss`; counted are value tokens."""
        losses, _ = self.by_token(model, sentences)
        return losses.sum(), len(losses)

    def by_token(
        self, model: LanguageModel, sentences: Sentences, values: BoolArray | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Negative log-likelihood of each value token, shape (n_values,), and its row.

        `values` are the places that count, shape (n, length); None: those of all value tokens.
        """
        values = sentences.states >= 0 if values is None else values
        rows, places = np.nonzero(values)
        states, ids = sentences.states[rows, places], sentences.ids[rows, places]
        if self._frozen is None:
            hidden = _hidden_states(model, sentences.before_last(), self._device)
        else:
            last = values.shape[1] - 1 - values[:, ::-1].argmax(axis=1)
            hidden = self._frozen(sentences.before(last))
        before = rows * hidden.shape[1] + places - 1
        if self._columns is not None and len(rows):
            losses = self._columns.losses(model.get_output_embeddings(), hidden, before, states, ids)
        else:
            at, state, token = (torch.from_numpy(each).to(self._device) for each in (before, states, ids))
            logits = model.get_output_embeddings()(hidden.reshape(-1, hidden.shape[2])[at])
            logits = logits.float().masked_fill(~self._allowed[state], NOT_LEGAL)
            losses = functional.cross_entropy(logits, token, reduction="none")
        return losses, torch.from_numpy(rows).to(self._device)


class _ColumnTokens:
    """The output layer cut into the tokens of each column: a value competes with those of its own column alone.

    Every column gets as many places as the one with most tokens, so that one product of matrices serves them all.
    """

    def __init__(self, tables: AutomatonTables, device: torch.device) -> None:
        self._starts, self._device = tables.starts, device
        used = [tables.clause_tokens(clause) for clause in range(len(tables.starts))]
        stops = [*tables.starts[1:], len(tables.allowed)]
        padded = np.zeros((len(used), max(len(tokens) for tokens in used)), dtype=np.int64)
        self._place = np.zeros((len(used), tables.allowed.shape[1]), dtype=np.int64)
        forbidden = np.ones((len(tables.allowed), padded.shape[1]), dtype=bool)
        for clause, tokens in enumerate(used):
            padded[clause, : len(tokens)] = tokens
            self._place[clause, tokens] = np.arange(len(tokens))
            own = slice(tables.starts[clause], stops[clause])
            forbidden[own, : len(tokens)] = ~tables.allowed[own][:, tokens]
        self._used = torch.from_numpy(padded).to(device)
        self._forbidden = torch.from_numpy(forbidden).to(device)

    @classmethod
    def of(cls, tables: AutomatonTables, device: torch.device) -> _ColumnTokens | None:
        """None where padding makes the columns' tokens more than the vocabulary, or one has thousands: no faster."""
        sizes = [len(tables.clause_tokens(clause)) for clause in range(len(tables.starts))]
        padded, n_tokens = max(sizes) * len(sizes), tables.allowed.shape[1]
        return cls(tables, device) if 0 < max(sizes) <= _MOST_COMPETING and padded <= 2 * n_tokens else None

    def losses(
        self, head: torch.nn.Linear, hidden: torch.Tensor, before: IntArray, states: IntArray, ids: IntArray
    ) -> torch.Tensor:
        """Negative log-likelihood of each value token among the legal ones, shape (n_values,).

        `before` is the place of the hidden state that each value follows from, counted over all rows.
        """
        clauses = np.searchsorted(self._starts, states, side="right") - 1
        slots, most = _slots(clauses, len(self._starts))
        sources = np.zeros(len(self._starts) * most, dtype=np.int64)
        sources[slots] = before
        at, slot, state, target = (
            torch.from_numpy(each).to(self._device) for each in (sources, slots, states, self._place[clauses, ids])
        )
        gathered = hidden.reshape(-1, hidden.shape[2])[at].view(len(self._starts), most, -1)
        weights = functional.embedding(self._used, head.weight)
        logits = torch.bmm(gathered, weights.transpose(1, 2)).view(len(sources), -1)[slot].float()
        if head.bias is not None:
            logits = logits + head.bias[self._used][torch.from_numpy(clauses).to(self._device)]
        return functional.cross_entropy(logits.masked_fill(self._forbidden[state], NOT_LEGAL), target, reduction="none")


def _slots(clauses: IntArray, n_clauses: int) -> tuple[IntArray, int]:
    """Slot of each value among those of its clause, every clause having as many as the most frequent one."""
    counts = np.bincount(clauses, minlength=n_clauses)
    most = int(counts.max())
    order = np.argsort(clauses, kind="stable")
    first = np.cumsum(counts) - counts
    slots = np.empty(len(clauses), dtype=np.int64)
    slots[order] = np.arange(len(clauses)) - first[clauses[order]] + most * clauses[order]
    return slots, most


@dataclass(frozen=True)
class LabelObjective:
    """How much the label counts next to the features."""

    feature_weight: float = 1.0  # of a feature's value tokens next to the label's, 0 to 1000
    focal_gamma: float = 0.0  # the label's loss is multiplied by (1 - p) ** gamma, 0 to 10
    robust_q: float = 0.0  # the label's loss is (1 - p ** q) / q, 0 to 1; 0: -log p

    def __post_init__(self) -> None:
        require_number("feature_weight", self.feature_weight, 0.0, 1000.0)
        require_number("focal_gamma", self.focal_gamma, 0.0, 10.0)
        require_number("robust_q", self.robust_q, 0.0, 1.0)


class LabelLoss:
    """Negative log-likelihood of a sentence whose label, the last clause, has a weight of its own.

    For each row ``w (1 - p)^gamma (-log p) + f sum(-log p_token)``: p is the probability of its label among the legal
    ones, the sum goes over the value tokens of its features, w is the row's weight, f the weight of features. Weights
    of classes: Cui et al. 2019, arXiv 1901.05555; focal loss: Lin et al. 2017, arXiv 1708.02002, equation 4. Labels
    that may be wrong have the generalized cross entropy in the place of ``-log p``: Zhang and Sabuncu 2018, arXiv
    1805.07836, equation 6. The states of `frozen` blocks are computed once for each row.
    """

    def __init__(
        self, tables: AutomatonTables, device: torch.device, objective: LabelObjective, frozen: _Reader | None = None
    ) -> None:
        self._values = ValueLoss(tables, device, frozen)
        self._first_of_label = int(tables.starts[-1])
        chosen = tables.allowed.sum(axis=1) > 1
        chosen[: self._first_of_label] = False
        self._chosen = np.append(chosen, False)  # of the label's states those with a choice; `END` is the last
        self._objective = objective
        self._device = device

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """See `Loss`; counted are rows."""
        values = self._chosen[sentences.states] if self._objective.feature_weight == 0 else sentences.states >= 0
        losses, rows = self._values.by_token(model, sentences, values)
        of_label = torch.from_numpy(sentences.states[values] >= self._first_of_label).to(self._device)
        n_rows = len(sentences.ids)
        label = torch.zeros(n_rows, device=self._device).index_add(0, rows[of_label], losses[of_label])
        if self._objective.focal_gamma > 0:
            # The least error keeps the gradient of the power finite where a label is certain.
            error = (1.0 - torch.exp(-label)).clamp(min=1e-6)
            label = label * error**self._objective.focal_gamma
        if self._objective.robust_q > 0:
            label = (1.0 - torch.exp(-self._objective.robust_q * label)) / self._objective.robust_q
        if sentences.weights is not None:
            label = label * torch.from_numpy(sentences.weights).to(label)
        total = label.sum()
        if self._objective.feature_weight > 0:
            total = total + self._objective.feature_weight * losses[~of_label].sum()
        return total, n_rows


class SentenceLoss:
    """Every token of the sentence and its end, among all tokens of the table: for decoding without automata."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """See `Loss`; counted are all tokens but the first."""
        ids = functional.pad(torch.from_numpy(sentences.ids), (0, 1)).to(self._device)  # padding is the end
        real = functional.pad(torch.from_numpy(sentences.real), (1, 0), value=True).to(self._device)
        real[:, 0] = False  # nothing comes before the first token
        rows, places = torch.nonzero(real, as_tuple=True)
        logits = model.get_output_embeddings()(_hidden_states(model, sentences, self._device)[rows, places - 1])
        return functional.cross_entropy(logits.float(), ids[rows, places], reduction="sum"), len(rows)


def require_single_tokens(encoding: SentenceEncoding) -> None:
    """Refuse free text, and values of several tokens: one mask cannot stand for an unknown number of them."""
    tables = encoding.tables
    if encoding.n_texts:
        raise InvalidInputError(
            "a masked language model reads no columns of free text; leave them out or use a causal one."
        )
    for clause, start in enumerate(tables.starts.tolist()):
        if (tables.next_state[start][tables.allowed[start]] != END).any():
            prefix = " ".join(encoding.token_names[token] for token in encoding.prefixes[clause])
            raise InvalidInputError(
                f"a masked language model needs one token for each value; the column of {prefix!r} (clause {clause}) "
                "writes values of several tokens. Set numbers='bins' and clauses='tokens'."
            )


class MaskedValueLoss:
    """Hidden value tokens among the tokens that are legal there; column names are never hidden.

    In each sentence every number of hidden values, from one to all, is equally likely, as in iterative unmasking. What
    is hidden follows from the sentences and the seed: the same places at each evaluation, and where training resumes.
    """

    def __init__(self, tables: AutomatonTables, device: torch.device, seed: int) -> None:
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._seed = seed

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """See `Loss`; counted are hidden tokens."""
        device, n_tokens = self._allowed.device, self._allowed.shape[1]
        generator = torch.Generator().manual_seed(zlib.crc32(sentences.ids.tobytes(), self._seed))
        hidden = _hidden_places(torch.from_numpy(sentences.states) != END, generator).to(device)
        ids, states = (torch.from_numpy(array).to(device) for array in (sentences.ids, sentences.states))
        real = torch.from_numpy(sentences.real).long().to(device)
        logits = model(input_ids=ids.masked_fill(hidden, n_tokens), attention_mask=real).logits[hidden][:, :n_tokens]
        logits = logits.float().masked_fill(~self._allowed[states[hidden]], NOT_LEGAL)
        return functional.cross_entropy(logits, ids[hidden], reduction="sum"), len(logits)


def _hidden_places(values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Hide a random share, drawn for each row and at least one, of the places that hold a value."""
    n_hidden = (torch.rand(len(values), generator=generator) * values.sum(dim=1)).long() + 1
    keys = torch.rand(values.shape, generator=generator)
    rank = keys.masked_fill(~values, 2.0).argsort(dim=1).argsort(dim=1)
    return values & (rank < n_hidden[:, None])


def _hidden_states(model: LanguageModel, sentences: Sentences, device: torch.device) -> torch.Tensor:
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
