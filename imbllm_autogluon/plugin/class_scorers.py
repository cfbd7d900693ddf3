"""Metrics of rare classes that AutoGluon lacks: for ``eval_metric`` and, of decided classes, to calibrate thresholds.

AutoGluon hands codes to scorers: of two classes 1 is the positive one, more are counted in the order of the sorted
labels, and -1 is a class that the fit does not know; its rows are left out where all classes count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from autogluon.core.metrics import Scorer, make_scorer
from sklearn.metrics import precision_recall_curve, recall_score

from imbllm_autogluon._config import require_number
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray

    Costs = npt.ArrayLike | Mapping[Any, Any] | pd.DataFrame
    Weights = npt.ArrayLike | None


# Objects, since local functions reach no worker process.
@dataclass(frozen=True)
class _CurveScore:
    """Highest recall where precision is high enough, or highest precision where recall is."""

    scored: int  # 0: precision, 1: recall
    least: float  # of the other one

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: Weights = None) -> float:
        positive = np.asarray(y_true) == 1
        if not positive.any():
            return 0.0
        curve = precision_recall_curve(positive, np.asarray(y_pred), sample_weight=sample_weight)
        return float(curve[self.scored][curve[1 - self.scored] >= self.least].max())


@dataclass(frozen=True)
class _PrecisionAtK:
    """Share of positives among the highest rows; rows of equal probability count as if they were drawn among."""

    k: float

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
        positive, scores = np.asarray(y_true) == 1, np.asarray(y_pred)
        if not positive.any():
            return 0.0
        k = min(len(scores), int(self.k) if self.k >= 1 else max(1, round(self.k * len(scores))))
        last = np.partition(scores, -k)[-k]
        above, tied = scores > last, scores == last
        return float((positive[above].sum() + (k - above.sum()) * positive[tied].mean()) / k)


@dataclass(frozen=True, eq=False)
class _ExpectedCost:
    costs: FloatArray  # shape (k, k): true classes, decided classes

    def __call__(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: Weights = None) -> float:
        true, decided = _codes(y_true), _codes(y_pred)
        if true.max(initial=-1) >= len(self.costs):
            raise InvalidInputError(
                f"the cost matrix is of {len(self.costs)} classes, but there are {int(true.max()) + 1}: give a row and "
                "a column for each class of the label."
            )
        return _mean_of_known(self.costs[true, decided], true, sample_weight)


def _codes(labels: npt.ArrayLike) -> IntArray:
    """AutoGluon's codes are bytes, or whole numbers as floats where a class is unknown."""
    return np.asarray(labels).astype(np.int64)


def _mean_of_known(values: FloatArray, true: npt.NDArray[Any], weights: Weights) -> float:
    """Mean over rows of known classes, 0 where there are none."""
    known = true >= 0
    of_rows = np.ones(len(true)) if weights is None else np.asarray(weights, dtype=np.float64)
    return float(np.average(values[known], weights=of_rows[known])) if of_rows[known].any() else 0.0


def _geometric_mean(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: Weights = None) -> float:
    true = _codes(y_true)
    classes = np.unique(true[true >= 0])
    if not len(classes):
        return 0.0
    recalls = recall_score(true, y_pred, labels=classes, average=None, zero_division=0.0, sample_weight=sample_weight)
    return float(np.prod(recalls) ** (1.0 / len(classes)))


def _brier_score(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: Weights = None) -> float:
    true, chances = _codes(y_true), np.asarray(y_pred, dtype=np.float64)
    if chances.ndim == 1:
        return _mean_of_known((chances - true) ** 2, true, sample_weight)
    errors = ((chances - (true[:, None] == np.arange(chances.shape[1]))) ** 2).sum(axis=1)
    return _mean_of_known(errors, true, sample_weight)


def recall_at_precision(precision: float) -> Scorer:
    """Highest recall of the positive class of two where precision is at least this (above 0, at most 1).

    It is 0 where no threshold reaches the precision or no row is positive.

    Examples
    --------
    >>> scorer = recall_at_precision(0.8)
    >>> scorer.name, float(scorer([0, 1, 0, 1], [0.1, 0.9, 0.5, 0.4]))
    ('recall_at_precision_0.8', 0.5)
    """
    require_number("precision", precision, 1e-6, 1)
    return make_scorer(f"recall_at_precision_{precision:g}", _CurveScore(1, precision), needs_threshold=True)


def precision_at_recall(recall: float) -> Scorer:
    """Highest precision of the positive class of two where recall is at least this (above 0, at most 1)."""
    require_number("recall", recall, 1e-6, 1)
    return make_scorer(f"precision_at_recall_{recall:g}", _CurveScore(0, recall), needs_threshold=True)


