"""How strongly each two columns of a table hang together, numbers and categories alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.quality.measures.pairs import FloatArray, IntArray, PairedColumn

MOST_LEVELS = 12
"""Levels told apart; the rarer ones count as one. Many levels of few rows look associated with everything."""

FEWEST_OF_LEVEL = 5
"""Real rows that a level needs: the expected count from which on a chi-squared test is trusted."""

FEWEST_ROWS = 20
"""Rows that must have both values; of fewer nothing can be said."""


@dataclass(frozen=True, eq=False)
class Associations:
    """Of every two columns of a table; arrays of shape (p, p), symmetric."""

    strength: FloatArray
    """From 0 (none) to 1 (one column tells the other), with its sign between two numbers; 0 where a column is constant,
    1 on the diagonal."""

    p_value: FloatArray
    """Probability that columns that have nothing to do with each other look as strongly associated; 1 where a column is
    constant and on the diagonal. Of rows of one weight."""

    rows: FloatArray
    """Rows that have both values."""


def associations(
    columns: Sequence[PairedColumn], weights: FloatArray | None = None, *, synthetic: bool = False
) -> Associations:
    """Strength of association of every two columns.

    Two numbers: Spearman's rank correlation; a number and a category: the correlation ratio of ranks (Kelley's
    epsilon); two categories: Cramér's V (Bergsma 2013, equation 6). All are corrected for what chance alone gives, so
    that tables of different sizes can be compared. Rows that lack one of the two are left out; a rank is that among all
    known values of the column.

    Parameters
    ----------
    columns
        Of both tables.
    weights
        Of the rows, shape (n,).
    synthetic
        Whether the synthetic side is asked.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.quality.measures.pairs import paired_columns
    >>> rows = pd.DataFrame({"a": range(40), "b": range(0, -40, -1), "c": ["x"] * 20 + ["y"] * 20})
    >>> associations(paired_columns(rows, rows)).strength.round(2).tolist()
    [[1.0, -1.0, 0.86], [-1.0, 1.0, 0.86], [0.86, 0.86, 1.0]]
    """
    sides = [(column, column.synthetic if synthetic else column.real) for column in columns]
    values = np.column_stack([_ranks(*side) if side[0].is_number else _few_levels(*side) for side in sides])
    weights = np.ones(len(values)) if weights is None else weights * (len(values) / weights.sum())
    known = (~np.isnan(values)).astype(np.float64)
    rows = known.T @ known
    strength, p_value = np.eye(len(columns)), np.ones_like(rows)
    numbers = np.flatnonzero([column.is_number for column in columns])
    categories = np.flatnonzero([not column.is_number for column in columns])
    ranks = np.nan_to_num(values[:, numbers]), known[:, numbers], weights[:, None]
    levels, starts = _levels(values[:, categories])
    with np.errstate(divide="ignore", invalid="ignore"):
        blocks = [(numbers, numbers, *_of_numbers(*ranks, rows[np.ix_(numbers, numbers)]))]
        if len(categories):
            mixed, both = (rows[np.ix_(categories, others)] for others in (numbers, categories))
            blocks += [
                (categories, numbers, *_of_category_and_number(*ranks, levels, starts, mixed)),
                (categories, categories, *_of_categories(levels, starts, weights[:, None], both)),
            ]
    for i, j, found, p in blocks:
        strength[np.ix_(i, j)], p_value[np.ix_(i, j)] = np.nan_to_num(found), np.nan_to_num(p, nan=1.0)
        strength[np.ix_(j, i)], p_value[np.ix_(j, i)] = strength[np.ix_(i, j)].T, p_value[np.ix_(i, j)].T
    np.fill_diagonal(strength, 1.0)
    np.fill_diagonal(p_value, 1.0)
    return Associations(strength, p_value, rows)


def _ranks(column: PairedColumn, side: FloatArray) -> FloatArray:
    """Ranks of the known values around their mean; zeros where hardly a real row differs from the others."""
    from scipy.stats import rankdata

    known = ~np.isnan(side)
    if varied_rows(column) < FEWEST_OF_LEVEL or not known.any():
        return np.where(known, 0.0, np.nan)
    ranks = np.full(len(side), np.nan)
    ranks[known] = rankdata(side[known])
    return np.asarray((ranks - ranks[known].mean()) / known.sum(), dtype=np.float64)


def varied_rows(column: PairedColumn) -> int:
    """Known real rows without the most frequent value."""
    counts = np.unique(column.real[~np.isnan(column.real)], return_counts=True)[1]
    return int(counts.sum() - counts.max(initial=0))


def _few_levels(column: PairedColumn, side: FloatArray) -> FloatArray:
    """Codes of the most frequent real levels; the others share one, or are missing where they are few rows."""
    codes, counts = np.unique(column.real[~np.isnan(column.real)], return_counts=True)
    kept = np.argsort(-counts, kind="stable")[: MOST_LEVELS - 1]
    kept = kept[counts[kept] >= FEWEST_OF_LEVEL]
    rest = float(len(kept)) if counts.sum() - counts[kept].sum() >= FEWEST_OF_LEVEL else np.nan
    found = np.where(np.isnan(side), np.nan, rest)
    for place, code in enumerate(codes[kept]):
        found[side == code] = place
    return found


def _levels(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """A column of zeros and ones for each level, and where those of each category begin."""
    found = [values[:, [k]] == np.arange(max(1.0, np.nanmax(part, initial=0) + 1)) for k, part in enumerate(values.T)]
    starts = np.cumsum([0, *(part.shape[1] for part in found)])[:-1]
    return np.hstack([np.zeros((len(values), 0)), *found]), starts.astype(np.int64)


def _of_numbers(
    ranks: FloatArray, known: FloatArray, weights: FloatArray, rows: FloatArray
) -> tuple[FloatArray, FloatArray]:
    total = known.T @ (known * weights)
    mean = (ranks * weights).T @ known / total
    variance = (ranks**2 * weights).T @ known / total - mean**2
    covariance = ranks.T @ (ranks * weights) / total - mean * mean.T
    explained = np.clip(covariance**2 / (variance * variance.T), 0.0, 1.0)
    found, p_value = _beyond_chance(explained, rows, np.full_like(rows, 2.0))
    return np.sign(covariance) * found, p_value


def _of_category_and_number(
    ranks: FloatArray, known: FloatArray, weights: FloatArray, levels: FloatArray, starts: IntArray, rows: FloatArray
) -> tuple[FloatArray, FloatArray]:
    counts, sums = (levels.T @ (part * weights) for part in (known, ranks))
    between = np.add.reduceat(np.nan_to_num(sums**2 / counts), starts)
    count, mean_part, squares = (
        np.add.reduceat(part, starts) for part in (counts, sums, levels.T @ (ranks**2 * weights))
    )
    around = mean_part**2 / count
    groups = np.add.reduceat((counts > 0).astype(np.float64), starts)
    return _beyond_chance(np.clip((between - around) / (squares - around), 0.0, 1.0), rows, groups)


def _beyond_chance(explained: FloatArray, rows: FloatArray, groups: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Root of the share of variance explained by groups (or a line: two), corrected; and the p-value of an F test."""
    from scipy.stats import f

    free = rows - groups
    found = np.sqrt(np.clip(1.0 - (1.0 - explained) * (rows - 1) / free, 0.0, 1.0))
    ratio = explained / (groups - 1) / ((1.0 - explained) / free)
    told = (free > 0) & (groups > 1)
    return np.where(told, found, 0.0), np.where(told, f.sf(ratio, groups - 1, free), 1.0)


def _of_categories(
    levels: FloatArray, starts: IntArray, weights: FloatArray, rows: FloatArray
) -> tuple[FloatArray, FloatArray]:
    from scipy.stats import chi2

    owner = np.repeat(np.arange(len(starts)), np.diff([*starts, levels.shape[1]]))
    joint = levels.T @ (levels * weights)
    sums = np.add.reduceat(joint, starts, axis=1)
    cells = np.nan_to_num(joint**2 / (sums[:, owner] * sums.T[owner]))
    phi = np.clip(np.add.reduceat(np.add.reduceat(cells, starts, axis=1), starts) - 1.0, 0.0, None)
    groups = np.add.reduceat((sums > 0).astype(np.float64), starts)
    free = (groups - 1) * (groups.T - 1)
    corrected = groups - (groups - 1) ** 2 / (rows - 1)
    fewest = np.minimum(corrected, corrected.T) - 1
    found = np.sqrt(np.clip(np.clip(phi - free / (rows - 1), 0.0, None) / fewest, 0.0, 1.0))
    told = (free > 0) & (fewest > 0)
    return np.where(told, found, 0.0), np.where(told, chi2.sf(rows * phi, free), 1.0)
