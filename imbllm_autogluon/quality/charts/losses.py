"""Training losses as the points of a line chart, to be drawn as SVG by a template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 220
"""Size of the plotting area in SVG units."""

MOST_POINTS = 120
"""Points of a line; longer curves are averaged over equal windows."""

Losses = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Line:
    """One fold's losses over all training stages."""

    name: str
    points: str
    """SVG points: ``x,y x,y …``."""

    last: float
    """Mean loss of the last window."""


@dataclass(frozen=True)
class LossChart:
    """Everything a template needs to draw the chart."""

    lines: tuple[Line, ...]
    stages: tuple[tuple[float, str], ...]
    """Where each stage begins (x) and its name."""

    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT


def loss_chart(folds: Mapping[str, Losses]) -> LossChart | None:
    """Lay out the loss curves of several folds on common axes.

    Parameters
    ----------
    folds
        By fold: losses of each training stage by step, in nats for each value token.

    Returns
    -------
    LossChart or None
        `None` if no fold was trained.

    Examples
    --------
    >>> chart = loss_chart({"S1F1": {"warm-up": [2.0, 1.0], "minority": [1.0, 0.5]}})
    >>> chart.lines[0].last, [name for _, name in chart.stages]
    (0.5, ['warm-up', 'minority'])
    """
    curves = {name: _windows([loss for curve in stages.values() for loss in curve]) for name, stages in folds.items()}
    curves = {name: curve for name, curve in curves.items() if curve}
    if not curves:
        return None
    steps = max(sum(map(len, stages.values())) for stages in folds.values())
    top = max(loss for curve in curves.values() for _, loss in curve) or 1.0
    lines = tuple(
        Line(name, " ".join(f"{x / steps * WIDTH:.1f},{HEIGHT * (1 - y / top):.1f}" for x, y in curve), curve[-1][1])
        for name, curve in curves.items()
    )
    first = next(stages for name, stages in folds.items() if name in curves)
    y_ticks = tuple((HEIGHT * (1 - value / top), f"{value:g}") for value in _ticks(top))
    x_ticks = tuple((value / steps * WIDTH, f"{value:g}") for value in _ticks(steps))
    return LossChart(lines, _stage_starts(first, steps), x_ticks, y_ticks)


def _windows(losses: Sequence[float]) -> list[tuple[float, float]]:
    """Middle step and mean loss of each of at most `MOST_POINTS` windows; values that are no numbers are left out."""
    size = math.ceil(len(losses) / MOST_POINTS) or 1
    parts = [losses[start : start + size] for start in range(0, len(losses), size)]
    middles = [(start * size + (len(part) + 1) / 2, sum(part) / len(part)) for start, part in enumerate(parts)]
    return [(step, loss) for step, loss in middles if math.isfinite(loss)]


def _stage_starts(stages: Losses, steps: int) -> tuple[tuple[float, str], ...]:
    starts, begin = [], 0
    for name, curve in stages.items():
        starts.append((begin / steps * WIDTH, name))
        begin += len(curve)
    return tuple(starts)


def _ticks(top: float) -> list[float]:
    """About five round values from 0 to `top`."""
    rough = top / 5
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [round(step * k, 10) for k in range(int(top / step) + 1)]
