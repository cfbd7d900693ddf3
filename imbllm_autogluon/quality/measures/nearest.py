"""Nearest rows of mixed type, block by block: numbers, categories and missing values in one distance.

The distance is Euclidean over numbers and times in standard deviations of the real ones, plus 1 (squared) for each
category that differs and for each number that is missing on one side only. A number that is the same in all real rows
counts as a category.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.pairs import PairedColumn

HELD_DISTANCES = 2_500_000
"""Distances held at once: 20 MB of float64, and a few temporary arrays of that size."""

FARTHEST = 1e6
"""Standard deviations from the mean at which a number stands at most."""


@dataclass(frozen=True, eq=False)
class Points:
    """Rows in the space of distances."""

    numbers: FloatArray
    """In standard deviations, 0 where missing; shape (n, p)."""

    marks: FloatArray
    """What is equal or not: codes of levels and missingness, shape (n, q)."""

    def __len__(self) -> int:
        """Rows."""
        return len(self.numbers)

    def take(self, positions: IntArray | slice) -> Points:
        """Some of the rows."""
        return Points(self.numbers[positions], self.marks[positions])


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest row of each query."""

    distance: FloatArray
    """Shape (n,); infinite where there is no other row."""

    position: IntArray
    """Of the nearest row, the first of equally near ones; shape (n,)."""

    closer: IntArray
    """Rows nearer than the query's limit, shape (n,); 0 without limits."""

    tied: IntArray
    """Rows exactly at the query's limit, shape (n,); 0 without limits."""


def points(columns: Sequence[PairedColumn]) -> tuple[Points, Points]:
    """Rows of both tables as points; the real side alone decides means and standard deviations.

    Returns
    -------
    real, synthetic
        Of n and m points.
    """
    parts = [_coordinates(column) for column in columns]
    sides = [[np.column_stack([part[side][kind] for part in parts]) for kind in (0, 1)] for side in (0, 1)]
    # What is the same in all rows of both tables adds nothing to any distance, only time.
    varies = [np.ptp(np.vstack([sides[0][kind], sides[1][kind]]), axis=0) > 0 for kind in (0, 1)]
    real, synthetic = (Points(*(side[kind][:, varies[kind]] for kind in (0, 1))) for side in sides)
    return real, synthetic


def distances(queries: Points, rows: Points) -> Iterator[tuple[slice, FloatArray]]:
    """Distances of a block of queries to every row, block after block.

    They are sums of squared differences, not the faster product of matrices: equal rows must be at distance zero, as
    balls of rows that occur often have radius zero.

    Yields
    ------
    block, distances
        Positions of the queries, and their distances of shape (block, rows).
    """
    size = max(1, HELD_DISTANCES // max(1, len(rows)))
    for start in range(0, len(queries), size):
        block = slice(start, min(start + size, len(queries)))
        yield block, _between(queries.take(block), rows)


def nearest(queries: Points, rows: Points, *, own: IntArray | None = None, limits: FloatArray | None = None) -> Nearest:
    """The nearest row of each query; time grows with queries times rows, memory does not.

    Parameters
    ----------
    queries, rows
        n and m points of one space, m at least 1.
    own
        Position among `rows` of each query, which then is no neighbour of itself; shape (n,).
    limits
        Distances below which, and at which, rows are counted; shape (n,).
    """
    distance, position = np.empty(len(queries)), np.empty(len(queries), dtype=np.int64)
    closer, tied = np.zeros(len(queries), dtype=np.int64), np.zeros(len(queries), dtype=np.int64)
    for block, found in distances(queries, rows):
        places = np.arange(len(found))
        if own is not None:
            found[places, own[block]] = np.inf
        position[block] = found.argmin(axis=1)
        distance[block] = found[places, position[block]]
        if limits is not None:
            closer[block] = (found < limits[block, None]).sum(axis=1)
            tied[block] = (found == limits[block, None]).sum(axis=1)
    return Nearest(distance, position, closer, tied)


def _between(queries: Points, rows: Points) -> FloatArray:
    from scipy.spatial.distance import cdist

    squared = np.zeros((len(queries), len(rows)))
    if rows.numbers.shape[1]:
        squared = cdist(queries.numbers, rows.numbers, "sqeuclidean")
    n_marks = rows.marks.shape[1]
    if n_marks:
        differing = cdist(queries.marks, rows.marks, "hamming")
        differing *= n_marks
        squared += np.rint(differing, out=differing)
    return np.asarray(np.sqrt(squared, out=squared))


def _coordinates(column: PairedColumn) -> list[tuple[FloatArray, FloatArray]]:
    """Number and mark of each real row, and of each synthetic one."""
    sides = (column.real, column.synthetic)
    known = column.real[~np.isnan(column.real)]
    if not column.is_number:
        return [(np.zeros(len(side)), np.nan_to_num(side, nan=-1.0)) for side in sides]
    if not len(known) or np.ptp(known) == 0:
        only = known[0] if len(known) else 0.0
        return [(np.zeros(len(side)), np.where(np.isnan(side), -1.0, side != only)) for side in sides]
    standard = [np.clip((side - known.mean()) / known.std(), -FARTHEST, FARTHEST) for side in sides]
    return [(np.nan_to_num(side, nan=0.0), np.isnan(side).astype(np.float64)) for side in standard]
