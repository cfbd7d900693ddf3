"""Synthetic features for bins of the target: drawn by a diffusion, gated, drawn again; or copies of real ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imbllm_autogluon._random import child_rng, child_seed
from imbllm_autogluon.regression.cross_fit import FeatureScale

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.regression.config import GateConfig, LatentDiffConfig
    from imbllm_autogluon.regression.diffusion import LatentDiffusion

_RIDGE = 1e-3  # share of the mean variance added to the pooled covariance: without any spread it stays invertible
_SPARE = 1.1  # drawn beyond what a bin's acceptance so far asks for, so that a round is rarely short by a few
_MOST_FOR_ONE = 4.0  # candidates in a round for each missing feature: a bin that accepts nothing must not cost all


class RealFeatures(NamedTuple):
    """Features (n, d) of real rows, as the head reads them, with targets, weights and bins, each (n,)."""

    features: FloatArray
    targets: FloatArray
    weights: FloatArray
    assigned: IntArray

    def shares(self) -> FloatArray:
        """How often a diffusion sees each row, (n,): half by rows, half by bins, so that it learns rare targets too."""
        counts = np.bincount(self.assigned)
        return np.asarray(0.5 / len(self.assigned) + 0.5 / (counts[self.assigned] * (counts > 0).sum()))


class SyntheticFeatures(NamedTuple):
    """Features (m, d) that passed the gate, with targets and bins, each (m,)."""

    features: FloatArray
    targets: FloatArray
    assigned: IntArray
    drawn: IntArray  # candidates of each bin, shape (n_bins,)
    accepted: IntArray  # candidates of each bin that passed, shape (n_bins,)

    @classmethod
    def empty(cls, d: int, n_bins: int) -> SyntheticFeatures:
        """No features at all."""
        none = np.zeros(n_bins, dtype=np.int64)
        return cls(np.empty((0, d)), np.empty(0), np.empty(0, dtype=np.int64), none, none)

    @classmethod
    def copies(cls, real: RealFeatures, wanted: IntArray, seed: int) -> SyntheticFeatures:
        """As many copies of real features of each bin as wanted (n_bins,), in a drawn order, again and again."""
        rng = child_rng(seed, "values", "copies")
        drawn = np.flatnonzero(wanted)
        parts = [np.resize(rng.permutation(np.flatnonzero(real.assigned == b)), wanted[b]) for b in drawn]
        rows = np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64)
        return cls(real.features[rows], real.targets[rows], real.assigned[rows], wanted, wanted)

    def first(self, wanted: IntArray) -> SyntheticFeatures:
        """As many of each bin as wanted (n_bins,), the first ones drawn; fewer where there are fewer."""
        keep = _first(self.assigned, np.ones(len(self.assigned), dtype=bool), wanted)
        kept = self.features[keep], self.targets[keep], self.assigned[keep]
        return SyntheticFeatures(*kept, self.drawn, self.accepted)


class FeatureGenerator:
    """Draws features of bins from a diffusion that was fitted on the standardized real features; so is the gate.

    Targets are those of the real ones, or the bins' standardized `centres` (n_bins,).
    """

    def __init__(
        self, diffusion: LatentDiffusion, real: RealFeatures, centres: FloatArray, config: LatentDiffConfig
    ) -> None:
        self.diffusion, self.config, self._centres = diffusion, config, centres
        self._scale = FeatureScale.fit(real.features)
        gated = config.gate.gate == "mahalanobis"
        self.gate = _MahalanobisGate(real.features, real.assigned, len(centres), config.gate) if gated else None
        self._of_bin = {int(b): real.targets[real.assigned == b] for b in np.unique(real.assigned)}

    def generate(
        self, wanted: IntArray, seed: int, threads: int | None = None, ends: float | None = None
    ) -> SyntheticFeatures:
        """Draw until each bin has what it wants (n_bins,), which is 0 without real rows, or the rounds are over.

        Where there is an end, by ``time.monotonic``, the first round shows how many are drawn until then.
        """
        drawn, accepted, began = np.zeros_like(wanted), np.zeros_like(wanted), time.monotonic()
        rounds = [SyntheticFeatures.empty(len(self.diffusion.low), len(wanted))[:3]]
        for number in range(self.config.gate.gate_rounds):
            ask = _candidates(wanted, drawn, accepted)
            if ends is not None:
                ask = _in_time(ask, int(drawn.sum()), began, ends)
            if not ask.any():
                break
            features, targets, bins = self._draw(ask, child_seed(seed, "decoding", number), threads)
            passed = np.ones(len(bins), dtype=bool) if self.gate is None else self.gate.accepts(features, bins)
            # Acceptance counts every candidate that passed; of these a bin keeps what it lacks.
            keep = _first(bins, passed, wanted - np.minimum(accepted, wanted))
            drawn += ask
            accepted += np.bincount(bins[passed], minlength=len(wanted))
            rounds.append((features[keep], targets[keep], bins[keep]))
        features, targets, bins = (np.concatenate(part) for part in zip(*rounds, strict=True))
        return SyntheticFeatures(features, targets, bins, drawn, accepted)

    def _draw(self, ask: IntArray, seed: int, threads: int | None) -> tuple[FloatArray, FloatArray, IntArray]:
        """Candidates with their targets and bins."""
        bins, rng = np.repeat(np.arange(len(ask)), ask), child_rng(seed, "values", "targets")
        targets = self._centres[bins]
        if self.config.allocation.synthetic_targets == "observed":
            for b in np.flatnonzero(ask):  # the real targets of a bin in turn
                targets[bins == b] = np.resize(rng.permutation(self._of_bin[int(b)]), ask[b])
        features = self.diffusion.sample(targets, self.config.diffusion, seed, threads)
        return features * self._scale.deviations + self._scale.means, targets, bins


def _candidates(wanted: IntArray, drawn: IntArray, accepted: IntArray) -> IntArray:
    """Candidates of each bin for the next round, from what it lacks and what share passed so far."""
    lacking = np.maximum(wanted - accepted, 0)
    rate = np.where(drawn > 0, accepted / np.maximum(drawn, 1), 1.0)
    ask = np.ceil(lacking * np.minimum(_MOST_FOR_ONE, _SPARE / np.maximum(rate, 1e-9)))
    return np.where(lacking > 0, ask, 0).astype(np.int64)


def _in_time(ask: IntArray, n_drawn: int, began: float, ends: float) -> IntArray:
    """Candidates that can be drawn before the end, at the rate so far; a tenth of them where there is none yet."""
    if not n_drawn:
        return np.asarray(np.ceil(ask / 10), dtype=np.int64)
    now = time.monotonic()
    most = n_drawn * max(0.0, ends - now) / max(now - began, 1e-9)
    return np.asarray(ask * min(1.0, most / max(1, int(ask.sum()))), dtype=np.int64)


def _first(bins: IntArray, passed: BoolArray, room: IntArray) -> IntArray:
    """Places of the first candidates of each bin that passed, as many as there is room for."""
    places = np.flatnonzero(passed)
    kept = [places[bins[places] == b][: room[b]] for b in np.unique(bins[places])]
    return np.concatenate(kept) if kept else places


class _MahalanobisGate:
    """Distance of features to the real ones of a bin, and the largest that is let through.

    A feature passes if its Mahalanobis distance to its bin is at most the q-quantile of the bin's real features
    (LatentDiff, arXiv 2509.23240). Our choices: the covariance of a bin is shrunk towards the pooled one, which weighs
    as d rows (d features); distances of real features are to the bin without them, as a bin of few rows looks tighter
    than it is; a bin of fewer than ``pooled_below`` rows uses the pooled covariance and quantile, and one without rows
    lets nothing through.
    """

    def __init__(self, real: FloatArray, assigned: IntArray, n_bins: int, config: GateConfig) -> None:
        """Measure finite real features (n, d) and their bins (n,)."""
        counts = np.bincount(assigned, minlength=n_bins).astype(np.int64)
        sums = np.zeros((n_bins, real.shape[1]))
        np.add.at(sums, assigned, real)
        self._means = sums / np.maximum(counts, 1)[:, None]
        centred = real - self._means[assigned]
        self._inverses = _inverses(centred, assigned, counts, config.pooled_below)
        squares = _squares(centred, assigned, self._inverses)
        self._limits = _limits(squares, assigned, counts, real.shape[1], config)

    def accepts(self, features: FloatArray, assigned: IntArray) -> BoolArray:
        """Whether each feature (n, d) passes the gate of its bin, shape (n,)."""
        squares = _squares(features - self._means[assigned], assigned, self._inverses)
        return np.asarray(np.sqrt(squares) <= self._limits[assigned])


def _pooled(centred: FloatArray, counts: IntArray) -> FloatArray:
    """Covariance within bins, over all bins, with a ridge; shape (d, d)."""
    freedom = max(1, len(centred) - int((counts > 0).sum()))
    covariance = centred.T @ centred / freedom
    ridge = _RIDGE * float(np.trace(covariance)) / len(covariance)
    return np.asarray(covariance + max(ridge, 1e-12) * np.eye(len(covariance)))


def _inverses(centred: FloatArray, assigned: IntArray, counts: IntArray, pooled_below: int) -> FloatArray:
    """Inverse covariance of each bin, shape (n_bins, d, d): shrunk towards the pooled one, or it."""
    pooled = _pooled(centred, counts)
    d = len(pooled)
    inverses = np.repeat(np.linalg.inv(pooled)[None], len(counts), axis=0)
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
    return np.asarray(np.maximum(away**2 * removed, 0.0))
