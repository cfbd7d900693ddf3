"""The weights that the compact backbone begins with: it knows other tables, and has counted the rows of this one.

A correspondence analysis of the rows to be learned gives each value a vector, similar ones to values that occur
together more often than in independent columns, and to neighboring bins. These vectors are added to random embeddings,
or are features of tokens, whose matrices were trained over many other tables (``benchmarks/pretraining.py``).

Multiple correspondence analysis: Greenacre, Theory and Applications of Correspondence Analysis, 1984, chapter 5;
factorized co-occurrence as embeddings: Levy and Goldberg, NeurIPS 2014; axes that shuffled columns reach too are
chance: Horn, Psychometrika 30, 1965. Amortized learning of tables: Hollmann et al., Nature 637, 2025 (TabPFN).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from torch.nn import functional

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import PADDING
from imbllm_autogluon.encoding.values import NO_TOKEN, BinCoding

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding
    from imbllm_autogluon.language.compact import CompactModel
    from imbllm_autogluon.language.losses import LanguageModel

_SHIPPED = "compact.safetensors"
_AXES = 32  # most that are kept

_MOST_ROWS, _MOST_VALUES = 20_000, 1_000  # that are counted; that get a vector: the axes of so many take 0.1 s

_BANDWIDTH = 1 / 16  # standard deviation of the kernel by which bins share counts, as a share of a column's bins
_STRENGTH = 0.5  # factor of the vectors in the embeddings; 0.25 to 1 learn the same
_WAVES = 2  # sines and cosines of a bin's rank


def start_from_rows(model: LanguageModel, encoding: SentenceEncoding, rows: Clauses, seed: int) -> None:
    """Add the analysis of the rows to be learned, turned to their width at random, to random tied embeddings."""
    rng = child_rng(seed, "training", "co-occurrence")
    counted = _Cooccurrence.of(encoding, rows, rng)
    vectors = counted.embeddings(rng)
    weight = model.get_input_embeddings().weight
    turned = vectors @ rng.normal(size=(vectors.shape[1], weight.shape[1])) / np.sqrt(weight.shape[1])
    with torch.no_grad():
        weight[torch.from_numpy(counted.tokens)] += torch.from_numpy(_STRENGTH * turned).to(weight)


def start_from_other_tables(model: CompactModel, encoding: SentenceEncoding, rows: Clauses, seed: int) -> None:
    """Give the model the shipped blocks and matrices, which learn on, with what each token adds, until :func:`settle`.

    The model has the shipped shape, the encoding is fused, the rows are those that the first stage of training learns.
    Tokens of values that take several (digits, texts) keep their random embeddings.
    """
    known = _TokenFeatures.of(encoding, rows, child_rng(seed, "training", "co-occurrence"))
    tokens, features = known.stacked()
    is_of = torch.zeros(len(tokens), encoding.n_clauses)
    is_of[np.arange(len(known.columns)), known.columns] = 1.0
    weights = {name: weight.to(model.device, torch.float32) for name, weight in _shipped_weights().items()}
    model.load_state_dict({name: weight for name, weight in weights.items() if "matrix" not in name}, strict=False)
    with torch.no_grad():
        model.transformer.wpe.weight.zero_()
        embeddings = _DescribedEmbedding(model.transformer.wte.weight, tokens, torch.cat([features, is_of], dim=1))
        embeddings.matrix[: features.shape[1]] = weights["transformer.wte.matrix"]
        output = _DescribedOutput(model.lm_head.weight, tokens, features)
        output.matrix.copy_(weights["lm_head.matrix"])
    model.transformer.wte, model.lm_head = embeddings, output


@cache
def _shipped_weights() -> dict[str, torch.Tensor]:
    """Matrices and blocks that have seen other tables, float16, by name."""
    return load(files(__package__).joinpath(_SHIPPED).read_bytes())


def settle(model: CompactModel) -> None:
    """Write what the features give into plain weights, where the tokens of a model are described."""
    if isinstance(model.get_output_embeddings(), _DescribedOutput):
        n_tokens, width = model.lm_head.own.shape
        embedding = torch.nn.Embedding(n_tokens, width, _weight=model.transformer.wte.weight.detach())
        output = torch.nn.Linear(width, n_tokens, bias=False)
        output.weight = torch.nn.Parameter(model.lm_head.weight.detach())
        model.transformer.wte, model.lm_head = embedding, output


class _Described(torch.nn.Module):
    """Vectors of the tokens: what is their own, and the features of some of them times a matrix.

    `own`, shape (n_tokens, width), begins at 0 for the k tokens with features, of shape (k, n_features).
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


