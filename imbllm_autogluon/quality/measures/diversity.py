"""Diversity and novelty of the written rows of one class: distinct rows, entropy, categories, exact and near copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.measures.class_distances import draw
from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, REAL, SYNTHETIC
from imbllm_autogluon.quality.measures.closeness import LONE_ROW
from imbllm_autogluon.quality.measures.measure import ONE_SIDED_95, Finding, chance
from imbllm_autogluon.quality.measures.novelty import copied_share, row_codes
from imbllm_autogluon.quality.measures.pair_trends import is_free_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.class_distances import ClassDistances
    from imbllm_autogluon.quality.measures.class_rows import ClassRows
    from imbllm_autogluon.quality.measures.pairs import PairedColumn

NEAR_QUANTILE = 0.01
"""Of the distances among real rows: what is nearer is a near copy."""


def distinct_share(rows: IntArray) -> float:
    """Share of different rows.

    Parameters
    ----------
    rows
        Code of each row, as :func:`imbllm_autogluon.quality.measures.novelty.row_codes` gives it, shape (n,), n at
        least 1.

    Examples
    --------
    >>> distinct_share(np.array([0, 1, 1, 1]))
    0.5
    """
    return len(np.unique(rows)) / len(rows)


def row_entropy(rows: IntArray) -> float:
    """Shannon entropy in nats of how often rows occur, from 0 (all equal) to log n (all different).

    Examples
    --------
    >>> round(row_entropy(np.array([0, 0, 1, 1])), 4)
    0.6931
    """
    shares = np.unique(rows, return_counts=True)[1] / len(rows)
    return float(-(shares * np.log(shares)).sum()) + 0.0


def near_copies(to_real: FloatArray, real_to_real: FloatArray, quantile: float = NEAR_QUANTILE) -> tuple[float, float]:
    """Share of written rows, and of real ones, as near to a real row as the nearest real rows are to each other.

    Parameters
    ----------
    to_real
        Distance of each written row to its nearest training row, shape (m,).
    real_to_real
        Distance of each training row to the nearest other one, shape (n,).
    quantile
        Of `real_to_real`, that is the threshold.

    Returns
    -------
    written, real
        From 0 to 1. Where many real rows are equal, the threshold is zero and the second share is above `quantile`.
    """
    threshold = float(np.quantile(real_to_real, quantile))
    return float((to_real <= threshold).mean()), float((real_to_real <= threshold).mean())


def category_coverage(columns: Sequence[PairedColumn]) -> tuple[float, float] | None:
    """Mean over the categories' columns of the share of real levels that were written; missing is a level.

    Returns
    -------
    (found, expected) or None
        `expected`: what as many rows drawn from the real ones would show; rare levels need many rows. None without a
        column of categories; free text is none.
    """
    parts = [_levels_found(column) for column in columns if not column.is_number and not is_free_text(column)]
    if not parts:
        return None
    found, expected = np.mean(parts, axis=0).tolist()
    return found, expected


def diversity(
    rows: ClassRows, distances: ClassDistances, columns: Sequence[PairedColumn], rng: np.random.Generator
) -> dict[str, Finding]:
    """All measures of this file for one class; `columns` are those of its real and synthetic rows."""
    real, written = row_codes(rows.table(REAL), rows.table(SYNTHETIC))
    return {
        "exact copies": _exact_copies(rows, real, written),
        "near copies": _near_copies(distances),
        "category coverage": _categories(columns),
        **_variety(real, written, rng),
    }


def _variety(real: IntArray, written: IntArray, rng: np.random.Generator) -> dict[str, Finding]:
    """Distinct rows and entropy of as many rows of each side, as both depend on how many there are."""
    n = min(len(real), len(written))
    real, written = real[draw(len(real), n, rng)], written[draw(len(written), n, rng)]
    usual = distinct_share(real)
    note = f"Among {n} rows, as many as real ones; of these {usual:.0%} are distinct."
    findings = {"distinct rows": Finding(distinct_share(written), note, (0.9 * usual, 1.0), usual)}
    if n < 2:
        return dict.fromkeys(("distinct rows", "entropy"), Finding(None, "One row has no variety."))
    most = row_entropy(real)
    if most == 0:
        value = None if row_entropy(written) else 1.0
        return {**findings, "entropy": Finding(value, "The real rows are all equal: their entropy is zero.")}
    return {**findings, "entropy": Finding(row_entropy(written) / most, f"Among {n} rows of each.")}


def _exact_copies(rows: ClassRows, real: IntArray, written: IntArray) -> Finding:
    counts = np.unique(real, return_counts=True)[1]
    repeated = float(counts[counts > 1].sum() / len(real))
    if rows.count(HOLDOUT):
        repeated = max(repeated, copied_share(rows.table(REAL), rows.table(HOLDOUT)))
    note = f"Real rows repeat each other in {repeated:.1%} of the cases." if repeated else ""
    value = float(np.isin(written, real).mean())
    return Finding(value, note, (0.0, max(0.01, repeated + chance(repeated, min(len(real), len(written))))))


def _near_copies(distances: ClassDistances) -> Finding:
    usual = distances.real_to_real
    if not np.isfinite(usual).all():
        return Finding(None, LONE_ROW)
    value, repeated = near_copies(distances.to_real.distance, usual)
    # The threshold is set by that many pairs of real rows, a count with Poisson errors: rows drawn anew are often
    # nearer than the nearest of few pairs.
    pairs = max(1.0, repeated * len(usual) / 2)
    share = min(1.0, 2 * (pairs + ONE_SIDED_95 * np.sqrt(pairs) + 1) / len(usual))
    allowed = share + chance(share, len(distances.to_real.distance))
    return Finding(value, acceptable=(0.0, max(0.05, allowed)), best=repeated)


def _categories(columns: Sequence[PairedColumn]) -> Finding:
    found = category_coverage(columns)
    if found is None:
        return Finding(None, "There is no column of categories.")
    note = f"As many rows drawn from the real ones show {found[1]:.0%}." if found[1] < 0.995 else ""
    return Finding(found[0], note, (0.9 * found[1], 1.0))


def _levels_found(column: PairedColumn) -> tuple[float, float]:
    """Share of real levels that were written, and the share expected of as many rows drawn with replacement."""
    real, written = (np.nan_to_num(side, nan=-1.0) for side in (column.real, column.synthetic))
    levels, counts = np.unique(real, return_counts=True)
    expected = 1.0 - (1.0 - counts / len(real)) ** len(written)
    return float(np.isin(levels, written).mean()), float(expected.mean())
