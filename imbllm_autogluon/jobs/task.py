"""What the label of a job holds, classes or numbers, and what follows from it: metric, checks, scores, facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from imbllm_autogluon._config import parse_settings
from imbllm_autogluon.errors import ClassTooSmallError, InvalidInputError, TableError, nearest
from imbllm_autogluon.jobs.compare import ScoredRows
from imbllm_autogluon.jobs.folds import latent_reports
from imbllm_autogluon.plugin import class_scorers, scorers
from imbllm_autogluon.regression.bins import FEW_BELOW, MANY_ABOVE, SHOTS, TargetBins, shots
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt
    from autogluon.core.metrics import Scorer
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.rebalancing import RebalanceConfig
    from imbllm_autogluon.tables.labeled import LabeledTable

# AutoGluon's own are not for rare classes and targets: accuracy is high for a model that never predicts a rare class,
# and the root mean squared error is ruled by the few largest errors, so that one row can decide which model is best
_DEFAULT_METRICS = {
    "binary": "average_precision", "multiclass": "balanced_accuracy", "regression": "mean_absolute_error",
}  # fmt: skip
_SHOT_METRICS = {f"{shot}_mae": shot for shot in SHOTS}  # metrics of targets of one sort
_OWN_METRICS = (*_SHOT_METRICS, "geometric_mean_error")  # metrics of regression that AutoGluon does not have
_CLASS_METRICS = {one.name: one for one in (class_scorers.geometric_mean, class_scorers.brier_score)}
_METRICS_AT = {
    make.__name__: make
    for make in (class_scorers.recall_at_precision, class_scorers.precision_at_recall, class_scorers.precision_at_k)
}  # of two classes, at a number: recall_at_precision=0.8
# What else metrics are called, in lower case and in one word; the first one that a label has is meant
_ALSO_CALLED = {
    **dict.fromkeys(("auc", "rocauc", "auroc"), ("roc_auc", "roc_auc_ovo")),
    **dict.fromkeys(("ap", "prauc", "auprc"), ("average_precision",)),
    **dict.fromkeys(("bacc", "balancedacc"), ("balanced_accuracy",)),
    **dict.fromkeys(("qwk", "quadraticweightedkappa"), ("quadratic_kappa",)),
    **{name: (name, f"{name}_macro") for name in ("f1", "precision", "recall")},
    "f1score": ("f1", "f1_macro"), "macrof1": ("f1_macro",), "mlogloss": ("log_loss",), "brier": ("brier_score",),
    "gmean": ("geometric_mean",), "r2score": ("r2",), "spearman": ("spearmanr",), "pearson": ("pearsonr",),
}  # fmt: skip
# Rows in a bin of each sort
_MEANING = {"few": f"under {FEW_BELOW}", "medium": f"{FEW_BELOW} to {MANY_ABOVE}", "many": f"over {MANY_ABOVE}"}


@dataclass(frozen=True, eq=False)
class Task:
    """The task of a job: to name a class, or a number."""

    train: LabeledTable
    metric: str | None  # that was asked for
    rebalancing: RebalanceConfig  # settings of the twins
    positive_class: str | None  # that was asked for

    @property
    def problem_type(self) -> str:
        """AutoGluon's name of it: ``binary``, ``multiclass`` or ``regression``."""
        if self.train.task == "regression":
            return "regression"
        return "binary" if len(self.train.counts) == 2 else "multiclass"

    @cached_property
    def eval_metric(self) -> str:
        """Name of the metric in force: AutoGluon's, whatever else it was called."""
        name = self.metric or _DEFAULT_METRICS[self.problem_type]
        return _known_metric(name, self.problem_type) or _refuse_metric(name, self.problem_type)

    @property
    def scorer(self) -> str | Scorer:
        """The metric as AutoGluon takes it; those of shots remember the training table, whatever part a fold has."""
        if self.eval_metric in _SHOT_METRICS:
            return scorers.shot_scorer(self.bins, self.bin_counts, _SHOT_METRICS[self.eval_metric])
        name, _, number = self.eval_metric.partition("=")
        if number:
            return _METRICS_AT[name](*parse_settings([self.eval_metric]).values())
        own = {**_CLASS_METRICS, scorers.geometric_mean_error.name: scorers.geometric_mean_error}
        return own.get(name, name)

    @property
    def positive(self) -> Hashable:
        """Positive class of two, by default the rarer one; `None` for any other label.

        Left alone, AutoGluon takes the alphabetically last class, which is as often as not the frequent one: F1 and
        average precision would then describe the class nobody looks for.
        """
        if self.problem_type != "binary":
            return None
        return self.train.rarest if self.positive_class is None else self.train.class_named(self.positive_class)

    @cached_property
    def bins(self) -> TargetBins:
        """Bins of a target, laid on the training table: they say in every fold which targets are few-shot."""
        return TargetBins.fit(self.train.targets, self.rebalancing.targets.n_bins, self.rebalancing.targets.bins)

    @property
    def bin_counts(self) -> IntArray:
        """Training rows of each bin, shape (n_bins,)."""
        return self.bins.counts(self.train.targets)

    def check(self) -> None:
        """Refuse a table that cannot be learned from, and options that do not go with the label."""
        _ = self.eval_metric
        self.rebalancing.require_method(self.train.task)
        if self.positive_class is not None and self.problem_type != "binary":
            held = "is a number" if self.problem_type == "regression" else f"has {len(self.train.counts)}"
            raise InvalidInputError(f"a positive class is for two classes; the label {self.train.label!r} {held}.")
        if self.positive_class is not None:
            self.train.class_named(self.positive_class)
        if self.problem_type == "regression":
            self._check_shots()
        else:
            _check_classes(self.train)

    def check_rows(self, rows: LabeledTable) -> None:
        """Refuse labeled rows without a column of the training table, or whose label is not of its kind."""
        absent = [str(name) for name in self.train.frame.columns if name not in rows.frame.columns]
        if absent:
            listed = ", ".join(absent[:20])
            raise TableError(f"{rows.source} lacks {len(absent)} column(s) of {self.train.source}: {listed}.")
        if rows.task != self.train.task:
            raise TableError(f"{rows.source} is read for {rows.task}, {self.train.source} for {self.train.task}.")
        _check_numbers(self.train, rows)
        if not len(rows.frame):
            raise TableError(f"{rows.source}: the label {rows.label!r} is missing in every row; no row is left.")
        if self.problem_type != "regression":
            self._check_known_classes(rows)

    def check_test(self, test: LabeledTable) -> None:
        """Refuse a test table that :meth:`check_rows` refuses, or whose label cannot be scored."""
        self.check_rows(test)
        if self.problem_type != "regression" and len(test.counts) < 2:
            held = ", ".join(map(repr, test.counts))
            raise TableError(f"{test.source}: scores need rows of two classes; the label {test.label!r} has: {held}.")

    def scored(
        self, predictor: TabularPredictor, models: Iterable[str], test: pd.DataFrame | None, others: Iterable[str] = ()
    ) -> ScoredRows:
        """Labels and predictions of test, out-of-fold or validation rows; of `others` for the first metric."""
        if self.problem_type == "regression":
            return ScoredRows.of_targets(predictor, [*models, *others], self.train.frame, test, self.bins)
        return ScoredRows.of_classes(predictor, models, self.train.frame, test, others=others)

    def label_facts(self, predictor: TabularPredictor, folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the report says of the label, given its facts about folds.

        Rows added to the bins of a target are means of the folds, `None` where no model adds such.
        """
        if self.problem_type == "regression":
            return self._target_facts(predictor, folds)
        classes = {str(label): n for label, n in self.train.counts.items()}
        return {"classes": classes, "positive": None if self.positive is None else str(self.positive)}

    def _target_facts(self, predictor: TabularPredictor, folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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

    def _check_known_classes(self, rows: LabeledTable) -> None:
        known = {str(label): repr(label) for label in self.train.counts}
        unknown = [label for label in rows.counts if label not in self.train.counts]
        if unknown:
            listed = ", ".join(f"{label!r}{_meant(label, known)}" for label in unknown[:10])
            raise TableError(
                f"{rows.source}: {sum(rows.counts[label] for label in unknown)} rows hold labels that "
                f"{self.train.source} does not have: {listed}. Its classes are: {', '.join([*known.values()][:20])}. "
                "Write them alike, or leave these rows out."
            )

    def _check_shots(self) -> None:
        shot, counts = _SHOT_METRICS.get(self.eval_metric), self.bin_counts
        found = sorted(set(shots(counts[counts > 0]).tolist()))
        if shot is not None and shot not in found:
            raise InvalidInputError(
                f"the metric {self.eval_metric!r} is about targets that {self.train.source} does not have: of the "
                f"{len(self.bins)} bins of {self.train.label!r} none with rows is {shot}-shot ({_MEANING[shot]} rows); "
                f"there are: {', '.join(found)}. Name another metric, or lay other bins with the setting n_bins."
            )


def _rows_added(fold: Mapping[str, Any]) -> tuple[FloatArray, list[int]]:
    middles = TargetBins(np.asarray(fold["edges"], dtype=np.float64)).centres
    return middles, [fold["added"].get(str(number), 0) for number in range(len(middles))]


def _check_numbers(train: LabeledTable, test: LabeledTable) -> None:
    for name, column in train.features.items():
        cells = test.frame[name] if holds_numbers(column.dtype) else column[:0]
        words = cells[pd.to_numeric(cells, errors="coerce").isna() & cells.notna()]
        if len(words):
            raise TableError(
                f"{test.source}: column {str(name)!r} holds {words.iloc[0]!r}, but numbers in {train.source}: write a "
                "number, or leave the cell empty."
            )


def _meant(label: Hashable, known: Mapping[str, str]) -> str:
    """The known label that an unknown one may stand for: one of another type, or the nearest."""
    text = str(label)
    return f" (there it is {known[text]}, of another type)" if text in known else nearest(text, known)


def _check_classes(train: LabeledTable) -> None:
    lone = [label for label, n in train.counts.items() if n < 2]
    if lone and len(train.counts) - len(lone) < 2:
        one = f"class {lone[0]!r} of the label {train.label!r} has 1 row"
        few = f"{one}; at least 2 are needed to learn it and to write more. Collect more rows of it."
        many = f"{one}, and so have {len(lone) - 1:,} others: two classes of 2 rows are needed. Is it the label?"
        raise ClassTooSmallError(f"{train.source}: {few if len(lone) == 1 else many}")


def _metrics(problem_type: str) -> dict[str, str]:
    """Names and aliases of metrics that a fit may be judged by, and the name of each."""
    from autogluon.core.metrics import METRICS

    own = {"binary": [*_CLASS_METRICS, *(f"{name}=NUMBER" for name in _METRICS_AT)], "multiclass": _CLASS_METRICS}
    added = own.get(problem_type, _OWN_METRICS)
    return {**{name: scorer.name for name, scorer in METRICS[problem_type].items()}, **{name: name for name in added}}


def _known_metric(metric: str, problem_type: str) -> str | None:
    """The name of a metric that may be called otherwise; None where there is none."""
    name, _, number = metric.partition("=")
    if number and name in _METRICS_AT and problem_type == "binary":
        _METRICS_AT[name](*parse_settings([metric]).values())
        return metric
    known = {_in_one_word(name): own for name, own in _metrics(problem_type).items()}
    word = _in_one_word(metric)
    called = (word, *map(_in_one_word, _ALSO_CALLED.get(word, ())))
    return next((known[name] for name in called if name in known), None)


def _in_one_word(name: str) -> str:
    return re.sub("[-_ ]", "", name.lower())


def _refuse_metric(metric: str, problem_type: str) -> NoReturn:
    known = sorted(_metrics(problem_type))
    other = "classification" if problem_type == "regression" else "regression"
    others = ("binary", "multiclass") if problem_type == "regression" else ("regression",)
    if any(_known_metric(metric, problem) for problem in others):
        raise InvalidInputError(
            f"unknown metric {metric!r} for a {problem_type} label: it is one of {other}. Name another, or change "
            f"what the label is taken for with --task {other}."
        )
    raise InvalidInputError(
        f"unknown metric {metric!r} for a {problem_type} label{nearest(metric, known)}; the metrics are: "
        f"{', '.join(known)}."
    )
