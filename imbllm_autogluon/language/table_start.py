"""The weights that the compact backbone begins with: it has seen other tables, and counted the rows of this one.

What is known of a token in every table alike (where its value stands in the correspondence analysis of the fold, its
rank in the column, how frequent it is, whether it is a bin, a category, a missing value or a label, how strongly its
column hangs together with others) becomes its embedding through one matrix, and its vector in the output layer through
another; these and the blocks were trained together over many other tables (``benchmarks/pretraining.py`` tells which).
A table's own training starts from there: matrices and blocks learn on, and each token and the tokens of each column
together learn what they add.
Amortized learning of tables: Hollmann et al., Nature 637, 2025 (TabPFN); a language model of any column order: Borisov
et al., ICLR 2023 (GReaT).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from torch.nn import functional

from imbllm_autogluon.language.cooccurrence import AXES, STRENGTH, Cooccurrence
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences import PADDING
from imbllm_autogluon.sentences.value_codings import NO_TOKEN, BinCoding

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.language.compact import CompactModel
    from imbllm_autogluon.sentences import Clauses, SentenceEncoding


SHIPPED = "compact.safetensors"

WAVES = 2
"""Sines and cosines of a bin's rank."""


def start_from_other_tables(model: CompactModel, encoding: SentenceEncoding, rows: Clauses, seed: int) -> None:
    """Give the model the shipped blocks and matrices, which learn on until :func:`settle`.

    Tokens of values that take several (digits, texts) keep their random embeddings.

    Parameters
    ----------
    model
        A compact backbone of the shipped shape.
    encoding
        How the rows are written; fused.
    rows
        Rows that the first stage of training learns.
    seed
        Of shuffled columns, and of the choice among very many rows.
    """
    known = TokenFeatures.of(encoding, rows, child_rng(seed, "training", "co-occurrence"))
    tokens, features = known.stacked()
    is_of = torch.zeros(len(tokens), encoding.n_clauses)
    is_of[np.arange(len(known.columns)), known.columns] = 1.0
    weights = {name: weight.to(model.device, torch.float32) for name, weight in shipped_weights().items()}
    model.load_state_dict({name: weight for name, weight in weights.items() if "matrix" not in name}, strict=False)
    with torch.no_grad():
        model.transformer.wpe.weight.zero_()
        embeddings = DescribedEmbedding(model.transformer.wte.weight, tokens, torch.cat([features, is_of], dim=1))
        embeddings.matrix[: features.shape[1]] = weights["transformer.wte.matrix"]
        output = DescribedOutput(model.lm_head.weight, tokens, features)
        output.matrix.copy_(weights["lm_head.matrix"])
    model.transformer.wte, model.lm_head = embeddings, output


@cache
def shipped_weights() -> dict[str, torch.Tensor]:
    """Matrices and blocks that have seen other tables, float16, by name."""
    return load(files(__package__).joinpath(SHIPPED).read_bytes())


def settle(model: CompactModel) -> None:
    """Write what the features give into plain weights, where the tokens of a model are described."""
    if isinstance(model.get_output_embeddings(), DescribedOutput):
        n_tokens, width = model.lm_head.own.shape
        embedding = torch.nn.Embedding(n_tokens, width, _weight=model.transformer.wte.weight.detach())
        output = torch.nn.Linear(width, n_tokens, bias=False)
        output.weight = torch.nn.Parameter(model.lm_head.weight.detach())
        model.transformer.wte, model.lm_head = embedding, output


class _Described(torch.nn.Module):
    """Vectors of the tokens: what is their own, and the features of some of them times a matrix.

    Parameters
    ----------
    own
        Vectors without features, shape (n_tokens, width); those of tokens with features begin at 0.
    tokens
        Tokens with features, shape (k,).
    features
        Shape (k, n_features).
    """

    bias = None

    def __init__(self, own: torch.Tensor, tokens: torch.Tensor, features: torch.Tensor) -> None:
        super().__init__()
        self.tokens = torch.nn.Buffer(tokens.to(own.device), persistent=False)
        self.features = torch.nn.Buffer(features.to(own), persistent=False)
        self.own = torch.nn.Parameter(own.detach().clone().index_fill_(0, self.tokens, 0.0))
        self.matrix = torch.nn.Parameter(own.new_zeros(features.shape[1], own.shape[1]))

    @property
    def weight(self) -> torch.Tensor:
        """Vectors of the tokens, shape (n_tokens, width)."""
        return self.own.index_add(0, self.tokens, self.features @ self.matrix)


