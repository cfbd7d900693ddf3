"""Token embeddings that know the table before training: a correspondence analysis of the rows to be learned.

Values that occur together more often than independent columns would let them get similar embeddings, and neighboring
bins of a number nearly the same one. The tied output layer of the compact backbone then prefers, from the first step
on, values that go with those written before. Multiple correspondence analysis: Greenacre, Theory and Applications of
Correspondence Analysis, 1984, chapter 5; factorized co-occurrence as embeddings: Levy and Goldberg, NeurIPS 2014;
axes that shuffled columns reach too are chance: Horn, Psychometrika 30, 1965 (parallel analysis).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences.value_codings import BinCoding

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.sentences import Clauses, SentenceEncoding


MOST_ROWS, MOST_VALUES = 20_000, 1_000
"""Rows that are counted, and the most frequent values that get an embedding: the axes of 1,000 values take 0.1 s."""

AXES = 32
"""Most axes that are kept."""

BANDWIDTH = 1 / 16
"""Standard deviation of the kernel that lets bins share counts with their neighbors, as a share of the column's bins
(at least one bin)."""

STRENGTH = 0.5
"""Factor of the vectors in the embeddings. Factors of 0.25 to 1 learn the same."""


def start_from_rows(model: LanguageModel, encoding: SentenceEncoding, rows: Clauses, seed: int) -> None:
    """Add the analysis of the rows to the model's input embeddings, turned into its width by a random matrix.

    Parameters
    ----------
    model
        A backbone with random weights; its output layer is tied to its input embeddings.
    encoding
        How the rows are written.
    rows
        Rows that the first stage of training learns.
    seed
        Of the random matrix, of shuffled columns, and of the choice among very many rows.
    """
    import torch

    rng = child_rng(seed, "training", "co-occurrence")
    counted = Cooccurrence.of(encoding, rows, rng)
    vectors = counted.embeddings(rng)
    weight = model.get_input_embeddings().weight
    turned = vectors @ rng.normal(size=(vectors.shape[1], weight.shape[1])) / np.sqrt(weight.shape[1])
    with torch.no_grad():
        weight[torch.from_numpy(counted.tokens)] += torch.from_numpy(STRENGTH * turned).to(weight)


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Which values rows hold together; columns whose values take several tokens (digits, texts) are left out."""

    tokens: IntArray
    """Value tokens that stand for a whole value, ascending, shape (n_values,)."""

    columns: IntArray
    """Clause of each of them, shape (n_values,)."""

    held: IntArray
    """Place among `tokens` of each value, shape (n, n_clauses); -1: none of them."""

    weights: FloatArray
    """Weight of each row, adding up to 1, shape (n,): a class counts by the root of its rows."""

    smoother: FloatArray
    """Rows give a share of their count to bins beside their own, shape (n_values, n_values)."""

    @classmethod
    def of(cls, encoding: SentenceEncoding, rows: Clauses, rng: np.random.Generator) -> Cooccurrence:
        """Find the values of n rows; `rng` chooses where there are more than `MOST_ROWS`."""
        if len(rows.tokens) > MOST_ROWS:
            rows = rows.take(np.sort(rng.choice(len(rows.tokens), MOST_ROWS, replace=False)))
        held, columns = rows.tokens[:, :, 0], _columns(encoding)
        alone = (rows.tokens[:, :, 1:] < 0).all(axis=2) & (columns[held] == np.arange(held.shape[1]))
        known = rows.present & alone & (held >= 0)
        counts = np.bincount(held[known], minlength=encoding.n_tokens)
        tokens = np.sort(np.argsort(-counts, kind="stable")[: min(MOST_VALUES, np.count_nonzero(counts))])
        places = np.full(encoding.n_tokens, -1)
        places[tokens] = np.arange(len(tokens))
        return cls(
            tokens,
            columns[tokens],
            np.where(known, places[held], -1),
            _weights(held[:, -1]),
            _smoother(encoding, tokens),
        )

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
        strengths, axes = eigh(residuals, subset_by_index=[max(0, n - AXES), n - 1])
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
            steps = (tokens[places, None] - tokens[None, places]) / max(1.0, BANDWIDTH * coding.bins.n_bins)
            kernel = np.exp(-(steps**2) / 2)
            smoother[np.ix_(places, places)] = kernel / kernel.sum(axis=0, keepdims=True)
    return smoother
