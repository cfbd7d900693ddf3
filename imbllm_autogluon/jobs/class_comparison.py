"""Both ensembles of a label of classes on the same rows: scores, thresholds, and the interval of the first gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.metrics import compute_metric, get_metric

from imbllm_autogluon.classification.prior import correct_prior
from imbllm_autogluon.jobs.comparison import Comparison, Score, kind_of_rows
from imbllm_autogluon.jobs.resampling import decisions_interval, difference_interval
from imbllm_autogluon.jobs.score_curves import class_curves
from imbllm_autogluon.plugin.ensemble import tilt_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pandas as pd
    from autogluon.core.metrics import Scorer
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.contenders import Contenders

METRICS: Mapping[str, tuple[str, ...]] = {
    "binary": ("average_precision", "roc_auc", "f1", "log_loss"),
    "multiclass": ("balanced_accuracy", "f1_macro", "log_loss", "roc_auc_ovo"),
}
"""Metrics of every comparison; the predictor's own comes first, if it is another."""

RANKING_THRESHOLD_METRIC = "f1"
"""Metric whose threshold is used for labels, where the predictor's own metric does not look at labels."""


def compare(
    predictor: TabularPredictor, models: Contenders, train: pd.DataFrame, test: pd.DataFrame | None = None
) -> Comparison:
    """Score both ensembles on the same rows.

    Parameters
    ----------
    predictor
        A fitted predictor of a binary or multiclass label.
    models
        The two ensembles, from :func:`~imbllm_autogluon.jobs.contenders.contenders`.
    train
        The rows given to ``fit``, with their index.
    test
        Rows with features and label that took no part in the fit. `None`: out-of-fold predictions are scored, or
        those of the validation rows where nothing was bagged.

    Returns
    -------
    Comparison
        For two classes average precision, ROC AUC, F1 and log-loss, F1 at the threshold that is best for it on
        out-of-fold (or validation) rows, each ensemble with its own; for more classes balanced accuracy, macro F1,
        log-loss and ROC AUC (one against one), both of calibrated probabilities. The predictor's own metric comes
        first.
    """
    names = [name for name in (models.plain, models.whole) if name is not None]
    predicted = predictor.predict_proba_multi(test, models=names, as_multiclass=False, inverse_transform=False)
    # AutoGluon returns the models of the ensembles, too.
    rows = _Scored.of(predictor, {name: predicted[name] for name in names}, train if test is None else test)
    scorers = _scorers(predictor)
    thresholds = {name: _thresholds(predictor, name, scorers) for name in names}
    scores = tuple(_score(scorer, rows, models, thresholds) for scorer in scorers)
    return Comparison(
        models,
        scores,
        rows=kind_of_rows(predictor, test),
        counts=rows.counts(predictor),
        interval=_interval(scorers[0], rows, models, thresholds) if models.plain is not None else None,
        notes=rows.notes,
        curves=class_curves(rows.classes, rows.probabilities, models, _texts(predictor)),
    )


def label_threshold(predictor: TabularPredictor, model: str) -> float | None:
    """Probability above which a row gets the positive label, best for the predictor's metric (F1 if that ranks).

    `None` for more than two classes: AutoGluon tunes no threshold there.
    """
    if predictor.problem_type != "binary":
        return None
    own = predictor.eval_metric
    metric = own.name if own.needs_pred else RANKING_THRESHOLD_METRIC
    return float(predictor.calibrate_decision_threshold(metric=metric, model=model, verbose=False))


