"""Groups of rows of similar target, each large enough to be learned as a class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.allocation import largest_remainder
from imbllm_autogluon.regression.bins import MANY_ABOVE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.bins import TargetBins


Clause = Literal["bin", "value"]

LEAST_ROWS = 6
"""Rows below which a group joins a neighbour: a language model has too little to learn from fewer."""


@dataclass(frozen=True, eq=False)
class TargetGroups:
    """Rows of a table in groups of adjacent targets.

    Examples
    --------
    >>> from imbllm_autogluon.regression.bins import TargetBins
    >>> y = np.repeat([1.0, 2.0, 3.0, 4.0], [200, 30, 3, 4])
    >>> groups = TargetGroups.of(y, TargetBins.fit(y, n_bins=4), {2: 10, 3: 10})
    >>> list(groups.names), groups.counts
    (['1', '2', '3 to 4'], {2: 20})
    """

    of_rows: IntArray
    """Group of each row, shape (n,)."""

    lows: FloatArray
    """Smallest target of each group, shape (n_groups,), ascending."""

    highs: FloatArray
    """Largest target of each group, shape (n_groups,)."""

    held: IntArray
    """Rows of each bin that each group holds, shape (n_bins, n_groups); of a bin without rows the group with the
    nearest target holds one."""

    counts: dict[int, int]
    """New rows by group; only groups that get some."""

    @classmethod
    def of(cls, y: FloatArray, bins: TargetBins, counts: Mapping[int, int], clause: Clause = "bin") -> TargetGroups:
        """Group rows by bin, or by value where bins are not crowded.

        Parameters
        ----------
        y
            Targets, shape (n,).
        bins
            Bins of the target.
        counts
            New rows by number of the bin. Those of a bin without rows go to the group with the nearest target.
        clause
            `bin`: a group is a bin. `value`: it is one target; bins of more than 100 rows stay whole. Groups of fewer
            than 6 rows join the smaller of their neighbours, unless that is crowded (a rare target would drown in it);
            a lone row joins that too.
        """
        units = _units(y, bins.assign(y), clause)
        group_of_unit = _joined(np.bincount(units))
        rows = group_of_unit[units]
        n_groups = int(rows.max()) + 1
        lows, highs = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
        np.minimum.at(lows, rows, y)
        np.maximum.at(highs, rows, y)
        groups = cls(rows, lows, highs, _held(rows, bins.assign(y), (len(bins), n_groups)), {})
        groups.held[~groups.held.any(axis=1)] = groups._nearest(bins.centres[~groups.held.any(axis=1)])
        return replace(groups, counts=groups.counts_of(counts))

    @property
    def names(self) -> tuple[str, ...]:
        """What the clause of each group says: its target, or the range of its targets; all differ."""
        for digits in (6, 10, 17):
            names = tuple(_range(low, high, digits) for low, high in zip(self.lows, self.highs, strict=True))
            if len(set(names)) == len(names):
                break
        return names

    def distance(self, y: FloatArray, group: int) -> FloatArray:
        """How far targets lie outside a group, 0 inside, shape (n,); gaps between groups belong to the nearer one."""
        edges = np.concatenate([[-np.inf], (self.highs[:-1] + self.lows[1:]) / 2.0, [np.inf]])
        outside: FloatArray = np.maximum(np.maximum(edges[group] - y, y - edges[group + 1]), 0.0)
        return outside

    def counts_of(self, counts: Mapping[int, int], among: Collection[int] | None = None) -> dict[int, int]:
        """Rows wanted of bins, as rows wanted of groups: in proportion to the rows of a bin that they hold.

        Parameters
        ----------
        counts
            New rows by number of the bin.
        among
            Groups that may get rows; None: all.

        Raises
        ------
        InvalidInputError
            None of these groups holds rows of a bin that gets some.
        """
        open_to = np.isin(np.arange(len(self.lows)), list(range(len(self.lows)) if among is None else among))
        total = np.zeros(len(self.lows), dtype=np.int64)
        for number, n in counts.items():
            held = self.held[number] * open_to
            if n and not held.any():
                known = np.flatnonzero(self.held[:, open_to].any(axis=1)).tolist()
                raise InvalidInputError(f"counts ask for bin {number}, which was not learned; learned are: {known}.")
            if n:
                total += largest_remainder(held / held.sum(), n)
        return {group: int(n) for group, n in enumerate(total) if n}

    def _nearest(self, centres: FloatArray) -> IntArray:
        """A one for the group nearest to each target, shape (n, n_groups)."""
        distances = [self.distance(centres, group) for group in range(len(self.lows))]
        nearest: IntArray = np.eye(len(self.lows), dtype=np.int64)[np.argmin(distances, axis=0)]
        return nearest


def _held(rows: IntArray, places: IntArray, shape: tuple[int, int]) -> IntArray:
    """Rows of each bin in each group."""
    held = np.zeros(shape, dtype=np.int64)
    np.add.at(held, (places, rows), 1)
    return held


def _units(y: FloatArray, places: IntArray, clause: Clause) -> IntArray:
    """Number of the smallest part that each row belongs to, in the order of the target, shape (n,)."""
    crowded = np.bincount(places)[places] > MANY_ABOVE
    first_of_bin = np.full(int(places.max()) + 1, np.inf)
    np.minimum.at(first_of_bin, places, y)
    marks = first_of_bin[places] if clause == "bin" else np.where(crowded, first_of_bin[places], y)
    units: IntArray = np.unique(marks, return_inverse=True)[1].astype(np.int64)
    return units


def _joined(sizes: IntArray) -> IntArray:
    """Group of each unit, after small ones joined the smaller of their neighbours, shape (n_units,)."""
    groups = [[unit] for unit in range(len(sizes))]
    rows = [int(size) for size in sizes]
    while True:
        beside = {place: _neighbour(rows, place) for place, n in enumerate(rows) if n < LEAST_ROWS}
        joinable = {place: other for place, other in beside.items() if other is not None}
        if not joinable:
            return np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        place = min(joinable, key=lambda j: rows[j])
        left = min(place, joinable[place])
        groups[left : left + 2] = [groups[left] + groups[left + 1]]
        rows[left : left + 2] = [rows[left] + rows[left + 1]]


def _neighbour(rows: list[int], place: int) -> int | None:
    """The smaller neighbour of a small group that it may join, if there is one."""
    near = [j for j in (place - 1, place + 1) if 0 <= j < len(rows)]
    open_to = [j for j in near if rows[j] <= MANY_ABOVE or rows[place] < 2]
    return min(open_to, key=lambda j: rows[j]) if open_to else None


def _range(low: float, high: float, digits: int) -> str:
    return f"{low:.{digits}g}" if low == high else f"{low:.{digits}g} to {high:.{digits}g}"
