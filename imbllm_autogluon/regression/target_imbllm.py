"""ImbLLM for regression: rows of rare targets written in input space, the peer of synthetic features.

The class of ImbLLM (arXiv 2510.09783, which is about classes) is the bin of the target, or its value, and the target is
one more column, so that a written row comes with an exact target.
"""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import pandas as pd

from imbllm_autogluon._config import require_choice
from imbllm_autogluon._random import RandomState, base_seed, child_seed
from imbllm_autogluon._storage import kind_of, reading, writing
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.methods import load_generator, save_generator
from imbllm_autogluon.regression.bins import MANY_ABOVE, TargetBins, checked_counts, largest_remainder, targets_of

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.tables import ColumnName, Kind

    _Clause = Literal["bin", "value"]


_log = logging.getLogger(__name__)
_MOST_ROUNDS = 3  # times that rows are written again whose target lies outside the range that their first clause names
_LEAST_ROWS = 6  # rows below which a group joins a neighbor: a language model has too little to learn from fewer
_KIND, _GENERATOR = "generator of targets", "generator"


class TargetImbLLM:
    """Writes rows for bins of a continuous target by an :class:`~imbllm_autogluon.oversampling.imbllm.ImbLLM`.

    A row begins with the `bin` of its target, or with its `value` where the bin is not crowded.
    """

    def __init__(
        self,
        config: GeneratorConfig | None = None,
        *,
        clause: _Clause = "bin",
        random_state: RandomState = None,
        threads: int | None = None,
    ) -> None:
        require_choice("clause", clause, ("bin", "value"))
        self.clause: _Clause = clause
        self.seed = base_seed(random_state)
        self.generator = ImbLLM(_unfiltered(config or GeneratorConfig()), random_state=self.seed, threads=threads)
        self.groups: _TargetGroups
        self._target: str
        self._target_name: Hashable = None
        self._written = self._inside = 0

    def fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        bins: TargetBins,
        counts: Mapping[int, int],
        *,
        kinds: Mapping[ColumnName, Kind] | None = None,
        time_limit: float | None = None,
        warm_start: Path | None = None,
    ) -> Self:
        """Learn to write rows of the bins that need some, from real ones, shapes (n, m) and (n,), never modified.

        New rows of a bin without rows go to the nearest target. `kinds`, `time_limit` and `warm_start` are those of
        :meth:`~imbllm_autogluon.oversampling.generator.LanguageGenerator.fit`. A table that cannot be used is a
        `TableError`; other lengths, bad targets and counts that are not those of bins are an `InvalidInputError`.
        """
        target = targets_of(X, y)
        self.groups = _TargetGroups.from_targets(target, bins, checked_counts(counts, len(bins)), self.clause)
        if not self.groups.counts:
            raise InvalidInputError("counts ask for 0 rows in all; ask for at least 1.")
        self._target, self._target_name, self._written, self._inside = _free_name(y.name, X), y.name, 0, 0
        names = self.groups.names
        label = pd.Series([names[group] for group in self.groups.of_rows], name=f"{self._target} range", dtype=object)
        table = X.reset_index(drop=True).assign(**{str(self._target): y.to_numpy()})
        kind: Kind = "integer" if pd.api.types.is_integer_dtype(y.dtype) else "continuous"
        wanted: dict[Hashable, int] = {names[group]: n for group, n in self.groups.counts.items()}
        own_kinds = {**(kinds or {}), self._target: kind}
        self.generator.fit(table, label, wanted, kinds=own_kinds, time_limit=time_limit, warm_start=warm_start)
        return self

    def with_config(self, config: GeneratorConfig, *, threads: int | None) -> TargetImbLLM:
        """The same trained generator under other settings of sampling; settings of training have no effect any more."""
        other = copy.copy(self)
        other.generator = self.generator.with_config(_unfiltered(config), threads=threads)
        other._written = other._inside = 0
        return other

    @property
    def report(self) -> OversamplingReport:
        """What fitting and writing did so far, by range of the target."""
        return self.generator.report

    @property
    def agreement(self) -> float:
        """Share of the rows written so far, again or again, whose target lay in the range of their first clause."""
        return self._inside / self._written if self._written else float("nan")

    def sample(
        self,
        counts: Mapping[int, int] | None = None,
        *,
        random_state: RandomState = None,
        time_limit: float | None = None,
    ) -> tuple[pd.DataFrame, pd.Series]:
        """Write exactly the wanted rows of each learned bin, in the dtypes of the real ones, with a fresh index.

        Counts are by default those of the fit, and the seed is the generator's own: repeated calls give the same rows.
        There are fewer where the time limit, in seconds, was reached.
        """
        wanted = self.groups.counts
        if counts is not None:
            wanted = self.groups.counts_of(checked_counts(counts, len(self.groups.held)), self.groups.counts)
        if not wanted:
            raise InvalidInputError("counts ask for 0 rows in all; ask for at least 1.")
        seed = self.seed if random_state is None else base_seed(random_state)
        ends, left = None if time_limit is None else time.perf_counter() + time_limit, sum(wanted.values())
        parts: list[pd.DataFrame] = []
        for group, n in wanted.items():
            share = None if ends is None else (ends - time.perf_counter()) * n / left
            parts.append(self._rows_of(group, n, seed, share))
            left -= n
        rows = pd.concat(parts, ignore_index=True)
        targets = rows.pop(self._target)
        targets.name = self._target_name
        return rows, targets

    def _rows_of(self, group: int, n_rows: int, seed: int, seconds: float | None) -> pd.DataFrame:
        """Rows of one group, targets included: those inside its range, or after some rounds the nearest to it."""
        name, parts, missing, started = self.groups.names[group], [], n_rows, time.perf_counter()
        for number in range(_MOST_ROUNDS + 1):
            own = child_seed(seed, "decoding", group, number)
            left = None if seconds is None else seconds - (time.perf_counter() - started)
            if number and left is not None and left <= 0:
                break
            rows, _ = self.generator.sample({name: missing}, random_state=own, time_limit=left)
            parts.append(rows)
            inside = int((self._distance(rows, group) == 0).sum())
            self._written, self._inside, missing = self._written + len(rows), self._inside + inside, missing - inside
            if not missing:
                break
        table = pd.concat(parts, ignore_index=True)
        if missing:
            _log.info("%d of %d rows of target %s lie outside; the nearest ones stay.", missing, n_rows, name)
        nearest = np.argsort(self._distance(table, group), kind="stable")[:n_rows]
        return table.iloc[np.sort(nearest)]

    def _distance(self, rows: pd.DataFrame, group: int) -> FloatArray:
        return self.groups.distance(rows[self._target].to_numpy(dtype=np.float64), group)

    def save(self, folder: Path) -> None:
        """Write the fitted generator into `folder`, which is created; what cannot be stored is a `StoredStateError`."""
        groups, name = self.groups, self._target_name
        with writing(folder, _KIND) as draft:
            save_generator(self.generator, draft.folder / _GENERATOR)
            draft.arrays = {"of_rows": groups.of_rows, "lows": groups.lows, "highs": groups.highs, "held": groups.held}
            draft.data = {
                "clause": self.clause,
                "seed": self.seed,
                "target": self._target,
                "target_name": name if isinstance(name, (str, int)) else None,
                "counts": sorted(groups.counts.items()),
            }

    @staticmethod
    def is_stored(folder: Path) -> bool:
        """Whether a folder was written by :meth:`save`."""
        return kind_of(folder) == _KIND

    @classmethod
    def load(cls, folder: Path) -> TargetImbLLM:
        """Read what :meth:`save` wrote, which writes the same rows; a damaged folder is a `StoredStateError`."""
        with reading(folder, _KIND) as stored:
            state = stored.data
            writer = cls(clause=state["clause"], random_state=state["seed"])
            writer.generator = cast("ImbLLM", load_generator(stored.folder / _GENERATOR))
            counts = {int(group): int(n) for group, n in state["counts"]}
            writer.groups = _TargetGroups(**stored.arrays(), counts=counts)
            writer._target, writer._target_name = state["target"], state["target_name"]
            return writer


