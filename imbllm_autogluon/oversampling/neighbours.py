"""Distances between rows of mixed type, and nearest neighbours under them.

The distance is SMOTE-NC's (Chawla et al. 2002, section 6.1): Euclidean over numbers, plus for each differing
category the median of the numbers' standard deviations. Unlike the original, numbers are standardised within the
class first, so that median is 1; and a missing number stands at the column's mean and differs from every known one as a
category does (so a known and a missing number are as far apart, on average, as two known ones). Nothing is one-hot
encoded, so memory does not grow with the number of categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.tables import Cells, NumberLattice, TableSchema


HELD_DISTANCES = 2_500_000
"""Distances held at once: 20 MB of float64."""


@dataclass(frozen=True, eq=False)
class MixedSpace:
    """Scaling of one table's columns, fitted on the rows of one class."""

    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    lattices: tuple[NumberLattice, ...]
    """Lattice of each numeric column: distances are measured in its units, whose squares never overflow."""
    centres: FloatArray
    scales: FloatArray
    may_lack: tuple[bool, ...]
    """Whether each numeric column can be missing, shape (n_numbers,)."""

    @classmethod
    def fit(cls, schema: TableSchema, cells: Cells) -> MixedSpace:
        """Learn centre and standard deviation of each numeric column from `cells`.

        A column that does not vary there is scaled by its range in the table; one that is all missing there is centred
        on the middle of that range.
        """
        lattices = {j: column.lattice for j, column in enumerate(schema.columns) if column.lattice is not None}
        categories = tuple(j for j, column in enumerate(schema.columns) if column.is_category)
        seen = [_units(lattice, cells.values[j][~cells.missing[:, j]]) for j, lattice in lattices.items()]
        ends = [_units(lattice, [lattice.minimum, lattice.maximum]) for lattice in lattices.values()]
        centres = np.array([(units if len(units) else end).mean() for units, end in zip(seen, ends, strict=True)])
        spreads = np.array([units.std() if len(units) else 0.0 for units in seen])
        ranges = np.array([max(1.0, np.ptp(end)) for end in ends])
        may_lack = tuple(schema.columns[j].has_missing for j in lattices)
        scales = np.where(spreads > 0, spreads, ranges)
        return cls(tuple(lattices), categories, tuple(lattices.values()), centres, scales, may_lack)

    def distances(self, queries: Cells, rows: Cells) -> Iterator[tuple[slice, FloatArray]]:
        """Distances of every query to every row, a block of queries at a time.

        Yields
        ------
        block, distances
            The queries of the block, and their distances, float64 of shape (block, n_rows).
        """
        row_numbers, row_marks = self._coordinates(rows)
        query_numbers, query_marks = self._coordinates(queries)
        size = max(1, HELD_DISTANCES // max(1, rows.n_rows))
        for start in range(0, queries.n_rows, size):
            block = slice(start, min(start + size, queries.n_rows))
            squared = _squared_distances(query_numbers[block], row_numbers)
            for mark in range(row_marks.shape[1]):
                squared += query_marks[block, mark][:, None] != row_marks[:, mark][None, :]
            yield block, np.sqrt(squared)

    def nearest(self, queries: Cells, rows: Cells, k: int, *, same: bool = False) -> tuple[IntArray, FloatArray]:
        """The k nearest rows of each query, nearest first.

        Parameters
        ----------
        queries, rows
            n and m rows.
        k
            Neighbours wanted; at most as many as there are rows are given.
        same
            Whether query i is row i, which then is no neighbour of itself.

        Returns
        -------
        indices, distances
            Shapes (n, k'), where k' = min(k, m), or min(k, m - 1) with `same`.
        """
        k = min(k, rows.n_rows - int(same))
        indices = np.zeros((queries.n_rows, k), dtype=np.int64)
        found = np.zeros((queries.n_rows, k))
        if k == 0:
            return indices, found
        for block, distances in self.distances(queries, rows):
            if same:
                distances[np.arange(len(distances)), np.arange(block.start, block.stop)] = np.inf
            near = np.argpartition(distances, k - 1, axis=1)[:, :k]
            near_distances = np.take_along_axis(distances, near, axis=1)
            ranks = np.argsort(near_distances, axis=1, kind="stable")
            indices[block] = np.take_along_axis(near, ranks, axis=1)
            found[block] = np.take_along_axis(near_distances, ranks, axis=1)
        return indices, found

    def _coordinates(self, cells: Cells) -> tuple[FloatArray, IntArray]:
        """Standardised numbers (missing: 0) of shape (n, p), and marks (categories, missingness) of shape (n, q)."""
        gone = cells.missing[:, list(self.numbers)]
        numbers = np.zeros((cells.n_rows, len(self.numbers)))
        for place, (j, lattice) in enumerate(zip(self.numbers, self.lattices, strict=True)):
            numbers[:, place] = (_units(lattice, cells.values[j]) - self.centres[place]) / self.scales[place]
        numbers[gone] = 0.0
        codes = [np.where(cells.missing[:, j], -1, cells.values[j]).astype(np.int64) for j in self.categories]
        gaps = [gone[:, place].astype(np.int64) for place in range(len(self.numbers)) if self.may_lack[place]]
        marks = [*codes, *gaps]
        return numbers, np.column_stack(marks) if marks else np.zeros((cells.n_rows, 0), dtype=np.int64)


def _units(lattice: NumberLattice, values: npt.ArrayLike) -> FloatArray:
    return lattice.to_units(lattice.snap(values)).astype(np.float64)


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared Euclidean distances between the rows of a and b, never below zero."""
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * a @ b.T
    return np.maximum(squared, 0.0)  # type: ignore[no-any-return]