@dataclass(frozen=True, eq=False)
class _Scored:
    """Classes and predictions of the scored rows, in AutoGluon's internal codes."""

    classes: npt.NDArray[np.int64]
    answers: Mapping[str, npt.NDArray[np.float64]]
    """By model: the positive class's, shape (n,), or those of all classes, shape (n, number of classes)."""

    probabilities: Mapping[str, npt.NDArray[np.floating[Any]]]
    """The same without the tilt towards decisions that our ensemble has for metrics of more than two classes."""

    notes: tuple[str, ...]

    @classmethod
    def of(cls, predictor: TabularPredictor, predicted: Mapping[str, Any], table: pd.DataFrame) -> _Scored:
        index = next(iter(predicted.values())).index
        codes = table.loc[index, predictor.label].map(predictor.class_labels_internal_map)
        known = codes.notna().to_numpy()
        n_unknown = int((~known).sum())
        notes = (f"{n_unknown} rows of classes that the predictor does not know are not scored.",) if n_unknown else ()
        answers = {name: values.to_numpy()[known] for name, values in predicted.items()}
        probabilities = {
            name: values if (tilt := tilt_of(predictor, name)) is None else correct_prior(values, 1.0 / tilt)
            for name, values in answers.items()
        }
        return cls(codes[known].astype("int64").to_numpy(), answers, probabilities, notes)

    def counts(self, predictor: TabularPredictor) -> dict[str, int]:
        labels = _texts(predictor)
        codes, sizes = np.unique(self.classes, return_counts=True)
        return {labels[int(code)]: int(n) for code, n in zip(codes, sizes, strict=True)}

    def score(
        self, scorer: Scorer, model: str, threshold: float | None, at: npt.NDArray[np.intp] | None = None
    ) -> float:
        """Score of a model, the higher the better, on all rows or on those at the given positions."""
        classes, labels, proba = self.classes, self.decided(model, threshold), self.probabilities[model]
        if at is not None:
            classes, labels, proba = classes[at], labels[at], proba[at]
        return float(compute_metric(y=classes, metric=scorer, y_pred=labels, y_pred_proba=proba))

    def decided(self, model: str, threshold: float | None) -> npt.NDArray[np.int64]:
        """Code of the class that a model decides for, shape (n,)."""
        answers = self.answers[model]
        return answers.argmax(axis=1) if answers.ndim == 2 else (answers > (threshold or 0.5)).astype(np.int64)


def _texts(predictor: TabularPredictor) -> dict[int, str]:
    """Text of each code."""
    return {code: str(label) for label, code in predictor.class_labels_internal_map.items()}


def _scorers(predictor: TabularPredictor) -> list[Scorer]:
    own = predictor.eval_metric
    others = [get_metric(name, predictor.problem_type) for name in METRICS[predictor.problem_type]]
    return [own, *(scorer for scorer in others if scorer.name != own.name)]


def _thresholds(predictor: TabularPredictor, model: str, scorers: list[Scorer]) -> dict[str, float | None]:
    """Threshold of a model for each metric of labels."""
    if predictor.problem_type != "binary":
        return {}
    return {
        scorer.name: float(predictor.calibrate_decision_threshold(metric=scorer, model=model, verbose=False))
        for scorer in scorers
        if scorer.needs_pred
    }


def _score(
    scorer: Scorer, rows: _Scored, models: Contenders, thresholds: Mapping[str, Mapping[str, float | None]]
) -> Score:
    def value(model: str | None) -> tuple[float | None, float | None]:
        if model is None:
            return None, None
        threshold = thresholds[model].get(scorer.name)
        try:
            signed = rows.score(scorer, model, threshold)
        except ValueError:  # ROC AUC of rows of one class
            return None, threshold
        return float(scorer.convert_score_to_original(signed)), threshold

    (plain, plain_threshold), (whole, whole_threshold) = value(models.plain), value(models.whole)
    return Score(scorer.name, bool(scorer.greater_is_better_internal), plain, whole, (plain_threshold, whole_threshold))


def _interval(
    scorer: Scorer, rows: _Scored, models: Contenders, thresholds: Mapping[str, Mapping[str, float | None]]
) -> tuple[float, float] | None:
    pair = [(name, thresholds[name].get(scorer.name)) for name in (models.whole, str(models.plain))]

    def gain(at: npt.NDArray[np.intp]) -> float:
        whole, plain = (rows.score(scorer, *model, at) for model in pair)
        return whole - plain

    try:
        if scorer.needs_class:
            return decisions_interval(scorer, rows.classes, *(rows.decided(*model) for model in pair))
        return difference_interval(gain, rows.classes)
    except ValueError:
        return None
