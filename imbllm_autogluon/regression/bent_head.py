"""A head that bends: linear in the features, and piecewise linear in what the encoder's own head predicts.

Rare targets are predicted too near to the common ones. A linear head that moves its highest predictions up moves all of
them; one with bends moves those beyond a bend alone, so that common targets keep their predictions. The paper's
head is linear (LatentDiff, arXiv 2509.23240); the bends are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imbllm_autogluon.regression.head import Head, retrained

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.config import MethodConfig


BENDS = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)
"""Where the head may bend, in deviations of the target from its mean; with twice as many, errors were the same."""


class BentHead(NamedTuple):
    """Prediction ``whole.predict([features, bends of start.predict(features)])``.

    Examples
    --------
    >>> start = Head(np.array([1.0]), 0.0)
    >>> head = BentHead(start, Head(np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]), 0.0))
    >>> head.predict(np.array([[0.5], [1.5]])).tolist()
    [0.5, 2.0]
    """

    start: Head
    """The encoder's own head."""
    whole: Head
    """On the features and the bends."""

    def predict(self, features: FloatArray) -> FloatArray:
        """Predictions of features (n, d), shape (n,)."""
        return self.whole.predict(_with_bends(features, self.start))


def retrained_head(
    start: Head, features: FloatArray, targets: FloatArray, row_weights: FloatArray, config: MethodConfig
) -> Head | BentHead:
    """Train the head of a method anew; see :func:`~imbllm_autogluon.regression.head.retrained`.

    Parameters
    ----------
    start
        The encoder's own head, to which the new one is drawn; bends are drawn to none.
    features
        Real and synthetic, standardised, shape (n, d).
    targets
        Standardised, shape (n,).
    row_weights
        At least 0, not all 0, shape (n,).
    config
        `head`, `head_loss` and `head_shrinkage`.
    """
    loss, shrinkage = config.head_loss, config.head_shrinkage
    if config.head == "linear":
        return retrained(start, features, targets, row_weights, shrinkage, loss)
    straight = Head(np.concatenate([start.weights, np.zeros(len(BENDS))]), start.intercept)
    wide = _with_bends(features, start)
    return BentHead(start, retrained(straight, wide, targets, row_weights, shrinkage, loss))


def _with_bends(features: FloatArray, start: Head) -> FloatArray:
    """Features, then how far the prediction lies beyond each bend, away from the mean; shape (n, d + 6)."""
    bends = np.asarray(BENDS)
    beyond = np.maximum(np.sign(bends) * (start.predict(features)[:, None] - bends), 0.0)
    return np.concatenate([features, beyond], axis=1)
