"""Distances of the written rows of one class to its real rows, computed once for all measures that need them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, INTERPOLATED, REAL, SYNTHETIC
from imbllm_autogluon.quality.measures.nearest import Nearest, nearest, points

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.class_rows import ClassRows
    from imbllm_autogluon.quality.measures.nearest import Points


@dataclass(frozen=True, eq=False)
class ClassDistances:
    """Rows of one class as points, and how far they are apart.

    Queries are at most `most_rows` drawn at random; what they are compared with are always all rows, as a copy would
    not be found otherwise.
    """

    points: dict[str, Points]
    """All rows of the class of each table with at least one row."""

    looked_at: dict[str, IntArray]
    """Positions, among the rows of the class, of those that are queries."""

    to_real: Nearest
    """Of each synthetic query."""

    to_holdout: Nearest | None
    """Of each synthetic query; None without hold-out rows of the class."""

    real_to_real: FloatArray
    """Of each real query to another real row; infinite where there is one row only."""

    real_to_holdout: FloatArray | None
    """Of each real query; None without hold-out rows of the class."""

    def sample(self, called: str) -> Points:
        """The queries of a table."""
        return self.points[called].take(self.looked_at[called])


def class_distances(rows: ClassRows, most_rows: int, rng: np.random.Generator) -> ClassDistances:
    """Measure all distances of one class; about ``5 * most_rows * n`` of them, a block at a time."""
    found = _points_of(rows)
    looked_at = {called: draw(len(table), most_rows, rng) for called, table in found.items()}
    queries = {called: table.take(looked_at[called]) for called, table in found.items()}
    real, holdout = found[REAL], found.get(HOLDOUT)
    to_real, to_holdout = _to_both(queries[SYNTHETIC], real, holdout)
    return ClassDistances(
        found,
        looked_at,
        to_real,
        to_holdout,
        nearest(queries[REAL], real, own=looked_at[REAL]).distance,
        None if holdout is None else nearest(queries[REAL], holdout).distance,
    )


def draw(n: int, most: int, rng: np.random.Generator) -> IntArray:
    """All positions, or `most` of them at random, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _points_of(rows: ClassRows) -> dict[str, Points]:
    """All rows of the class in one space, scaled by the real ones."""
    given = [called for called in (SYNTHETIC, HOLDOUT, INTERPOLATED) if rows.count(called)]
    columns = [
        replace(
            column,
            real=rows.values(column, REAL),
            synthetic=np.concatenate([rows.values(column, called) for called in given]),
        )
        for column in rows.columns
    ]
    real, others = points(columns)
    ends = np.cumsum([rows.count(called) for called in given])
    parts = zip(given, ends - [rows.count(called) for called in given], ends, strict=True)
    return {REAL: real, **{called: others.take(slice(start, end)) for called, start, end in parts}}


def _to_both(queries: Points, real: Points, holdout: Points | None) -> tuple[Nearest, Nearest | None]:
    """Nearest rows; the larger table also counts its rows that are nearer than the nearest one of the smaller table."""
    if holdout is None:
        return nearest(queries, real), None
    if len(holdout) <= len(real):
        to_holdout = nearest(queries, holdout)
        return nearest(queries, real, limits=to_holdout.distance), to_holdout
    to_real = nearest(queries, real)
    return to_real, nearest(queries, holdout, limits=to_real.distance)
