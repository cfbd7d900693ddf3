"""Token embeddings that know the table before training: a correspondence analysis of the rows to be learned.

Values that occur together more often than independent columns would let them get similar embeddings, and neighbouring
bins of a number nearly the same one. The tied output layer of the compact backbone then prefers, from the first step
on, values that go with those written before. Multiple correspondence analysis: Greenacre, Theory and Applications of
Correspondence Analysis, 1984, chapter 5; factorised co-occurrence as embeddings: Levy and Goldberg, NeurIPS 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences.value_codings import BinCoding

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.sentences import Clauses, SentenceEncoding

    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

MOST_ROWS, MOST_VALUES = 20_000, 1_000
"""Rows that are counted, and the most frequent values that get an embedding: the axes of 1,000 values take 0.2 s."""

AXES = 32
"""Most axes that are kept."""

BANDWIDTH = 1 / 16
"""Standard deviation of the kernel that lets bins share counts with their neighbours, as a share of the column's bins
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
        Of the random matrix.
    """
    import torch

    counted = Cooccurrence.count(encoding, rows, seed)
    vectors = counted.embeddings()
    weight = model.get_input_embeddings().weight
    width = weight.shape[1]
    turned = child_rng(seed, "training", "co-occurrence").normal(size=(vectors.shape[1], width)) / np.sqrt(width)
    with torch.no_grad():
        weight[torch.from_numpy(counted.tokens)] += torch.from_numpy(STRENGTH * vectors @ turned).to(weight)


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """How often the values of different columns occur in one row."""

    tokens: IntArray
    """Value tokens that stand for a whole value, ascending, shape (n_values,)."""

    columns: IntArray
    """Clause of each of them, shape (n_values,)."""

    shares: FloatArray
    """Weighted share of the rows that hold each value, shape (n_values,)."""

    joint: FloatArray
    """Weighted share of the rows that hold both values, shape (n_values, n_values)."""

    n_rows: float
    """Rows of equal weight that would be as informative."""

    @classmethod
    def count(cls, encoding: SentenceEncoding, rows: Clauses, seed: int) -> Cooccurrence:
        """Count rows so that a rare class speaks louder than its share, and bins share with their neighbours.

        Columns whose values take several tokens (digits, texts) are left out.

        Parameters
        ----------
        encoding
            How the rows are written.
        rows
            n rows.
        seed
            Of the choice among more than `MOST_ROWS` rows.
        """
        from scipy.sparse import csr_array

        rows = rows.take(_choice(len(rows.tokens), seed))
        held = _single_values(encoding, rows)
        counts = np.bincount(held[held >= 0], minlength=encoding.n_tokens)
        tokens = np.sort(np.argsort(-counts, kind="stable")[: min(MOST_VALUES, np.count_nonzero(counts))])
        kept = (held >= 0) & np.isin(held, tokens)
        row_of, places = np.nonzero(kept)[0], np.searchsorted(tokens, held[kept])
        weights = _weights(rows.tokens[:, -1, 0])
        indicator = csr_array((np.ones(len(places)), (row_of, places)), shape=(len(held), len(tokens)))
        joint = (indicator.T @ (indicator * weights[:, None])).toarray()
        columns = _columns(encoding)[tokens]
        smoother = _smoother(encoding, tokens)
        return cls(
            tokens,
            columns,
            smoother @ (indicator.T @ weights),
            smoother @ joint @ smoother.T,
            1.0 / float((weights**2).sum()),
        )

    def embeddings(self) -> FloatArray:
        """Vectors whose products are the values' lift less one, shape (n_values, axes).

        Lift is the share of rows with both values over that of independent columns. Axes weaker than those of
        independent columns (two standard errors) are left out and the others shrunk by as much.
        """
        from scipy.linalg import eigh

        roots = np.sqrt(np.maximum(self.shares, 1e-6))
        residuals = (self.joint - np.outer(self.shares, self.shares)) / np.outer(roots, roots)
        residuals[self.columns[:, None] == self.columns[None, :]] = 0.0
        n = len(roots)
        strengths, axes = eigh(residuals, subset_by_index=[max(0, n - AXES), n - 1])
        strengths = np.maximum(strengths - 2 / np.sqrt(self.n_rows), 0.0)
        vectors: FloatArray = axes * np.sqrt(strengths) / roots[:, None]
        return vectors[:, strengths > 0]


def _choice(n_rows: int, seed: int) -> IntArray:
    if n_rows <= MOST_ROWS:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, MOST_ROWS, replace=False))


def _single_values(encoding: SentenceEncoding, rows: Clauses) -> IntArray:
    """The token of each value that takes just one, shape (n, n_clauses); -1 for all others."""
    first = rows.tokens[:, :, 0]
    alone = (rows.tokens[:, :, 1:] < 0).all(axis=2) & (_columns(encoding)[first] == np.arange(first.shape[1]))
    return np.where(rows.present & alone & (first >= 0), first, -1)


def _columns(encoding: SentenceEncoding) -> IntArray:
    """The only clause that each token can be a value of, shape (n_tokens,); -1 where there is none or several."""
    columns = np.full(encoding.n_tokens, -1)
    for clause in range(encoding.n_clauses):
        tokens = encoding.tables.clause_tokens(clause)
        columns[tokens] = np.where(columns[tokens] == -1, clause, encoding.n_clauses)
    return np.where(columns == encoding.n_clauses, -1, columns)


def _weights(labels: IntArray) -> FloatArray:
    """Weight of each row, adding up to 1: a class counts by the root of its rows."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: FloatArray = 1.0 / np.sqrt(counts[codes])
    return weights / weights.sum()


def _smoother(encoding: SentenceEncoding, tokens: IntArray) -> FloatArray:
    """Rows give a share of their count to bins beside their own, shape (n_values, n_values)."""
    smoother = np.eye(len(tokens))
    for coding in encoding.codings:
        if isinstance(coding, BinCoding) and coding.bins.n_bins > 3:
            places = np.flatnonzero((tokens >= coding.first) & (tokens < coding.first + coding.bins.n_bins))
            steps = (tokens[places, None] - tokens[None, places]) / max(1.0, BANDWIDTH * coding.bins.n_bins)
            kernel = np.exp(-(steps**2) / 2)
            smoother[np.ix_(places, places)] = kernel / kernel.sum(axis=0, keepdims=True)
    return smoother
