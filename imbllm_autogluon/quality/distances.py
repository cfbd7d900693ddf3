"""Rows of each class as points of one mixed-type space, and how far synthetic rows are from real ones.

The distance is Euclidean over numbers and times in standard deviations of the real ones, plus 1 (squared) for each
category (or number that is the same in all real rows) that differs and each number that is missing on one side only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.quality.columns import PairedColumn, check_pair, codes_of, paired_columns, row_codes
from imbllm_autogluon.tables.labeled import check_label_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray

_T = TypeVar("_T")

REAL, SYNTHETIC, HOLDOUT, INTERPOLATED = "real", "synthetic", "hold-out", "interpolated"

_HELD_DISTANCES = 2_500_000  # at once: 20 MB of float64, and a few temporary arrays of that size
_FARTHEST = 1e6  # largest distance of a number from the mean, in standard deviations


@dataclass(frozen=True, eq=False)
class Points:
    """Rows in the space of distances."""

    numbers: FloatArray  # in standard deviations, 0 where missing, shape (n, p)
    marks: FloatArray  # which are equal or not: codes of levels and missingness, shape (n, q)

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, positions: IntArray | slice) -> Points:
        """Some of the rows."""
        return Points(self.numbers[positions], self.marks[positions])


class _Nearest(NamedTuple):
    """The nearest row of each query (the first of equally near ones); arrays of shape (n,)."""

    distance: FloatArray  # infinite where there is no other row
    position: IntArray
    closer: IntArray  # rows nearer than the query's limit; 0 without limits
    tied: IntArray  # rows exactly at it


def points(columns: Sequence[PairedColumn]) -> tuple[Points, Points]:
    """Real and synthetic rows as points; the real side alone decides means and standard deviations."""
    parts = [_coordinates(column) for column in columns]
    sides = [[np.column_stack([part[side][kind] for part in parts]) for kind in (0, 1)] for side in (0, 1)]
    # What is the same in all rows of both tables adds nothing to any distance, only time.
    varies = [np.ptp(np.vstack([sides[0][kind], sides[1][kind]]), axis=0) > 0 for kind in (0, 1)]
    real, synthetic = (Points(*(side[kind][:, varies[kind]] for kind in (0, 1))) for side in sides)
    return real, synthetic


def distances(queries: Points, rows: Points) -> Iterator[tuple[slice, FloatArray]]:
    """Positions of a block of queries, and their distances of shape (block, rows) to every row, block after block."""
    size = max(1, _HELD_DISTANCES // max(1, len(rows)))
    starts = range(0, len(queries), size)
    for start in progress_bar(len(starts), "comparing rows", starts):
        block = slice(start, min(start + size, len(queries)))
        yield block, _between(queries.take(block), rows)


def nearest(
    queries: Points, rows: Points, *, own: IntArray | None = None, limits: FloatArray | None = None
) -> _Nearest:
    """The nearest row of each query, points of one space; time grows with queries times rows, memory does not.

    `own` is the position of each query among the rows, which then is no neighbor of itself; below and at each of
    `limits` rows are counted.
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
    return _Nearest(distance, position, closer, tied)


def _between(queries: Points, rows: Points) -> FloatArray:
    """Sums of squared differences, not the faster product of matrices: equal rows must be at distance zero."""
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
    sides, known = (column.real, column.synthetic), column.known
    if not column.is_number:
        return [(np.zeros(len(side)), np.nan_to_num(side, nan=-1.0)) for side in sides]
    if not len(known) or np.ptp(known) == 0:
        only = known[0] if len(known) else 0.0
        return [(np.zeros(len(side)), np.where(np.isnan(side), -1.0, side != only)) for side in sides]
    standard = [np.clip((side - known.mean()) / known.std(), -_FARTHEST, _FARTHEST) for side in sides]
    return [(np.nan_to_num(side, nan=0.0), np.isnan(side).astype(np.float64)) for side in standard]


@dataclass(frozen=True, eq=False)
class MatchedTables:
    """Tables, by name, whose rows are matched by their class."""

    features: dict[str, pd.DataFrame]  # the tables without the label
    codes: dict[str, IntArray]  # of the class of each row, -1 where the label is missing
    classes: list[int]  # codes that occur among real and synthetic rows
    columns: list[PairedColumn]  # pair the real rows with those of all other tables, stacked
    starts: dict[str, int]  # where each table begins in these
    notes: list[str]  # what was left out

    @classmethod
    def from_tables(cls, tables: dict[str, pd.DataFrame], label: str | None) -> MatchedTables:
        """Match rows of tables, by name, by their class; without a label all rows are of one class.

        Raises `TableError` where a table is empty, lacks the label or a column of the real table, or holds cells of
        another kind; or no synthetic row is of a real class.
        """
        for called, table in tables.items():
            if not hasattr(table, "columns"):
                raise InvalidInputError(f"the {called} table must be a pandas DataFrame; got {type(table).__name__}.")
            if label is not None:
                check_label_column(table, label, f"the {called} table")
        for called, table in tables.items():
            check_pair(tables[REAL], table, called)
        codes, notes = _class_codes(tables, label)
        features = {called: table if label is None else table.drop(columns=label) for called, table in tables.items()}
        others = {called: table for called, table in features.items() if called != REAL}
        columns = paired_columns(features[REAL], others)
        starts = dict(zip(others, np.cumsum([0, *map(len, others.values())]).tolist(), strict=False))
        return cls(features, codes, _synthetic_classes(codes, label, notes), columns, starts, notes)

    def values(self, column: PairedColumn, called: str) -> FloatArray:
        """A column of one table."""
        if called == REAL:
            return column.real
        return column.synthetic[self.starts[called] : self.starts[called] + len(self.features[called])]


