"""Masked language models of a table: values are hidden and read from both sides, for the ablation without causality.

The question is whether the label's place matters where every token sees every other: the paper names bidirectional
models as the case in which ``fix_y`` gains nothing (arXiv 2510.09783). Rows are written by iterative unmasking.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch.nn import functional

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.compact import HEAD_WIDTH
from imbllm_autogluon.language.decoding import Decoder
from imbllm_autogluon.language.losses import NOT_LEGAL
from imbllm_autogluon.sentences import END

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import IntArray
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.sentences import AutomatonTables, SentenceEncoding, Sentences


MaskedLM: TypeAlias = Any
"""A transformers masked LM over a sentence encoding's n_tokens ids and the mask token, whose id is n_tokens."""

_NEIGHBORHOOD = 4
"""Tokens that the first block sees around each place: a mask finds the column name beside it at once. A BERT without
such a block stayed at its columns' marginals (0.91 nats for each hidden value of the packaged table after 400 steps;
this one: 0.82 after 200)."""


def build_compact_masked(n_tokens: int, longest_sentence: int, config: LanguageConfig) -> MaskedLM:
    """A ModernBERT architecture with random weights drawn from torch's global generator.

    The counterpart of the compact causal backbone, for ablations without a download: the same layers, width, heads,
    ReLU and no dropout; the first block is local.

    Parameters
    ----------
    n_tokens
        Size of the table's vocabulary; the model has one id more, the last, for the mask token.
    longest_sentence
        Most tokens of a sentence.
    config
        `layers` and `width` are read.
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
    """Refuse an encoding in which a value may take several tokens: one mask cannot stand for an unknown number.

    Raises
    ------
    InvalidInputError
        A clause has values of two or more tokens, the message names the first one; or there is free text.
    """
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


def masked_value_loss(
    model: MaskedLM, allowed: torch.Tensor, sentences: Sentences, generator: torch.Generator
) -> tuple[torch.Tensor, int]:
    """Summed negative log-likelihood (nats) of hidden value tokens of a batch, and their number.

    In each sentence every number of hidden values, from one to all, is equally likely: the situations that iterative
    unmasking goes through. As in causal training, a token competes with the legal tokens of its place alone.

    Parameters
    ----------
    model
        The masked LM.
    allowed
        Legal tokens by automaton state, bool of shape (n_states, n_tokens), on the model's device.
    sentences
        n rows; column names are never hidden.
    generator
        Source of the hidden places.
    """
    ids, states = (torch.from_numpy(array).to(allowed.device) for array in (sentences.ids, sentences.states))
    hidden = _hidden_places(torch.from_numpy(sentences.states) != END, generator).to(allowed.device)
    n_tokens = allowed.shape[1]
    real = torch.from_numpy(sentences.real).long().to(allowed.device)
    logits = model(input_ids=ids.masked_fill(hidden, n_tokens), attention_mask=real).logits[hidden][:, :n_tokens]
    logits = logits.float().masked_fill(~allowed[states[hidden]], NOT_LEGAL)
    return functional.cross_entropy(logits, ids[hidden], reduction="sum"), len(logits)


class MaskedValueLoss:
    """:func:`masked_value_loss` of one table; what is hidden follows from the sentences and the seed.

    So a held-out loss hides the same places at each evaluation, and a resumed training those it would have hidden.
    """

    def __init__(self, tables: AutomatonTables, device: torch.device, seed: int) -> None:
        self._allowed = torch.from_numpy(tables.allowed).to(device)
        self._seed = seed

    def __call__(self, model: MaskedLM, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """Sum of the hidden tokens' negative log-likelihoods, and their number."""
        generator = torch.Generator().manual_seed(zlib.crc32(sentences.ids.tobytes(), self._seed))
        return masked_value_loss(model, self._allowed, sentences, generator)


def _hidden_places(values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Hide a random share, drawn anew for each row and at least one, of the places that hold a value."""
    n_values = values.sum(dim=1)
    share = torch.rand(len(values), generator=generator, device=generator.device).to(values.device)
    n_hidden = (share * n_values).long() + 1
    keys = torch.rand(values.shape, generator=generator, device=generator.device).to(values.device)
    rank = keys.masked_fill(~values, 2.0).argsort(dim=1).argsort(dim=1)
    return values & (rank < n_hidden[:, None])


class MaskedDecoder(Decoder):
    """Writes the missing clauses of prompts with a masked LM, one clause after the other.

    All clauses stand in the sentence from the first moment, in the order of the prompts, with the mask token for what
    is not known yet. In the same order the masks are replaced by tokens drawn under the column's automaton. The
    parameters are those of :class:`~imbllm_autogluon.language.decoding.Decoder`.

    Raises
    ------
    InvalidInputError
        A column writes values of several tokens.
    """

    def __init__(
        self, model: MaskedLM, encoding: SentenceEncoding, temperature: float, generator: torch.Generator
    ) -> None:
        require_single_tokens(encoding)
        super().__init__(model, encoding, temperature, generator)
        tables, self._device = encoding.tables, generator.device
        self._clause_tokens = [
            torch.from_numpy(tables.clause_tokens(j)).to(self._device) for j in range(encoding.n_clauses)
        ]

    @torch.inference_mode()
    def complete(self, prompts: Prompts) -> IntArray:
        """Return value tokens of all clauses, shape (n, n_clauses, longest), padded with -1; given ones unchanged."""
        ids, places = self._opening(prompts)
        for clause in prompts.order[prompts.given :].tolist():
            ids[:, places[clause]] = self._value(ids, places[clause], clause)
        tokens = torch.full((len(ids), self._encoding.n_clauses, prompts.tokens.shape[2]), -1, device=self._device)
        tokens[:, list(places), 0] = ids[:, list(places.values())]
        return tokens.cpu().numpy()

    def _opening(self, prompts: Prompts) -> tuple[torch.Tensor, dict[int, int]]:
        """Sentences whose values are masks unless given, shape (n, length), and the place of each clause's value."""
        sentence = list(self._encoding.opening)
        places: dict[int, int] = {}
        for clause in prompts.order.tolist():
            sentence += self._encoding.prefixes[clause]
            places[clause] = len(sentence)
            sentence.append(self._encoding.n_tokens)
        ids = torch.tensor(sentence, device=self._device).repeat(len(prompts.tokens), 1)
        for clause in prompts.order[: prompts.given].tolist():
            ids[:, places[clause]] = torch.from_numpy(prompts.tokens[:, clause, 0]).to(self._device)
        return ids, places

    def _value(self, ids: torch.Tensor, place: int, clause: int) -> torch.Tensor:
        """Tokens for the mask at a place, shape (n,): the only legal one, or a draw from the model's distribution."""
        legal = self._clause_tokens[clause]
        if len(legal) == 1:
            return legal.expand(len(ids))
        logits = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, place]
        return legal[self._draw(logits[:, legal])]

    def _draw(self, logits: torch.Tensor) -> torch.Tensor:
        """Column drawn from each row of logits, shape (n,)."""
        if self._temperature == 0:
            return logits.argmax(dim=1)
        probabilities = torch.softmax(logits.float() / self._temperature, dim=1)
        return torch.multinomial(probabilities, 1, generator=self._generator)[:, 0]
