"""Both ensembles of a continuous target on the same rows: errors over all of them and by how rare the target is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.metrics import get_metric

from imbllm_autogluon.jobs.comparison import Comparison, Score, kind_of_rows
from imbllm_autogluon.jobs.resampling import difference_interval
from imbllm_autogluon.plugin.regression_scorers import geometric_mean_error
from imbllm_autogluon.quality.pages.environments import measure
from imbllm_autogluon.regression.bins import SHOTS, shots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt
    import pandas as pd
    from autogluon.core.metrics import Scorer
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.jobs.contenders import Contenders
    from imbllm_autogluon.regression.bins import TargetBins

    Positions = npt.NDArray[np.intp]

MAE, RMSE = "mean_absolute_error", "root_mean_squared_error"


class TargetComparison(Comparison):
    """Both ensembles on the same rows; scores are in the unit of the target, so they are shown by digits that count."""

    def figure(self, value: float | None) -> str:
        """A score as readers see it."""
        return measure(value)


def compare_targets(
    predictor: TabularPredictor,
    models: Contenders,
    bins: TargetBins,
    train: pd.DataFrame,
    test: pd.DataFrame | None = None,
) -> TargetComparison:
    """Score both ensembles on the same rows.

    Parameters
    ----------
    predictor
        A fitted predictor of a continuous target.
    models
        The two ensembles, from :func:`~imbllm_autogluon.jobs.contenders.contenders`.
    bins
        Bins laid on the targets of `train`; with the rows of `train` they say which targets are few-, medium- and
        many-shot.
    train
        The rows given to ``fit``, with their index.
    test
        Rows with features and target that took no part in the fit. `None`: out-of-fold predictions are scored, or those
        of the validation rows where nothing was bagged.

    Returns
    -------
    TargetComparison
        The predictor's own metric first, then the mean absolute error over all rows, over few-, medium- and many-shot
        ones, root mean squared error and geometric mean error.
    """
    names = [name for name in (models.plain, models.whole) if name is not None]
    predicted = predictor.predict_multi(test, models=names)
    table = train if test is None else test
    rows = _Scored.of(predicted, table[predictor.label], shots(bins.counts(train[predictor.label])), bins)
    metrics = list(_metrics(predictor.eval_metric))
    return TargetComparison(
        models,
        tuple(_score(metric, rows, models) for metric in metrics),
        rows=kind_of_rows(predictor, test),
        counts={shot: int(rows.of_shot(shot).sum()) for shot in SHOTS},
        interval=_interval(metrics[0], rows, models),
    )


@dataclass(frozen=True)
class _Metric:
    """One metric, and the rows it is about."""

    name: str
    scorer: Scorer
    shot: str | None = None
    """Rows of this sort only; None: all."""


def _metrics(own: Scorer) -> Iterator[_Metric]:
    """The predictor's own metric and the others, each once."""
    error = get_metric(MAE, "regression")
    by_shot = {f"{shot}_mae": _Metric(f"{shot}_mae", error, shot) for shot in reversed(SHOTS)}
    usual = {
        MAE: _Metric(MAE, error),
        **by_shot,
        RMSE: _Metric(RMSE, get_metric(RMSE, "regression")),
        geometric_mean_error.name: _Metric(geometric_mean_error.name, geometric_mean_error),
    }
    yield usual.get(own.name, _Metric(own.name, own))
    yield from (metric for name, metric in usual.items() if name != own.name)


@dataclass(frozen=True, eq=False)
class _Scored:
    """Targets and predictions of the scored rows."""

    targets: FloatArray
    shots: npt.NDArray[np.str_]
    """Whether the target of each row is a few-, medium- or many-shot one, shape (n,)."""

    predicted: Mapping[str, FloatArray]
    """By model, shape (n,)."""

    @classmethod
    def of(
        cls, predicted: Mapping[str, Any], target: pd.Series[Any], of_bins: npt.NDArray[np.str_], bins: TargetBins
    ) -> _Scored:
        index = next(iter(predicted.values())).index
        targets = target.loc[index].to_numpy(dtype=np.float64)
        answers = {name: values.to_numpy(dtype=np.float64) for name, values in predicted.items()}
        return cls(targets, of_bins[bins.assign(targets)], answers)

    def of_shot(self, shot: str | None) -> npt.NDArray[np.bool_]:
        """Which rows are of a sort, shape (n,)."""
        return np.ones(len(self.targets), dtype=bool) if shot is None else self.shots == shot

    def score(self, metric: _Metric, model: str, at: Positions) -> float:
        """Score of a model in AutoGluon's sign on the rows at the given positions."""
        at = at[self.of_shot(metric.shot)[at]]
        return float(metric.scorer(self.targets[at], self.predicted[model][at]))


def _score(metric: _Metric, rows: _Scored, models: Contenders) -> Score:
    at = np.flatnonzero(rows.of_shot(metric.shot))

    def value(model: str | None) -> float | None:
        if model is None or not len(at):
            return None
        value = float(metric.scorer.convert_score_to_original(rows.score(metric, model, at)))
        return value if np.isfinite(value) else None  # R² of one row, a correlation with equal predictions

    higher = bool(metric.scorer.greater_is_better_internal)
    return Score(metric.name, higher, value(models.plain), value(models.whole), rows=len(at))


def _interval(metric: _Metric, rows: _Scored, models: Contenders) -> tuple[float, float] | None:
    """95 % interval of a metric's gain; rows are drawn within few-, medium- and many-shot ones."""
    if models.plain is None or not rows.of_shot(metric.shot).any():
        return None
    plain, whole = models.plain, models.whole
    interval = difference_interval(lambda at: rows.score(metric, whole, at) - rows.score(metric, plain, at), rows.shots)
    return interval if interval is not None and np.isfinite(interval).all() else None
