"""One job from a table with a continuous target to a fitted predictor, a comparison of its ensembles, and a report.

Both ensembles are compared on the same rows: errors over all of them and by how rare the target is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.metrics import get_metric

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.jobs.base_job import BaseJob
from imbllm_autogluon.jobs.checks import check_columns, check_metric, check_test_targets
from imbllm_autogluon.jobs.comparison import Comparison, Score, kind_of_rows
from imbllm_autogluon.jobs.resampling import difference_interval
from imbllm_autogluon.plugin.latent_diff_model import KEY as LATENT_DIFF
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.plugin.regression_scorers import geometric_mean_error
from imbllm_autogluon.quality.reports import measure
from imbllm_autogluon.regression.bins import FEW_BELOW, MANY_ABOVE, SHOTS, TargetBins, shots
from imbllm_autogluon.regression.config import LatentDiffConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt
    import pandas as pd
    from autogluon.core.metrics import Scorer
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.jobs.contenders import Contenders
    from imbllm_autogluon.regression.bins import Shot
    from imbllm_autogluon.tables.labeled import LabeledTable

    Positions = npt.NDArray[np.intp]


SHOT_METRICS: Mapping[str, Shot] = {f"{shot}_mae": shot for shot in SHOTS}
"""Metrics of targets of one sort."""

MEANING = {
    "few": f"under {FEW_BELOW} rows",
    "medium": f"{FEW_BELOW} to {MANY_ABOVE} rows",
    "many": f"over {MANY_ABOVE} rows",
}
"""Rows in a bin of each sort."""

GEOMETRIC = "geometric_mean_error"

MAE, RMSE = "mean_absolute_error", "root_mean_squared_error"


@dataclass(frozen=True, eq=False)
class TargetJob(BaseJob):
    """A job for a continuous target.

    Its metric is by default the mean absolute error. AutoGluon's own default, the root mean squared error, is ruled by
    the few largest errors: one row can decide which model is best.

    Which targets are few-, medium- and many-shot follows from the rows of the training table, in bins laid by the
    settings `n_bins` and `bins`; every fold is judged by these.

    Raises
    ------
    InvalidInputError
        A name or number is not allowed, or a metric is about targets that the training table does not have.
    TableError
        The test table lacks a column of the training table, or any target.
    """

    train: LabeledTable
    """Rows to learn from."""

    test: LabeledTable | None = None
    """Rows for the comparison that take no part in the fit; without them, out-of-fold rows are used."""

    latent_diff: Mapping[str, Any] = field(default_factory=dict)
    """Settings of LatentDiff; they need `families`, because a preset's portfolio takes none."""

    @property
    def problem_type(self) -> str:
        """``regression``."""
        return "regression"

    @property
    def eval_metric(self) -> str:
        """Name of the metric in force."""
        return self.metric or "mean_absolute_error"

    @property
    def scorer(self) -> str | Scorer:
        """The metric in force; those of shots remember the training table, whatever part of it a fold trains on."""
        from imbllm_autogluon.plugin import regression_scorers

        if self.eval_metric == GEOMETRIC:
            return regression_scorers.geometric_mean_error
        if self.eval_metric in SHOT_METRICS:
            return regression_scorers.shot_scorer(self.bins, self.bin_counts, SHOT_METRICS[self.eval_metric])
        return self.eval_metric

    @cached_property
    def bins(self) -> TargetBins:
        """Bins of the target, laid on the training table."""
        targets = TwinParameters.from_flat(self.settings).rebalancing.targets
        return TargetBins.fit(self.train.targets, targets.n_bins, targets.bins)

    @property
    def bin_counts(self) -> npt.NDArray[np.int64]:
        """Training rows of each bin, shape (n_bins,)."""
        return self.bins.counts(self.train.targets)

    def fit_arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``TabularPredictor.fit`` besides the data."""
        arguments = super().fit_arguments()
        if self.latent_diff:
            arguments["hyperparameters"][LATENT_DIFF] = dict(self.latent_diff)
        return arguments

    def compared(self, predictor: TabularPredictor, models: Contenders) -> Comparison:
        """Both ensembles of a predictor, scored by errors over all targets and over rare ones."""
        test = None if self.test is None else self.test.frame
        return compare_targets(predictor, models, self.bins, self.train.frame, test)

    def _check_metric(self) -> None:
        check_metric(self.metric, self.problem_type)
        shot, counts = SHOT_METRICS.get(self.eval_metric), self.bin_counts
        found = sorted(set(shots(counts[counts > 0]).tolist()))
        if shot is not None and shot not in found:
            raise InvalidInputError(
                f"the metric {self.eval_metric!r} is about targets that {self.train.source} does not have: of the "
                f"{len(self.bins)} bins of {self.train.label!r} none with rows is {shot}-shot ({MEANING[shot]}); there "
                f"are: {', '.join(found)}. Name another metric, or lay other bins with the setting n_bins."
            )

    def _check_tables(self) -> None:
        LatentDiffConfig.from_flat(self.latent_diff)
        if self.latent_diff and not self.families:
            raise InvalidInputError(
                f"settings of LatentDiff ({', '.join(self.latent_diff)}) need the other models by name: give families, "
                "such as --family GBM --family CAT."
            )
        TwinParameters.from_flat(self.settings).rebalancing.require_method("regression")
        if self.test is not None:
            check_columns(self.train, self.test)
            check_test_targets(self.test)


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
