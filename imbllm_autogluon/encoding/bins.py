"""Quantile bins of one numeric column: how the compact backbone writes a number as one token.

A bin becomes a number again by drawing a value seen in it and moving up to half way towards its neighbor. Bins are
quantiles of a class-balanced sample: with plain ones the values of a rare class would fall into one outermost bin.
Numbers are whole units of the column's grid, so that large ones stay exact and no difference overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class QuantileBins:
    """Bins of a numeric column and the values (knots) seen in each of them.

    >>> bins = QuantileBins.fit(np.array([3, 0, 0, 5, 9]), np.ones(5), max_bins=4)
    >>> bins.encode(np.array([0, 9, 4])).tolist(), bins.decode(np.array([0, 3]), np.random.default_rng(0)).tolist()
    ([0, 3, 1], [0, 9])
    """

    knots: IntArray  # distinct values, ascending, shape (n_knots,)
    weights: FloatArray  # class-balanced weight of each knot, shape (n_knots,), positive
    starts: IntArray  # index of each bin's first knot, plus n_knots at the end, shape (n_bins + 1,)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.starts) - 1

    @property
    def centers(self) -> IntArray:
        """Middle knot of each bin, int64 of shape (n_bins,)."""
        middle: IntArray = self.knots[(self.starts[:-1] + self.starts[1:] - 1) // 2]
        return middle

    @classmethod
    def fit(cls, values: IntArray, weights: FloatArray, max_bins: int, max_knots: int = 64) -> QuantileBins:
        """Cut values (grid units less than 2**63 apart), each of positive weight, into bins of about equal weight.

        A value heavier than one bin gets a bin of its own, so that spikes (zeros, caps) are written exactly. With
        at most `max_bins` distinct values every value has its own bin. A bin keeps at most `max_knots` knots.
        """
        knots, inverse = np.unique(values, return_inverse=True)
        knot_weights = np.bincount(inverse, weights=weights).astype(np.float64)
        starts = _starts(knot_weights, max_bins)
        kept = np.concatenate([_spread(start, stop, max_knots) for start, stop in pairwise(starts.tolist())])
        sizes = np.minimum(np.diff(starts), max_knots)
        return cls(knots[kept], knot_weights[kept], np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def encode(self, values: IntArray) -> IntArray:
        """Bin of each value, int64 of shape (n,); values between two bins go to the nearer one."""
        last = self.starts[1:-1] - 1
        lower, upper = self.knots[last], self.knots[last + 1]
        return np.searchsorted(lower + (upper - lower) // 2, values, side="left").astype(np.int64)

    def decode(self, bins: IntArray, rng: np.random.Generator) -> IntArray:
        """Draw a value for each bin, int64 of shape (n,)."""
        ends = np.cumsum(self.weights)
        begins = ends - self.weights
        low, high = begins[self.starts[bins]], ends[self.starts[bins + 1] - 1]
        knot = np.searchsorted(ends, low + rng.random(len(bins)) * (high - low), side="right")
        knot = np.clip(knot, self.starts[bins], self.starts[bins + 1] - 1)
        neighbor = knot + rng.choice(np.array([-1, 1]), size=len(bins))
        neighbor = np.clip(neighbor, self.starts[bins], self.starts[bins + 1] - 1)
        shift = rng.random(len(bins)) / 2 * (self.knots[neighbor] - self.knots[knot])
        drawn: IntArray = self.knots[knot] + np.rint(shift).astype(np.int64)
        return drawn

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"knots": self.knots.tolist(), "weights": self.weights.tolist(), "starts": self.starts.tolist()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> QuantileBins:
        """Rebuild the bins from :meth:`to_dict`."""
        return cls(
            np.asarray(state["knots"], dtype=np.int64),
            np.asarray(state["weights"], dtype=np.float64),
            np.asarray(state["starts"], dtype=np.int64),
        )


def _starts(weights: FloatArray, max_bins: int) -> IntArray:
    """First knot of each bin, and the end: as many quantiles as give at most `max_bins` bins."""
    if len(weights) <= max_bins:
        return np.arange(len(weights) + 1, dtype=np.int64)
    # A heavy knot can split its quantile in two; half as many quantiles as bins always suffice.
    tries = (_cut(weights, n_quantiles) for n_quantiles in range(max_bins, 0, -1))
    return next(starts for starts in tries if len(starts) <= max_bins + 1)


def _cut(weights: FloatArray, n_quantiles: int) -> IntArray:
    """Starts of quantiles of about equal weight; knots heavier than one stand alone."""
    share = weights / weights.sum()
    middle = np.cumsum(share) - share / 2
    quantile = np.minimum((middle * n_quantiles).astype(np.int64), n_quantiles - 1)
    heavy = share >= 1 / n_quantiles
    begins = np.ones(len(weights), dtype=bool)
    begins[1:] = (np.diff(quantile) > 0) | heavy[1:] | heavy[:-1]
    return np.append(np.flatnonzero(begins), len(weights)).astype(np.int64)


def _spread(start: int, stop: int, most: int) -> IntArray:
    """At most `most` indices spread evenly over ``[start, stop)``."""
    count = stop - start
    if count <= most:
        return np.arange(start, stop, dtype=np.int64)
    return start + np.linspace(0, count - 1, most).round().astype(np.int64)
