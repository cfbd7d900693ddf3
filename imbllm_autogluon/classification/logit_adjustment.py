"""Decisions for a metric of classes by post-hoc logit adjustment, and bootstraps of such metrics.

Class k is decided for by ``p_k · share_k ** -degree``: degree 0 is best for accuracy, 1 for balanced accuracy (Menon et
al. 2013), macro F1 wants something in between. Two classes need none of it: AutoGluon tunes their threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.classification.calibration import correct_prior

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray

    Score = Callable[[IntArray, IntArray], float]

_DEGREES = tuple(tenths / 10 for tenths in range(11))  # 0: the most probable class; 1: as if classes were as frequent
_N_SAMPLES = 50  # bootstrap samples behind a standard error
_MOST_ROWS = 20_000  # of such a sample, at most


def adjustment_factors(shares: FloatArray, degree: float) -> FloatArray:
    """Factors of the classes, shape (k,), the mean of their logarithms being 0; classes without rows keep the least.

    Examples
    --------
    >>> adjustment_factors(np.array([0.8, 0.2]), 1.0)
    array([0.5, 2. ])
    """
    logs = -degree * np.log(np.where(shares > 0, shares, shares.max()))
    return np.asarray(np.exp(logs - logs.mean()))


def choose_tau(probabilities: FloatArray, codes: IntArray, shares: FloatArray, score: Score, usual: float) -> float:
    """The degree nearest to the usual one that is as good as the best, as far as these rows can tell.

    That is: of the degrees 0, 0.1 … 1 whose score, higher being better, is below the best one by no more than the
    standard error of their difference over bootstrap samples of the rows. Probabilities are calibrated, shape (n, k),
    of rows that their models have not learned; `shares` are those of the classes, shape (k,); `usual` comes from
    :func:`usual_degree`.
    """
    decisions = [correct_prior(probabilities, adjustment_factors(shares, degree)).argmax(axis=1) for degree in _DEGREES]
    scores = np.array([score(codes, decided) for decided in decisions])
    best = int(scores.argmax())
    redrawn = bootstrap_rows(codes, "tilt")
    found = resampled_scores(score, codes, decisions, redrawn.samples)
    errors = np.array([redrawn.error(each) for each in (found - found[:, [best]]).T])
    good = [degree for degree, is_good in zip(_DEGREES, scores >= scores[best] - errors, strict=True) if is_good]
    return min(good, key=lambda degree: abs(degree - usual))


def usual_degree(metric: str) -> float:
    """Degree to begin with for a metric of AutoGluon: one half where it is a mean over the classes, else none.

    Examples
    --------
    >>> usual_degree("balanced_accuracy"), usual_degree("f1_macro"), usual_degree("accuracy")
    (0.5, 0.5, 0.0)
    """
    return 0.5 if metric in ("balanced_accuracy", "geometric_mean") or metric.endswith("_macro") else 0.0


@dataclass(frozen=True, eq=False)
class _RedrawnRows:
    """Bootstrap samples of rows, as many of each class as there are."""

    samples: list[npt.NDArray[np.intp]]
    share: float  # rows of a sample over all rows: below 1 where these are very many

    def error(self, values: Any) -> float:
        """Standard error of a figure of all rows, from its values on the samples."""
        return float(np.std(values) * np.sqrt(self.share))


def bootstrap_rows(codes: npt.NDArray[np.int64], purpose: str) -> _RedrawnRows:
    """Draw bootstrap samples within each class, the same each time; `purpose` tells apart what they are for."""
    rng = child_rng(0, "order", purpose)
    share = min(1.0, _MOST_ROWS / len(codes))
    return _RedrawnRows(list(redrawn_within_classes(codes, rng, _N_SAMPLES, share)), share)


def redrawn_within_classes(
    classes: npt.NDArray[Any], rng: np.random.Generator, n_samples: int, share: float = 1.0
) -> Iterator[npt.NDArray[np.intp]]:
    """Places of rows drawn with replacement within each class, a share of its rows but at least one."""
    groups = [np.flatnonzero(classes == value) for value in np.unique(classes)]
    sizes = [max(1, round(share * len(group))) for group in groups]
    for _ in range(n_samples):
        yield np.concatenate([rng.choice(group, size) for group, size in zip(groups, sizes, strict=True)])


def resampled_scores(
    score: Score, codes: IntArray, decisions: Sequence[IntArray], samples: Iterable[npt.NDArray[np.intp]]
) -> FloatArray:
    """Score of each of several decisions on each sample of the rows, shape (number of samples, number of decisions).

    A scorer of AutoGluon whose `name` is that of a metric of class counts is computed from counts, provided that they
    give its value for the first decision on all rows; others are called for each sample. Classes and each of the
    decisions have shape (n,); samples are places of rows.
    """
    metric = _METRICS.get(getattr(score, "name", ""))
    kinds, kind_of_row = np.unique(np.column_stack([codes, *decisions]), axis=0, return_inverse=True)
    kind_of_row = kind_of_row.reshape(-1)  # numpy 2.0 gives it a second axis

    def scores(counts: IntArray) -> FloatArray:
        assert metric is not None
        return np.stack([metric(_counted(counts, kinds[:, 0], decided)) for decided in kinds.T[1:]], axis=1)

    whole = np.bincount(kind_of_row)[None]
    if metric is None or not np.isclose(scores(whole)[0, 0], score(codes, decisions[0])):
        return np.array([[score(codes[rows], decided[rows]) for decided in decisions] for rows in samples])
    return scores(np.array([np.bincount(kind_of_row[rows], minlength=len(kinds)) for rows in samples]))


class _ClassCounts(NamedTuple):
    """Of each class the rows that are decided for it and are right, its rows, and those decided for it; (..., k)."""

    right: FloatArray
    actual: FloatArray
    decided: FloatArray


def _counted(counts: IntArray, actual: IntArray, decided: IntArray) -> _ClassCounts:
    """Numbers of each class on each sample from the rows of each kind, shape (number of samples, number of kinds)."""
    k = max(2, int(max(actual.max(), decided.max())) + 1)

    def per_class(classes: IntArray, rows: IntArray) -> FloatArray:
        places = np.arange(len(rows))[:, None] * k + classes
        counted = np.bincount(places.ravel(), rows.ravel(), len(rows) * k).astype(np.float64)  # stubs say integers
        return counted.reshape(len(rows), k)

    right = actual == decided
    return _ClassCounts(
        per_class(actual[right], counts[:, right]), per_class(actual, counts), per_class(decided, counts)
    )


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """`part / whole`, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _accuracy(of: _ClassCounts) -> FloatArray:
    return _share(of.right.sum(axis=-1), of.actual.sum(axis=-1))


