"""How much of the real rows the synthetic ones reach: coverage, and how far their columns are off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray


NEIGHBOURS = 5
"""k of the balls around real rows, as in the paper of coverage."""

QUANTILES = 10
"""Bins of a number in :func:`marginal_distance`."""


def coverage(radii: FloatArray, nearest_synthetic: FloatArray) -> float:
    """Share of real rows whose ball holds a synthetic row (Naeem et al. 2020, equation 7).

    Parameters
    ----------
    radii
        Distance of each real row to its k-th nearest other real row, shape (n,).
    nearest_synthetic
        Distance of each real row to the nearest synthetic row, shape (n,).

    Returns
    -------
    float
        From 0 to 1; 1 is best. Real rows drawn anew reach about ``1 - 2**-k`` where they are as many.
    """
    return float((nearest_synthetic <= radii).mean())


def marginal_distance(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Mean over the columns of the total variation distance between real and synthetic values.

    Numbers and times are compared by the deciles of the real ones; a missing value is a value of its own.

    Returns
    -------
    float
        From 0 (the same shares everywhere) to 1 (nothing in common); lower is better. Two samples of n rows from
        one source are about ``0.4 * sqrt(bins / n)`` apart.
    """
    distances = [_total_variation(*_as_levels(real[name], synthetic[name])) for name in real.columns]
    return float(np.mean(distances))


def _as_levels(real: pd.Series, synthetic: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both columns as few text levels."""
    if not (pd.api.types.is_numeric_dtype(real) or pd.api.types.is_datetime64_any_dtype(real)):
        return real.astype(str), synthetic.astype(str)
    if pd.api.types.is_bool_dtype(real):
        return real.astype(str), synthetic.astype(str)
    edges = np.unique(real.dropna().quantile(np.linspace(0, 1, QUANTILES + 1)[1:-1], interpolation="nearest"))
    return _binned(real, edges), _binned(synthetic, edges)


def _binned(values: pd.Series, edges: npt.NDArray[np.generic]) -> pd.Series:
    binned = pd.Series(np.searchsorted(edges, values.to_numpy(edges.dtype, na_value=edges[0]), side="left"))
    return binned.astype(str).mask(values.isna().to_numpy(), "missing")


def _total_variation(real: pd.Series, synthetic: pd.Series) -> float:
    shares = pd.concat([real.value_counts(normalize=True), synthetic.value_counts(normalize=True)], axis=1).fillna(0)
    return float((shares.iloc[:, 0] - shares.iloc[:, 1]).abs().sum() / 2)
