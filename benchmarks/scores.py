"""Figures of predicted class probabilities on rows that no model has seen, and how pages call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.protocol import Metric

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray


F1, BALANCED, MACRO_F1, ROC_AUC = "F1", "balanced accuracy", "macro F1", "ROC AUC"
AVERAGE_PRECISION, LOG_LOSS, MCC = "average precision", "log-loss", "MCC"

RARE_CLASS = (
    Metric(F1, "of the rarest class, decided by the most probable class; percent", compared=True),
    Metric(BALANCED, "mean recall of the classes; percent", compared=True),
    Metric(MACRO_F1, "mean F1 of the classes; percent"),
    Metric(ROC_AUC, "of the probability of the rarest class against all others; percent", compared=True),
    Metric(AVERAGE_PRECISION, "of the same; percent", compared=True),
    Metric(LOG_LOSS, "of all classes, nats; lower is better", "lower", 3),
)
"""Figures of :func:`of_rare_class`."""


def of_rare_class(truth: IntArray, probabilities: FloatArray, rarest: int) -> dict[str, float]:
    """Figures of `RARE_CLASS`; the decision is the most probable class, with two classes that is the threshold 0.5.

    `truth` are codes of shape (n,) in which all classes appear, `probabilities` have shape (n, classes), `rarest` is
    a code.
    """
    from sklearn import metrics

    decided, rare = probabilities.argmax(axis=1), truth == rarest
    shares = {
        F1: metrics.f1_score(rare, decided == rarest, zero_division=0.0),
        BALANCED: metrics.balanced_accuracy_score(truth, decided),
        MACRO_F1: metrics.f1_score(truth, decided, average="macro", zero_division=0.0),
        ROC_AUC: metrics.roc_auc_score(rare, probabilities[:, rarest]),
        AVERAGE_PRECISION: metrics.average_precision_score(rare, probabilities[:, rarest]),
    }
    return {**percent(shares), LOG_LOSS: _log_loss(truth, probabilities)}


def of_all_classes(probabilities: FloatArray, answers: IntArray, truth: IntArray) -> dict[str, float]:
    """Shares, ranking and calibration of all classes; probabilities of shape (n, k), predicted and true codes (n,)."""
    from sklearn import metrics

    k = probabilities.shape[1]
    counts = np.bincount(truth, minlength=k)
    rarest, even = int(counts.argmin()), (1.0 / np.maximum(counts, 1))[truth]
    return {
        "rarest, true share": 100 * counts[rarest] / counts.sum(),
        "rarest, answered": 100 * float((answers == rarest).mean()),
        "gap": 100 * largest_gap(answers, truth, k, np.ones(len(truth))),
        "gap, equal classes": 100 * largest_gap(answers, truth, k, even),
        MACRO_F1: 100 * float(metrics.f1_score(truth, answers, average="macro")),
        BALANCED: 100 * float(metrics.balanced_accuracy_score(truth, answers)),
        ROC_AUC: 100 * roc_auc(probabilities, truth),
        LOG_LOSS: _log_loss(truth, probabilities),
        "ECE": 100 * calibration_error(probabilities, truth),
    }


def roc_auc(probabilities: FloatArray, truth: IntArray) -> float:
    """ROC AUC; of several classes the mean of each against the others."""
    from sklearn.metrics import roc_auc_score

    if probabilities.shape[1] == 2:
        return float(roc_auc_score(truth, probabilities[:, 1]))
    return float(roc_auc_score(truth, probabilities, multi_class="ovr", average="macro"))


def largest_gap(answers: IntArray, truth: IntArray, k: int, weights: FloatArray) -> float:
    """Largest absolute difference of a class's predicted and true share, rows weighted; 0 (best) to 1.

    Examples
    --------
    >>> largest_gap(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2, np.ones(4))
    0.25
    """
    gaps = np.bincount(answers, weights, k) - np.bincount(truth, weights, k)
    return float(np.abs(gaps).max() / weights.sum())


def calibration_error(probabilities: FloatArray, truth: IntArray, bins: int = 15) -> float:
    """Gap between the confidence of the predicted class and how often it is right (ECE; Guo et al. 2017, equation 3).

    Examples
    --------
    >>> round(calibration_error(np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]]), np.array([0, 1, 1])), 4)
    0.3333
    """
    confidence = probabilities.max(axis=1)
    surplus = confidence - (probabilities.argmax(axis=1) == truth)
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return float(np.abs(np.bincount(places, weights=surplus, minlength=bins)).sum() / len(truth))


def without_zeros(probabilities: npt.NDArray[Any]) -> FloatArray:
    """Rows that sum to 1, shape (n, classes); a 0 of float32, or of a forest, is not infinitely wrong."""
    clipped = np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, None)
    scaled: FloatArray = clipped / clipped.sum(axis=1, keepdims=True)
    return scaled


def percent(shares: dict[str, Any]) -> dict[str, float]:
    """Shares as percent."""
    return {name: 100.0 * float(share) for name, share in shares.items()}


def _log_loss(truth: IntArray, probabilities: FloatArray) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(truth, probabilities, labels=range(probabilities.shape[1])))
