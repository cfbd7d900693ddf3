"""Precision-recall and calibration curves of both ensembles, for the class looked for or the rarest ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.quality.curves import calibration_chart, precision_recall_chart

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.jobs.contenders import Contenders
    from imbllm_autogluon.quality.curves import CurveChart

MOST_CLASSES = 3
"""Of more than two classes the rarest ones are drawn, each against all others."""


@dataclass(frozen=True)
class ClassCurves:
    """Curves of one class against all others."""

    label: str
    """The class, as text."""

    rows: int
    """Scored rows of the class."""

    charts: tuple[CurveChart, ...]
    """Precision over recall, and how often rows are of the class over the probability that they were given."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form: figures by model, and the charts as they are drawn."""
        figures = {chart.figure_name: {line.name: line.figure for line in chart.lines} for chart in self.charts}
        return {
            "label": self.label,
            "rows": self.rows,
            "figures": figures,
            "charts": [asdict(chart) for chart in self.charts],
        }


def class_curves(
    classes: npt.NDArray[np.int64],
    probabilities: Mapping[str, npt.NDArray[np.floating[Any]]],
    models: Contenders,
    labels: Mapping[int, str],
) -> tuple[ClassCurves, ...]:
    """Curves of the positive class of two, or of the rarest of more classes.

    Parameters
    ----------
    classes
        Codes of the scored rows, shape (n,).
    probabilities
        By model: the positive class's (code 1), shape (n,), or those of all classes, shape (n, number of classes).
    models
        The two ensembles; without a plain one only the whole one is drawn.
    labels
        Text of each code.
    """
    named = {f"{which} ensemble": probabilities[name] for which, name in _both(models)}
    codes, sizes = np.unique(classes, return_counts=True)
    if next(iter(named.values())).ndim == 1:
        chosen = [1]
    else:
        chosen = [int(code) for code in codes[np.argsort(sizes, kind="stable")][:MOST_CLASSES]]
    drawn = [code for code in chosen if 0 < (classes == code).sum() < len(classes)]
    return tuple(_curves(classes == code, _of_class(named, code), labels[code]) for code in drawn)


def _both(models: Contenders) -> list[tuple[str, str]]:
    return [(which, name) for which, name in (("plain", models.plain), ("whole", models.whole)) if name is not None]


def _of_class(
    named: Mapping[str, npt.NDArray[np.floating[Any]]], code: int
) -> dict[str, npt.NDArray[np.floating[Any]]]:
    return {name: proba if proba.ndim == 1 else proba[:, code] for name, proba in named.items()}


def _curves(
    truth: npt.NDArray[np.bool_], probabilities: Mapping[str, npt.NDArray[np.floating[Any]]], label: str
) -> ClassCurves:
    charts = precision_recall_chart(truth, probabilities), calibration_chart(truth, probabilities)
    return ClassCurves(label, int(truth.sum()), charts)