class _DescribedEmbedding(_Described):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return functional.embedding(ids, self.weight)


class _DescribedOutput(_Described):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return functional.linear(hidden, self.weight)


@dataclass(frozen=True, eq=False)
class _TokenFeatures:
    """What is known of the tokens of a table before training, in the same form for every table."""

    tokens: IntArray  # that stand for a whole value, shape (n_values,)
    columns: IntArray  # their clauses
    values: FloatArray  # features of them, shape (n_values, n_value_features)
    prefixes: IntArray  # tokens of the clauses, shape (n_clauses,)
    names: FloatArray  # features of the clauses, shape (n_clauses, n_name_features)

    @classmethod
    def of(cls, encoding: SentenceEncoding, rows: Clauses, rng: np.random.Generator) -> _TokenFeatures:
        counted = _Cooccurrence.of(encoding, rows, rng)
        found = _STRENGTH * counted.embeddings(rng)[:, ::-1]  # the strongest axis first
        axes = np.zeros((len(counted.tokens), _AXES))
        axes[:, : found.shape[1]] = found
        names = _name_features(encoding, counted, axes)
        ranks = np.full(encoding.n_tokens, np.nan)
        for coding in encoding.codings:
            if isinstance(coding, BinCoding):
                n = coding.bins.n_bins
                ranks[coding.first : coding.first + n] = (np.arange(n) + 0.5) / n * 2 - 1
        missing = [getattr(coding, "missing_token", None) or NO_TOKEN for coding in encoding.codings]
        ranked, is_missing = _rank_features(ranks[counted.tokens]), np.isin(counted.tokens, missing)
        frequency = np.log(np.maximum(counted.shares, 1e-4)) / 3
        values = np.column_stack([axes, ranked, is_missing, frequency, names[counted.columns]])
        prefixes = np.array([prefix[0] for prefix in encoding.prefixes], dtype=np.int64)
        return cls(counted.tokens, counted.columns, values, prefixes, names)

    def stacked(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens that something is known of, those of values first, and their features, float32.

        Features of values, of clauses, and the last one, of the beginning of a sentence, have places of their own.
        """
        n_values, n_names = self.values.shape[1], self.names.shape[1]
        features = np.zeros((len(self.values) + len(self.names) + 1, n_values + n_names + 1))
        features[: len(self.values), :n_values] = self.values
        features[len(self.values) : -1, n_values:-1] = self.names
        features[-1, -1] = 1.0
        tokens = np.concatenate([self.tokens, self.prefixes, [PADDING]])
        return torch.from_numpy(tokens), torch.from_numpy(features).float()


def _rank_features(ranks: FloatArray) -> FloatArray:
    """Smooth functions of the ranks of bins in [-1, 1], 0 for values without one (NaN), shape (n, 3 + 2 x `_WAVES`)."""
    is_bin = ~np.isnan(ranks)
    known = np.where(is_bin, ranks, 0.0)
    turns = np.pi * known[:, None] * np.arange(1, _WAVES + 1)
    columns = [is_bin, known, 1.5 * known**2 - 0.5, *np.sin(turns).T, *np.cos(turns).T]
    features: FloatArray = np.stack(columns, axis=1) * is_bin[:, None]
    return features


def _name_features(encoding: SentenceEncoding, counted: _Cooccurrence, axes: FloatArray) -> FloatArray:
    """How far the values of each clause spread along the axes, their number, and what kind of column it is."""
    n_clauses, weights = encoding.n_clauses, counted.shares
    total = np.maximum(np.bincount(counted.columns, weights, n_clauses), 1e-9)
    spread = np.stack([np.bincount(counted.columns, weights * axis**2, n_clauses) / total for axis in axes.T], axis=1)
    number = [len(encoding.tables.clause_tokens(clause)) for clause in range(n_clauses)]
    kinds = [
        [isinstance(coding, BinCoding), getattr(coding, "missing_token", None) is not None, clause == n_clauses - 1, 1]
        for clause, coding in enumerate(encoding.codings)
    ]
    features: FloatArray = np.column_stack([np.sqrt(spread), np.log(np.maximum(number, 1)) / 3, kinds])
    return features


@dataclass(frozen=True, eq=False)
class _Cooccurrence:
    """Which values rows hold together; columns whose values take several tokens (digits, texts) are left out."""

    tokens: IntArray  # that stand for a whole value, ascending, shape (n_values,)
    columns: IntArray  # their clauses
    held: IntArray  # place among the tokens of each value of n rows, shape (n, n_clauses), -1 for none
    weights: FloatArray  # of the rows, in sum 1: a class counts by the root of its rows, shape (n,)
    smoother: FloatArray  # shares that rows give to bins next to their own, shape (n_values, n_values)

    @classmethod
    def of(cls, encoding: SentenceEncoding, rows: Clauses, rng: np.random.Generator) -> _Cooccurrence:
        if len(rows.tokens) > _MOST_ROWS:
            rows = rows.take(np.sort(rng.choice(len(rows.tokens), _MOST_ROWS, replace=False)))
        held, columns = rows.tokens[:, :, 0], _columns(encoding)
        alone = (rows.tokens[:, :, 1:] < 0).all(axis=2) & (columns[held] == np.arange(held.shape[1]))
        known = rows.present & alone & (held >= 0)
        counts = np.bincount(held[known], minlength=encoding.n_tokens)
        tokens = np.sort(np.argsort(-counts, kind="stable")[: min(_MOST_VALUES, np.count_nonzero(counts))])
        places = np.full(encoding.n_tokens, -1)
        places[tokens] = np.arange(len(tokens))
        placed = np.where(known, places[held], -1)
        return cls(tokens, columns[tokens], placed, _weights(held[:, -1]), _smoother(encoding, tokens))

    @cached_property
    def shares(self) -> FloatArray:
        """Weighted share of the rows with each value, shape (n_values,)."""
        is_held = self.held >= 0
        weights = np.broadcast_to(self.weights[:, None], self.held.shape)[is_held]
        return np.bincount(self.held[is_held], weights, len(self.tokens)).astype(np.float64)

    def embeddings(self, rng: np.random.Generator) -> FloatArray:
        """Vectors whose products are the values' lift less one, shape (n_values, axes).

        Lift is the share of rows with both values over that of independent columns. Axes are shrunk by the strength
        that the strongest one has where every column is shuffled.
        """
        strengths, axes, shares = self._axes(self.held)
        chance = self._axes(rng.permuted(self.held, axis=0))[0]
        if not len(strengths):
            return axes
        strengths = np.maximum(strengths - chance.max(), 0.0)
        vectors: FloatArray = axes * np.sqrt(strengths) / np.sqrt(shares)[:, None]
        return vectors[:, strengths > 0]

    def _axes(self, held: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Strengths and axes of the standardized residuals, ascending, and the share of the rows with each value."""
        from scipy.linalg import eigh
        from scipy.sparse import csr_array

        n = len(self.tokens)
        if n == 0:
            return np.zeros(0), np.zeros((0, 0)), np.zeros(0)
        rows = np.nonzero(held >= 0)[0]
        indicator = csr_array((np.ones(len(rows)), (rows, held[held >= 0])), shape=(len(held), n))
        joint = self.smoother @ (indicator.T @ (indicator * self.weights[:, None])).toarray() @ self.smoother.T
        shares = np.maximum(self.smoother @ (indicator.T @ self.weights), 1e-6)
        residuals = (joint - np.outer(shares, shares)) / np.sqrt(np.outer(shares, shares))
        residuals[self.columns[:, None] == self.columns[None, :]] = 0.0
        strengths, axes = eigh(residuals, subset_by_index=[max(0, n - _AXES), n - 1])
        return strengths, axes, shares


def _columns(encoding: SentenceEncoding) -> IntArray:
    """The only clause that each token can be a value of, shape (n_tokens,); -1 where there is none or several."""
    columns = np.full(encoding.n_tokens, -1)
    for clause in range(encoding.n_clauses):
        tokens = encoding.tables.clause_tokens(clause)
        columns[tokens] = np.where(columns[tokens] == -1, clause, encoding.n_clauses)
    return np.where(columns == encoding.n_clauses, -1, columns)


def _weights(labels: IntArray) -> FloatArray:
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(counts[codes])
    shares: FloatArray = weights / weights.sum()
    return shares


def _smoother(encoding: SentenceEncoding, tokens: IntArray) -> FloatArray:
    smoother = np.eye(len(tokens))
    for coding in encoding.codings:
        if isinstance(coding, BinCoding) and coding.bins.n_bins > 3:
            places = np.flatnonzero((tokens >= coding.first) & (tokens < coding.first + coding.bins.n_bins))
            steps = (tokens[places, None] - tokens[None, places]) / max(1.0, _BANDWIDTH * coding.bins.n_bins)
            kernel = np.exp(-(steps**2) / 2)
            smoother[np.ix_(places, places)] = kernel / kernel.sum(axis=0, keepdims=True)
    return smoother
