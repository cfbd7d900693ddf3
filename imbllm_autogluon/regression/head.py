"""The linear head trained anew on real and synthetic features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray


ROUNDS = 15
"""Rounds of reweighting: predictions are then within 1e-5 deviations of those after 100 (California housing)."""

SMALL = 0.1
"""Errors below this, in deviations of the target, are not told apart: the smallest would outweigh all others."""


class Head(NamedTuple):
    """Prediction ``features @ weights + intercept``.

    Examples
    --------
    >>> Head(np.array([1.0, 2.0]), 0.5).predict(np.array([[1.0, 1.0]])).tolist()
    [3.5]
    """

    weights: FloatArray
    intercept: float

    def predict(self, features: FloatArray) -> FloatArray:
        """Predictions of features (n, d), shape (n,)."""
        predictions: FloatArray = features @ self.weights + self.intercept
        return predictions


def retrained(
    start: Head,
    features: FloatArray,
    targets: FloatArray,
    row_weights: FloatArray,
    shrinkage: float,
    loss: Literal["absolute", "squared"] = "squared",
) -> Head:
    """Head with the least mean loss, drawn towards the one it starts from.

    Absolute errors are minimised by squared ones, weighted anew by the inverse of the errors they left (iteratively
    reweighted least squares); errors below 0.1 deviations of the target count as squared ones do.

    Parameters
    ----------
    start
        Head of the encoder.
    features
        Real and synthetic, standardised, shape (n, d).
    targets
        Standardised, shape (n,).
    row_weights
        s, at least 0, not all 0, shape (n,).
    shrinkage
        0 for none.
    loss
        ``"squared"`` or ``"absolute"`` errors.
    """
    head = _least_squares(start, features, targets, row_weights, shrinkage)
    for _ in range(ROUNDS if loss == "absolute" else 0):
        errors = np.maximum(np.abs(targets - head.predict(features)), SMALL)
        head = _least_squares(start, features, targets, row_weights / errors, shrinkage)
    return head


def _least_squares(
    start: Head, features: FloatArray, targets: FloatArray, row_weights: FloatArray, shrinkage: float
) -> Head:
    """Head with the least mean squared error and change.

    Minimises ``Σ s (y - f w - b)² / Σ s + shrinkage |w - w_start|²``, of which the solution is known, so no steps and
    no seed are needed.
    """
    shares = row_weights / row_weights.sum()
    middle, residuals = shares @ features, targets - start.predict(features)
    centred, offset = features - middle, float(shares @ residuals)
    gram = (centred * shares[:, None]).T @ centred + shrinkage * np.eye(len(middle))
    # Least squares rather than a solution: without shrinkage, features without spread leave the matrix singular.
    change = np.linalg.lstsq(gram, (centred * shares[:, None]).T @ (residuals - offset), rcond=None)[0]
    return Head(start.weights + change, start.intercept + offset - float(middle @ change))