def _class_codes(tables: dict[str, pd.DataFrame], label: str | None) -> tuple[dict[str, IntArray], list[str]]:
    if label is None:
        return {called: np.zeros(len(table), dtype=np.int64) for called, table in tables.items()}, []
    codes = dict(zip(tables, codes_of([table[label].astype(object) for table in tables.values()], label), strict=True))
    gaps = {called: int((found < 0).sum()) for called, found in codes.items()}
    return codes, [f"{n} rows of the {name} table have no label and were left out." for name, n in gaps.items() if n]


def _synthetic_classes(codes: dict[str, IntArray], label: str | None, notes: list[str]) -> list[int]:
    """Classes that occur in both tables; synthetic rows of others are noted."""
    written, real = codes[SYNTHETIC], codes[REAL]
    shared = np.intersect1d(written[written >= 0], real[real >= 0])
    if not len(shared):
        raise TableError(
            f"no class of {label!r} in the synthetic rows occurs in the real ones: are they of another dtype, such as "
            "'1' for 1, or is the label missing in all rows?"
        )
    strange = int((~np.isin(written, shared) & (written >= 0)).sum())
    if strange:
        notes.append(f"{strange} synthetic rows are of classes that no real row has, and were left out.")
    return [int(code) for code in shared]


class ClassRows:
    """Rows of one class of all tables, that at `place` among `tables.classes`, and how far they are apart.

    Queries are at most `most_rows` drawn at random; what they are compared with are always all rows, as a copy would
    not be found otherwise. About ``5 * most_rows * n`` distances are computed, a block at a time.
    """

    def __init__(self, tables: MatchedTables, place: int, most_rows: int, seed: int) -> None:
        code, rng = tables.classes[place], child_rng(seed, "order", "distances", place)
        self.tables, self.seed = tables, seed
        self.rng = child_rng(seed, "order", "quality", place)
        # Of the rows of the class in each table that was given; below, of the queries among these.
        self.positions = {called: np.flatnonzero(found == code) for called, found in tables.codes.items()}
        self.points = self._all_points()
        self.looked_at = {called: draw(len(rows), most_rows, rng) for called, rows in self.points.items()}
        self._once: dict[Any, Any] = {}
        real, holdout = self.points[REAL], self.points.get(HOLDOUT)
        self.to_real, self.to_holdout = _to_both(self.sample(SYNTHETIC), real, holdout)
        self.real_to_real = nearest(self.sample(REAL), real, own=self.looked_at[REAL]).distance
        self.real_to_holdout = None if holdout is None else nearest(self.sample(REAL), holdout).distance

    def count(self, called: str) -> int:
        """Rows of the class; 0 where the table was not given."""
        return len(self.positions.get(called, ()))

    def table(self, called: str) -> pd.DataFrame:
        """Features of the rows of the class."""
        return self.tables.features[called].iloc[self.positions[called]]

    def sample(self, called: str) -> Points:
        """The queries of a table."""
        return self.points[called].take(self.looked_at[called])

    @cached_property
    def codes(self) -> tuple[IntArray, IntArray]:
        """Code of each real and synthetic row, equal where two rows are."""
        return row_codes(self.table(REAL), self.table(SYNTHETIC))

    @cached_property
    def columns(self) -> list[PairedColumn]:
        """Real and synthetic rows of the class."""
        return self._stacked([SYNTHETIC])

    @cached_property
    def sampled_columns(self) -> list[PairedColumn]:
        """As `columns`, of the rows that are queries."""
        return [column.take(self.looked_at[REAL], self.looked_at[SYNTHETIC]) for column in self.columns]

    def once(self, compute: Callable[[ClassRows], _T]) -> _T:
        """What a function finds about these rows; several metrics may ask for it."""
        if compute not in self._once:
            self._once[compute] = compute(self)
        found: _T = self._once[compute]
        return found

    def _stacked(self, others: list[str]) -> list[PairedColumn]:
        found = []
        for column in self.tables.columns:
            real, *parts = (self.tables.values(column, name)[self.positions[name]] for name in (REAL, *others))
            found.append(PairedColumn(column.name, column.is_number, real, np.concatenate(parts)))
        return found

    def _all_points(self) -> dict[str, Points]:
        """All rows of the class in one space, scaled by the real ones."""
        given = [called for called in (SYNTHETIC, HOLDOUT, INTERPOLATED) if self.count(called)]
        real, others = points(self._stacked(given))
        ends = dict(zip(given, np.cumsum([self.count(called) for called in given]).tolist(), strict=True))
        return {REAL: real, **{name: others.take(slice(end - self.count(name), end)) for name, end in ends.items()}}


def draw(n: int, most: int, rng: np.random.Generator) -> IntArray:
    """All positions, or `most` of them at random, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _to_both(queries: Points, real: Points, holdout: Points | None) -> tuple[_Nearest, _Nearest | None]:
    """Nearest rows; the larger table also counts its rows that are nearer than the nearest one of the smaller table."""
    if holdout is None:
        return nearest(queries, real), None
    if len(holdout) <= len(real):
        to_holdout = nearest(queries, holdout)
        return nearest(queries, real, limits=to_holdout.distance), to_holdout
    to_real = nearest(queries, real)
    return to_real, nearest(queries, holdout, limits=to_real.distance)
