"""Pair trends: whether pairs of columns go together in written rows as in real ones."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.measures.pairs import paired_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.pairs import PairedColumn

BINS = 10
"""Equal bins of a number beside a category, as in SDMetrics."""

MOST_PAIRS = 1_000
"""Pairs that are looked at, drawn at random: 45 columns have 990."""

FEW_LEVELS = 20
"""Levels up to which a column is a category however few rows there are."""


def pair_trends(real: pd.DataFrame, synthetic: pd.DataFrame, rng: np.random.Generator | None = None) -> float | None:
    """Mean similarity of all pairs of columns, as SDMetrics' column pair trends defines it.

    Two numbers: ``1 - |r - s| / 2`` of their Pearson correlations r and s over rows where both are known. Any other
    pair: 1 minus the total variation distance of their contingency tables, numbers in ten equal bins of the real ones
    (in SDMetrics' report: each table in its own bins), a missing value as a level. Unlike SDMetrics, two numbers whose
    correlation is undefined in a table, as one does not vary, are compared by their contingency tables instead of being
    left out, so that constant columns are seen. Columns of free text are left out.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns.
    rng
        Chooses 1,000 pairs where there are more; by default a fixed choice.

    Returns
    -------
    float or None
        From 0 to 1; 1 is best. None with fewer than two columns besides free text. Small samples of one source score
        less than 1: compare with two halves of the real rows.

    Raises
    ------
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.measures.pairs.paired_columns`.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]})
    >>> pair_trends(real, real.assign(b=[3, 2, 1]))
    0.0
    """
    return pair_trends_of_columns(paired_columns(real, synthetic), rng)


def pair_trends_of_columns(columns: Sequence[PairedColumn], rng: np.random.Generator | None = None) -> float | None:
    """As :func:`pair_trends`."""
    used = [column for column in columns if not is_free_text(column)]
    pairs = list(combinations(range(len(used)), 2))
    if not pairs:
        return None
    if len(pairs) > MOST_PAIRS:
        chosen = (rng or np.random.default_rng(0)).choice(len(pairs), MOST_PAIRS, replace=False)
        pairs = [pairs[place] for place in chosen]
    binned = [_codes(column) for column in used]
    return float(np.mean([_similarity(used[i], used[j], binned[i], binned[j]) for i, j in pairs]))


def is_free_text(column: PairedColumn) -> bool:
    """Whether most real rows have a level of their own: names, notes, keys."""
    if column.is_number:
        return False
    known = column.real[~np.isnan(column.real)]
    return len(np.unique(known)) > max(FEW_LEVELS, len(known) / 2)


def _similarity(
    a: PairedColumn, b: PairedColumn, a_codes: tuple[IntArray, IntArray], b_codes: tuple[IntArray, IntArray]
) -> float:
    if a.is_number and b.is_number:
        r, s = _correlation(a.real, b.real), _correlation(a.synthetic, b.synthetic)
        if r is not None and s is not None:
            return 1.0 - abs(r - s) / 2.0
    return _contingency_similarity(a_codes, b_codes)


def _correlation(a: FloatArray, b: FloatArray) -> float | None:
    """Pearson's, over rows where both are known; None where one does not vary."""
    known = ~np.isnan(a) & ~np.isnan(b)
    if known.sum() < 2:
        return None
    scaled = []
    for values in (a[known], b[known]):
        # Written numbers may be as large as 1e100, whose squares' sums would overflow.
        centred = values / max(1.0, float(np.abs(values).max()))
        centred = centred - centred.mean()
        length = float(np.linalg.norm(centred))
        if np.ptp(values) == 0 or length == 0:
            return None
        scaled.append(centred / length)
    return float(np.clip(scaled[0] @ scaled[1], -1.0, 1.0))


def _contingency_similarity(a: tuple[IntArray, IntArray], b: tuple[IntArray, IntArray]) -> float:
    width = int(max(b[0].max(), b[1].max())) + 1
    cells = [a[side] * width + b[side] for side in (0, 1)]
    found, places = np.unique(np.concatenate(cells), return_inverse=True)
    sides = places[: len(cells[0])], places[len(cells[0]) :]
    shares = [np.bincount(side, minlength=len(found)) / len(side) for side in sides]
    # Rounding may leave the sum a little above two.
    return max(0.0, float(1.0 - np.abs(shares[0] - shares[1]).sum() / 2.0))


def _codes(column: PairedColumn) -> tuple[IntArray, IntArray]:
    """Bins or levels from 1, 0 for missing."""
    edges = np.empty(0)
    if column.is_number:
        known = column.real[~np.isnan(column.real)]
        edges = np.histogram_bin_edges(known, BINS)[1:-1] if len(known) else edges
    return _numbered(column, column.real, edges), _numbered(column, column.synthetic, edges)


def _numbered(column: PairedColumn, values: FloatArray, edges: FloatArray) -> IntArray:
    codes = np.digitize(values, edges) if column.is_number else np.nan_to_num(values)
    return np.where(np.isnan(values), 0, codes + 1).astype(np.int64)
