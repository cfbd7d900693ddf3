"""Precision-recall and calibration curves of several models as line charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.charts.ticks import Tick, round_ticks, tick_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray

WIDTH, HEIGHT = 300, 240
"""Size of the plotting area in SVG units; two charts stand side by side."""

MOST_POINTS = 120
"""Points of a precision-recall curve, at even steps of recall."""

BINS = 10
"""Points of a calibration curve, of equally many rows each."""


@dataclass(frozen=True)
class Curve:
    """The line of one model."""

    name: str
    points: str
    """SVG points: ``x,y x,y …``."""

    figure: float
    """Average precision, or the mean size of the gap between probability and frequency over the rows."""


@dataclass(frozen=True)
class CurveChart:
    """Everything a template needs to draw the chart."""

    title: str
    x_title: str
    y_title: str
    figure_name: str
    lines: tuple[Curve, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    guide: str
    """SVG points of a dashed line for comparison: chance, or perfect calibration."""

    guide_name: str
    dotted: bool
    """Whether each point has a mark."""

    width: int = WIDTH
    height: int = HEIGHT


def precision_recall_chart(truth: npt.ArrayLike, probabilities: Mapping[str, npt.ArrayLike]) -> CurveChart:
    """Lay out precision over recall of the positive class.

    Parameters
    ----------
    truth
        Whether each row is positive, shape (n,); both values occur.
    probabilities
        By model: of the positive class, or any score that grows with it, shape (n,).

    Raises
    ------
    InvalidInputError
        One class is absent, or shapes differ.

    Examples
    --------
    >>> chart = precision_recall_chart([True, False, True, False], {"a": [0.9, 0.1, 0.8, 0.3]})
    >>> chart.lines[0].figure
    1.0
    """
    is_positive, scores = _checked(truth, probabilities)
    share = float(is_positive.mean())
    lines = tuple(_precision_recall(name, is_positive, score) for name, score in scores.items())
    ticks = round_ticks(0, 1)
    guide = f"0,{HEIGHT * (1 - share):.1f} {WIDTH},{HEIGHT * (1 - share):.1f}"
    return CurveChart(
        "Precision and recall", "recall", "precision", "average precision", lines, _x_ticks(ticks, 1.0),
        _y_ticks(ticks, 1.0), guide, "chance", dotted=False,
    )  # fmt: skip


def calibration_chart(truth: npt.ArrayLike, probabilities: Mapping[str, npt.ArrayLike], bins: int = BINS) -> CurveChart:
    """Lay out how often rows are positive over the probability that they were given.

    Parameters
    ----------
    truth
        Whether each row is positive, shape (n,); both values occur.
    probabilities
        By model: of the positive class, shape (n,).
    bins
        Groups of equally many rows, by rising probability; a rare class fills few of equally wide ones.

    Raises
    ------
    InvalidInputError
        One class is absent, or shapes differ.

    Examples
    --------
    >>> calibration_chart([True, False], {"a": [0.9, 0.2]}, bins=2).lines[0].figure
    0.15
    """
    is_positive, scores = _checked(truth, probabilities)
    groups = {name: _groups(is_positive, score, bins) for name, score in scores.items()}
    end = min(1.0, max(float(points[:, :2].max()) for points in groups.values()) * 1.05) or 1.0
    lines = tuple(
        Curve(name, _points(points[:, 0] / end, points[:, 1] / end), round(_gap(points), 6))
        for name, points in groups.items()
    )
    ticks = round_ticks(0, end)
    return CurveChart(
        "Calibration", "probability", "share that is positive", "mean gap", lines, _x_ticks(ticks, end),
        _y_ticks(ticks, end), f"0,{HEIGHT} {WIDTH},0", "perfect", dotted=True,
    )  # fmt: skip


def _checked(
    truth: npt.ArrayLike, scores: Mapping[str, npt.ArrayLike]
) -> tuple[npt.NDArray[np.bool_], dict[str, FloatArray]]:
    is_positive = np.asarray(truth, dtype=bool)
    arrays = {name: np.asarray(score, dtype=np.float64) for name, score in scores.items()}
    if is_positive.ndim != 1 or is_positive.all() or not is_positive.any():
        raise InvalidInputError(
            f"truth must have shape (n,) and hold both classes; got shape {is_positive.shape} with "
            f"{int(is_positive.sum())} positive rows."
        )
    if not arrays:
        raise InvalidInputError("probabilities must hold those of at least one model; got none.")
    for name, array in arrays.items():
        if array.shape != is_positive.shape or not np.isfinite(array).all():
            raise InvalidInputError(
                f"probabilities of {name!r} must be finite and of shape {is_positive.shape}; got {array.shape}."
            )
    return is_positive, arrays


def _precision_recall(name: str, truth: npt.NDArray[np.bool_], scores: FloatArray) -> Curve:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores)
    # From the threshold of most rows to that of fewest: recall falls. At each step, the best that is reached there.
    wanted = np.linspace(1, 0, MOST_POINTS)
    places = np.unique(np.searchsorted(-recall, -wanted, side="left").clip(0, len(recall) - 1))
    points = _points(recall[places], precision[places])
    return Curve(name, points, round(float(average_precision_score(truth, scores)), 6))


def _groups(truth: npt.NDArray[np.bool_], scores: FloatArray, bins: int) -> FloatArray:
    """Mean probability, share of positives and rows of each group, shape (groups, 3)."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    return np.array([[scores[part].mean(), truth[part].mean(), len(part)] for part in parts])


def _gap(groups: FloatArray) -> float:
    return float(np.average(np.abs(groups[:, 0] - groups[:, 1]), weights=groups[:, 2]))


def _points(x: FloatArray, y: FloatArray) -> str:
    return " ".join(f"{WIDTH * a:.1f},{HEIGHT * (1 - b):.1f}" for a, b in zip(x, y, strict=True))


def _x_ticks(values: list[float], end: float) -> tuple[Tick, ...]:
    return tuple(Tick(WIDTH * value / end, tick_text(value)) for value in values)


def _y_ticks(values: list[float], end: float) -> tuple[Tick, ...]:
    return tuple(Tick(HEIGHT * (1 - value / end), tick_text(value)) for value in values)