def _matthews(of: _ClassCounts) -> FloatArray:
    """Matthews' correlation coefficient of more than two classes (Gorodkin 2004)."""
    n, right = of.actual.sum(axis=-1), of.right.sum(axis=-1)
    pairs = ((of.actual, of.decided), (of.actual, of.actual), (of.decided, of.decided))
    shared, actual, decided = (n**2 - (a * b).sum(axis=-1) for a, b in pairs)
    return _share(n * right - n**2 + shared, np.sqrt(actual * decided))


def _means(name: str, each: Callable[[_ClassCounts], FloatArray]) -> dict[str, Callable[[_ClassCounts], FloatArray]]:
    """A figure of each class: of the second of two, over the classes that rows or decisions have, and over the rows."""
    return {
        name: lambda of: each(of)[..., 1],
        f"{name}_macro": lambda of: _share(each(of).sum(axis=-1), (of.actual + of.decided > 0).sum(axis=-1)),
        f"{name}_weighted": lambda of: _share((each(of) * of.actual).sum(axis=-1), of.actual.sum(axis=-1)),
        f"{name}_micro": _accuracy,
    }


_METRICS: dict[str, Callable[[_ClassCounts], FloatArray]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": lambda of: _share(_share(of.right, of.actual).sum(axis=-1), (of.actual > 0).sum(axis=-1)),
    "geometric_mean": lambda of: (
        np.where(of.actual > 0, _share(of.right, of.actual), 1).prod(axis=-1) ** (1 / (of.actual > 0).sum(axis=-1))
    ),
    "mcc": _matthews,
    **_means("precision", lambda of: _share(of.right, of.decided)),
    **_means("recall", lambda of: _share(of.right, of.actual)),
    **_means("f1", lambda of: _share(2 * of.right, of.actual + of.decided)),
}
"""Metrics that are functions of the numbers of each class, by AutoGluon's names; shape (..., k) gives (...)."""
