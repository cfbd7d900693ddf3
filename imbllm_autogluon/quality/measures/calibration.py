"""Whether probabilities mean what they say, and whether classes are predicted as often as they occur."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imbllm_autogluon.errors import InvalidInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BINS = 15
"""Equal bins of confidence, as in Guo et al. 2017."""

_ROUNDING = 1e-3
"""How far a row of probabilities may sum from one: a float16 model's rounding."""


def expected_calibration_error(probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = BINS) -> float:
    """Gap between the confidence of the predicted class and how often it is right (ECE; Guo et al. 2017, equation 3).

    Parameters
    ----------
    probabilities
        Of each class, shape (n, k), rows sum to one; two columns for two classes.
    labels
        Codes 0 … k - 1 of the true classes, shape (n,).
    bins
        Equal bins of confidence, closed above.

    Returns
    -------
    float
        From 0 to 1; 0 is best: among the predictions made with confidence 0.8, 80 % are right. It says nothing about
        how many are right, and of the classes only about the most likely one.

    Raises
    ------
    InvalidInputError
        Shapes, codes, probabilities or bins are none of these.

    Examples
    --------
    >>> round(expected_calibration_error([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]], [0, 1, 1]), 4)
    0.3333
    """
    shares = _checked_probabilities(probabilities)
    truth = _checked_codes("labels", labels, shares.shape[1], len(shares))
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise InvalidInputError(f"bins must be a whole number of at least 1; got {bins!r}.")
    confidence = shares.max(axis=1)
    surplus = confidence - (shares.argmax(axis=1) == truth)
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(places, weights=surplus, minlength=bins)).sum() / len(shares))


def class_share_gaps(
    predicted: npt.ArrayLike, true: npt.ArrayLike, n_classes: int, weights: npt.ArrayLike | None = None
) -> FloatArray:
    """Share of the predictions that name each class, minus the class's true share.

    A decoder that copies the class shares of its training rows predicts common classes too often and rare ones
    too seldom.

    Parameters
    ----------
    predicted, true
        Codes 0 … n_classes - 1, shape (n,).
    n_classes
        Classes, at least two.
    weights
        Weight of each row, shape (n,), not negative; None: all alike.

    Returns
    -------
    array of float64, shape (n_classes,)
        From -1 (never predicted, always true) over 0 (best) to 1; they sum to zero.

    Raises
    ------
    InvalidInputError
        Shapes, codes or weights are none of these.

    Examples
    --------
    >>> class_share_gaps([0, 0, 0, 1], [0, 0, 1, 1], 2).tolist()
    [0.25, -0.25]
    """
    if isinstance(n_classes, bool) or not isinstance(n_classes, (int, np.integer)) or n_classes < 2:
        raise InvalidInputError(f"n_classes must be a whole number of at least 2; got {n_classes!r}.")
    truth = _checked_codes("true", true, n_classes)
    guesses = _checked_codes("predicted", predicted, n_classes, len(truth))
    mass = _checked_weights(weights, len(truth))
    gaps = np.bincount(guesses, mass, n_classes) - np.bincount(truth, mass, n_classes)
    return np.asarray(gaps / mass.sum(), dtype=np.float64)


def largest_share_gap(
    predicted: npt.ArrayLike, true: npt.ArrayLike, n_classes: int, weights: npt.ArrayLike | None = None
) -> float:
    """Return the largest absolute gap of :func:`class_share_gaps`: from 0 (best) to 1.

    Examples
    --------
    >>> largest_share_gap([0, 0, 0, 1], [0, 0, 1, 1], 2)
    0.25
    """
    return float(np.abs(class_share_gaps(predicted, true, n_classes, weights)).max())


def _checked_probabilities(probabilities: npt.ArrayLike) -> FloatArray:
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.ndim != 2 or not len(shares) or shares.shape[1] < 2:
        raise InvalidInputError(
            f"probabilities must have shape (n, k) with n >= 1 rows and k >= 2 classes; got {shares.shape}. "
            "For two classes give both columns: np.column_stack([1 - p, p])."
        )
    # NaN fails every comparison.
    inside = ((shares >= -_ROUNDING) & (shares <= 1 + _ROUNDING)).all(axis=1)
    wrong = ~(inside & (np.abs(shares.sum(axis=1) - 1) <= _ROUNDING))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidInputError(f"row {row} of the probabilities, {shares[row].tolist()}, is no distribution.")
    return shares


def _checked_codes(name: str, codes: npt.ArrayLike, n_classes: int, n: int | None = None) -> IntArray:
    found = np.asarray(codes)
    if found.ndim != 1 or not len(found) or (n is not None and len(found) != n):
        wanted = f"({n},)" if n is not None else "(n,) with n >= 1"
        raise InvalidInputError(f"{name} must have shape {wanted}; got {found.shape}.")
    if found.dtype.kind not in "iu":
        raise InvalidInputError(f"{name} must be whole numbers (codes of classes); got dtype {found.dtype}.")
    if found.min() < 0 or found.max() >= n_classes:
        raise InvalidInputError(f"{name} must lie in 0 … {n_classes - 1}; got {found.min()} … {found.max()}.")
    return found.astype(np.int64)


def _checked_weights(weights: npt.ArrayLike | None, n: int) -> FloatArray:
    if weights is None:
        return np.ones(n)
    mass = np.asarray(weights, dtype=np.float64)
    if mass.shape != (n,):
        raise InvalidInputError(f"weights must have shape ({n},); got {mass.shape}.")
    if not np.isfinite(mass).all() or (mass < 0).any() or mass.sum() <= 0:
        raise InvalidInputError("weights must be finite, none negative, and not all zero.")
    return mass
