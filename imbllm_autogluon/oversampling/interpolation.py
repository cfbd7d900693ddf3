"""Interpolated rows of one class: ``x' = x + epsilon (x_neighbor - x)`` (ImbLLM, arXiv 2510.09783, after SMOTE).

Numbers stay on their grid and in the observed range; a value missing in the parent stays missing, one missing in the
neighbor leaves the parent's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from imbllm_autogluon._config import progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.oversampling.config import InterpolationConfig
    from imbllm_autogluon.tables import Column, EncodedTable, NumberGrid, TableSchema

_HELD_DISTANCES = 2_500_000  # distances held at once: 20 MB of float64
_MOST_PARENTS = 5_000  # rows of a class that take part: the search is quadratic (20 columns: about 2 s on one core)
_MOST_CHECKED = 1_000  # interpolated rows whose surroundings are examined for the report
_LOW_DENSITY_QUANTILE = 0.95


@dataclass(frozen=True, eq=False)
class MixedSpace:
    """Scaling of one table's columns, fitted on the rows of one class.

    Distances are SMOTE-NC's (Chawla et al. 2002, section 6.1): Euclidean over numbers, plus for each differing category
    the median of the numbers' standard deviations. Unlike the original, numbers are standardized within the class
    first, so that median is 1; and a missing number is at the column's mean and differs from every known one as a
    category does. Nothing is one-hot encoded, so memory does not grow with the number of categories.
    """

    numbers: tuple[int, ...]
    categories: tuple[int, ...]
    grids: tuple[NumberGrid, ...]  # distances are measured in units of each number, whose squares never overflow
    centres: FloatArray
    scales: FloatArray
    may_lack: tuple[bool, ...]  # whether each numeric column can be missing

    equal: ClassVar[float] = 1e-6  # distance up to which rows are equal: rounding leaves about 1e-8 between copies

    @classmethod
    def fit(cls, schema: TableSchema, cells: EncodedTable) -> MixedSpace:
        """Learn centre and standard deviation of each numeric column from `cells`.

        A column that does not vary there is scaled by its range in the table; one that is all missing there is centred
        on the middle of that range.
        """
        grids = {j: column.grid for j, column in enumerate(schema.columns) if column.grid is not None}
        categories = tuple(j for j, column in enumerate(schema.columns) if column.is_category)
        seen = [_units(grid, cells.values[j][~cells.missing[:, j]]) for j, grid in grids.items()]
        ends = [_units(grid, [grid.minimum, grid.maximum]) for grid in grids.values()]
        centres = np.array([(units if len(units) else end).mean() for units, end in zip(seen, ends, strict=True)])
        spreads = np.array([units.std() if len(units) else 0.0 for units in seen])
        ranges = np.array([max(1.0, np.ptp(end)) for end in ends])
        may_lack = tuple(schema.columns[j].has_missing for j in grids)
        scales = np.where(spreads > 0, spreads, ranges)
        return cls(tuple(grids), categories, tuple(grids.values()), centres, scales, may_lack)

    def distances(self, queries: EncodedTable, rows: EncodedTable) -> Iterator[tuple[slice, FloatArray]]:
        """Blocks of queries and their distances to every row, float64 of shape (block, n_rows)."""
        (row_numbers, row_marks), (query_numbers, query_marks) = self._coordinates(rows), self._coordinates(queries)
        size = max(1, _HELD_DISTANCES // max(1, rows.n_rows))
        starts = range(0, queries.n_rows, size)
        for start in progress_bar(len(starts), "comparing rows", starts):
            block = slice(start, min(start + size, queries.n_rows))
            squared = _squared_distances(query_numbers[block], row_numbers)
            for mark in range(row_marks.shape[1]):
                squared += query_marks[block, mark][:, None] != row_marks[:, mark][None, :]
            yield block, np.sqrt(squared)

    def nearest(
        self, queries: EncodedTable, rows: EncodedTable, k: int, *, same: bool = False
    ) -> tuple[IntArray, FloatArray]:
        """Places and distances of the k nearest rows (or of all, if fewer) of each query, nearest first, shape (n, k).

        With `same` query i is row i, which then is no neighbor of itself.
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

    def _coordinates(self, cells: EncodedTable) -> tuple[FloatArray, IntArray]:
        """Standardized numbers (missing: 0) of shape (n, p), and marks (categories, missingness) of shape (n, q)."""
        gone = cells.missing[:, list(self.numbers)]
        numbers = np.zeros((cells.n_rows, len(self.numbers)))
        for place, (j, grid) in enumerate(zip(self.numbers, self.grids, strict=True)):
            numbers[:, place] = (_units(grid, cells.values[j]) - self.centres[place]) / self.scales[place]
        numbers[gone] = 0.0
        codes = [np.where(cells.missing[:, j], -1, cells.values[j]).astype(np.int64) for j in self.categories]
        gaps = [gone[:, place].astype(np.int64) for place in range(len(self.numbers)) if self.may_lack[place]]
        return numbers, np.column_stack([np.zeros((cells.n_rows, 0), dtype=np.int64), *codes, *gaps])


