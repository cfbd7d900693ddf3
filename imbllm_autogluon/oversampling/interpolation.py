"""Interpolated rows of one class: ``x' = x + epsilon (x_neighbour - x)`` (ImbLLM, arXiv 2510.09783, after SMOTE).

Numbers stay on their column's lattice and inside the observed range; a value missing in the parent stays missing, one
missing in the neighbour leaves the parent's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.oversampling.neighbours import MixedSpace

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.oversampling.config import InterpolationConfig
    from imbllm_autogluon.tables import Cells, Column, TableSchema


MOST_PARENTS = 5_000
"""Rows of a class that take part: neighbour search is quadratic (5,000 rows x 20 columns: about 2 s on one core)."""

MOST_CHECKED = 1_000
"""Interpolated rows whose surroundings are examined for the report."""

LOW_DENSITY_QUANTILE = 0.95

EQUAL = 1e-6
"""Standardised distance up to which rows are equal: rounding leaves about 1e-8 between copies."""


@dataclass(frozen=True, eq=False)
class Interpolated:
    """Interpolated rows of one class."""

    cells: Cells
    """The rows."""

    low_density_share: float
    """Share of rows that lie farther from the class than 95 % of its own rows do (range 0 to 1; near 0 inside one mode,
    larger where straight lines cross gaps). NaN where nothing was interpolated."""


def interpolate(
    schema: TableSchema, cells: Cells, n_rows: int, config: InterpolationConfig, rng: np.random.Generator
) -> Interpolated:
    """Draw `n_rows` interpolated rows between the rows of one class.

    Parameters
    ----------
    schema
        The table's columns.
    cells
        Rows of the class, at least two; a random 5,000 of them take part if there are more.
    n_rows
        Rows wanted.
    config
        Kind of interpolation, treatment of categories, k.
    rng
        Source of randomness.
    """
    if cells.n_rows > MOST_PARENTS:
        cells = cells.take(np.sort(rng.choice(cells.n_rows, MOST_PARENTS, replace=False)))
    space = MixedSpace.fit(schema, cells)
    nearest, distances = space.nearest(cells, cells, config.neighbours, same=True)
    usable = np.ones_like(nearest, dtype=bool)
    if config.interpolation == "adaptive":
        usable = _inside_mode(nearest, distances)
    parents = _even_draw(cells.n_rows, n_rows, rng)
    partners = _draw_partners(parents, nearest, usable, rng)
    epsilon = rng.random(n_rows)
    rows, partner_rows = cells.take(parents), cells.take(partners)
    for j, column in enumerate(schema.columns):
        values, missing = _between(column, rows, partner_rows, j, epsilon)
        if column.is_category and config.categories != "keep":
            voters = nearest[parents] if config.categories == "vote" else None
            values, missing = _category(cells, j, partners, parents, epsilon, voters, rng)
        rows = rows.with_column(j, values, missing)
    return Interpolated(rows, low_density_share(space, rows, cells, rng))


def low_density_share(space: MixedSpace, rows: Cells, real: Cells, rng: np.random.Generator) -> float:
    """Share of rows farther from their nearest real row than 95 % of the real rows are.

    More than the nearest one would hide a gap beside modes of few rows: these are far from most of their k nearest.
    """
    if rows.n_rows == 0:
        return float("nan")
    if rows.n_rows > MOST_CHECKED:
        rows = rows.take(rng.choice(rows.n_rows, MOST_CHECKED, replace=False))
    usual = space.nearest(real, real, 1, same=True)[1]
    found = space.nearest(rows, real, 1)[1]
    return float((found > np.quantile(usual, LOW_DENSITY_QUANTILE) + EQUAL).mean())


def _inside_mode(nearest: IntArray, distances: FloatArray) -> BoolArray:
    """Which neighbours are mutual and no farther than twice the local distance of both ends.

    Local is the nearest other row, or where that is nearer than usual, the usual distance of the nearest. More than
    the nearest one would not do: most of the k nearest of a row in a mode of few rows lie in other modes.
    """
    own = np.arange(len(nearest))[:, None]
    is_near = np.zeros((len(nearest), len(nearest)), dtype=bool)
    is_near[own, nearest] = True
    local = np.where(distances > EQUAL, distances, np.inf).min(axis=1)
    usual = np.median(local[np.isfinite(local)]) if np.isfinite(local).any() else 0.0
    reach = 2.0 * np.maximum(local, usual)
    inside: BoolArray = is_near[nearest, own] & (distances <= np.minimum(reach[:, None], reach[nearest]))
    return inside


def _even_draw(n_parents: int, n_rows: int, rng: np.random.Generator) -> IntArray:
    """Parents in random order, each used equally often as far as possible."""
    rounds = [rng.permutation(n_parents) for _ in range(-(-n_rows // n_parents))]
    return np.concatenate([*rounds, np.empty(0, dtype=np.int64)])[:n_rows].astype(np.int64)


def _draw_partners(parents: IntArray, nearest: IntArray, usable: BoolArray, rng: np.random.Generator) -> IntArray:
    """A usable neighbour of each parent; the parent itself where it has none."""
    if nearest.shape[1] == 0:
        return parents
    lottery = np.where(usable[parents], rng.random((len(parents), nearest.shape[1])), -1.0)
    partners = nearest[parents, lottery.argmax(axis=1)]
    return np.where(usable[parents].any(axis=1), partners, parents)


def _between(
    column: Column, rows: Cells, partners: Cells, j: int, epsilon: FloatArray
) -> tuple[npt.NDArray[np.float64] | IntArray, BoolArray]:
    """Numbers part of the way to the partner's, on the lattice; categories and lone values unchanged."""
    values, missing, lattice = rows.values[j], rows.missing[:, j], column.lattice
    if lattice is None:
        return values, missing
    # Whole units of the lattice are less than 2**63 apart; times in nanoseconds can be farther.
    start, goal = lattice.to_units(lattice.snap(values)), lattice.to_units(lattice.snap(partners.values[j]))
    moved = lattice.from_units(start + np.rint(epsilon * (goal - start)).astype(np.int64))
    both = ~missing & ~partners.missing[:, j]
    return np.where(both, moved, values), missing


def _category(
    cells: Cells,
    j: int,
    partners: IntArray,
    parents: IntArray,
    epsilon: FloatArray,
    voters: IntArray | None,
    rng: np.random.Generator,
) -> tuple[IntArray, BoolArray]:
    """Category of the partner with probability epsilon, or the majority of the voters; -1 stands for missing."""
    codes = np.where(cells.missing[:, j], -1, cells.values[j]).astype(np.int64)
    if voters is None or voters.shape[1] == 0:
        chosen = np.where(rng.random(len(parents)) < epsilon, codes[partners], codes[parents])
    else:
        chosen = _majority(codes[voters])
    return np.maximum(chosen, 0), chosen < 0


def _majority(votes: IntArray) -> IntArray:
    """Most frequent value of each row; the nearest neighbour's among the tied."""
    counts = np.column_stack([(votes == vote[:, None]).sum(axis=1) for vote in votes.T])
    majority: IntArray = votes[np.arange(len(votes)), counts.argmax(axis=1)]
    return majority
