"""What ``imbllm bench autogluon`` judges an ensemble by, on real rows that no model has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.bench.answers import certain_of_nothing
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, BALANCED, F1, LOG_LOSS, MACRO_F1, ROC_AUC
from imbllm_autogluon.plugin.ensemble_model import without_tilt

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.bench.autogluon.split import ClassSplit

MCC = "MCC"

CALIBRATED: Mapping[str, str] = {F1: "f1", BALANCED: "balanced_accuracy", MCC: "mcc"}
"""Figures of decisions between two classes, and AutoGluon's names of the metrics that their limits are tuned for."""

BINARY = (AVERAGE_PRECISION, ROC_AUC, F1, BALANCED, MCC, LOG_LOSS)

MULTICLASS = (BALANCED, MACRO_F1, LOG_LOSS)


def judged(predictor: TabularPredictor, model: str, probabilities: pd.DataFrame, split: ClassSplit) -> dict[str, float]:
    """Judge one ensemble.

    Parameters
    ----------
    predictor
        Tunes, for two classes, the limit of a decision on out-of-fold rows.
    model
        Name of the ensemble.
    probabilities
        Its answers for the test rows of the split, shape (n, classes), a column for each class. Log-loss is that of
        :func:`~imbllm_autogluon.plugin.ensemble_model.calibrated_probabilities`.
    split
        Whose test rows they are.

    Returns
    -------
    dict
        Percent, but for the log-loss (nats): figures of `BINARY`, or of `MULTICLASS` for more classes than two.
    """
    if not split.is_binary:
        return of_classes(split.test_y, probabilities, without_tilt(predictor, model, probabilities))
    limits = {name: _limit(predictor, model, metric) for name, metric in CALIBRATED.items()}
    return of_rare_class((split.test_y == split.classes[-1]).to_numpy(), probabilities[split.classes[-1]], limits)


def of_rare_class(rare: np.ndarray, probability: pd.Series[float], limits: Mapping[str, float]) -> dict[str, float]:
    """Figures of two classes.

    Parameters
    ----------
    rare
        Whether a row is of the rarer class, shape (n,).
    probability
        Of the rarer class, shape (n,).
    limits
        Probability above which the rarer class is decided for, one for each of `CALIBRATED`.

    Examples
    --------
    >>> import pandas as pd
    >>> limits = {"F1": 0.2, "balanced accuracy": 0.2, "MCC": 0.5}
    >>> found = of_rare_class(np.array([False, False, True]), pd.Series([0.1, 0.3, 0.4]), limits)
    >>> found["balanced accuracy"], found["MCC"], found["average precision"]
    (75.0, 0.0, 100.0)
    """
    from sklearn import metrics

    decided = {name: probability.to_numpy() > limit for name, limit in limits.items()}
    shares: dict[str, Any] = {
        AVERAGE_PRECISION: metrics.average_precision_score(rare, probability),
        ROC_AUC: metrics.roc_auc_score(rare, probability),
        F1: metrics.f1_score(rare, decided[F1], zero_division=0.0),
        BALANCED: metrics.balanced_accuracy_score(rare, decided[BALANCED]),
        MCC: metrics.matthews_corrcoef(rare, decided[MCC]),
    }
    log_loss = metrics.log_loss(rare, certain_of_nothing(np.c_[1.0 - probability, probability]))
    return {**_percent(shares), LOG_LOSS: float(log_loss)}


def of_classes(truth: pd.Series[Any], answers: pd.DataFrame, probabilities: pd.DataFrame) -> dict[str, float]:
    """Figures of more than two classes.

    Parameters
    ----------
    truth
        Class of each row, shape (n,).
    answers
        Shape (n, classes), a column for each class; that of the highest number is decided for.
    probabilities
        Of the same shape and columns, for the log-loss.
    """
    from sklearn import metrics

    known = truth.map({name: place for place, name in enumerate(probabilities.columns)}).to_numpy()
    numbers = probabilities.to_numpy()
    decided = answers.to_numpy().argmax(axis=1)
    shares = {
        BALANCED: metrics.balanced_accuracy_score(known, decided),
        MACRO_F1: metrics.f1_score(known, decided, average="macro", zero_division=0.0),
    }
    log_loss = metrics.log_loss(known, certain_of_nothing(numbers), labels=range(numbers.shape[1]))
    return {**_percent(shares), LOG_LOSS: float(log_loss)}


def _limit(predictor: TabularPredictor, model: str, metric: str) -> float:
    """Tuned by AutoGluon on out-of-fold rows."""
    return float(predictor.calibrate_decision_threshold(metric=metric, model=model, verbose=False))


def _percent(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: 100.0 * float(share) for name, share in shares.items()}
