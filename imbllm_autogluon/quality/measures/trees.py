"""Trees on paired columns: the judges of the discriminator and of train-on-synthetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray

MOST_LEVELS = 250
"""Levels of a category that trees tell apart, the most frequent ones; scikit-learn's trees allow 255."""


class Trees:
    """Histogram gradient boosting with native categories and missing values, scikit-learn's defaults.

    One thread: of two on busy cores the waiting one spins (64 s against 0.6 s for a table of some hundred rows).

    Parameters
    ----------
    is_number
        Of each column; the others hold codes of levels.
    seed
        Of the trees.
    """

    def __init__(self, is_number: Sequence[bool], seed: int) -> None:
        self._is_number = is_number
        self._seed = seed
        self._lookups: list[FloatArray | None] = []
        self._empty: npt.NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._model: Any = None
        self._only = 0

    def fit(self, values: FloatArray, codes: IntArray) -> Trees:
        """Learn from rows of shape (n, p), NaN where missing, and codes of their classes, shape (n,)."""
        # scikit-learn 1.9 cannot bin a column without a value: such columns become constant.
        self._empty = np.asarray(np.isnan(values).all(axis=0))
        pairs = zip(self._is_number, values.T, strict=True)
        self._lookups = [None if is_number else _lookup(column) for is_number, column in pairs]
        if np.ptp(codes) == 0:
            self._only = int(codes[0])
            return self
        with _one_thread():
            self._model = self._estimator().fit(self._matrix(values), codes)
        return self

    def probabilities(self, values: FloatArray, n_classes: int) -> FloatArray:
        """Probability of each code, shape (n, n_classes); 0 for classes that were not learnt."""
        found = np.zeros((len(values), n_classes))
        if self._model is None:
            found[:, self._only] = 1.0
        else:
            with _one_thread():
                found[:, self._model.classes_] = self._model.predict_proba(self._matrix(values))
        return found

    def _estimator(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        levels = [not is_number for is_number in self._is_number]
        return HistGradientBoostingClassifier(
            early_stopping=False, random_state=self._seed, categorical_features=levels
        )

    def _matrix(self, values: FloatArray) -> npt.NDArray[np.float64]:
        pairs = zip(self._lookups, values.T, strict=True)
        learnt = np.column_stack([column if table is None else _look_up(table, column) for table, column in pairs])
        learnt[:, self._empty] = 0.0
        return learnt


class Forest(Trees):
    """100 extremely randomised trees that try every column at each split, with leaves of two rows (Geurts et al. 2006).

    Finds what no column shows alone in fewer rows than boosting. Rows with every column shuffled beside held-out real
    ones, mean AUC of six splits, forest / boosting: 40 of each hypothyroid 0.64 / 0.44, bank 0.66 / 0.52, german
    0.52 / 0.52; 75 of each 0.73 / 0.66, 0.64 / 0.57, 0.56 / 0.59; 150 of each bank 0.75 / 0.77, german 0.61 / 0.65.

    Numbers should be given as ranks: values beyond what float32 holds are refused.
    """

    def _estimator(self) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(100, min_samples_leaf=2, max_features=None, random_state=self._seed)

    def _matrix(self, values: FloatArray) -> npt.NDArray[np.float64]:
        """Without gaps, which these trees know from scikit-learn 1.6 on only; a new level is like the rarest ones."""
        matrix = super()._matrix(values)
        return np.where(np.isnan(matrix), np.where(self._is_number, -1.0, MOST_LEVELS), matrix)


def _one_thread() -> AbstractContextManager[object]:
    """OpenMP with one thread; what it was is put back."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(1, user_api="openmp")  # type: ignore[no-any-return]


def _lookup(codes: FloatArray) -> FloatArray:
    """Place of each code among the most frequent ones; the others share the last place."""
    known = codes[~np.isnan(codes)].astype(np.int64)
    counts = np.bincount(known, minlength=1)
    places = np.full(len(counts), np.nan)
    ranked = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    places[ranked] = np.minimum(np.arange(len(ranked)), MOST_LEVELS - 1)
    return places


def _look_up(places: FloatArray, codes: FloatArray) -> FloatArray:
    """A level that was not learnt is missing."""
    inside = ~np.isnan(codes) & (codes < len(places))
    return np.where(inside, places[np.where(inside, codes, 0).astype(np.int64)], np.nan)
