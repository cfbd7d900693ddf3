"""Copies of real features in place of generated ones: what of a gain is due to rebalancing alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.regression.feature_generation import SyntheticFeatures

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray


class FeatureCopier:
    """Repeats the features of bins.

    Parameters
    ----------
    features, targets : ndarray
        Real and standardised, shapes (n, d) and (n,).
    assigned : ndarray of shape (n,)
        Their bins.
    """

    def __init__(self, features: FloatArray, targets: FloatArray, assigned: IntArray) -> None:
        self._features, self._targets, self._assigned = features, targets, assigned

    def generate(self, wanted: IntArray, seed: int, threads: int | None = None) -> SyntheticFeatures:
        """Rows of each bin in a drawn order, again and again; nothing is refused.

        Parameters
        ----------
        wanted
            Copies of each bin, shape (n_bins,); 0 for bins without rows.
        seed
            Of the order.
        threads
            Not used.
        """
        del threads
        rng = child_rng(seed, "values", "copies")
        parts = [
            np.resize(rng.permutation(np.flatnonzero(self._assigned == number)), wanted[number])
            for number in np.flatnonzero(wanted)
        ]
        rows = np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64)
        return SyntheticFeatures(self._features[rows], self._targets[rows], self._assigned[rows], wanted, wanted)
