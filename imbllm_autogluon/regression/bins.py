"""Bins of a continuous target, fixed on training targets: their shots, and how many synthetic rows each gets."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from imbllm_autogluon._config import require_choice, require_number
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import AllocationConfig

_BinKind = Literal["equal_width", "quantile", "unit"]
SHOTS: tuple[Literal["many", "medium", "few"], ...] = ("many", "medium", "few")
MANY_ABOVE = 100  # bins with more training rows than this are many-shot (Yang et al. 2021, section 4)
FEW_BELOW = 20  # bins with fewer training rows than this are few-shot (Yang et al. 2021, section 4)
_MOST_BINS = 10_000  # bins at most: a target with more units is not to be binned by unit


@dataclass(frozen=True, eq=False)
class TargetBins:
    """Intervals that cover the real line: the first and the last also hold what lies beyond the training targets.

    Examples
    --------
    >>> bins = TargetBins.fit(np.array([0.0, 1.0, 1.5, 10.0]), n_bins=2)
    >>> bins.edges.tolist(), bins.centres.tolist(), bins.assign(np.array([-3.0, 4.9, 5.0, 99.0])).tolist()
    ([0.0, 5.0, 10.0], [2.5, 7.5], [0, 0, 1, 1])
    """

    # Increasing, shape (n_bins + 1,), in the unit of the target; bin b is `edges[b] <= y < edges[b + 1]`
    edges: FloatArray

    @classmethod
    def fit(cls, y: npt.ArrayLike, n_bins: int = 20, kind: _BinKind = "equal_width") -> TargetBins:
        """Lay edges from training targets (n,); test targets never move them.

        Parameters
        ----------
        n_bins
            Bins wanted, 1 to 10,000; ``"quantile"`` lays fewer where targets repeat, ``"unit"`` does not read it.
        kind
            ``"equal_width"`` between the lowest and the highest target; ``"quantile"`` for about equal counts;
            ``"unit"`` for one bin around each whole number, as for ages in years.

        Raises
        ------
        InvalidInputError
            A target is missing or infinite, all are equal, or there would be too many bins.
        """
        require_choice("kind", kind, get_args(_BinKind))
        require_number("n_bins", n_bins, 1, _MOST_BINS, whole=True)
        targets = checked_targets(y)
        if kind == "unit":
            return cls(_unit_edges(targets))
        if kind == "quantile":
            # Targets themselves, each the first of its bin: interpolated edges round to either side of equal ones.
            places = np.linspace(0, len(targets), n_bins + 1).round().astype(np.int64)
            return cls(np.unique(np.sort(targets)[np.minimum(places, len(targets) - 1)]))
        return cls(np.unique(np.linspace(targets.min(), targets.max(), n_bins + 1)))

    def __len__(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def centres(self) -> FloatArray:
        """Middle of each bin, shape (n_bins,)."""
        return np.asarray(self.edges[:-1] + np.diff(self.edges) / 2)

    def assign(self, y: npt.ArrayLike) -> IntArray:
        """Bin of each target, 0 to n_bins - 1, shape (n,); targets beyond the edges belong to the outer bins."""
        return np.searchsorted(self.edges[1:-1], np.asarray(y, dtype=np.float64), side="right").astype(np.int64)

    def counts(self, y: npt.ArrayLike) -> IntArray:
        """Targets in each bin, shape (n_bins,)."""
        return np.bincount(self.assign(y), minlength=len(self)).astype(np.int64)

    def relative_errors(self, y: npt.ArrayLike, errors: FloatArray) -> FloatArray:
        """Mean of the absolute errors (n,) of each bin over the largest mean, shape (n_bins,); 0 for empty bins."""
        sums = np.bincount(self.assign(y), weights=errors, minlength=len(self))
        means: FloatArray = sums / np.maximum(self.counts(y), 1)
        return means / means.max() if means.max() > 0 else means

    def scaled(self, centre: float, scale: float) -> TargetBins:
        """Return the same bins for targets ``(y - centre) / scale``, scale > 0."""
        return TargetBins((self.edges - centre) / scale)

    def counts_by_priority(
        self, y: npt.ArrayLike, config: AllocationConfig, errors: FloatArray | None = None
    ) -> dict[int, int]:
        """New rows by bin for real targets (n,), where any, by :func:`allocate`; without errors scarcity decides."""
        sizes = self.counts(y)
        wanted = allocate(np.zeros(len(self)) if errors is None else errors, sizes, config)
        return {number: int(n) for number, n in enumerate(wanted) if n}

    def describe(self, y: npt.ArrayLike) -> pd.DataFrame:
        """Bins to be printed: a row each, with edges (from, to), centre, rows of `y` in it (n) and its shots."""
        counts, ends = self.counts(y), {"from": self.edges[:-1], "to": self.edges[1:]}
        return pd.DataFrame({**ends, "centre": self.centres, "n": counts, "shots": shots(counts)}).rename_axis("bin")


def shots(counts: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Say of each bin whether it has many (> 100), medium (20 to 100) or few (< 20) training rows; none is few.

    Examples
    --------
    >>> shots([101, 100, 20, 19, 0]).tolist()
    ['many', 'medium', 'medium', 'few', 'few']
    """
    rows = np.asarray(counts)
    return np.where(rows > MANY_ABOVE, "many", np.where(rows < FEW_BELOW, "few", "medium"))


