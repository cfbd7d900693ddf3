"""Masked language models of a table: values are hidden and read from both sides, for the ablation without causality.

The question is whether the label's place matters where every token sees every other: the paper names bidirectional
models as the case in which ``fix_y`` gains nothing (arXiv 2510.09783). Rows are written by iterative unmasking.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from imbllm_autogluon.encoding import END
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.compact import HEAD_WIDTH
from imbllm_autogluon.language.decoding import Decoder
from imbllm_autogluon.language.losses import NOT_LEGAL

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.encoding import AutomatonTables, SentenceEncoding, Sentences
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel


_NEIGHBORHOOD = 4
"""Tokens that the first block sees around each place: a mask finds the column name beside it at once. A BERT without
such a block stayed at its columns' marginals (0.91 nats for each hidden value of the packaged table after 400 steps;
this one: 0.82 after 200)."""


def build_compact_masked(n_tokens: int, longest_sentence: int, config: LanguageConfig) -> LanguageModel:
    """A ModernBERT architecture with random weights drawn from torch's global generator.

    The counterpart of the compact causal backbone, for ablations without a download: the same layers, width, heads,
    ReLU and no dropout; the first block is local. The model has one id more than the table's vocabulary has tokens,
    the last, for the mask token.
    """
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    architecture = ModernBertConfig(
        vocab_size=n_tokens + 1,
        max_position_embeddings=longest_sentence,
        hidden_size=config.width,
        intermediate_size=2 * config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.width // HEAD_WIDTH,
        hidden_activation="relu",
        layer_types=["sliding_attention", *["full_attention"] * (config.layers - 1)],
        local_attention=_NEIGHBORHOOD,
        initializer_range=0.1,
        embedding_dropout=0.0,
        attention_dropout=0.0,
        mlp_dropout=0.0,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
        cls_token_id=None,
        sep_token_id=None,
        tie_word_embeddings=True,
    )
    return ModernBertForMaskedLM(architecture)


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
    """Negative log-likelihood (nats) of hidden value tokens; column names are never hidden.

    In each sentence every number of hidden values, from one to all, is equally likely: the situations that iterative
    unmasking goes through. As in causal training, a token competes with the legal tokens of its place alone. What is
    hidden follows from the sentences and the seed, so a held-out loss hides the same places at each evaluation, and a
    resumed training those it would have hidden.
    """

    def __init__(self, tables: AutomatonTables, device: torch.device, seed: int) -> None:
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._seed = seed

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """Sum over the hidden tokens, and their number."""
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
    n_values = values.sum(dim=1)
    share = torch.rand(len(values), generator=generator)
    n_hidden = (share * n_values).long() + 1
    keys = torch.rand(values.shape, generator=generator)
    rank = keys.masked_fill(~values, 2.0).argsort(dim=1).argsort(dim=1)
    return values & (rank < n_hidden[:, None])


class MaskedDecoder(Decoder):
    """Writes the missing clauses of prompts with a masked LM, one clause after the other.

    All clauses stand in the sentence from the first moment, in the order of the prompts, with the mask token for what
    is not known yet. In the same order the masks are replaced by tokens drawn under the column's automaton.
    """

    def __post_init__(self) -> None:
        require_single_tokens(self.encoding)
        tables, self._device = self.encoding.tables, self.generator.device
        clause_tokens = [tables.clause_tokens(clause) for clause in range(self.encoding.n_clauses)]
        self._clause_tokens = [torch.from_numpy(tokens).to(self._device) for tokens in clause_tokens]

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> IntArray:
        """Return value tokens of all clauses, shape (n, n_clauses, longest), padded with -1; given ones unchanged."""
        ids, places = self._opening(prompts)
        for clause in prompts.order[prompts.given :].tolist():
            ids[:, places[clause]] = self._value(ids, places[clause], clause)
        tokens = torch.full((len(ids), self.encoding.n_clauses, prompts.tokens.shape[2]), -1, device=self._device)
        tokens[:, list(places), 0] = ids[:, list(places.values())]
        return tokens.cpu().numpy()

    def _opening(self, prompts: Prompts) -> tuple[torch.Tensor, dict[int, int]]:
        """Sentences whose values are masks unless given, shape (n, length), and the place of each clause's value."""
        sentence = list(self.encoding.opening)
        places: dict[int, int] = {}
        for clause in prompts.order.tolist():
            sentence += self.encoding.prefixes[clause]
            places[clause] = len(sentence)
            sentence.append(self.encoding.n_tokens)
        ids = torch.tensor(sentence, device=self._device).repeat(len(prompts.tokens), 1)
        for clause in prompts.order[: prompts.given].tolist():
            ids[:, places[clause]] = torch.from_numpy(prompts.tokens[:, clause, 0]).to(self._device)
        return ids, places

    def _value(self, ids: torch.Tensor, place: int, clause: int) -> torch.Tensor:
        """Tokens for the mask at a place, shape (n,): the only legal one, or a draw from the model's distribution."""
        legal = self._clause_tokens[clause]
        if len(legal) == 1:
            return legal.expand(len(ids))
        logits = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, place]
        return legal[self._draw(logits[:, legal])]

    def _draw(self, logits: torch.Tensor) -> torch.Tensor:
        """Column drawn from each row of logits, shape (n,)."""
        if self.temperature == 0:
            return logits.argmax(dim=1)
        probabilities = torch.softmax(logits.float() / self.temperature, dim=1)
        return torch.multinomial(probabilities, 1, generator=self.generator)[:, 0]
