"""Weights of classes in a loss, and repeated rows of rarer classes up to a cap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray


def class_weights(counts: IntArray, weighting: Literal["none", "effective", "inverse"], beta: float) -> FloatArray:
    """Weight of each class, so that the mean weight of all rows is 1.

    Parameters
    ----------
    counts
        Rows of each class, shape (k,); a class without rows gets the weight 0.
    weighting
        ``"effective"``: ``(1 - beta) / (1 - beta ** n)``, the inverse of the effective number of rows (Cui et al. 2019,
        equation 2); ``"inverse"``: ``1 / n``; ``"none"``: 1.
    beta
        0 up to but not 1; only ``"effective"`` reads it.

    Returns
    -------
    numpy.ndarray of shape (k,), float64

    Examples
    --------
    >>> class_weights(np.array([90, 10]), "inverse", 0.0).round(3).tolist()
    [0.556, 5.0]
    """
    rows = counts.astype(np.float64)
    weights = np.ones(len(rows))
    if weighting == "effective":
        # -expm1(n log beta) keeps the digits of 1 - beta ** n where beta is near 1.
        effective = -np.expm1(rows * np.log(beta)) if beta > 0 else np.ones(len(rows))
        weights = np.divide(1.0 - beta, effective, out=np.zeros(len(rows)), where=rows > 0)
    elif weighting == "inverse":
        weights = np.divide(1.0, rows, out=np.zeros(len(rows)), where=rows > 0)
    weights = np.where(rows > 0, weights, 0.0)
    scaled: FloatArray = weights * rows.sum() / (weights * rows).sum()
    return scaled


def repeated_rows(codes: IntArray, cap: float, rng: np.random.Generator) -> IntArray:
    """Positions of rows to learn in addition, so that the largest class has at most `cap` times any other's rows.

    Parameters
    ----------
    codes
        Class of each row, shape (n,).
    cap
        Largest class over any other afterwards, 1 or more.
    rng
        Source of the choice: every row of a class is repeated as often as any other, give or take one.
    """
    counts = np.bincount(codes)
    wanted = np.ceil(counts.max() / cap).astype(np.int64)
    added = [_drawn(np.flatnonzero(codes == code), wanted - n, rng) for code, n in enumerate(counts) if 0 < n < wanted]
    return np.concatenate([np.empty(0, dtype=np.int64), *added])


def _drawn(rows: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Draw `n` of the rows, all of them before any again."""
    rounds = -(-n // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:n]
