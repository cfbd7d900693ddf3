"""Synthetic features for the bins of a target: drawn, gated, drawn anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imbllm_autogluon.randomness import child_rng, child_seed

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import LatentDiffConfig
    from imbllm_autogluon.regression.diffusion import LatentDiffusion
    from imbllm_autogluon.regression.gate import MahalanobisGate


SPARE = 1.1
"""Drawn beyond what a bin's acceptance so far asks for, so that a round is rarely short by a few."""

MOST_FOR_ONE = 4.0
"""Candidates in one round for each feature that is missing, at most: a bin that accepts nothing must not cost all."""


class SyntheticFeatures(NamedTuple):
    """Features that passed the gate."""

    features: FloatArray
    """Standardised, shape (m, d)."""
    targets: FloatArray
    """Standardised, shape (m,)."""
    assigned: IntArray
    """Bin of each, shape (m,)."""
    drawn: IntArray
    """Candidates of each bin, shape (n_bins,)."""
    accepted: IntArray
    """Candidates of each bin that passed, shape (n_bins,)."""

    def first(self, wanted: IntArray) -> SyntheticFeatures:
        """As many of each bin as wanted (n_bins,), the first ones drawn; fewer where there are fewer."""
        keep = _first(self.assigned, np.ones(len(self.assigned), dtype=bool), wanted)
        return SyntheticFeatures(
            self.features[keep], self.targets[keep], self.assigned[keep], self.drawn, self.accepted
        )


def nothing(d: int, wanted: IntArray) -> SyntheticFeatures:
    """No features at all."""
    none = np.zeros_like(wanted)
    return SyntheticFeatures(np.empty((0, d)), np.empty(0), np.empty(0, dtype=np.int64), none, none)


class FeatureGenerator:
    """Draws features of bins from a fitted diffusion.

    Parameters
    ----------
    diffusion : LatentDiffusion
        Fitted on standardised features and targets.
    gate : MahalanobisGate or None
        `None` lets everything through.
    targets : ndarray of shape (n,)
        Real standardised targets, of which synthetic ones are drawn.
    assigned : ndarray of shape (n,)
        Their bins.
    centres : ndarray of shape (n_bins,)
        Standardised centres of the bins.
    config : LatentDiffConfig
        `synthetic_targets`, `gate_rounds`.
    """

    def __init__(
        self,
        diffusion: LatentDiffusion,
        gate: MahalanobisGate | None,
        targets: FloatArray,
        assigned: IntArray,
        centres: FloatArray,
        config: LatentDiffConfig,
    ) -> None:
        self.diffusion = diffusion
        self.gate = gate
        self.centres = centres
        self.config = config
        self._of_bin = {int(b): targets[assigned == b] for b in np.unique(assigned)}

    def generate(self, wanted: IntArray, seed: int, threads: int | None = None) -> SyntheticFeatures:
        """Draw until each bin has what it wants, or the rounds are over.

        Parameters
        ----------
        wanted
            Features of each bin, shape (n_bins,); 0 for bins without real rows.
        seed
            The same seed gives the same features.
        threads
            torch threads.
        """
        drawn, accepted = np.zeros_like(wanted), np.zeros_like(wanted)
        rounds = [nothing(len(self.diffusion.low), wanted)[:3]]
        for number in range(self.config.gate.gate_rounds):
            ask = _candidates(wanted, drawn, accepted)
            if not ask.any():
                break
            features, targets, bins = self._draw(ask, child_seed(seed, "decoding", number), threads)
            passed = np.ones(len(bins), dtype=bool) if self.gate is None else self.gate.accepts(features, bins)
            # Acceptance counts every candidate that passed; of these a bin keeps what it lacks.
            keep = _first(bins, passed, wanted - np.minimum(accepted, wanted))
            drawn += ask
            accepted += np.bincount(bins[passed], minlength=len(wanted))
            rounds.append((features[keep], targets[keep], bins[keep]))
        return SyntheticFeatures(*_joined(rounds), drawn, accepted)

    def _draw(self, ask: IntArray, seed: int, threads: int | None) -> tuple[FloatArray, FloatArray, IntArray]:
        """Candidates with their targets and bins."""
        bins = np.repeat(np.arange(len(ask)), ask)
        targets = self._targets(bins, child_rng(seed, "values", "targets"))
        return self.diffusion.sample(targets, seed, threads).astype(np.float64), targets, bins

    def _targets(self, bins: IntArray, rng: np.random.Generator) -> FloatArray:
        """Targets to condition on: the bins' real ones in turn, or their centres."""
        targets = self.centres[bins]
        if self.config.allocation.synthetic_targets == "observed":
            for b in np.unique(bins):
                rows = np.flatnonzero(bins == b)
                targets[rows] = np.resize(rng.permutation(self._of_bin[int(b)]), len(rows))
        return targets


def _candidates(wanted: IntArray, drawn: IntArray, accepted: IntArray) -> IntArray:
    """Candidates of each bin for the next round, from what it lacks and what share passed so far."""
    lacking = np.maximum(wanted - accepted, 0)
    rate = np.where(drawn > 0, accepted / np.maximum(drawn, 1), 1.0)
    ask = np.ceil(lacking * np.minimum(MOST_FOR_ONE, SPARE / np.maximum(rate, 1e-9)))
    return np.where(lacking > 0, ask, 0).astype(np.int64)


def _first(bins: IntArray, passed: npt.NDArray[np.bool_], room: IntArray) -> IntArray:
    """Places of the first candidates of each bin that passed, as many as there is room for."""
    places = np.flatnonzero(passed)
    kept = [places[bins[places] == b][: room[b]] for b in np.unique(bins[places])]
    return np.concatenate(kept) if kept else places


def _joined(rounds: list[tuple[FloatArray, FloatArray, IntArray]]) -> tuple[FloatArray, FloatArray, IntArray]:
    """All rounds behind one another."""
    features, targets, bins = (np.concatenate(part) for part in zip(*rounds, strict=True))
    return features, targets, bins
