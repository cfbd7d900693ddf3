"""How strongly each two columns of a table hang together, numbers and categories alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.quality.measures.pairs import FloatArray, IntArray, PairedColumn

MOST_LEVELS = 12
"""Levels told apart; the rarer ones count as one. Many levels of few rows look associated with everything."""

FEWEST_ROWS = 20
"""Rows that must have both values; of fewer nothing can be said."""


def associations(
    columns: Sequence[PairedColumn], weights: FloatArray | None = None, *, synthetic: bool = False
) -> FloatArray:
    """Strength of association of every two columns.

    Two numbers: the size of Spearman's rank correlation; a number and a category: the correlation ratio of ranks
    (Kelley's epsilon); two categories: Cramér's V (Bergsma 2013, equation 6). The latter two are corrected for what
    chance alone gives, so that tables of different sizes can be compared. Rows that lack one of the two are left out.

    Parameters
    ----------
    columns
        Of both tables.
    weights
        Of the rows, shape (n,).
    synthetic
        Whether the synthetic side is asked.

    Returns
    -------
    float64 array of shape (p, p)
        From 0 (none) to 1 (one tells the other); symmetric, 1 on the diagonal; 0 where a column is constant, and NaN
        where fewer than `FEWEST_ROWS` rows have both values.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.quality.measures.pairs import paired_columns
    >>> rows = pd.DataFrame({"a": range(40), "b": range(0, -40, -1), "c": ["x"] * 20 + ["y"] * 20})
    >>> associations(paired_columns(rows, rows)).round(2).tolist()
    [[1.0, 1.0, 0.86], [1.0, 1.0, 0.86], [0.86, 0.86, 1.0]]
    """
    sides = [column.synthetic if synthetic else column.real for column in columns]
    rows = [
        side if column.is_number else _few_levels(column, side) for column, side in zip(columns, sides, strict=True)
    ]
    weights = np.full(len(sides[0]), 1.0) if weights is None else weights
    found = np.eye(len(columns))
    for i in range(len(columns)):
        for j in range(i):
            known = ~np.isnan(rows[i]) & ~np.isnan(rows[j])
            kinds = (columns[i].is_number, columns[j].is_number)
            found[i, j] = found[j, i] = _pair(rows[i][known], rows[j][known], kinds, weights[known])
    return found


def _few_levels(column: PairedColumn, side: FloatArray) -> FloatArray:
    """Codes of the most frequent real levels; the others share one."""
    known = column.real[~np.isnan(column.real)].astype(np.int64)
    counts = np.bincount(known, minlength=1)
    kept = np.argsort(-counts, kind="stable")[: MOST_LEVELS - 1]
    places = np.full(int(max(len(counts) - 1, np.nan_to_num(side).max(initial=0))) + 1, float(len(kept)))
    places[kept] = np.arange(len(kept))
    return np.where(np.isnan(side), np.nan, places[np.nan_to_num(side).astype(np.int64)])


def _pair(a: FloatArray, b: FloatArray, are_numbers: tuple[bool, bool], weights: FloatArray) -> float:
    if len(a) < FEWEST_ROWS or not weights.sum() > 0:
        return float("nan")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    weights = weights / weights.sum()
    if all(are_numbers):
        return abs(_correlation(_ranks(a), _ranks(b), weights))
    if not any(are_numbers):
        return _cramers_v(_codes(a), _codes(b), weights)
    number, level = (a, b) if are_numbers[0] else (b, a)
    return _correlation_ratio(_ranks(number), _codes(level), weights)


def _ranks(values: FloatArray) -> FloatArray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), dtype=np.float64)


def _codes(values: FloatArray) -> IntArray:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _correlation(a: FloatArray, b: FloatArray, weights: FloatArray) -> float:
    a, b = a - weights @ a, b - weights @ b
    variances = float(weights @ a**2) * float(weights @ b**2)
    return float(np.clip(weights @ (a * b) / math.sqrt(variances), -1, 1)) if variances > 0 else 0.0


def _correlation_ratio(number: FloatArray, codes: IntArray, weights: FloatArray) -> float:
    shares = np.bincount(codes, weights)
    means = np.bincount(codes, weights * number) / np.where(shares > 0, shares, 1)
    within = float(weights @ (number - means[codes]) ** 2)
    variance = float(weights @ (number - weights @ number) ** 2)
    n, k = len(number), len(shares)
    if n <= k or not variance > 0:
        return 0.0
    return math.sqrt(max(0.0, 1 - within / variance * (n - 1) / (n - k)))


def _cramers_v(a: IntArray, b: IntArray, weights: FloatArray) -> float:
    r, k, n = int(a.max()) + 1, int(b.max()) + 1, len(a)
    joint = np.bincount(a * k + b, weights, r * k).reshape(r, k)
    expected = joint.sum(axis=1)[:, None] * joint.sum(axis=0)[None, :]
    phi = float(((joint - expected) ** 2 / np.where(expected > 0, expected, 1)).sum())
    phi = max(0.0, phi - (r - 1) * (k - 1) / (n - 1))
    fewest = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return min(1.0, math.sqrt(phi / fewest)) if fewest > 0 else 0.0
