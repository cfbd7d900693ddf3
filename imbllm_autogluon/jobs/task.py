"""What the label of a job holds, classes or numbers, and what follows from it: metric, checks, scores, facts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, TableError, nearest
from imbllm_autogluon.jobs.compare import ClassRows, ScoredRows, TargetRows
from imbllm_autogluon.jobs.folds import latent_reports
from imbllm_autogluon.plugin import regression_scorers
from imbllm_autogluon.regression.bins import FEW_BELOW, MANY_ABOVE, SHOTS, TargetBins, shots

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd
    from autogluon.core.metrics import Scorer
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.rebalancing import RebalanceConfig
    from imbllm_autogluon.tables.labeled import LabeledTable

_PROBLEMS: Mapping[str, tuple[str, ...]] = {"classification": ("binary", "multiclass"), "regression": ("regression",)}
"""AutoGluon's problem types of each task."""

_SHOT_METRICS = {f"{shot}_mae": shot for shot in SHOTS}
"""Metrics of targets of one sort."""

_OWN_METRICS = (*_SHOT_METRICS, "geometric_mean_error")
"""Metrics of regression that AutoGluon does not have."""

_MEANING = {
    "few": f"under {FEW_BELOW} rows",
    "medium": f"{FEW_BELOW} to {MANY_ABOVE} rows",
    "many": f"over {MANY_ABOVE} rows",
}
"""Rows in a bin of each sort."""


