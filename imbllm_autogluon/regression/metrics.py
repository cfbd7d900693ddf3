"""Errors of a regression over all targets and over many-, medium- and few-shot ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import SHOTS, TargetBins, shots

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray

# Smallest error in a geometric mean, in deviations of the true targets: an exact prediction would make it 0
_LEAST_ERROR = 1e-6


def geometric_mean_error(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, *, least: float | None = None) -> float:
    """Geometric mean of the absolute errors (Yang et al. 2021, section 4), in the target's unit; 0 is best.

    Parameters
    ----------
    y_true, y_pred
        True and predicted targets, shape (n,), n at least 1, finite.
    least
        Errors below it count as this much; None: 1e-6 standard deviations of `y_true`, or 1e-6 where those are equal.

    Raises
    ------
    InvalidInputError
        The shapes differ, there are no rows, or a value is not finite.

    Examples
    --------
    >>> round(geometric_mean_error([0.0, 10.0], [1.0, 6.0]), 9)
    2.0
    """
    return _geometric_mean(_errors(y_true, y_pred), _least_error(y_true) if least is None else least)


def shot_metrics(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, bins: TargetBins, training_counts: npt.ArrayLike
) -> pd.DataFrame:
    """Errors over all rows and over those whose bin has many, medium or few training rows.

    Parameters
    ----------
    y_true, y_pred
        True and predicted targets of unseen rows, shape (n,).
    training_counts
        Training rows of each bin, shape (n_bins,): ``bins.counts(y_train)``.

    Returns
    -------
    pandas.DataFrame
        Rows ``all``, ``many``, ``medium``, ``few``; columns ``MAE``, ``MSE``, ``GM`` (NaN without rows) and ``n``.

    Raises
    ------
    InvalidInputError
        The shapes differ, there are no rows, a value is not finite, or the counts are not those of the bins.
    """
    n_counts = len(np.asarray(training_counts))
    if n_counts != len(bins):
        raise InvalidInputError(
            f"training_counts must hold one count for each of the {len(bins)} bins; got {n_counts}: use "
            "bins.counts(y_train)."
        )
    errors, group = _errors(y_true, y_pred), shots(training_counts)[bins.assign(y_true)]
    parts = [errors, *(errors[group == shot] for shot in SHOTS)]
    return pd.DataFrame([_summary(part, _least_error(y_true)) for part in parts], index=["all", *SHOTS])


def _summary(errors: FloatArray, least: float) -> dict[str, float]:
    if not len(errors):
        return {"MAE": np.nan, "MSE": np.nan, "GM": np.nan, "n": 0}
    mean, square = float(errors.mean()), float((errors**2).mean())
    return {"MAE": mean, "MSE": square, "GM": _geometric_mean(errors, least), "n": len(errors)}


def _geometric_mean(errors: FloatArray, least: float) -> float:
    return float(np.exp(np.log(np.maximum(errors, least)).mean()))


def _least_error(y_true: npt.ArrayLike) -> float:
    return _LEAST_ERROR * (float(np.std(np.asarray(y_true, dtype=np.float64))) or 1.0)


def _errors(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> FloatArray:
    """Absolute errors, shape (n,)."""
    true, predicted = np.asarray(y_true, dtype=np.float64), np.asarray(y_pred, dtype=np.float64)
    if true.shape != predicted.shape or true.ndim != 1 or not len(true):
        raise InvalidInputError(
            f"true and predicted targets must have one shape (n,) with n of at least 1; got {true.shape} and "
            f"{predicted.shape}: pass one-dimensional arrays of the same rows."
        )
    errors = np.abs(true - predicted)
    if not np.isfinite(errors).all():
        row = int(np.flatnonzero(~np.isfinite(errors))[0])
        raise InvalidInputError(
            f"true and predicted targets must be finite; got {true[row]} and {predicted[row]} in row {row}: drop such "
            "rows, or find out why the model predicts them."
        )
    return errors
