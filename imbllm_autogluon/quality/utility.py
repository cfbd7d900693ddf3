"""Utility: whether boosted trees find a class more precisely when synthetic rows are added to the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon._random import child_rng, child_seed
from imbllm_autogluon.quality.distances import HOLDOUT, REAL, SYNTHETIC
from imbllm_autogluon.quality.metrics import Finding, Metric, chance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.quality.distances import ClassRows, MatchedTables

MOST_TAUGHT = 20_000  # real rows that trees learn from: about 2 s of training for 20 columns on one core
_MOST_LEVELS = 250  # of a category that trees tell apart, the most frequent ones; scikit-learn's trees allow 255
_RECALL = 0.8  # share of the rows of the class that must be found
_FOLDS = 3  # of cross-validation inside the real rows, where none were held out
_FEWEST = 5  # rows of a class to test on: fewer have no precision at a recall


def _precision_gain(rows: ClassRows) -> Finding:
    """Precision with the synthetic rows minus that without, on hold-out rows, mean over all synthetic classes."""
    tables = rows.tables
    codes = tables.codes[REAL]
    if len(np.unique(codes[codes >= 0])) < 2:
        return Finding(None, "The real rows are of one class; two are needed.")
    truth, plain, helped = _tested(tables, rows.seed)
    classes = [code for code in tables.classes if (truth == code).sum() >= _FEWEST]
    if not classes or len(np.unique(truth)) < 2:
        return Finding(None, f"A written class needs {_FEWEST} rows to judge on, next to rows of another class.")
    precisions = [[_precision_at_recall(truth == code, side[:, code]) for code in classes] for side in (plain, helped)]
    without, with_rows = (float(np.mean(found)) for found in precisions)
    n_tested = int(np.isin(truth, classes).sum())
    note = f"At recall {_RECALL:g}: {with_rows:.3f} with, {without:.3f} without, on {n_tested} rows of the class."
    if HOLDOUT not in tables.codes:
        note += " By cross-validation inside the real rows, from all of which rows may have been written: optimistic."
    by_chance = max(0.05, chance(without, n_tested))
    return Finding(with_rows - without, note, (-by_chance, 1.0), good_from=by_chance)


def _precision_at_recall(is_class: BoolArray, scores: FloatArray, recall: float = _RECALL) -> float:
    """Best precision of a threshold that finds at least a given share of the class."""
    from sklearn.metrics import precision_recall_curve

    precisions, recalls, _ = precision_recall_curve(is_class, scores)
    return float(precisions[recalls >= recall - 1e-12].max())


def _tested(tables: MatchedTables, seed: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """True classes, and probabilities learned without and with the synthetic rows."""
    rng = child_rng(seed, "order", "efficacy")
    codes, written = tables.codes[REAL], tables.codes[SYNTHETIC]
    usable = np.flatnonzero(np.isin(written, tables.classes))
    n_classes = int(codes.max()) + 1
    values = {called: np.column_stack([tables.values(c, called) for c in tables.columns]) for called in tables.features}
    truths, plain, helped = [], [], []
    for k, (learned, tested, truth) in enumerate(_parts(tables, values, rng)):
        taught, added = _thinned(learned, usable, rng)
        trees = _Trees([c.is_number for c in tables.columns], child_seed(seed, "training", "efficacy", k))
        own, own_codes = values[REAL][taught], codes[taught]
        both, both_codes = np.vstack([own, values[SYNTHETIC][added]]), np.append(own_codes, written[added])
        truths.append(truth)
        plain.append(trees.fit(own, own_codes).probabilities(tested, n_classes))
        helped.append(trees.fit(both, both_codes).probabilities(tested, n_classes))
    return np.concatenate(truths), np.vstack(plain), np.vstack(helped)


def _thinned(taught: IntArray, added: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """At most 20,000 real rows, and as large a share of the synthetic ones."""
    share = MOST_TAUGHT / len(taught)
    if share >= 1.0:
        return taught, added
    n_added = max(1, round(share * len(added)))
    return rng.choice(taught, MOST_TAUGHT, replace=False), rng.choice(added, n_added, replace=False)


def _parts(
    tables: MatchedTables, values: dict[str, FloatArray], rng: np.random.Generator
) -> Iterator[tuple[IntArray, FloatArray, IntArray]]:
    """Positions of the real rows to learn from, and rows to test on with their classes."""
    codes = tables.codes[REAL]
    known = np.flatnonzero(codes >= 0)
    if HOLDOUT in tables.codes:
        truth = tables.codes[HOLDOUT]
        yield known, values[HOLDOUT][truth >= 0], truth[truth >= 0]
        return
    fold_of = np.full(len(codes), -1)
    for code in np.unique(codes[known]):
        own = np.flatnonzero(codes == code)
        fold_of[own] = rng.permutation(len(own)) % _FOLDS
    for fold in range(_FOLDS):
        test = np.flatnonzero(fold_of == fold)
        if len(test):
            yield known[fold_of[known] != fold], values[REAL][test], codes[test]


class _Trees:
    """Histogram gradient boosting with native categories and missing values, scikit-learn's defaults.

    Columns that are no numbers hold codes of levels. One thread: of two on busy cores the waiting one spins (64 s
    against 0.6 s for a table of some hundred rows).
    """

    def __init__(self, is_number: Sequence[bool], seed: int) -> None:
        self._is_number, self._seed = is_number, seed
        self._model: Any = None
        self._only = 0

    def fit(self, values: FloatArray, codes: IntArray) -> _Trees:
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
        """Probability of each code, shape (n, n_classes); 0 for classes that were not learned."""
        found = np.zeros((len(values), n_classes))
        if self._model is None:
            found[:, self._only] = 1.0
        else:
            with _one_thread():
                found[:, self._model.classes_] = self._model.predict_proba(self._matrix(values))
        return found

    def _estimator(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier as Model

        levels = [not is_number for is_number in self._is_number]
        return Model(early_stopping=False, random_state=self._seed, categorical_features=levels)

    def _matrix(self, values: FloatArray) -> FloatArray:
        pairs = zip(self._lookups, values.T, strict=True)
        learned = np.column_stack([column if table is None else _look_up(table, column) for table, column in pairs])
        learned[:, self._empty] = 0.0
        return learned


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
    places[ranked] = np.minimum(np.arange(len(ranked)), _MOST_LEVELS - 1)
    return places


def _look_up(places: FloatArray, codes: FloatArray) -> FloatArray:
    """A level that was not learned is missing."""
    inside = ~np.isnan(codes) & (codes < len(places))
    return np.where(inside, places[np.where(inside, codes, 0).astype(np.int64)], np.nan)


METRICS = {
    "precision gain at recall": Metric(
        -1, 1, "higher", 1.0, (-0.05, 1), group="utility", function=_precision_gain,
        meaning="Precision of the class at a fixed recall with the written rows, minus that without."),
}  # fmt: skip