@dataclass(frozen=True, eq=False)
class Task(ABC):
    """The task of a job; subclasses say what the label holds."""

    train: LabeledTable
    """Rows to learn from."""

    metric: str | None
    """Metric that was asked for."""

    rebalancing: RebalanceConfig
    """Settings of the twins."""

    positive_class: str | None
    """Positive class that was asked for."""

    @property
    @abstractmethod
    def problem_type(self) -> str:
        """AutoGluon's name of it."""

    @property
    @abstractmethod
    def eval_metric(self) -> str:
        """Name of the metric in force."""

    @property
    def scorer(self) -> str | Scorer:
        """The metric in force as AutoGluon takes it."""
        return self.eval_metric

    @property
    def positive(self) -> Hashable:
        """Positive class of two; `None` for any other label."""
        return None

    def check(self) -> None:
        """Refuse a table that cannot be learned from, and options that do not go with the label."""
        known = _metrics(self.problem_type)
        if self.metric is not None and self.metric not in known:
            self._refuse_metric(self.metric, known)
        self.rebalancing.require_method(self.train.task)
        if self.positive_class is not None and self.problem_type != "binary":
            raise InvalidInputError(
                f"a positive class is for two classes; the label {self.train.label!r} {self._held()}."
            )

    def check_test(self, test: LabeledTable) -> None:
        """Refuse a test table without a column of the training table."""
        absent = [str(name) for name in self.train.frame.columns if name not in test.frame.columns]
        if absent:
            raise TableError(
                f"{test.source} lacks {len(absent)} column(s) of {self.train.source}: {', '.join(absent[:20])}."
            )

    @abstractmethod
    def scored(self, predictor: TabularPredictor, models: Iterable[str], test: pd.DataFrame | None) -> ScoredRows:
        """Labels and predictions of the test rows, or of out-of-fold or validation rows."""

    @abstractmethod
    def label_facts(self, predictor: TabularPredictor, folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the report says of the label, given its facts about folds."""

    @abstractmethod
    def _held(self) -> str:
        """What the label holds, in words."""

    def _refuse_metric(self, metric: str, known: list[str]) -> None:
        other = "classification" if self.train.task == "regression" else "regression"
        if any(metric in _metrics(problem) for problem in _PROBLEMS[other]):
            raise InvalidInputError(
                f"unknown metric {metric!r} for a {self.problem_type} label: it is one of {other}. Name another, or "
                f"change what the label is taken for with --task {other}."
            )
        raise InvalidInputError(
            f"unknown metric {metric!r} for a {self.problem_type} label{nearest(metric, known)}; the metrics are: "
            f"{', '.join(known)}."
        )


def _metrics(problem_type: str) -> list[str]:
    """Names of all metrics, in order."""
    from autogluon.core.metrics import METRICS

    return sorted({*METRICS[problem_type], *(_OWN_METRICS if problem_type == "regression" else ())})


class ClassTask(Task):
    """A label of classes.

    The default metric is average precision for two classes and balanced accuracy for more, because accuracy,
    AutoGluon's own default, is high for a model that never predicts a rare class.
    """

    @property
    def problem_type(self) -> str:
        """``binary`` or ``multiclass``."""
        return "binary" if len(self.train.counts) == 2 else "multiclass"

    @property
    def eval_metric(self) -> str:
        """The metric in force."""
        return self.metric or ("average_precision" if self.problem_type == "binary" else "balanced_accuracy")

    @property
    def positive(self) -> Hashable:
        """Positive class of two, by default the rarer one; `None` for more classes.

        Left alone, AutoGluon takes the alphabetically last class, which is as often as not the frequent one: F1 and
        average precision would then describe the class nobody looks for.
        """
        if self.problem_type != "binary":
            return None
        return self.train.rarest if self.positive_class is None else self.train.class_named(self.positive_class)

    def check(self) -> None:
        """Also refuse a label of which fewer than two classes could be learned, and an unknown positive class."""
        super().check()
        train = self.train
        lone = [label for label, n in train.counts.items() if n < 2]
        if lone and len(train.counts) - len(lone) < 2:
            raise ClassTooSmallError(
                f"{train.source}: class {lone[0]!r} of the label {train.label!r} has 1 row; at least 2 are needed to "
                "learn it and to write more. Collect more rows of it."
            )
        if self.positive_class is not None:
            train.class_named(self.positive_class)

    def check_test(self, test: LabeledTable) -> None:
        """Also refuse a test table of a single class."""
        super().check_test(test)
        if len(test.counts) < 2:
            held = ", ".join(map(repr, test.counts)) or "none"
            raise TableError(f"{test.source}: scores need rows of two classes; the label {test.label!r} has: {held}.")

    def scored(self, predictor: TabularPredictor, models: Iterable[str], test: pd.DataFrame | None) -> ClassRows:
        """Classes and probabilities."""
        return ClassRows.predicted(predictor, models, self.train.frame, test)

    def label_facts(self, predictor: TabularPredictor, folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Rows of each class (``classes``), and the ``positive`` one of two."""
        del predictor, folds
        classes = {str(label): n for label, n in self.train.counts.items()}
        return {"classes": classes, "positive": None if self.positive is None else str(self.positive)}

    def _held(self) -> str:
        return f"has {len(self.train.counts)}"


class TargetTask(Task):
    """A continuous target.

    The default metric is the mean absolute error. AutoGluon's own default, the root mean squared error, is ruled by
    the few largest errors: one row can decide which model is best.

    Which targets are few-, medium- and many-shot follows from the rows of the training table, in bins laid by the
    settings `n_bins` and `bins`; every fold is judged by these.
    """

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
        if self.eval_metric in _SHOT_METRICS:
            return regression_scorers.shot_scorer(self.bins, self.bin_counts, _SHOT_METRICS[self.eval_metric])
        return getattr(regression_scorers, self.eval_metric) if self.eval_metric in _OWN_METRICS else self.eval_metric

    @cached_property
    def bins(self) -> TargetBins:
        """Bins of the target, laid on the training table."""
        return TargetBins.fit(self.train.targets, self.rebalancing.targets.n_bins, self.rebalancing.targets.bins)

    @property
    def bin_counts(self) -> npt.NDArray[np.int64]:
        """Training rows of each bin, shape (n_bins,)."""
        return self.bins.counts(self.train.targets)

    def check(self) -> None:
        """Also refuse a metric about targets that the training table does not have."""
        super().check()
        shot, counts = _SHOT_METRICS.get(self.eval_metric), self.bin_counts
        found = sorted(set(shots(counts[counts > 0]).tolist()))
        if shot is not None and shot not in found:
            raise InvalidInputError(
                f"the metric {self.eval_metric!r} is about targets that {self.train.source} does not have: of the "
                f"{len(self.bins)} bins of {self.train.label!r} none with rows is {shot}-shot ({_MEANING[shot]}); "
                f"there are: {', '.join(found)}. Name another metric, or lay other bins with the setting n_bins."
            )

    def check_test(self, test: LabeledTable) -> None:
        """Also refuse a test table without a single known target."""
        super().check_test(test)
        if not len(test.frame):
            raise TableError(
                f"{test.source}: the label {test.label!r} is missing in every row; there is nothing to score."
            )

    def scored(self, predictor: TabularPredictor, models: Iterable[str], test: pd.DataFrame | None) -> TargetRows:
        """Targets and predicted numbers."""
        return TargetRows.predicted(predictor, models, self.train.frame, test, self.bins)

    def label_facts(self, predictor: TabularPredictor, folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Range, shots and bins of the target.

        ``lowest``, ``highest``, ``shots`` (training rows of each sort), ``few_below``, ``many_above`` and ``bins``: of
        each bin ``from``, ``to``, ``rows``, ``shots``, ``rows_added`` and ``features_added`` (means of the folds,
        `None` where no model adds such).
        """
        counts, edges = self.bin_counts, self.bins.edges.tolist()
        sorts = shots(counts)
        rows = self._mean_added(_rows_added(fold) for fold in folds if fold["edges"])
        reports = [report.get("bins", {}) for _, report in latent_reports(predictor)]
        features = self._mean_added((bins["centre"], bins["kept"]) for bins in reports if "kept" in bins)
        return {
            "lowest": float(self.train.targets.min()),
            "highest": float(self.train.targets.max()),
            "shots": {shot: int(counts[sorts == shot].sum()) for shot in SHOTS},
            "few_below": FEW_BELOW,
            "many_above": MANY_ABOVE,
            "bins": [
                {
                    "from": edges[b], "to": edges[b + 1], "rows": int(counts[b]), "shots": str(sorts[b]),
                    "rows_added": rows[b], "features_added": features[b],
                }
                for b in range(len(counts))
            ],
        }  # fmt: skip

    def _mean_added(self, parts: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]) -> list[float | None]:
        """Mean count of each bin over parts of (middles, counts); `None` where there is no part."""
        n = len(self.bins)
        sums = [np.bincount(self.bins.assign(at), weights=np.asarray(added), minlength=n) for at, added in parts]
        return [round(float(value), 2) for value in np.mean(sums, axis=0)] if sums else [None] * n

    def _held(self) -> str:
        return "is a number"


def _rows_added(fold: Mapping[str, Any]) -> tuple[FloatArray, list[int]]:
    """Middles of a fold's bins, and the rows added to them."""
    middles = TargetBins(np.asarray(fold["edges"], dtype=np.float64)).centres
    return middles, [fold["added"].get(str(number), 0) for number in range(len(middles))]