def checked_targets(y: npt.ArrayLike) -> FloatArray:
    """Targets as float64 of shape (n,); refuses none, missing or infinite ones, and all equal ones."""
    targets = np.asarray(y, dtype=np.float64).reshape(-1)
    bad = np.flatnonzero(~np.isfinite(targets))
    if len(bad):
        raise InvalidInputError(
            f"the target must be finite in every row; got {targets[bad[0]]} in row {bad[0]} and {len(bad)} such rows "
            "in all: drop these rows."
        )
    if not len(targets) or targets.min() == targets.max():
        got = f"{targets[0]} in all {len(targets)} rows" if len(targets) else "no rows"
        raise InvalidInputError(f"the target must have at least 2 distinct values; got {got}: check the column.")
    # Halves, whose difference cannot overflow.
    if targets.max() / 2 - targets.min() / 2 > np.finfo(np.float64).max / 2:
        raise InvalidInputError(
            f"the target's range must be a finite float64; got {targets.min()} to {targets.max()}: divide the target."
        )
    return targets


def targets_of(X: pd.DataFrame, y: pd.Series) -> FloatArray:
    """Targets of a table as float64, shape (n,); refuses other lengths and dtypes, and bad targets."""
    if len(X) != len(y):
        raise InvalidInputError(f"X and y must have the same number of rows; got {len(X)} and {len(y)}.")
    if not pd.api.types.is_numeric_dtype(y.dtype) or pd.api.types.is_bool_dtype(y.dtype):
        raise InvalidInputError(f"the target must be a number; got dtype {y.dtype}. Convert it with pd.to_numeric.")
    return checked_targets(y.to_numpy(dtype=np.float64, na_value=np.nan))


def checked_counts(counts: Mapping[int, int], n_bins: int) -> dict[int, int]:
    """New rows by number of the bin, in the order of the bins; refuses none, other bins, and counts below 0."""
    if not counts:
        raise InvalidInputError(f"counts is empty; name at least one of the bins 0 to {n_bins - 1}.")
    for number, n in counts.items():
        if not isinstance(number, numbers.Integral) or not 0 <= number < n_bins:
            raise InvalidInputError(f"counts name the bin {number!r}; the bins are 0 to {n_bins - 1}.")
        if not isinstance(n, numbers.Integral) or n < 0:
            raise InvalidInputError(f"counts ask for {n!r} rows of bin {number}; a count must be 0, 1, 2, ...")
    return {int(number): int(counts[number]) for number in sorted(counts)}


def allocate(errors: FloatArray, counts: IntArray, config: AllocationConfig, ratio: float | None = None) -> IntArray:
    """Synthetic rows or features of each bin, `ratio` times the real rows in all, shape (n_bins,).

    The shares are ``P(b) ∝ λ err_b + (1 - λ) (1 - n_b / max n)`` (LatentDiff, arXiv 2509.23240) of the relative errors
    and the real rows of bins, each (n_bins,); a bin without rows gets none, since neither its error nor its features
    are known (our choice). Without a ratio the fixed one of the configuration holds.
    """
    total = round((config.fixed_ratio if ratio is None else ratio) * int(counts.sum()))
    weight, filled = config.error_weight, counts > 0
    raw = np.where(filled, weight * errors + (1 - weight) * (1.0 - counts / counts.max()), 0.0)
    # Evenly where nothing stands out, such as bins of one size with λ = 0.
    if config.allocation == "uniform" or raw.sum() <= 0:
        raw = filled.astype(float)
    return largest_remainder(raw / raw.sum(), total)


def largest_remainder(shares: FloatArray, total: int) -> IntArray:
    """Whole numbers that add up to `total` and are as near to the shares as possible."""
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    # A stable sort: of equal remainders the lower bin comes first.
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return counts


def _unit_edges(targets: FloatArray) -> FloatArray:
    """Edges half a unit below and above each whole number, so that centres are whole."""
    low, high = np.floor(targets.min() + 0.5), np.floor(targets.max() + 0.5)
    if high - low + 1 > _MOST_BINS:
        raise InvalidInputError(
            f"bins of one unit would be {high - low + 1:.0f}; at most {_MOST_BINS} are allowed: "
            "use kind='equal_width', or divide the target."
        )
    return np.asarray(np.arange(low, high + 2) - 0.5, dtype=np.float64)