def _unfiltered(config: GeneratorConfig) -> GeneratorConfig:
    """The same settings; no row is refused as implausible by default: a bin's neighbors are no other classes."""
    if config.filters.plausibility is not None:
        return config
    return replace(config, filters=replace(config.filters, plausibility=0.0))


def _free_name(name: object, X: pd.DataFrame) -> str:
    """A name for the column of targets that no feature has."""
    free = name if isinstance(name, str) and name else "target"
    while free in X.columns:
        free += "_"
    return free


@dataclass(frozen=True, eq=False)
class _TargetGroups:
    """Rows of a table in groups of adjacent targets, each large enough to be learned as a class."""

    of_rows: IntArray  # group of each row, shape (n,)
    lows: FloatArray  # smallest target of each group, shape (n_groups,), ascending
    highs: FloatArray  # largest target of each group, shape (n_groups,)
    # Rows of each bin that each group holds, shape (n_bins, n_groups); of a bin without rows the group with the nearest
    # target holds one
    held: IntArray
    counts: dict[int, int]  # new rows by group; only groups that get some

    @classmethod
    def from_targets(
        cls, y: FloatArray, bins: TargetBins, counts: Mapping[int, int], clause: _Clause = "bin"
    ) -> _TargetGroups:
        """Group targets (n,) by bin, or by value where bins have at most 100 rows and are not crowded.

        Groups of fewer than 6 rows join the smaller of their neighbors, unless that is crowded (a rare target would
        drown in it); a lone row joins that too. New rows of a bin without rows go to the group of the nearest target.
        """
        places = bins.assign(y)
        units = _units(y, places, clause)
        rows = _joined(np.bincount(units))[units]
        n_groups = int(rows.max()) + 1
        lows, highs = np.full(n_groups, np.inf), np.full(n_groups, -np.inf)
        np.minimum.at(lows, rows, y)
        np.maximum.at(highs, rows, y)
        held = np.zeros((len(bins), n_groups), dtype=np.int64)
        np.add.at(held, (places, rows), 1)
        groups = cls(rows, lows, highs, held, {})
        empty = np.flatnonzero(~held.any(axis=1))
        distances = [groups.distance(bins.centres[empty], group) for group in range(n_groups)]
        held[empty, np.argmin(distances, axis=0)] = 1
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
        return np.asarray(np.maximum(np.maximum(edges[group] - y, y - edges[group + 1]), 0.0))

    def counts_of(self, counts: Mapping[int, int], among: Collection[int] | None = None) -> dict[int, int]:
        """Rows wanted of bins as rows wanted of groups, all or some, in proportion to the rows of a bin they hold."""
        places = np.arange(len(self.lows))
        open_to = np.isin(places, places if among is None else list(among))
        total = np.zeros(len(places), dtype=np.int64)
        for number, n in counts.items():
            held = self.held[number] * open_to
            if n and not held.any():
                known = np.flatnonzero(self.held[:, open_to].any(axis=1)).tolist()
                raise InvalidInputError(f"counts ask for bin {number}, which was not learned; learned are: {known}.")
            if n:
                total += largest_remainder(held / held.sum(), n)
        return {group: int(n) for group, n in enumerate(total) if n}