class DescribedEmbedding(_Described):
    """Input embeddings."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Vectors of tokens."""
        return functional.embedding(ids, self.weight)


class DescribedOutput(_Described):
    """The output layer."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of all tokens."""
        return functional.linear(hidden, self.weight)


@dataclass(frozen=True, eq=False)
class TokenFeatures:
    """What is known of the tokens of a table before training, in the same form for every table."""

    tokens: IntArray
    """Tokens that stand for a whole value, shape (n_values,)."""

    columns: IntArray
    """Clause of each of them, shape (n_values,)."""

    values: FloatArray
    """Features of their values, shape (n_values, n_value_features)."""

    prefixes: IntArray
    """Token of each clause's prefix, shape (n_clauses,)."""

    names: FloatArray
    """Features of the clauses, shape (n_clauses, n_name_features)."""

    @classmethod
    def of(cls, encoding: SentenceEncoding, rows: Clauses, rng: np.random.Generator) -> TokenFeatures:
        """Describe the tokens of an encoding by the rows to be learned."""
        counted = Cooccurrence.of(encoding, rows, rng)
        found = STRENGTH * counted.embeddings(rng)[:, ::-1]  # the strongest axis first
        axes = np.zeros((len(counted.tokens), AXES))
        axes[:, : found.shape[1]] = found
        names = _name_features(encoding, counted, axes)
        ranks = np.full(encoding.n_tokens, np.nan)
        for coding in encoding.codings:
            if isinstance(coding, BinCoding):
                n = coding.bins.n_bins
                ranks[coding.first : coding.first + n] = (np.arange(n) + 0.5) / n * 2 - 1
        missing = [getattr(coding, "missing_token", None) or NO_TOKEN for coding in encoding.codings]
        values = np.column_stack(
            [
                axes,
                _rank_features(ranks[counted.tokens]),
                np.isin(counted.tokens, missing),
                np.log(np.maximum(counted.shares, 1e-4)) / 3,
                names[counted.columns],
            ]
        )
        prefixes = np.array([prefix[0] for prefix in encoding.prefixes], dtype=np.int64)
        return cls(counted.tokens, counted.columns, values, prefixes, names)

    def stacked(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens that something is known of, those of values first, and their features, float32.

        Each token has n_value_features + n_name_features + 1 features. Those of values and clauses have places of their
        own; the last one is that of the beginning of a sentence.
        """
        n_values, n_names = self.values.shape[1], self.names.shape[1]
        features = np.zeros((len(self.values) + len(self.names) + 1, n_values + n_names + 1))
        features[: len(self.values), :n_values] = self.values
        features[len(self.values) : -1, n_values:-1] = self.names
        features[-1, -1] = 1.0
        tokens = np.concatenate([self.tokens, self.prefixes, [PADDING]])
        return torch.from_numpy(tokens), torch.from_numpy(features).float()


def _rank_features(ranks: FloatArray) -> FloatArray:
    """Smooth functions of the ranks of bins in [-1, 1], 0 for values without one (NaN), shape (n, 3 + 2 x `WAVES`)."""
    is_bin = ~np.isnan(ranks)
    known = np.where(is_bin, ranks, 0.0)
    turns = np.pi * known[:, None] * np.arange(1, WAVES + 1)
    columns = [is_bin, known, 1.5 * known**2 - 0.5, *np.sin(turns).T, *np.cos(turns).T]
    features: FloatArray = np.stack(columns, axis=1) * is_bin[:, None]
    return features


def _name_features(encoding: SentenceEncoding, counted: Cooccurrence, axes: FloatArray) -> FloatArray:
    """How far the values of each clause spread along the axes, their number, and what kind of column it is."""
    n_clauses = encoding.n_clauses
    weights = counted.shares
    total = np.maximum(np.bincount(counted.columns, weights, n_clauses), 1e-9)
    spread = np.stack([np.bincount(counted.columns, weights * axis**2, n_clauses) / total for axis in axes.T], axis=1)
    number = [len(encoding.tables.clause_tokens(clause)) for clause in range(n_clauses)]
    kinds = [
        [isinstance(coding, BinCoding), getattr(coding, "missing_token", None) is not None, clause == n_clauses - 1, 1]
        for clause, coding in enumerate(encoding.codings)
    ]
    features: FloatArray = np.column_stack([np.sqrt(spread), np.log(np.maximum(number, 1)) / 3, kinds])
    return features
