"""All pictures of synthetic rows beside real ones, laid out and ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.charts.association_maps import association_chart
from imbllm_autogluon.quality.charts.columns import column_charts
from imbllm_autogluon.quality.charts.embedding import embedding
from imbllm_autogluon.quality.charts.ticks import Tick, round_ticks, tick_text, without_overlaps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.charts.association_maps import AssociationChart
    from imbllm_autogluon.quality.charts.columns import ColumnChart
    from imbllm_autogluon.quality.charts.compared import Compared
    from imbllm_autogluon.quality.charts.embedding import Embedding
    from imbllm_autogluon.quality.evaluation import Distances


MOST_COLUMNS = 24
"""Columns that are drawn, the worst ones."""

WIDTH, HEIGHT = 640, 200
"""Size of the plotting area in SVG units."""

BINS = 40

TAIL = 0.01
"""Share of the distances that may lie beyond the axis; they are added to its last bar."""


@dataclass(frozen=True)
class Pictures:
    """What the templates draw."""

    columns: tuple[ColumnChart, ...]
    """The worst columns, worst first."""

    left_out: int
    """Further columns, all of which are nearer to the real ones."""

    associations: AssociationChart | None
    """`None` for a table of one column."""

    embedding: Embedding
    distances: DistanceChart | None
    """`None` where no distance was measured."""

    total_variations: dict[str, float]
    """Of every column, worst first."""


def pictures(rows: Compared, distances: Distances, seed: int = 0) -> Pictures:
    """Lay out all pictures.

    Parameters
    ----------
    rows
        What is set side by side.
    distances
        Of the synthetic rows to the nearest real ones, as
        :func:`imbllm_autogluon.quality.evaluation.evaluate` returns them.
    seed
        Of the rows drawn for the embedding.

    Returns
    -------
    Pictures
        Geometry only: names are not escaped yet.
    """
    charts = column_charts(rows)
    worst_first = [chart.name for chart in charts]
    return Pictures(
        tuple(charts[:MOST_COLUMNS]),
        max(0, len(charts) - MOST_COLUMNS),
        association_chart(rows, worst_first),
        embedding(rows, seed),
        distance_chart(
            {
                "real to other real rows": distances.real_to_real,
                "synthetic to real rows": distances.to_real,
                "synthetic to held-out rows": distances.to_holdout,
            }
        ),
        {chart.name: chart.total_variation for chart in charts},
    )


@dataclass(frozen=True)
class Outline:
    """The histogram of one kind of distances."""

    name: str
    path: str
    median: float
    count: int


@dataclass(frozen=True)
class DistanceChart:
    """Everything a template needs to draw the chart."""

    outlines: tuple[Outline, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT


def distance_chart(distances: Mapping[str, FloatArray | None]) -> DistanceChart | None:
    """Lay out histograms of distances over common bars.

    Parameters
    ----------
    distances
        By name, each of shape (n,), finite and not negative; `None` and empty ones are left out.

    Returns
    -------
    DistanceChart or None
        Shares of the rows by distance; `None` if there is no distance at all.

    Examples
    --------
    >>> chart = distance_chart({"to train": np.array([0.0, 1.0, 2.5]), "to hold-out": None})
    >>> chart.outlines[0].median, chart.x_ticks[-1].text
    (1.0, '2')
    """
    given = {name: np.asarray(values) for name, values in distances.items() if values is not None}
    known = {name: values[np.isfinite(values)] for name, values in given.items()}
    known = {name: values for name, values in known.items() if len(values)}
    if not known:
        return None
    end = max(float(np.quantile(values, 1 - TAIL)) for values in known.values()) or 1.0
    edges = np.linspace(0, end, BINS + 1)
    shares = {name: np.histogram(np.clip(v, 0, end), edges)[0] / len(v) for name, v in known.items()}
    top = max(float(share.max()) for share in shares.values())
    outlines = tuple(
        Outline(name, _steps(shares[name] / top), float(np.median(values)), len(values))
        for name, values in known.items()
    )
    x_ticks = without_overlaps(Tick(value / end * WIDTH, tick_text(value)) for value in round_ticks(0, end, 8))
    y_ticks = tuple(Tick(HEIGHT * (1 - value / top), f"{100 * value:.3g} %") for value in round_ticks(0, top, 4))
    return DistanceChart(outlines, x_ticks, y_ticks)


def _steps(heights: FloatArray) -> str:
    """Path along the upper ends of bars, from the ground and back to it."""
    width = WIDTH / len(heights)
    steps = "".join(f"V{HEIGHT * (1 - height):.1f}H{(k + 1) * width:.1f}" for k, height in enumerate(heights))
    return f"M0 {HEIGHT}{steps}V{HEIGHT}"
