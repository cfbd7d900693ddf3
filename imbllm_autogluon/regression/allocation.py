"""How many synthetic features each bin of the target gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import AllocationConfig


def bin_errors(errors: FloatArray, assigned: IntArray, n_bins: int) -> FloatArray:
    """Mean error of each bin over the largest of them, shape (n_bins,); 0 for empty bins.

    Parameters
    ----------
    errors
        Absolute error of each row, shape (n,).
    assigned
        Bin of each row, shape (n,).
    n_bins
        Number of bins.
    """
    counts = np.bincount(assigned, minlength=n_bins)
    means: FloatArray = np.bincount(assigned, weights=errors, minlength=n_bins) / np.maximum(counts, 1)
    return means / means.max() if means.max() > 0 else means


def priorities(errors: FloatArray, counts: IntArray, error_weight: float) -> FloatArray:
    """Share of the synthetic features that each bin gets (LatentDiff, arXiv 2509.23240).

    ``P(b) ∝ λ err_b + (1 - λ) (1 - n_b / max n)``; a bin without rows gets none, since there neither its error nor the
    features that belong to it are known (our choice).

    Parameters
    ----------
    errors
        Normalised error of each bin, within [0, 1], shape (n_bins,).
    counts
        Rows of each bin, shape (n_bins,).
    error_weight
        λ, within [0, 1].

    Returns
    -------
    ndarray of shape (n_bins,)
        Adds up to 1.

    Examples
    --------
    >>> priorities(np.array([0.2, 1.0, 0.0]), np.array([90, 10, 0]), 0.5).round(3).tolist()
    [0.096, 0.904, 0.0]
    """
    scarcity = 1.0 - counts / counts.max()
    return _shares(np.where(counts > 0, error_weight * errors + (1 - error_weight) * scarcity, 0.0), counts)


def _shares(raw: FloatArray, counts: IntArray) -> FloatArray:
    """Adding up to 1; evenly over filled bins where nothing stands out, such as bins of one size with λ = 0."""
    if raw.sum() <= 0:
        raw = (counts > 0).astype(float)
    shares: FloatArray = raw / raw.sum()
    return shares


def largest_remainder(shares: FloatArray, total: int) -> IntArray:
    """Whole numbers that add up to `total` and are as near to the shares as possible.

    Examples
    --------
    >>> largest_remainder(np.array([0.5, 0.3, 0.2]), 7).tolist()
    [4, 2, 1]
    """
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    # A stable sort: of equal remainders the lower bin comes first.
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return counts


def allocate(errors: FloatArray, counts: IntArray, config: AllocationConfig, ratio: float | None = None) -> IntArray:
    """Synthetic features of each bin, `ratio` times the real rows in all, shape (n_bins,).

    Parameters
    ----------
    errors
        Normalised error of each bin, see :func:`bin_errors`, shape (n_bins,).
    counts
        Real rows of each bin, shape (n_bins,).
    config
        λ and the kind of allocation.
    ratio
        Default: that of the configuration, or 0.2 where that is `auto`.
    """
    total = round((config.fixed_ratio if ratio is None else ratio) * int(counts.sum()))
    if config.allocation == "uniform":
        return largest_remainder(_shares(np.zeros(len(counts)), counts), total)
    return largest_remainder(priorities(errors, counts, config.error_weight), total)
