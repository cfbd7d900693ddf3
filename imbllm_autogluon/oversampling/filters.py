"""Which written rows are rejected (copies, near copies, rows like another class), and others written in their place."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from imbllm_autogluon._random import child_rng, child_seed
from imbllm_autogluon.oversampling.interpolation import MixedSpace
from imbllm_autogluon.tables import EncodedTable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    from sklearn.ensemble import RandomForestClassifier

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.tables import TableSchema

_MOST_MEASURED = 2_000  # real rows whose nearest distance is measured: the quantile of more of them is the same
_TREES, _FEWEST_IN_LEAF = 50, 5  # leaves of five rows are smooth where classes overlap (docs/decisions/generator.md)
_HASHED_AT_ONCE = 50_000  # rows: their keys take some times the memory of the cells
_MOST_LEARNED = 10_000  # rows that the forest learns: of larger folds all classes give as evenly as they can


class RowFilter(ABC):
    """Scores rows and rejects those below a limit."""

    reason: ClassVar[str]  # of the counters ``{reason}_dropped`` and ``{reason}_kept`` of a report
    rounds: ClassVar[int] = 10  # how often rows are written, at most, because of this filter
    least: float  # rows of a lower score are rejected

    # Whether the rejected rows of the highest scores are taken after all where the last round leaves too few. Rows
    # that a filter without this rejects in the last round stay.
    gives_back: ClassVar[bool] = False

    @abstractmethod
    def scores(self, rows: EncodedTable) -> npt.NDArray[Any]:
        """Score of each row, shape (n_rows,)."""

    def rejects(self, rows: EncodedTable) -> BoolArray:
        """Which rows are rejected, shape (n_rows,)."""
        return np.asarray(self.scores(rows) < self.least)


def reject_until(
    write: Callable[[int, int], EncodedTable],
    n_rows: int,
    filters: Sequence[RowFilter],
    counts: Counter[str],
    rounds: int | None = None,
    ends: float = math.inf,
) -> EncodedTable:
    """Exactly `n_rows` rows (1 or more); rejected ones are written again, a few times at most.

    `write` takes a number of rows and the number of the round, from 0. Each filter sees what the ones before it let
    pass, and adds ``{reason}_dropped`` and ``{reason}_kept`` to `counts`. Without `rounds` the filters say how often
    rows are written. After `ends` (by ``time.perf_counter``) none is written again, and there may be fewer rows.
    """
    rounds = max(each.rounds for each in filters) if rounds is None else rounds
    kept: list[EncodedTable] = []
    spare = _Spare()
    for attempt in range(rounds):
        rows = write(n_rows, attempt)
        is_last = attempt + 1 == rounds
        for each in filters:
            if not is_last or each.gives_back:
                rows = _passed(each, rows, spare, counts)
        if is_last:
            rows = spare.fill(rows, n_rows, counts)
            _count_copies(filters, rows, counts)
        kept.append(rows)
        n_rows -= rows.n_rows
        if not n_rows or time.perf_counter() >= ends:
            break
    return EncodedTable.concat(kept)


def _passed(each: RowFilter, rows: EncodedTable, spare: _Spare, counts: Counter[str]) -> EncodedTable:
    scores = each.scores(rows)
    passed = scores >= each.least
    counts[f"{each.reason}_dropped"] += int((~passed).sum())
    if each.gives_back:
        spare.reason = each.reason
        spare.rows.append(rows.take(~passed))
        spare.scores.append(scores[~passed])
    return rows.take(passed)


def _count_copies(filters: Sequence[RowFilter], rows: EncodedTable, counts: Counter[str]) -> None:
    """Count the rows that stay although a filter would reject them, each for the first reason that holds."""
    for each in filters:
        if not each.gives_back:
            rejected = each.rejects(rows)
            counts[f"{each.reason}_kept"] += int(rejected.sum())
            rows = rows.take(~rejected)


@dataclass
class _Spare:
    """Rejected rows with their scores, the best of which are taken where no better ones come."""

    reason: str = ""
    rows: list[EncodedTable] = field(default_factory=list)
    scores: list[npt.NDArray[Any]] = field(default_factory=list)

    def fill(self, rows: EncodedTable, n_rows: int, counts: Counter[str]) -> EncodedTable:
        """The rows and the best rejected ones, `n_rows` in all, or as many as there are."""
        missing = min(n_rows - rows.n_rows, sum(part.n_rows for part in self.rows))
        if not missing:
            return rows
        best = np.argsort(-np.concatenate(self.scores), kind="stable")[:missing]
        counts.update({f"{self.reason}_dropped": -missing, f"{self.reason}_kept": missing})
        return EncodedTable.concat([rows, EncodedTable.concat(self.rows).take(np.sort(best))])


class KnownRows(RowFilter):
    """Rejects rows that equal a row of the training fold, of any class; remembers distinct 64-bit hashes."""

    reason = "copies"
    rounds = 4
    least = 1.0

    def __init__(self, hashes: npt.NDArray[np.uint64]) -> None:
        self.hashes = hashes

    @classmethod
    def from_cells(cls, cells: EncodedTable) -> KnownRows:
        """Remember every row of `cells`."""
        return cls(np.unique(_hash_rows(cells)))

    def scores(self, rows: EncodedTable) -> npt.NDArray[Any]:
        """False for a row that equals a remembered one."""
        return ~np.isin(_hash_rows(rows), self.hashes)


def _hash_rows(cells: EncodedTable) -> npt.NDArray[np.uint64]:
    """Hash of each row, columns and missingness included, the same in every process."""
    blocks = np.array_split(np.arange(cells.n_rows), 1 + cells.n_rows // _HASHED_AT_ONCE)
    keys = (cells.take(block).row_keys().astype(object) for block in blocks)
    return np.concatenate([pd.util.hash_array(each, categorize=False) for each in keys])


class NearRows(RowFilter):
    """Rejects rows nearer to a real row of their class than a share (`quantile`) of the real ones are to each other."""

    reason = "near_copies"

    def __init__(self, schema: TableSchema, real: EncodedTable, quantile: float) -> None:
        self._space = MixedSpace.fit(schema, real)
        self._real = real
        places = np.unique(np.linspace(0, real.n_rows - 1, _MOST_MEASURED).astype(np.int64))
        # The nearest row of a real one is itself, or an equal one.
        _, distances = self._space.nearest(real.take(places), real, 2)
        self.least = float(np.quantile(distances[:, 1], quantile)) - MixedSpace.equal

    def scores(self, rows: EncodedTable) -> FloatArray:
        """Distance to the nearest real row."""
        return self._space.nearest(rows, self._real, 1)[1][:, 0]


class PlausibilityForest:
    """Tells how likely rows are under one class, compared with the class they are most likely under.

    A random forest of the fold's real rows, or of a seeded choice of very many, all classes having the same weight, is
    grown when it is first asked. Neither forest nor ratio is in the paper of ImbLLM.
    """

    def __init__(self, cells: EncodedTable, codes: IntArray, seed: int, threads: int | None = None) -> None:
        kept = _even_choice(codes, _MOST_LEARNED, child_rng(seed, "order", "judge"))
        self.cells, self.codes = cells.take(kept), codes[kept]
        self._seed = seed
        self._threads = threads
        self._forest: RandomForestClassifier | None = None
        self._known: list[FloatArray] = []

    def filter(self, code: int, least: float) -> RowFilter:
        """What rejects rows of a class whose ratio is below `least`."""
        return _PlausibilityFilter(self, code, least)

    def ratios(self, rows: EncodedTable, code: int) -> FloatArray:
        """Likelihood of each row under a class over its highest likelihood under any, shape (n_rows,), 0 to 1.

        Posterior probabilities of a forest that gives all classes the same weight are proportional to likelihoods.
        """
        if rows.n_rows == 0:
            return np.zeros(0)
        forest, matrix = self._grown(), self._matrix(rows)
        # The mean of `predict_proba` over the trees, without its checks of the input, tree by tree.
        shares = np.mean([tree.tree_.predict(matrix) for tree in forest.estimators_], axis=0)
        place = int(np.flatnonzero(forest.classes_ == code)[0])
        return np.asarray(shares[:, place] / shares.max(axis=1))

    def _grown(self) -> RandomForestClassifier:
        from sklearn.ensemble import RandomForestClassifier

        if self._forest is None:
            self._known = [np.unique(column) for column in self.cells.values]
            self._forest = RandomForestClassifier(
                _TREES,
                class_weight="balanced",
                min_samples_leaf=_FEWEST_IN_LEAF,
                n_jobs=self._threads or 1,
                random_state=child_seed(self._seed, "training", "judge"),
            ).fit(self._matrix(self.cells), self.codes)
        return self._forest

    def _matrix(self, rows: EncodedTable) -> npt.NDArray[np.float32]:
        """Places of the values among the learned ones: trees ask for no more, and every number fits into float32."""
        pairs = zip(self._known, rows.values, strict=True)
        columns = [np.searchsorted(known, column) + np.searchsorted(known, column, "right") for known, column in pairs]
        matrix = np.stack(columns, axis=1).astype(np.float32)
        matrix[rows.missing] = np.nan
        return matrix

    def __getstate__(self) -> dict[str, object]:
        """Without the forest: it is grown again in a few tenths of a second."""
        return {**vars(self), "_forest": None, "_known": []}


class _PlausibilityFilter(RowFilter):
    reason = "implausible"
    gives_back = True

    def __init__(self, forest: PlausibilityForest, code: int, least: float) -> None:
        self._forest = forest
        self._code = code
        self.least = least

    def scores(self, rows: EncodedTable) -> FloatArray:
        return self._forest.ratios(rows, self._code)


def _even_choice(codes: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    """Places of at most `most` rows, every class giving the same number as far as it has it, in their order."""
    sizes = np.bincount(codes)
    limit, room = most, most
    for rank, size in enumerate(np.sort(sizes)):
        limit = room // (len(sizes) - rank)
        if size > limit:
            break
        room -= int(size)
    else:
        return np.arange(len(codes))
    drawn = [rng.permutation(np.flatnonzero(codes == code))[:limit] for code in range(len(sizes))]
    return np.sort(np.concatenate(drawn))
