"""The picture of ``imbllm bench ablation``: what interpolation ratio and temperature trade for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.bench.ablation.arms import NONE
from imbllm_autogluon.bench.ablation.axes import CLOSE, COVERAGE, RATIO, TEMPERATURE
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from imbllm_autogluon.bench.ablation.arms import Ablation, AxisArms

SWEPT = {RATIO: "interpolation ratio r", TEMPERATURE: "temperature T"}
"""Axes of numbers, and how the picture calls them."""

WIDTH, HEIGHT, DPI = 1300, 390, 100
"""Pixels of one sweep, and its pixels for each inch."""


def draw(means: pd.DataFrame, ablation: Ablation, path: Path) -> bool:
    """Draw the sweeps that were measured, a row for each, as a PNG file; returns whether there are any.

    Close probability against coverage, F1 and average precision, each with its value without oversampling as a line.

    Parameters
    ----------
    means
        A row for each arm, a column for each metric; percent.
    ablation
        The arms and their axes.
    path
        The file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sweeps = [part for part in ablation.axes if part.axis.name in SWEPT]
    if not sweeps:
        # A picture of an earlier run beside these figures would be taken for theirs.
        path.unlink(missing_ok=True)
        return False
    picture = Figure(figsize=(WIDTH / DPI, len(sweeps) * HEIGHT / DPI), dpi=DPI, layout="constrained")
    FigureCanvasAgg(picture)
    for panels, part in zip(picture.subplots(len(sweeps), 3, squeeze=False), sweeps, strict=True):
        _draw_trade(panels[0], means, part)
        for panel, metric in zip(panels[1:], (F1, AVERAGE_PRECISION), strict=True):
            _draw_metric(panel, means, part, metric)
    draft = path.with_name(f".{path.name}.draft")
    picture.savefig(draft, format="png")
    draft.replace(path)
    return True


def _draw_trade(panel: Axes, means: pd.DataFrame, part: AxisArms) -> None:
    """Coverage to the right, close probability upwards, each point with its value of the axis."""
    points = means.loc[list(part.arms.values()), [COVERAGE, CLOSE]]
    panel.plot(points[COVERAGE], points[CLOSE], marker="o", color="tab:green")
    for value, (x, y) in zip(part.arms, points.to_numpy().tolist(), strict=True):
        panel.annotate(value, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=9)
    panel.set(xlabel=f"{COVERAGE} (%)", ylabel=f"{CLOSE} (%)", title=SWEPT[part.axis.name])


def _draw_metric(panel: Axes, means: pd.DataFrame, part: AxisArms, metric: str) -> None:
    """One metric along the axis, beside that of no oversampling."""
    values = [float(value) for value in part.arms]
    panel.plot(values, means.loc[list(part.arms.values()), metric], marker="o", color="tab:blue", label="ImbLLM")
    panel.axhline(means[metric][NONE], color="tab:gray", linestyle="--", label=NONE)
    panel.set_xticks(values, list(part.arms))
    panel.set(xlabel=SWEPT[part.axis.name], ylabel=f"{metric} (%)", title=metric)
    panel.legend(fontsize=8)
