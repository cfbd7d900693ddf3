"""Scores of decided classes on bootstrap samples, computed from counts instead of rows.

Accuracy, balanced accuracy, F1 and their like depend on three numbers of each class alone: its rows, the decisions for
it, and those that are right. A bootstrap sample is counted once for all decisions that are compared on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray

    Score = Callable[[IntArray, IntArray], float]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Numbers of each class, shape (..., k)."""

    right: FloatArray
    """Rows of the class that are decided for it."""

    actual: FloatArray
    """Rows of the class."""

    decided: FloatArray
    """Rows that are decided for it."""


def resampled_scores(
    score: Score, codes: IntArray, decisions: Sequence[IntArray], samples: Iterable[npt.NDArray[np.intp]]
) -> FloatArray:
    """Score of each of several decisions on each sample of the rows.

    Parameters
    ----------
    score
        Of (classes, decisions). A scorer of AutoGluon whose `name` is one of :data:`CLASS_METRICS` is computed from
        counts, provided that they give its value for the first decision on all rows; others are called for each sample.
    codes
        Class of each row, shape (n,).
    decisions
        Decided class of each row, shape (n,) each.
    samples
        Places of the rows of each sample.

    Returns
    -------
    numpy.ndarray of shape (number of samples, number of decisions), float64
    """
    metric = CLASS_METRICS.get(getattr(score, "name", ""))
    kinds, kind_of_row = np.unique(np.column_stack([codes, *decisions]), axis=0, return_inverse=True)
    kind_of_row = kind_of_row.reshape(-1)  # numpy 2.0 gives it a second axis

    def scores(counts: IntArray) -> FloatArray:
        assert metric is not None
        return np.stack([metric(_counted(counts, kinds[:, 0], decided)) for decided in kinds.T[1:]], axis=1)

    whole = np.bincount(kind_of_row)[None]
    if metric is None or not np.isclose(scores(whole)[0, 0], score(codes, decisions[0])):
        return np.array([[score(codes[rows], decided[rows]) for decided in decisions] for rows in samples])
    return scores(np.array([np.bincount(kind_of_row[rows], minlength=len(kinds)) for rows in samples]))


def _counted(counts: IntArray, actual: IntArray, decided: IntArray) -> ClassCounts:
    """Numbers of each class on each sample from the rows of each kind, shape (number of samples, number of kinds)."""
    k = max(2, int(max(actual.max(), decided.max())) + 1)

    def per_class(classes: IntArray, rows: IntArray) -> FloatArray:
        places = np.arange(len(rows))[:, None] * k + classes
        counted = np.bincount(places.ravel(), rows.ravel(), len(rows) * k).astype(np.float64)  # stubs say integers
        return counted.reshape(len(rows), k)

    right = actual == decided
    return ClassCounts(
        per_class(actual[right], counts[:, right]), per_class(actual, counts), per_class(decided, counts)
    )


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """`part / whole`, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _precision(of: ClassCounts) -> FloatArray:
    return _share(of.right, of.decided)


def _recall(of: ClassCounts) -> FloatArray:
    return _share(of.right, of.actual)


def _f1(of: ClassCounts) -> FloatArray:
    return _share(2 * of.right, of.actual + of.decided)


def _accuracy(of: ClassCounts) -> FloatArray:
    return _share(of.right.sum(axis=-1), of.actual.sum(axis=-1))


def _balanced_accuracy(of: ClassCounts) -> FloatArray:
    return _share(_recall(of).sum(axis=-1), (of.actual > 0).sum(axis=-1))


def _matthews(of: ClassCounts) -> FloatArray:
    """Matthews' correlation coefficient of more than two classes (Gorodkin 2004)."""
    n, right = of.actual.sum(axis=-1), of.right.sum(axis=-1)
    shared, actual, decided = (
        n**2 - (a * b).sum(axis=-1)
        for a, b in ((of.actual, of.decided), (of.actual, of.actual), (of.decided, of.decided))
    )
    return _share(n * right - n**2 + shared, np.sqrt(actual * decided))


def _positive(each: Callable[[ClassCounts], FloatArray]) -> Callable[[ClassCounts], FloatArray]:
    """Of the second of two classes."""
    return lambda of: each(of)[..., 1]


def _macro(each: Callable[[ClassCounts], FloatArray]) -> Callable[[ClassCounts], FloatArray]:
    """Mean over the classes that rows or decisions have."""
    return lambda of: _share(each(of).sum(axis=-1), (of.actual + of.decided > 0).sum(axis=-1))


def _weighted(each: Callable[[ClassCounts], FloatArray]) -> Callable[[ClassCounts], FloatArray]:
    """Mean over the rows."""
    return lambda of: _share((each(of) * of.actual).sum(axis=-1), of.actual.sum(axis=-1))


CLASS_METRICS: dict[str, Callable[[ClassCounts], FloatArray]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "mcc": _matthews,
}
"""Metrics that are functions of the numbers of each class, by AutoGluon's names; shape (..., k) gives (...)."""

for _name, _each in (("precision", _precision), ("recall", _recall), ("f1", _f1)):
    CLASS_METRICS[_name] = _positive(_each)
    CLASS_METRICS[f"{_name}_macro"] = _macro(_each)
    CLASS_METRICS[f"{_name}_weighted"] = _weighted(_each)
    CLASS_METRICS[f"{_name}_micro"] = _accuracy