def _units(y: FloatArray, places: IntArray, clause: _Clause) -> IntArray:
    """Number of the smallest part that each row belongs to, in the order of the target, shape (n,)."""
    crowded = np.bincount(places)[places] > MANY_ABOVE
    first_of_bin = np.full(int(places.max()) + 1, np.inf)
    np.minimum.at(first_of_bin, places, y)
    marks = first_of_bin[places] if clause == "bin" else np.where(crowded, first_of_bin[places], y)
    return np.asarray(np.unique(marks, return_inverse=True)[1].astype(np.int64))


def _joined(sizes: IntArray) -> IntArray:
    """Group of each unit, after small ones joined the smaller of their neighbors, shape (n_units,)."""
    groups = [[unit] for unit in range(len(sizes))]
    rows = [int(size) for size in sizes]
    while True:
        neighbors = {place: _neighbor(rows, place) for place, n in enumerate(rows) if n < _LEAST_ROWS}
        joinable = {place: other for place, other in neighbors.items() if other is not None}
        if not joinable:
            return np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        place = min(joinable, key=lambda j: rows[j])
        left = min(place, joinable[place])
        groups[left : left + 2] = [groups[left] + groups[left + 1]]
        rows[left : left + 2] = [rows[left] + rows[left + 1]]


def _neighbor(rows: list[int], place: int) -> int | None:
    """The smaller neighbor of a small group that it may join, if there is one."""
    near = [j for j in (place - 1, place + 1) if 0 <= j < len(rows)]
    open_to = [j for j in near if rows[j] <= MANY_ABOVE or rows[place] < 2]
    return min(open_to, key=lambda j: rows[j]) if open_to else None


def _range(low: float, high: float, digits: int) -> str:
    return f"{low:.{digits}g}" if low == high else f"{low:.{digits}g} to {high:.{digits}g}"
