"""Weights of rows by how rare their targets are: LDS and DenseWeight. Their mean over the training rows is 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from imbllm_autogluon._config import require_choice, require_number
from imbllm_autogluon.regression.bins import checked_targets

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.bins import TargetBins


Reweighting = Literal["sqrt_inverse", "inverse"]

GRID = 4096
"""Cells of the grid on which densities are estimated; a row's density is that of its cell."""

BANDWIDTHS = 5
"""How many bandwidths the grid goes on beyond the lowest and the highest target: less than 1e-6 of a kernel is cut."""

NARROWEST = 0.5
"""Cells of a bandwidth at least: a narrower kernel would fall between the cells of the grid."""


def gaussian_window(size: int, sigma: float) -> FloatArray:
    """Gaussian over neighbouring bins, of sum 1, shape (size,).

    Parameters
    ----------
    size
        Bins that are smoothed over, an odd number from 1 on.
    sigma
        Standard deviation in bins, above 0.

    Examples
    --------
    >>> gaussian_window(3, 1.0).round(3).tolist()
    [0.274, 0.452, 0.274]
    """
    require_number("size", size, 1, whole=True)
    require_number("(size - 1) / 2", (size - 1) / 2, 0, whole=True)
    require_number("sigma", sigma, 1e-6)
    offsets = np.arange(size) - size // 2
    window = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(window / window.sum())


def lds_weights(
    y: npt.ArrayLike, bins: TargetBins, kind: Reweighting = "sqrt_inverse", size: int = 5, sigma: float = 2.0
) -> FloatArray:
    """Label distribution smoothing: the inverse of how frequent a target's bin and its neighbours are.

    Parameters
    ----------
    y
        Training targets, shape (n,).
    bins
        Bins of the target.
    kind
        ``"inverse"`` of the counts, or of their square roots, which the authors recommend for skewed targets.
    size, sigma
        Window over neighbouring bins, see :func:`gaussian_window`; 5 and 2 are the authors'.

    Returns
    -------
    numpy.ndarray of shape (n,), float64, mean 1

    References
    ----------
    Yang et al. 2021, "Delving into Deep Imbalanced Regression", section 3.1. As in the authors' code the root is taken
    first and smoothed afterwards.
    """
    from scipy.ndimage import convolve1d

    require_choice("kind", kind, get_args(Reweighting))
    window = gaussian_window(size, sigma)
    counts = bins.counts(y).astype(np.float64)
    effective = convolve1d(np.sqrt(counts) if kind == "sqrt_inverse" else counts, window, mode="constant")
    weights = 1.0 / effective[bins.assign(y)]
    return np.asarray(weights / weights.mean())


def dense_weights(y: npt.ArrayLike, alpha: float = 1.0, floor: float = 1e-3) -> FloatArray:
    """DenseWeight: weights fall linearly with the density of the target.

    Parameters
    ----------
    y
        Training targets, shape (n,), finite and not all equal.
    alpha
        How strongly, 0 (all weights are 1) or more; the authors study 0 to 2.
    floor
        Smallest weight before scaling to mean 1, 1e-6 to 1: ``max(1 - alpha * density, floor)``, densities scaled to
        0 .. 1. The authors use 1e-6.

    Returns
    -------
    numpy.ndarray of shape (n,), float64, mean 1

    References
    ----------
    Steininger et al. 2021, "Density-based weighting for imbalanced regression", equations 2 to 5.
    """
    require_number("alpha", alpha, 0.0)
    require_number("floor", floor, 1e-6, 1.0)
    density = _densities(checked_targets(y))
    spread = density.max() - density.min()
    # Where all densities are equal no target is rare.
    rarity = (density - density.min()) / spread if spread > 0 else np.zeros(len(density))
    weights = np.maximum(1.0 - alpha * rarity, floor)
    return np.asarray(weights / weights.mean())


def _densities(targets: FloatArray) -> FloatArray:
    """Gaussian kernel density at each target, up to a factor, with Silverman's bandwidth."""
    from scipy.ndimage import gaussian_filter1d

    unit = (targets - targets.min()) / (targets.max() - targets.min())
    bandwidth = _silverman(unit)
    width = (1.0 + 2 * BANDWIDTHS * bandwidth) / GRID
    cells = ((unit + BANDWIDTHS * bandwidth) / width).astype(np.int64)
    counts = np.bincount(cells, minlength=GRID).astype(np.float64)
    return np.asarray(
        gaussian_filter1d(counts, max(NARROWEST, bandwidth / width), mode="constant", truncate=6.0)[cells]
    )


def _silverman(targets: FloatArray) -> float:
    """Silverman's rule of thumb; targets of which half are equal have no quartiles to go by."""
    lower, upper = np.quantile(targets, [0.25, 0.75])
    deviation, quartiles = float(targets.std()), float(upper - lower) / 1.34
    return float(0.9 * min(deviation, quartiles or deviation) * len(targets) ** -0.2)
