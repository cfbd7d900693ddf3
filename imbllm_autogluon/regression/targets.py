"""Targets of a regression as they enter and leave a method that makes rows."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.allocation import allocate
from imbllm_autogluon.regression.bins import checked_targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.bins import TargetBins
    from imbllm_autogluon.regression.config import AllocationConfig


def targets_of(X: pd.DataFrame, y: pd.Series) -> FloatArray:
    """Targets as float64, shape (n,).

    Raises
    ------
    InvalidInputError
        Lengths differ, a target is missing, infinite or no number, or all are equal.
    """
    if len(X) != len(y):
        raise InvalidInputError(f"X and y must have the same number of rows; got {len(X)} and {len(y)}.")
    if not pd.api.types.is_numeric_dtype(y.dtype) or pd.api.types.is_bool_dtype(y.dtype):
        raise InvalidInputError(f"the target must be a number; got dtype {y.dtype}. Convert it with pd.to_numeric.")
    return checked_targets(y.to_numpy(dtype=np.float64, na_value=np.nan))


def checked_counts(counts: Mapping[int, int], n_bins: int) -> dict[int, int]:
    """New rows by number of the bin, in the order of the bins.

    Raises
    ------
    InvalidInputError
        There are none, a bin is not among 0 .. n_bins - 1, or a count is no whole number of at least 0.
    """
    if not counts:
        raise InvalidInputError(f"counts is empty; name at least one of the bins 0 to {n_bins - 1}.")
    for number, n in counts.items():
        if not isinstance(number, numbers.Integral) or not 0 <= number < n_bins:
            raise InvalidInputError(f"counts name the bin {number!r}; the bins are 0 to {n_bins - 1}.")
        if not isinstance(n, numbers.Integral) or n < 0:
            raise InvalidInputError(f"counts ask for {n!r} rows of bin {number}; a count must be 0, 1, 2, ...")
    return {int(number): int(counts[number]) for number in sorted(counts)}


def as_target(values: FloatArray, y: pd.Series) -> pd.Series:
    """New targets under the name of `y`: whole only where its dtype is, otherwise never rounded.

    Parameters
    ----------
    values
        Float64, shape (n,).
    y
        The real targets.

    Examples
    --------
    >>> as_target(np.array([1.5, 2.7]), pd.Series([1, 3])).tolist()
    [2, 3]
    >>> as_target(np.array([1.5, 2.7]), pd.Series([1.0, 3.0])).tolist()
    [1.5, 2.7]
    """
    whole = pd.api.types.is_integer_dtype(y.dtype)
    return pd.Series(np.rint(values) if whole else values, name=y.name).astype(y.dtype)


def counts_by_priority(
    y: FloatArray, bins: TargetBins, config: AllocationConfig, errors: FloatArray | None = None
) -> dict[int, int]:
    """New rows of each bin, by the same priority as synthetic features of LatentDiff get.

    Parameters
    ----------
    y
        Real targets, shape (n,).
    bins
        Bins of the target.
    config
        λ, the ratio and the kind of allocation.
    errors
        Normalised error of a model in each bin, shape (n_bins,); None: only scarcity counts, whatever λ is.

    Returns
    -------
    dict
        By number of the bin; bins that get none are left out, and so are those without real rows.
    """
    sizes = bins.counts(y)
    wanted = allocate(np.zeros(len(sizes)) if errors is None else errors, sizes, config)
    return {number: int(n) for number, n in enumerate(wanted) if n}
