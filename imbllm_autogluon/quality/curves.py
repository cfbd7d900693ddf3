"""Precision-recall and calibration curves of several models, and losses of training, as plain numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, FloatArray

_MOST_POINTS = 120  # of a line: precision and recall at even steps of recall, longer losses averaged over windows
_BINS = 10  # points of a calibration curve, of equally many expected positive rows each
_FEWEST_OF_BIN = 5.0  # expected positive rows of a point
_DIGITS = 5  # decimals of stored points


def precision_recall_chart(truth: npt.ArrayLike, probabilities: Mapping[str, npt.ArrayLike]) -> dict[str, Any]:
    """Precision over recall of the positive class, for each model, as plain values for JSON.

    `truth` tells whether each row is positive, shape (n,), and holds both; `probabilities` are by model those of the
    positive class, or any score that grows with it, shape (n,).

    The ``lines`` have a ``name``, points ``x`` and ``y`` and a ``figure``, which ``figure_name`` explains, on common
    axes from 0 to ``end``; ``guide`` are both ends of a line to compare with.
    """
    is_positive, scores = _checked(truth, probabilities)
    share = float(is_positive.mean())
    return {
        "title": "Precision and recall", "x_title": "recall", "y_title": "precision",
        "figure_name": "average precision",
        "lines": [_precision_recall(name, is_positive, score) for name, score in scores.items()],
        "end": 1.0, "guide": [share, share], "guide_name": "chance", "dotted": False,
    }  # fmt: skip


def calibration_chart(
    truth: npt.ArrayLike, probabilities: Mapping[str, npt.ArrayLike], bins: int = _BINS
) -> dict[str, Any]:
    """How often rows are positive over the probability that they were given; as :func:`precision_recall_chart`.

    Groups are by rising probability and of equal sums of it, at least 5: of equally many rows or equally wide ones a
    rare class would fill the last one only. Points have ``low`` and ``high``, the 95 % interval of the share (Wilson).
    """
    is_positive, scores = _checked(truth, probabilities)
    groups = {name: _groups(is_positive, score, bins) for name, score in scores.items()}
    end = min(1.0, max(float(points[:2].max()) for points in groups.values()) * 1.05) or 1.0
    gaps = {name: float(np.average(np.abs(x - y), weights=rows)) for name, (x, y, rows, _, _) in groups.items()}
    return {
        "title": "Calibration", "x_title": "probability", "y_title": "share that is positive",
        "figure_name": "mean gap",
        "lines": [
            _line(name, x, y, gaps[name]) | {"low": low.round(_DIGITS).tolist(), "high": high.round(_DIGITS).tolist()}
            for name, (x, y, _, low, high) in groups.items()
        ],
        "end": end, "guide": [0.0, end], "guide_name": "perfect", "dotted": True,
    }  # fmt: skip


def loss_windows(folds: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, tuple[list[float], list[float]]]:
    """Middle step and mean loss of each of at most 120 windows of every fold; losses that are no numbers are left out.

    `folds` hold by name the losses of each training stage by step; those that were not trained are left out.
    """
    found = {}
    for name, stages in folds.items():
        losses = [loss for curve in stages.values() for loss in curve]
        size = math.ceil(len(losses) / _MOST_POINTS) or 1
        parts = [losses[start : start + size] for start in range(0, len(losses), size)]
        middles = [(k * size + (len(part) + 1) / 2, sum(part) / len(part)) for k, part in enumerate(parts)]
        finite = [(step, loss) for step, loss in middles if math.isfinite(loss)]
        if finite:
            found[name] = [step for step, _ in finite], [loss for _, loss in finite]
    return found


def _checked(truth: npt.ArrayLike, scores: Mapping[str, npt.ArrayLike]) -> tuple[BoolArray, dict[str, FloatArray]]:
    is_positive = np.asarray(truth, dtype=bool)
    arrays = {name: np.asarray(score, dtype=np.float64) for name, score in scores.items()}
    return is_positive, arrays


def _line(name: str, x: FloatArray, y: FloatArray, figure: float) -> dict[str, Any]:
    points = {"x": np.round(x, _DIGITS).tolist(), "y": np.round(y, _DIGITS).tolist()}
    return {"name": name, **points, "figure": round(figure, 6)}


def _precision_recall(name: str, truth: BoolArray, scores: FloatArray) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores)
    # From the threshold of most rows to that of fewest: recall falls. At each step, the best that is reached there.
    wanted = np.linspace(1, 0, _MOST_POINTS)
    places = np.unique(np.searchsorted(-recall, -wanted, side="left").clip(0, len(recall) - 1))
    return _line(name, recall[places], precision[places], float(average_precision_score(truth, scores)))


def _groups(truth: BoolArray, scores: FloatArray, bins: int) -> FloatArray:
    """Mean probability, share of positives, rows, and ends of the share's interval, of each group; (5, groups)."""
    from scipy.stats import binomtest

    order = np.argsort(scores, kind="stable")
    total = np.cumsum(np.clip(scores[order], 0.0, None))
    n = int(np.clip(min(total[-1], truth.sum()) / _FEWEST_OF_BIN, 1, min(bins, len(scores))))
    parts = np.split(order, np.searchsorted(total, total[-1] * np.arange(1, n) / n))
    ends = [binomtest(int(truth[part].sum()), len(part)).proportion_ci(method="wilson") for part in parts if len(part)]
    means = [[scores[part].mean(), truth[part].mean(), len(part)] for part in parts if len(part)]
    return np.array([[*mean, end.low, end.high] for mean, end in zip(means, ends, strict=True)]).T
