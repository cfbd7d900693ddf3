"""Which columns of a wide table tell most of the class: each by itself, every class counting alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import xlogy

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.tables.column import Column
    from imbllm_autogluon.tables.dtypes import ColumnName

_MOST_ROWS = 20_000  # that are looked at, of each class as many as of any other, as far as it has them
_FEWEST_OF_CLASS = 50
_GROUPS = 8  # of a column's values: quantiles of numbers, the most frequent categories and all others


def most_telling(df: pd.DataFrame, columns: Iterable[Column], codes: IntArray, n: int) -> set[ColumnName]:
    """Names of the `n` columns whose values differ most between the classes `codes`, shape (len(df),).

    The measure is the Jensen-Shannon divergence of a column's values in the classes, in nats, less what chance makes of
    it, so that classes count alike and columns of few values are not behind. What only several columns tell together is
    not seen.
    """
    rows = _even_rows(codes)
    seen, places = np.unique(codes[rows], return_inverse=True)
    part, scores = df.iloc[rows], {}
    for column in columns:
        scores[column.name] = _divergence(_groups(column, *column.encode(part[column.name])), places, len(seen))
    return set(sorted(scores, key=lambda name: -scores[name])[:n])


def _even_rows(codes: IntArray) -> IntArray:
    """Places of the rows that are looked at: evenly spaced ones of each class."""
    classes = np.unique(codes)
    most = max(_FEWEST_OF_CLASS, _MOST_ROWS // len(classes))
    own = [np.flatnonzero(codes == code) for code in classes]
    return np.concatenate([rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(np.int64))] for rows in own])


def _groups(column: Column, values: Any, missing: BoolArray) -> IntArray:
    """Group of each cell, from 0: one for missing cells as well."""
    if column.is_category:  # categories are in the order of their frequency
        groups = np.minimum(values, _GROUPS - 1)
    else:
        edges = np.quantile(values[~missing], np.arange(1, _GROUPS) / _GROUPS) if not missing.all() else [0.0]
        # A value that is an edge, as a frequent one is, has a group of its own.
        groups = np.searchsorted(edges, values) + np.searchsorted(edges, values, side="right")
    return np.unique(np.where(missing, 2 * _GROUPS, groups), return_inverse=True)[1]


def _divergence(groups: IntArray, places: IntArray, n_classes: int) -> float:
    n_groups = int(groups.max()) + 1
    table = np.bincount(places * n_groups + groups, minlength=n_classes * n_groups).reshape(n_classes, n_groups)
    sizes = table.sum(axis=1, keepdims=True)
    shares = table / sizes
    found = (xlogy(shares, shares) - xlogy(shares, shares.mean(axis=0))).sum() / n_classes
    by_chance = (n_groups - 1) / 2 * (1 / sizes).mean() * (1 - 1 / n_classes)
    return float(found - by_chance)
