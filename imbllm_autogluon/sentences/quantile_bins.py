"""Quantile bins of one numeric column: how the compact backbone writes a number as one token.

A number becomes the bin that holds it; a bin becomes a number again by drawing one of the values seen in it and
moving up to half way towards its neighbour, so that new values appear but none leaves the bin. The bins are
quantiles of a *class-balanced* sample: with plain quantiles every value of a rare class that differs from the
rest would fall into one outermost bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class QuantileBins:
    """Bins of a numeric column and the values (knots) seen in each of them.

    Numbers are float64 (continuous columns) or int64 (integer and datetime columns); decoding keeps that dtype,
    and int64 values above 2**53 stay exact.
    """

    knots: FloatArray | IntArray
    """Distinct values, ascending, shape (n_knots,)."""

    weights: FloatArray
    """Class-balanced weight of each knot, shape (n_knots,), positive."""

    starts: IntArray
    """Index of each bin's first knot, plus n_knots at the end, shape (n_bins + 1,)."""

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.starts) - 1

    @classmethod
    def fit(cls, values: FloatArray | IntArray, weights: FloatArray, max_bins: int, max_knots: int = 64) -> QuantileBins:
        """Cut the weighted values into at most `max_bins` bins of about equal weight.

        A value heavier than one bin gets a bin of its own, so that spikes (zeros, caps) are written exactly. With
        at most `max_bins` distinct values every value has its own bin. A bin keeps at most `max_knots` knots.
        """
        knots, inverse = np.unique(values, return_inverse=True)
        knot_weights = np.bincount(inverse, weights=weights, minlength=len(knots))
        if len(knots) <= max_bins:
            return cls(knots, knot_weights, np.arange(len(knots) + 1, dtype=np.int64))
        starts = _cut(knot_weights, max_bins)
        kept = np.concatenate([_spread(a, b, max_knots) for a, b in zip(starts[:-1], starts[1:], strict=True)])
        sizes = np.minimum(np.diff(starts), max_knots)
        return cls(knots[kept], knot_weights[kept], np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    def encode(self, values: FloatArray | IntArray) -> IntArray:
        """Bin of each value, int64 of shape (n,); values between two bins go to the nearer one."""
        last = self.starts[1:-1] - 1
        lower, upper = self.knots[last], self.knots[last + 1]
        borders = lower + (upper - lower) / 2 if self.knots.dtype.kind == "f" else lower + (upper - lower) // 2
        return np.searchsorted(borders, values, side="left").astype(np.int64)

    def decode(self, bins: IntArray, rng: np.random.Generator) -> FloatArray | IntArray:
        """Draw a value for each bin, shape (n,), with the dtype of the knots (not yet on the column's lattice)."""
        ends = np.cumsum(self.weights)
        begins = ends - self.weights
        low, high = begins[self.starts[bins]], ends[self.starts[bins + 1] - 1]
        knot = np.searchsorted(ends, low + rng.random(len(bins)) * (high - low), side="right")
        knot = np.clip(knot, self.starts[bins], self.starts[bins + 1] - 1)
        neighbour = knot + rng.choice(np.array([-1, 1]), size=len(bins))
        neighbour = np.clip(neighbour, self.starts[bins], self.starts[bins + 1] - 1)
        shift = rng.random(len(bins)) / 2 * (self.knots[neighbour] - self.knots[knot])
        return self.knots[knot] + np.round(shift).astype(np.int64) if self.knots.dtype.kind == "i" else self.knots[knot] + shift

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "dtype": str(self.knots.dtype),
            "knots": self.knots.tolist(),
            "weights": self.weights.tolist(),
            "starts": self.starts.tolist(),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> QuantileBins:
        """Rebuild the bins from :meth:`to_dict`."""
        return cls(
            np.asarray(state["knots"], dtype=state["dtype"]),
            np.asarray(state["weights"], dtype=np.float64),
            np.asarray(state["starts"], dtype=np.int64),
        )


def _cut(weights: FloatArray, max_bins: int) -> IntArray:
    """First knot of each bin (and the end) for about equal weights; heavy knots stand alone."""
    share = weights / weights.sum()
    middle = np.cumsum(share) - share / 2
    quantile = np.minimum((middle * max_bins).astype(np.int64), max_bins - 1)
    heavy = share >= 1 / max_bins
    begins = np.ones(len(weights), dtype=bool)
    begins[1:] = (np.diff(quantile) > 0) | heavy[1:] | heavy[:-1]
    return np.append(np.flatnonzero(begins), len(weights)).astype(np.int64)


def _spread(start: int, stop: int, most: int) -> IntArray:
    """At most `most` indices spread evenly over ``[start, stop)``."""
    count = stop - start
    if count <= most:
        return np.arange(start, stop, dtype=np.int64)
    return start + np.linspace(0, count - 1, most).round().astype(np.int64)
