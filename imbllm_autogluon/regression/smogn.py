"""SMOGN: interpolation between near rows of similar target, and noise where the neighbors are far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon._config import Config, Range, documented
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.oversampling.interpolation import MixedSpace
from imbllm_autogluon.regression.bins import TargetBins, checked_counts, targets_of
from imbllm_autogluon.tables import Column, ColumnName, EncodedTable, Kind, TableSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray

_MOST_ROWS = 5_000  # rows of a bin that take part: the search for neighbors is quadratic


@documented
@dataclass(frozen=True)
class SmognConfig(Config):
    """How rows are made."""

    k_neighbors: Annotated[int, Range(1, 1000)] = 5
    """k of the nearest-neighbor search; the paper uses 5."""
    noise: Annotated[float, Range(0.0, 1.0)] = 0.02
    """Standard deviation of the noise, as a share of the column's own among rows of similar target."""


def smogn(
    X: pd.DataFrame,
    y: pd.Series,
    bins: TargetBins,
    counts: Mapping[int, int],
    *,
    seed: int,
    config: SmognConfig | None = None,
    kinds: Mapping[ColumnName, Kind] | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Make new rows for bins of the target.

    A new row lies between a seed and one of its k nearest rows of similar target; if that one is farther than half the
    median distance of the seed to the others, it is the seed with Gaussian noise (Branco, Torgo and Ribeiro 2017,
    "SMOGN: a Pre-processing Approach for Imbalanced Regression"). Ours: rows of similar target are those of one bin,
    one share moves numbers, categories and target, and numbers stay on their column's grid and in its range.

    Parameters
    ----------
    X, y
        Real rows, shapes (n, m) and (n,). Never modified. Targets are finite numbers.
    counts
        New rows by number of the bin. A bin with fewer rows than neighbors borrows those of the nearest targets, and
        one without rows has seeds among these.
    seed, config, kinds
        Seed of all draws; neighbors and noise; column kinds that override the ones guessed from dtypes.

    Returns
    -------
    X, y
        The new rows alone, in the dtypes of the real ones, with a fresh index. Targets are whole only where the dtype
        of `y` is.

    Raises
    ------
    TableError
        The table cannot be used; the message names the column.
    InvalidInputError
        Lengths differ, a target is missing or infinite, all are equal, or `counts` are not those of bins.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.regression.bins import TargetBins
    >>> X = pd.DataFrame({"rooms": range(1, 31), "town": ["A", "B", "A"] * 10})
    >>> y = pd.Series(np.linspace(0, 3, 30) ** 3, name="price")
    >>> rows, prices = smogn(X, y, TargetBins.fit(y, n_bins=3), {2: 4}, seed=0)
    >>> rows.shape, bool((prices > 12).all())
    ((4, 2), True)
    """
    config, target = config or SmognConfig(), targets_of(X, y)
    schema = TableSchema.from_frame(X, kinds=kinds, unreadable="copy")
    table, places = (schema, schema.encode(X), target), bins.assign(target)
    parts = []
    for number, n in checked_counts(counts, len(bins)).items():
        chosen = _seeds_and_rows(places == number, target, bins.centres[number], config.k_neighbors)
        parts.append(_rows_of_bin(table, chosen, n, config, child_rng(seed, "interpolation", "smogn", number)))
    cells, parents, targets = zip(*parts, strict=True)
    rows = schema.decode(EncodedTable.concat(cells), X.iloc[np.concatenate(parents)].reset_index(drop=True))
    moved, whole = np.concatenate(targets), pd.api.types.is_integer_dtype(y.dtype)
    return rows, pd.Series(np.rint(moved) if whole else moved, name=y.name).astype(y.dtype)


class _Pairs(NamedTuple):
    """A seed and a partner for each new row, as positions among the rows of similar target."""

    seeds: IntArray
    partners: IntArray
    is_far: BoolArray  # noise replaces interpolation
    epsilon: FloatArray  # share of the way to the partner


def _rows_of_bin(
    table: tuple[TableSchema, EncodedTable, FloatArray],
    chosen: tuple[IntArray, IntArray],
    n_rows: int,
    config: SmognConfig,
    rng: np.random.Generator,
) -> tuple[EncodedTable, IntArray, FloatArray]:
    """New cells, the rows they descend from, and new targets."""
    (schema, cells, target), (seeds, similar) = table, chosen
    if len(similar) > _MOST_ROWS:
        similar = np.sort(rng.choice(similar, _MOST_ROWS, replace=False))
        seeds = similar[np.isin(similar, seeds)]
    rows = cells.take(similar)
    space = MixedSpace.fit(schema, rows)
    pairs = _draw_pairs(space, rows, np.searchsorted(similar, seeds), n_rows, config.k_neighbors, rng)
    made = rows.take(pairs.seeds)
    for j, column in enumerate(schema.columns):
        made = made.with_column(j, *_new_column(column, rows, j, pairs, config.noise, rng))
    return made, similar[pairs.seeds], _new_targets(target[similar], target, pairs, config.noise, rng)


def _seeds_and_rows(inside: BoolArray, target: FloatArray, centre: float, k: int) -> tuple[IntArray, IntArray]:
    """Rows of a bin, and rows of similar target: these, and where they are few, the nearest targets next to them."""
    seeds, distance = np.flatnonzero(inside), np.where(inside, -1.0, np.abs(target - centre))
    nearest = np.argsort(distance, kind="stable")[: max(k + 1, len(seeds))]
    similar = np.sort(nearest).astype(np.int64)
    return (seeds if len(seeds) else similar), similar


def _draw_pairs(
    space: MixedSpace, rows: EncodedTable, seeds: IntArray, n_rows: int, k: int, rng: np.random.Generator
) -> _Pairs:
    """Seeds used equally often, and one of the k nearest rows of each."""
    rounds = [rng.permutation(seeds) for _ in range(-(-n_rows // len(seeds)))]
    drawn = np.concatenate([*rounds, np.empty(0, dtype=np.int64)])[:n_rows].astype(np.int64)
    epsilon = rng.random(n_rows)
    if rows.n_rows == 1 or n_rows == 0:
        return _Pairs(drawn, drawn, np.ones(n_rows, dtype=bool), epsilon)
    unique, place = np.unique(drawn, return_inverse=True)
    nearest, is_far = _neighbors(space, rows, unique, min(k, rows.n_rows - 1))
    column = rng.integers(0, nearest.shape[1], n_rows)
    return _Pairs(drawn, nearest[place, column], is_far[place, column], epsilon)


def _neighbors(space: MixedSpace, rows: EncodedTable, seeds: IntArray, k: int) -> tuple[IntArray, BoolArray]:
    """The k nearest rows of each seed, and which are farther than half the median distance to the others."""
    nearest = np.zeros((len(seeds), k), dtype=np.int64)
    is_far = np.zeros((len(seeds), k), dtype=bool)
    for block, distances in space.distances(rows.take(seeds), rows):
        distances[np.arange(len(distances)), seeds[block]] = np.nan
        reach = np.nanmedian(distances, axis=1) / 2.0
        near = np.argsort(distances, axis=1, kind="stable")[:, :k]  # NaN, the seed itself, comes last
        nearest[block] = near
        is_far[block] = np.take_along_axis(distances, near, axis=1) >= reach[:, None]
    return nearest, is_far


def _new_column(
    column: Column, rows: EncodedTable, j: int, pairs: _Pairs, noise: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64] | IntArray, BoolArray]:
    """Values and gaps of one column; a gap of the seed stays, one of the partner leaves the seed's number."""
    values, missing = rows.values[j], rows.missing[:, j]
    if column.is_category:
        # Between: the partner's with the share of the way. Noise: by frequency among rows of similar target.
        chosen = np.where(rng.random(len(pairs.seeds)) < pairs.epsilon, pairs.partners, pairs.seeds)
        chosen = np.where(pairs.is_far, rng.integers(0, rows.n_rows, len(chosen)), chosen)
        return values[chosen], missing[chosen]
    gone, grid = missing[pairs.seeds], column.grid
    if grid is None:
        return values[pairs.seeds], gone
    units = grid.to_units(grid.snap(values))
    spread = noise * units[~missing].astype(np.float64).std() if (~missing).any() else 0.0
    start, way = units[pairs.seeds], units[pairs.partners] - units[pairs.seeds]
    between = np.where(missing[pairs.partners], 0.0, pairs.epsilon * way)
    step = np.where(pairs.is_far, rng.normal(0.0, 1.0, len(start)) * spread, between)
    low, high = grid.to_units(np.array([grid.minimum, grid.maximum]))
    return grid.from_units(_reflected(start + np.rint(step).astype(np.int64), low, high)), gone


def _new_targets(
    target: FloatArray, every: FloatArray, pairs: _Pairs, noise: float, rng: np.random.Generator
) -> FloatArray:
    """Targets moved as their rows are, inside the range of all real ones."""
    way = target[pairs.partners] - target[pairs.seeds]
    noisy = rng.normal(0.0, 1.0, len(way)) * noise * target.std()
    moved = target[pairs.seeds] + np.where(pairs.is_far, noisy, pairs.epsilon * way)
    return np.asarray(_reflected(moved, every.min(), every.max()))


def _reflected(values: npt.NDArray[Any], low: Any, high: Any) -> npt.NDArray[Any]:
    """Values inside a range: what noise brought beyond an end comes back as far, since cut values would pile up."""
    back = np.where(values > high, high - (values - high), np.where(values < low, low + (low - values), values))
    return np.clip(back, low, high)