def _units(grid: NumberGrid, values: npt.ArrayLike) -> FloatArray:
    return grid.nearest_units(values).astype(np.float64)


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared Euclidean distances between rows, never below zero."""
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * a @ b.T
    return np.maximum(squared, 0.0)  # type: ignore[no-any-return]


class _Interpolated(NamedTuple):
    cells: EncodedTable
    low_density_share: float  # NaN where nothing was interpolated


def interpolate(
    schema: TableSchema, cells: EncodedTable, n_rows: int, config: InterpolationConfig, rng: np.random.Generator
) -> _Interpolated:
    """Draw `n_rows` interpolated rows between the rows of one class, at least two; of very many 5,000 take part.

    Also gives the share of them that lie farther from the class than 95 % of its own rows do (0 to 1; near 0 inside one
    mode, larger where straight lines cross gaps).
    """
    if cells.n_rows > _MOST_PARENTS:
        cells = cells.take(np.sort(rng.choice(cells.n_rows, _MOST_PARENTS, replace=False)))
    space = MixedSpace.fit(schema, cells)
    nearest, distances = space.nearest(cells, cells, config.k_neighbors, same=True)
    adaptive = config.interpolation == "adaptive"
    usable = _inside_mode(nearest, distances) if adaptive else np.ones_like(nearest, dtype=bool)
    parents = _even_draw(cells.n_rows, n_rows, rng)
    partners = _draw_partners(parents, nearest, usable, rng)
    epsilon = rng.random(n_rows)
    rows, partner_rows = cells.take(parents), cells.take(partners)
    for j, column in enumerate(schema.columns):
        values, missing = _between(column, rows, partner_rows, j, epsilon)
        if column.is_category and config.categories != "keep":
            votes = config.categories == "vote" and nearest.shape[1] > 0
            values, missing = _category(cells, j, partners, parents, epsilon, nearest[parents] if votes else None, rng)
        rows = rows.with_column(j, values, missing)
    return _Interpolated(rows, _low_density_share(space, rows, cells, rng))


def _low_density_share(space: MixedSpace, rows: EncodedTable, real: EncodedTable, rng: np.random.Generator) -> float:
    """Share of rows farther from their nearest real row than 95 % of the real rows are.

    More than the nearest one would hide a gap next to modes of few rows: these are far from most of their k nearest.
    """
    if rows.n_rows == 0:
        return float("nan")
    if rows.n_rows > _MOST_CHECKED:
        rows = rows.take(rng.choice(rows.n_rows, _MOST_CHECKED, replace=False))
    usual = space.nearest(real, real, 1, same=True)[1]
    found = space.nearest(rows, real, 1)[1]
    return float((found > np.quantile(usual, _LOW_DENSITY_QUANTILE) + space.equal).mean())


def _inside_mode(nearest: IntArray, distances: FloatArray) -> BoolArray:
    """Which neighbors are mutual and no farther than twice the local distance of both ends.

    Local is the nearest other row, or where that is nearer than usual, the usual distance of the nearest. More than
    the nearest one would not do: most of the k nearest of a row in a mode of few rows lie in other modes.
    """
    own = np.arange(len(nearest))[:, None]
    is_near = np.zeros((len(nearest), len(nearest)), dtype=bool)
    is_near[own, nearest] = True
    local = np.where(distances > MixedSpace.equal, distances, np.inf).min(axis=1)
    usual = np.median(local[np.isfinite(local)]) if np.isfinite(local).any() else 0.0
    reach = 2.0 * np.maximum(local, usual)
    return np.asarray(is_near[nearest, own] & (distances <= np.minimum(reach[:, None], reach[nearest])))


def _even_draw(n_parents: int, n_rows: int, rng: np.random.Generator) -> IntArray:
    """Parents in random order, each used equally often as far as possible."""
    rounds = [rng.permutation(n_parents) for _ in range(-(-n_rows // n_parents))]
    return np.concatenate([*rounds, np.empty(0, dtype=np.int64)])[:n_rows].astype(np.int64)


def _draw_partners(parents: IntArray, nearest: IntArray, usable: BoolArray, rng: np.random.Generator) -> IntArray:
    """A usable neighbor of each parent; the parent itself where it has none."""
    if nearest.shape[1] == 0:
        return parents
    lottery = np.where(usable[parents], rng.random((len(parents), nearest.shape[1])), -1.0)
    partners = nearest[parents, lottery.argmax(axis=1)]
    return np.where(usable[parents].any(axis=1), partners, parents)


def _between(
    column: Column, rows: EncodedTable, partners: EncodedTable, j: int, epsilon: FloatArray
) -> tuple[npt.NDArray[np.float64] | IntArray, BoolArray]:
    """Numbers part of the way to the partner's, on the grid; categories and lone values unchanged."""
    values, missing, grid = rows.values[j], rows.missing[:, j], column.grid
    if grid is None:
        return values, missing
    # Whole units of the grid are less than 2**63 apart; times in nanoseconds can be farther.
    start, goal = grid.nearest_units(values), grid.nearest_units(partners.values[j])
    moved = grid.from_units(start + np.rint(epsilon * (goal - start)).astype(np.int64))
    both = ~missing & ~partners.missing[:, j]
    return np.where(both, moved, values), missing


def _category(
    cells: EncodedTable,
    j: int,
    partners: IntArray,
    parents: IntArray,
    epsilon: FloatArray,
    voters: IntArray | None,
    rng: np.random.Generator,
) -> tuple[IntArray, BoolArray]:
    """Category of the partner with probability epsilon, or the majority of the voters; -1 is missing."""
    codes = np.where(cells.missing[:, j], -1, cells.values[j]).astype(np.int64)
    if voters is None:
        chosen = np.where(rng.random(len(parents)) < epsilon, codes[partners], codes[parents])
    else:
        chosen = _majority(codes[voters])
    return np.maximum(chosen, 0), chosen < 0


def _majority(votes: IntArray) -> IntArray:
    """Most frequent value of each row; the nearest neighbor's among the tied."""
    counts = np.column_stack([(votes == vote[:, None]).sum(axis=1) for vote in votes.T])
    return np.asarray(votes[np.arange(len(votes)), counts.argmax(axis=1)])
