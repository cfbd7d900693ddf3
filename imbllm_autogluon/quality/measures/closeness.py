"""Closeness: whether written rows are as near to real ones as real rows are, and no nearer to those learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, INTERPOLATED, REAL
from imbllm_autogluon.quality.measures.measure import Finding, chance
from imbllm_autogluon.quality.measures.nearest import Nearest, nearest

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.class_distances import ClassDistances

QUANTILE = 0.95
"""Share of real rows that are near to another real one."""

NO_HOLDOUT = "There are no hold-out rows of the class."
LONE_ROW = "The class has one real row only."


def close_probability(to_real: FloatArray, real_to_real: FloatArray, quantile: float = QUANTILE) -> float:
    """Share of rows no farther from their nearest real row than most real rows are.

    Parameters
    ----------
    to_real
        Distance of each written row to its nearest real row, shape (m,).
    real_to_real
        Distance of each real row to the nearest other one, shape (n,), among as many rows.
    quantile
        Of `real_to_real`, that is the threshold.

    Returns
    -------
    float
        From 0 to 1; real rows drawn anew reach `quantile`.

    Examples
    --------
    >>> close_probability(np.array([0.0, 1.0, 5.0, 9.0]), np.array([1.0, 1.0, 6.0]), quantile=1.0)
    0.75
    """
    return float((to_real <= np.quantile(real_to_real, quantile)).mean())


def nearer_share(to_large: Nearest, n_small: int, n_large: int) -> float:
    """Share of rows nearer to one of `n_small` rows of a larger table than to the rows of a table of `n_small`.

    The larger table has more rows near by for its size alone. So `n_small` of its rows are drawn, and the result is the
    mean over all draws, by the hypergeometric law; ties count half.

    Parameters
    ----------
    to_large
        Of each query in the larger table, with its distance to the smaller one as limit.
    n_small, n_large
        Rows of the tables.

    Returns
    -------
    float
        From 0 to 1; 0.5 for tables of one source.

    Examples
    --------
    One row of two of the larger table is nearer, the other farther: half of the draws of one row are nearer.

    >>> one = np.array([1])
    >>> nearer_share(Nearest(one * 0.5, one * 0, closer=one, tied=one * 0), n_small=1, n_large=2)
    0.5
    """
    farther = _none_drawn(to_large.closer, n_small, n_large)
    strictly = _none_drawn(to_large.closer + to_large.tied, n_small, n_large)
    return float(np.mean(1.0 - farther + (farther - strictly) / 2.0))


def closeness(found: ClassDistances) -> dict[str, Finding]:
    """Close probability, both medians of the distance to the closest record, and the share nearer to train."""
    return {
        "close probability": _close(found),
        "DCR to train (median)": _typical(found.to_real.distance, found.real_to_real, LONE_ROW),
        "DCR to hold-out (median)": (
            Finding(None, NO_HOLDOUT)
            if found.to_holdout is None or found.real_to_holdout is None
            else _typical(found.to_holdout.distance, found.real_to_holdout, "")
        ),
        "nearer to train than to hold-out": _nearer_to_train(found),
        "low-density interpolations": _low_density(found),
    }


def _close(found: ClassDistances) -> Finding:
    if found.to_holdout is not None and found.real_to_holdout is not None:
        note = f"Against {len(found.points[HOLDOUT])} hold-out rows."
        ends = _close_ends(found, len(found.points[HOLDOUT]))
        return Finding(close_probability(found.to_holdout.distance, found.real_to_holdout), note, ends)
    if len(found.points[REAL]) < 2:
        return Finding(None, LONE_ROW)
    note = "No hold-out rows: measured against the training rows, which copies are close to, too."
    ends = _close_ends(found, len(found.points[REAL]))
    return Finding(close_probability(found.to_real.distance, found.real_to_real), note, ends)


def _close_ends(found: ClassDistances, n_near: int) -> tuple[float, float]:
    """Threshold and share are both off by chance, hence half of the rows count."""
    fewest = min(n_near, len(found.real_to_real), len(found.to_real.distance))
    return QUANTILE - max(0.05, chance(QUANTILE, fewest / 2)), 1.0


def _typical(distances: FloatArray, usual: FloatArray, otherwise: str) -> Finding:
    """Median distance beside the middle half of the usual ones."""
    if not np.isfinite(usual).all():
        return Finding(float(np.median(distances)), otherwise)
    low, middle, high = np.quantile(usual, [0.25, 0.5, 0.75]).tolist()
    return Finding(float(np.median(distances)), acceptable=(low, high), best=middle)


def _nearer_to_train(found: ClassDistances) -> Finding:
    if found.to_holdout is None:
        return Finding(None, NO_HOLDOUT)
    n_real, n_holdout = len(found.points[REAL]), len(found.points[HOLDOUT])
    if n_holdout <= n_real:
        value = nearer_share(found.to_real, n_holdout, n_real)
    else:
        value = 1.0 - nearer_share(found.to_holdout, n_real, n_holdout)
    fewer = min(n_real, n_holdout)
    note = "" if n_real == n_holdout else f"Both taken as {fewer} rows: the mean over all draws from the larger table."
    return Finding(value, note, (0.0, 0.5 + max(0.1, chance(0.5, min(fewer, len(found.to_real.distance))))))


def _low_density(found: ClassDistances) -> Finding:
    if INTERPOLATED not in found.points:
        return Finding(None, "No interpolated rows of the class were given.")
    if len(found.points[REAL]) < 2:
        return Finding(None, LONE_ROW)
    away = nearest(found.sample(INTERPOLATED), found.points[REAL]).distance
    value = 1.0 - close_probability(away, found.real_to_real)
    return Finding(value, acceptable=(0.0, max(0.1, 0.05 + chance(0.05, len(away)))))


def _none_drawn(n_marked: IntArray, n_drawn: int, n: int) -> FloatArray:
    """Probability that none of the marked rows is among `n_drawn` of n rows."""
    from scipy.special import gammaln

    left = n - np.asarray(n_marked, dtype=np.float64)
    possible = left >= n_drawn
    kept = np.where(possible, left, n_drawn)
    logs = gammaln(kept + 1) - gammaln(kept - n_drawn + 1) - gammaln(n + 1) + gammaln(n - n_drawn + 1)
    return np.asarray(np.where(possible, np.exp(logs), 0.0))