def precision_at_k(k: float) -> Scorer:
    """Precision of the positive class of two among the k most probable rows, or below 1 among such a share of the rows.

    Of rows of equal probability at the border the expected share counts.
    """
    require_number("k", k, 1e-9)
    require_number("k", k, 1e-9, whole=k >= 1)
    return make_scorer(f"precision_at_{k:g}", _PrecisionAtK(k), needs_threshold=True)


def expected_cost(cost_matrix: Costs) -> Scorer:
    """Mean cost of the decided classes, in the unit of the costs; lower is better, AutoGluon shows it negative.

    Costs of at least 0 are a matrix with a row for each true class and a column for each decided one, in the order of
    the sorted labels; ``{"miss": 50, "alarm": 1}`` for two classes; or by label a data frame or ``{true: {decided:
    cost}}``, in which right decisions cost 0 where they are left out. Labels are matched by their text. Among several
    classes our ensemble leans towards those whose misses cost most. `InvalidInputError` says what is absent or unknown.

    Examples
    --------
    >>> float(expected_cost({"miss": 50, "alarm": 1})([0, 0, 1, 1], [0, 1, 1, 0]))
    -12.75
    """
    score = _ExpectedCost(_costs_of(cost_matrix))
    return make_scorer("expected_cost", score, optimum=0, greater_is_better=False, needs_class=True)


geometric_mean: Scorer = make_scorer("geometric_mean", _geometric_mean, needs_class=True)
"""Geometric mean of the recalls of the classes that have rows: 0 as soon as one class is never found."""

brier_score: Scorer = make_scorer("brier_score", _brier_score, optimum=0, greater_is_better=False, needs_proba=True)
"""Squared error of the probabilities: of the positive one of two classes, or summed over all of more (Brier 1950)."""


def _costs_of(cost_matrix: Costs, labels: Sequence[Hashable] | None = None) -> FloatArray:
    """Costs as a matrix, shape (k, k), in the order of these labels, by default of the sorted ones."""
    if isinstance(cost_matrix, Mapping) and set(cost_matrix) == {"miss", "alarm"}:
        cost_matrix = [[0, cost_matrix["alarm"]], [cost_matrix["miss"], 0]]
    elif isinstance(cost_matrix, (Mapping, pd.DataFrame)):
        cost_matrix = _by_label(cost_matrix, labels)
    try:
        costs = np.atleast_1d(np.array(cost_matrix, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"a cost matrix must hold numbers; {error}.") from error
    k = len(costs) if labels is None else len(labels)
    if costs.shape != (k, k) or k < 2 or not (np.isfinite(costs) & (costs >= 0)).all():
        raise InvalidInputError(
            "a cost matrix must hold a cost of at least 0 for each true class (rows) and decided class (columns)"
            f"{'' if labels is None else f', {k} each'}; got shape {costs.shape}: {costs.tolist()}."
        )
    return costs


def _by_label(costs: Mapping[Any, Any] | pd.DataFrame, labels: Sequence[Hashable] | None) -> npt.NDArray[Any]:
    """The matrix of costs by label, right decisions costing 0 where they are left out."""
    frame = costs if isinstance(costs, pd.DataFrame) else pd.DataFrame.from_dict(dict(costs), orient="index")
    named = {label: str(label) for label in labels or ()}  # 1.0 in a table of costs is the label 1
    frame = frame.rename(index=lambda one: named.get(one, str(one)), columns=lambda one: named.get(one, str(one)))
    known = sorted({*frame.index, *frame.columns}) if labels is None else [*named.values()]
    clear = sorted(frame.index) == sorted(frame.columns) == sorted(known) and frame.index.is_unique
    matrix = frame.loc[known, known].to_numpy(dtype=object) if clear else np.full((2, 2), None)
    absent = pd.isna(matrix)
    if (absent & ~np.eye(len(matrix), dtype=bool)).any():
        raise InvalidInputError(
            "costs must be those of miss and alarm, or of every pair of the classes "
            f"{', '.join(known)}, each once; got {', '.join(frame.index)}, decided as {', '.join(frame.columns)}."
        )
    return np.where(absent, 0.0, matrix)


def _costs_behind(metric: Scorer) -> FloatArray | None:
    """The cost matrix of a scorer made by :func:`expected_cost`, shape (k, k); None of any other."""
    score = getattr(metric, "_score_func", None)
    return score.costs if isinstance(score, _ExpectedCost) else None
