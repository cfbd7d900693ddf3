"""The gate: synthetic features that are too far from the real ones of their bin are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.regression.config import GateConfig


RIDGE = 1e-3
"""Share of the mean variance that is added to the pooled covariance: directions without any spread stay invertible."""


class MahalanobisGate:
    """Distance of features to the real ones of a bin, and the largest that is let through.

    A feature passes if its Mahalanobis distance to its bin is at most the q-quantile of the bin's real features
    (LatentDiff, arXiv 2509.23240). Where the paper is silent (our choice): the covariance of a bin of n rows is shrunk
    towards the one pooled over all bins, with the weight of d rows (d features) for the pooled one; distances of real
    features are taken to the bin without them (leave one out), as a bin of few rows looks tighter than it is; a bin of
    fewer than ``pooled_below`` rows uses the pooled covariance and the pooled quantile. A bin without rows lets
    nothing through.

    Attributes
    ----------
    limits : ndarray of shape (n_bins,)
        Largest distance that passes; -1 for empty bins.

    Examples
    --------
    >>> from imbllm_autogluon.regression.config import GateConfig
    >>> real = np.random.default_rng(0).normal(size=(100, 2))
    >>> gate = MahalanobisGate.fit(real, np.zeros(100, dtype=int), 1, GateConfig())
    >>> gate.accepts(np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([0, 0])).tolist()
    [True, False]
    """

    def __init__(self, means: FloatArray, inverses: FloatArray, limits: FloatArray) -> None:
        self.means = means
        self.inverses = inverses
        self.limits = limits

    @classmethod
    def fit(cls, features: FloatArray, assigned: IntArray, n_bins: int, config: GateConfig) -> MahalanobisGate:
        """Measure the real features.

        Parameters
        ----------
        features
            Real features, shape (n, d).
        assigned
            Bin of each, shape (n,).
        n_bins
            Number of bins.
        config
            Quantile, and the size below which bins are pooled.

        Raises
        ------
        InvalidInputError
            A feature is infinite or missing.
        """
        real = np.asarray(features, dtype=np.float64)
        require_finite(real)
        counts, means = _bin_means(real, assigned, n_bins)
        centred = real - means[assigned]
        pooled = _pooled(centred, counts)
        own = _inverses(centred, assigned, counts, pooled, config.pooled_below)
        limits = _limits(_squares(centred, assigned, own), assigned, counts, real.shape[1], config)
        return cls(means, own, limits)

    def distances(self, features: FloatArray, assigned: IntArray) -> FloatArray:
        """Mahalanobis distance of each feature to its bin, shape (n,)."""
        centred = np.asarray(features, dtype=np.float64) - self.means[assigned]
        distances: FloatArray = np.sqrt(_squares(centred, assigned, self.inverses))
        return distances

    def accepts(self, features: FloatArray, assigned: IntArray) -> BoolArray:
        """Whether each feature passes, shape (n,)."""
        passed: BoolArray = self.distances(features, assigned) <= self.limits[assigned]
        return passed


def require_finite(features: FloatArray) -> None:
    """Raise `InvalidInputError` if a feature is infinite or missing."""
    bad = int((~np.isfinite(features)).any(axis=1).sum())
    if bad:
        raise InvalidInputError(
            f"the encoder's features are infinite or missing in {bad} of {len(features)} rows; every feature must be "
            "a finite number. A lower learning_rate keeps training from diverging."
        )


def _bin_means(real: FloatArray, assigned: IntArray, n_bins: int) -> tuple[IntArray, FloatArray]:
    """Rows and mean feature of each bin; 0 for empty bins."""
    counts = np.bincount(assigned, minlength=n_bins).astype(np.int64)
    sums = np.zeros((n_bins, real.shape[1]))
    np.add.at(sums, assigned, real)
    return counts, sums / np.maximum(counts, 1)[:, None]


def _pooled(centred: FloatArray, counts: IntArray) -> FloatArray:
    """Covariance within bins, over all bins, with a ridge; shape (d, d)."""
    freedom = max(1, len(centred) - int((counts > 0).sum()))
    covariance = centred.T @ centred / freedom
    ridge = RIDGE * float(np.trace(covariance)) / len(covariance)
    pooled: FloatArray = covariance + max(ridge, 1e-12) * np.eye(len(covariance))
    return pooled


def _inverses(
    centred: FloatArray, assigned: IntArray, counts: IntArray, pooled: FloatArray, pooled_below: int
) -> FloatArray:
    """Inverse covariance of each bin, shape (n_bins, d, d): shrunk towards the pooled one, or it."""
    shared, d = np.linalg.inv(pooled), len(pooled)
    inverses = np.repeat(shared[None], len(counts), axis=0)
    for b in np.flatnonzero(counts >= pooled_below):
        rows = centred[assigned == b]
        inverses[b] = np.linalg.inv((rows.T @ rows + d * pooled) / (len(rows) + d))
    return inverses


def _squares(centred: FloatArray, assigned: IntArray, inverses: FloatArray) -> FloatArray:
    """Squared distance of each centred row under the inverse covariance of its bin, shape (n,)."""
    squares = np.zeros(len(centred))
    for b in np.unique(assigned):
        rows = assigned == b
        squares[rows] = ((centred[rows] @ inverses[b]) * centred[rows]).sum(axis=1)
    return np.maximum(squares, 0.0)


def _limits(squares: FloatArray, assigned: IntArray, counts: IntArray, d: int, config: GateConfig) -> FloatArray:
    """Largest distance that passes, per bin: the quantile of its real features, or of all where it is small."""
    apart = np.sqrt(_left_out(squares, counts[assigned], d, counts[assigned] >= config.pooled_below))
    alone = counts[assigned] > 1
    everywhere = float(np.quantile(apart[alone], config.gate_quantile)) if alone.any() else np.inf
    limits = np.full(len(counts), -1.0)
    for b in np.flatnonzero(counts):
        enough = counts[b] >= config.pooled_below
        limits[b] = np.quantile(apart[assigned == b], config.gate_quantile) if enough else everywhere
    return limits


def _left_out(squares: FloatArray, sizes: IntArray, d: int, shrunk: BoolArray) -> FloatArray:
    """Squared distances of rows to their bin without them (Sherman and Morrison), from those to the bin with them.

    A row takes ``n / (n - 1)`` times its outer product out of the scatter, and its distance to the mean of the others
    is ``n / (n - 1)`` times that to the mean of all. With the pooled covariance only the mean moves.
    """
    away = sizes / np.maximum(sizes - 1, 1)
    weight = sizes + d
    leverage = np.where(shrunk, away * squares / weight, 0.0)
    # The scatter holds the row itself, so the leverage stays below 1; rounding may reach it.
    removed = squares / np.maximum(1.0 - leverage, 1e-6) * np.where(shrunk, (weight - 1) / weight, 1.0)
    apart: FloatArray = np.maximum(away**2 * removed, 0.0)
    return apart
