"""Membership inference: whether the written rows give away which real rows they were learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.class_distances import draw
from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, REAL, SYNTHETIC
from imbllm_autogluon.quality.measures.closeness import NO_HOLDOUT
from imbllm_autogluon.quality.measures.measure import ONE_SIDED_95, Finding
from imbllm_autogluon.quality.measures.nearest import nearest

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.measures.class_distances import ClassDistances
    from imbllm_autogluon.quality.measures.nearest import Points

MOST_QUERIES = 2_000
"""Rows of each side that are looked at: their chance error is 0.02."""

FEWEST = 4
"""Rows of each side: two to choose the threshold and two to judge it."""

SPLITS = 20
"""Random halves over which the advantage is averaged: more change it by less than 0.01 (40 rows of each side)."""


def membership_advantage(members: FloatArray, others: FloatArray, rng: np.random.Generator) -> float:
    """Share of members found minus share of others taken for members, of the best threshold (Yeom et al. 2018).

    An attacker says "member" where a row is no farther from the nearest written row than a threshold. The threshold
    that is best on the very rows it is judged on shows an advantage where there is none: 0.25 on average for 20 rows of
    each side. So it is chosen on one half of the rows and judged on the other, both ways, over 20 random halves.

    Parameters
    ----------
    members, others
        Distance to the nearest written row of training rows and of real rows not learnt from, shapes (n,) and (m,), 4
        or more each.
    rng
        Source of randomness.

    Returns
    -------
    float
        From 0 (nothing is given away) to 1 (every training row is); a negative mean counts as 0.

    Raises
    ------
    InvalidInputError
        A side has fewer than 4 rows.

    Examples
    --------
    >>> membership_advantage(np.zeros(20), np.ones(20), np.random.default_rng(0))
    1.0
    """
    if min(len(members), len(others)) < FEWEST:
        raise InvalidInputError(
            f"{FEWEST} or more members and others are needed; got {len(members)} and {len(others)}."
        )
    judged = [_both_ways(rng.permutation(members), rng.permutation(others)) for _ in range(SPLITS)]
    return max(0.0, float(np.mean(judged)))


def membership(found: ClassDistances, rng: np.random.Generator) -> Finding:
    """The advantage of one class, and what chance may add to it."""
    if HOLDOUT not in found.points:
        return Finding(None, NO_HOLDOUT)
    sides = [_queries(found.points[called], rng) for called in (REAL, HOLDOUT)]
    sizes = [len(side) for side in sides]
    if min(sizes) < FEWEST:
        return Finding(None, f"The class has {sizes[0]} real and {sizes[1]} hold-out rows; {FEWEST} each are needed.")
    members, others = (nearest(side, found.points[SYNTHETIC]).distance for side in sides)
    spread = ONE_SIDED_95 * float(np.sqrt(0.25 / sizes[0] + 0.25 / sizes[1]))
    note = f"With {min(sizes)} rows of the smaller side, chance alone reaches {spread:.2f}." if spread > 0.1 else ""
    if max(len(found.points[called]) for called in (REAL, HOLDOUT)) > MOST_QUERIES:
        note = f"Drawn at random: {sizes[0]} real and {sizes[1]} hold-out rows."
    return Finding(membership_advantage(members, others, rng), note, (0.0, max(0.1, spread)))


def _queries(rows: Points, rng: np.random.Generator) -> Points:
    return rows.take(draw(len(rows), MOST_QUERIES, rng))


def _both_ways(members: FloatArray, others: FloatArray) -> float:
    halves = (members[::2], others[::2]), (members[1::2], others[1::2])
    judged = [_advantage(_best_threshold(*halves[side]), *halves[1 - side]) for side in (0, 1)]
    return float(np.mean(judged))


def _best_threshold(members: FloatArray, others: FloatArray) -> float:
    """Distance up to which most more members than others lie; below all of them where there is none."""
    tried = np.unique(np.concatenate([members, others]))
    shares = [np.searchsorted(np.sort(side), tried, side="right") / len(side) for side in (members, others)]
    gains = shares[0] - shares[1]
    return float(tried[gains.argmax()]) if gains.max() > 0 else -1.0


def _advantage(threshold: float, members: FloatArray, others: FloatArray) -> float:
    return float((members <= threshold).mean() - (others <= threshold).mean())
