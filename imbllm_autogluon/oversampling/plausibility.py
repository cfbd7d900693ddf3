"""Which written rows are plausible for their class beside the other classes of the fold.

A language model that learned a rare class alone knows nothing of what separates it from the others: where few rows
are known, it also writes rows that belong to another class. A random forest of the fold's real rows, all classes having
the same weight, judges them by a likelihood ratio. Neither judge nor ratio is in the paper of ImbLLM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.oversampling.cell_files import cell_arrays, cells_from
from imbllm_autogluon.randomness import child_rng, child_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from sklearn.ensemble import RandomForestClassifier

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.tables import Cells

    Arrays = dict[str, npt.NDArray[Any]]

TREES, FEWEST_IN_LEAF = 50, 5
"""Leaves of five rows are smooth where classes overlap. Mean F1 and average precision of XGBoost on seven tables, three
splits: 70.7 and 76.7 without a judge, 74.6 and 79.7 with leaves of 5 rows, 73.2 and 80.0 of 2, 71.1 and 79.1 of 1 (100
trees). Half the trees take half the time and decide on 94.6 % of written rows as 1,000 trees do, 100 on 96.1 % (3,000
rows, 15 columns, 80 rare)."""

MOST_LEARNED = 20_000
"""Rows that the forest learns, at most: of larger folds all classes give as evenly as they can."""

PREFIX = "judge."
"""Of the names of stored arrays."""


class PlausibilityJudge:
    """Tells how likely rows are under one class, compared with the class they are most likely under.

    Parameters
    ----------
    cells, codes
        Real rows and their label codes, shape (n,).
    seed
        Of the forest, which is grown when it is first asked.
    threads
        Of the forest; None: one.
    """

    def __init__(self, cells: Cells, codes: IntArray, seed: int, threads: int | None = None) -> None:
        self.cells = cells
        self.codes = codes
        self.seed = seed
        self.threads = threads
        self._forest: RandomForestClassifier | None = None
        self._known: list[FloatArray] = []

    @classmethod
    def of(cls, cells: Cells, codes: IntArray, seed: int, threads: int | None = None) -> PlausibilityJudge:
        """A judge that learns the rows of a fold, or a seeded choice of them where they are very many."""
        kept = _even_choice(codes, MOST_LEARNED, child_rng(seed, "order", "judge"))
        return cls(cells.take(kept), codes[kept], seed, threads)

    def ratios(self, rows: Cells, code: int) -> FloatArray:
        """Likelihood of each row under a class over its highest likelihood under any, shape (n_rows,), 0 to 1.

        Posterior probabilities of a forest that gives all classes the same weight are proportional to likelihoods.
        """
        if rows.n_rows == 0:
            return np.zeros(0)
        forest, matrix = self._grown(), self._matrix(rows)
        # The mean of `predict_proba` over the trees, without its checks of the input, tree by tree.
        shares = np.mean([tree.tree_.predict(matrix) for tree in forest.estimators_], axis=0)
        place = int(np.flatnonzero(forest.classes_ == code)[0])
        ratios: FloatArray = shares[:, place] / shares.max(axis=1)
        return ratios

    def arrays(self) -> Arrays:
        """Rows it learns, to be stored; the forest is grown again from them."""
        return {**cell_arrays(PREFIX, self.cells), f"{PREFIX}codes": self.codes}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, npt.NDArray[Any]], seed: int, threads: int | None = None
    ) -> PlausibilityJudge:
        """Judge of the rows that :meth:`arrays` gave."""
        return cls(cells_from(PREFIX, arrays), arrays[f"{PREFIX}codes"], seed, threads)

    def _grown(self) -> RandomForestClassifier:
        from sklearn.ensemble import RandomForestClassifier

        if self._forest is None:
            self._known = [np.unique(column) for column in self.cells.values]
            self._forest = RandomForestClassifier(
                TREES,
                class_weight="balanced",
                min_samples_leaf=FEWEST_IN_LEAF,
                n_jobs=self.threads or 1,
                random_state=child_seed(self.seed, "training", "judge"),
            ).fit(self._matrix(self.cells), self.codes)
        return self._forest

    def _matrix(self, rows: Cells) -> npt.NDArray[np.float32]:
        """Places of the values among the learned ones: trees ask for no more, and every number fits into float32."""
        columns = [
            np.searchsorted(known, column) + np.searchsorted(known, column, side="right")
            for known, column in zip(self._known, rows.values, strict=True)
        ]
        matrix = np.stack(columns, axis=1).astype(np.float32)
        matrix[rows.missing] = np.nan
        return matrix

    def __getstate__(self) -> dict[str, object]:
        """Without the forest: it is grown again in a few tenths of a second."""
        return {**vars(self), "_forest": None, "_known": []}


class ClassPlausibility:
    """A judge, the class that it judges rows for, and how likely they must be.

    Parameters
    ----------
    judge
        Of the fold.
    code
        Label code of the class.
    least
        Least likelihood ratio of a row (above 0, up to 1).
    """

    def __init__(self, judge: PlausibilityJudge, code: int, least: float) -> None:
        self._judge = judge
        self._code = code
        self.least = least

    def ratios(self, rows: Cells) -> FloatArray:
        """See :meth:`PlausibilityJudge.ratios`."""
        return self._judge.ratios(rows, self._code)


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
