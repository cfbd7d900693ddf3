"""Figures of a classifier's class probabilities and answers on rows that it has not learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.quality.measures.calibration import class_share_gaps, expected_calibration_error

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]


def judge(probabilities: FloatArray, answers: IntArray, codes: IntArray) -> dict[str, float]:
    """Figures of one classifier on test rows.

    Parameters
    ----------
    probabilities
        Shape (n, k).
    answers, codes
        Answered and true classes, shape (n,).
    """
    from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

    k = probabilities.shape[1]
    counts = np.bincount(codes, minlength=k)
    rarest, equal = int(counts.argmin()), (1.0 / np.maximum(counts, 1))[codes]
    gaps = class_share_gaps(answers, codes, k)
    even_gaps = class_share_gaps(answers, codes, k, equal)
    return {
        "rarest, true share": 100 * counts[rarest] / counts.sum(),
        "rarest, answered": 100 * float((answers == rarest).mean()),
        "gap": 100 * float(np.abs(gaps).max()),
        "gap, equal classes": 100 * float(np.abs(even_gaps).max()),
        "macro F1": 100 * float(f1_score(codes, answers, average="macro")),
        "balanced accuracy": 100 * float(balanced_accuracy_score(codes, answers)),
        "ROC AUC": 100 * ranking(probabilities, codes),
        "log-loss": float(log_loss(codes, probabilities, labels=np.arange(k))),
        "ECE": 100 * expected_calibration_error(probabilities, codes),
    }


def ranking(probabilities: FloatArray, codes: IntArray) -> float:
    """ROC AUC; of several classes the mean of each against the others."""
    from sklearn.metrics import roc_auc_score

    if probabilities.shape[1] == 2:
        return float(roc_auc_score(codes, probabilities[:, 1]))
    return float(roc_auc_score(codes, probabilities, multi_class="ovr", average="macro"))


def certain_of_nothing(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Rows that sum to 1; a 0 of float32, or of a forest, is not infinitely wrong.

    Parameters
    ----------
    probabilities
        Shape (n, classes).
    """
    clipped = np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, None)
    scaled: npt.NDArray[np.float64] = clipped / clipped.sum(axis=1, keepdims=True)
    return scaled
