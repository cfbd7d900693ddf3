"""One column of real and of synthetic rows laid over each other: bars of a number, or of the levels of a category."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.charts.ticks import Tick, day_text, round_ticks, shortened, tick_text, without_overlaps
from imbllm_autogluon.quality.columns import paired_columns
from imbllm_autogluon.tables.dtypes import dense, nature_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.charts.compared import Compared
    from imbllm_autogluon.quality.columns import PairedColumn

WIDTH, HEIGHT = 260, 104
"""Size of the plotting area in SVG units."""

BINS = 20
"""Bars of a number; whole numbers of fewer values have one bar each."""

MOST_LEVELS = 8
"""Levels that have a bar of their own, the most frequent real ones; the others share one."""

LARGEST_COUNT = 2.0**50
"""Whole numbers beyond have no half between them in float64."""

NAMES_ROOM, LEVEL_HEIGHT = 104, 17
"""Room for the names of levels, and height of the bar of one, in SVG units."""

MISSING_ROOM = 62
"""Room for the bar of missing cells and its name, in SVG units."""

TAIL = 0.005
"""Share of real rows on either side that may lie beyond the axis of a number: one outlier must not hide the rest."""


@dataclass(frozen=True)
class Level:
    """Name beside the bar of a level."""

    at: float
    text: str
    full: str


@dataclass(frozen=True)
class ColumnChart:
    """Everything a template needs to draw the chart of a column."""

    name: str
    total_variation: float
    """Share of rows that would need another value (of numbers: another bar) for both to be equal: 0 (best) to 1."""

    real: str
    """SVG path of the real bars, to be filled."""

    synthetic: str
    """SVG path around the synthetic bars, to be stroked."""

    x_ticks: tuple[Tick, ...]
    levels: tuple[Level, ...] = ()
    """Names of the bars, where they lie; empty for numbers, whose bars stand."""

    width: int = WIDTH
    height: float = HEIGHT


def column_charts(rows: Compared) -> list[ColumnChart]:
    """Lay out every column, the worst first.

    Parameters
    ----------
    rows
        Real and synthetic rows; real ones count by their weights.

    Returns
    -------
    list of ColumnChart
        By falling total variation. Bars beyond the axis of a number are added to its first and last one.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.quality.charts.compared import compared_rows
    >>> real = pd.DataFrame({"a": [1, 1, 2, 2], "b": ["x", "x", "y", "y"]})
    >>> charts = column_charts(compared_rows(real, real.assign(b="x")))
    >>> [(chart.name, round(chart.total_variation, 3)) for chart in charts]
    [('b', 0.5), ('a', 0.0)]
    """
    columns = paired_columns(rows.real, rows.synthetic)
    charts = [_chart(column, rows) for column in columns]
    return sorted(charts, key=lambda chart: -chart.total_variation)


def level_names(column: PairedColumn, real: pd.Series, synthetic: pd.Series) -> dict[int, str]:
    """Text of each code of a category."""
    names: dict[int, str] = {}
    for codes, cells in ((column.real, real), (column.synthetic, synthetic)):
        found, first = np.unique(codes, return_index=True)
        names |= {
            int(code): str(cells.iloc[place])
            for code, place in zip(found, first, strict=True)
            if not np.isnan(code) and int(code) not in names
        }
    return names


def _chart(column: PairedColumn, rows: Compared) -> ColumnChart:
    real, synthetic = rows.real[column.name], rows.synthetic[column.name]
    if column.is_number:
        return _standing(column, rows.weights, nature_of(dense(real), column.name) == "datetime")
    return _lying(column, rows.weights, level_names(column, real, synthetic))


def _standing(column: PairedColumn, weights: FloatArray, is_day: bool) -> ColumnChart:
    edges = _edges(column)
    real, synthetic = _shares(column.real, edges, weights), _shares(column.synthetic, edges, None)
    lacks = bool(real[-1] or synthetic[-1])
    room = WIDTH - (MISSING_ROOM if lacks else 0)
    lefts = (edges - edges[0]) / (edges[-1] - edges[0]) * room
    spans = [(float(left), float(right)) for left, right in pairwise(lefts)]
    if lacks:
        spans.append((WIDTH - 34.0, WIDTH - 18.0))
    top = max(real.max(), synthetic.max()) or 1.0
    ticks = _number_ticks(edges, room, is_day=is_day)
    if lacks:
        ticks = (*(tick for tick in ticks if tick.at < room - 24), Tick(WIDTH - 26.0, "missing"))
    return ColumnChart(
        str(column.name),
        float(np.abs(real - synthetic).sum() / 2),
        _standing_path(spans, real / top, HEIGHT),
        _standing_path(spans, synthetic / top, HEIGHT),
        without_overlaps(ticks),
    )


def _edges(column: PairedColumn) -> FloatArray:
    """Ends of the bars of a number."""
    real, synthetic = (side[~np.isnan(side)] for side in (column.real, column.synthetic))
    both = np.concatenate([real, synthetic])
    if not len(both):
        return np.array([-0.5, 0.5])
    seen = real if len(real) else synthetic
    if _is_counted(both) and np.ptp(seen) < BINS and np.ptp(both) < 3 * BINS:
        return np.arange(max(both.min(), seen.min() - BINS), min(both.max(), seen.max() + BINS) + 2) - 0.5
    low, high = np.quantile(seen, [TAIL, 1 - TAIL])
    edge = 0.1 * (high - low)
    low, high = max(both.min(), low - edge), min(both.max(), high + edge)
    if not high > low:
        width = max(0.5, abs(low) * 1e-6)
        low, high = low - width, low + width
    return np.linspace(low, high, BINS + 1)


def _is_counted(values: FloatArray) -> bool:
    """Whether all are whole numbers that halves can be added to."""
    return bool(np.all(values == np.rint(values)) and np.abs(values).max() < LARGEST_COUNT)


def _shares(values: FloatArray, edges: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Share of the rows in each bar, then of those without a value."""
    weights = np.full(len(values), 1 / len(values)) if weights is None else weights
    known = ~np.isnan(values)
    n = len(edges) - 1
    places = np.full(len(values), n)
    places[known] = np.clip(np.searchsorted(edges, values[known], side="right") - 1, 0, n - 1)
    return np.bincount(places, weights, minlength=n + 1).astype(np.float64)


def _number_ticks(edges: FloatArray, room: float, *, is_day: bool) -> tuple[Tick, ...]:
    span = edges[-1] - edges[0]
    if is_day:
        at = [edges[0] + span * share for share in (0.15, 0.5, 0.85)]
        return tuple(Tick((day - edges[0]) / span * room, day_text(day, span)) for day in at)
    return tuple(Tick((value - edges[0]) / span * room, tick_text(value)) for value in round_ticks(*edges[[0, -1]]))


def _standing_path(spans: Sequence[tuple[float, float]], heights: FloatArray, ground: float) -> str:
    return "".join(
        f"M{left:.1f} {ground}V{ground * (1 - height):.1f}H{right:.1f}V{ground}"
        for (left, right), height in zip(spans, heights, strict=False)
        if height > 0
    )


def _lying(column: PairedColumn, weights: FloatArray, names: dict[int, str]) -> ColumnChart:
    shares = _code_shares(column, weights, len(names))
    real, synthetic, texts = _shown_levels(*shares, names)
    top = max(real.max(), synthetic.max()) or 1.0
    room = WIDTH - NAMES_ROOM
    levels = tuple(
        Level((k + 0.5) * LEVEL_HEIGHT, shortened(text, NAMES_ROOM - 6), text) for k, text in enumerate(texts)
    )
    ticks = (Tick(NAMES_ROOM + value / top * room, f"{value:.0%}") for value in round_ticks(0, top, 4))
    return ColumnChart(
        str(column.name),
        float(np.abs(shares[0] - shares[1]).sum() / 2),
        _lying_path(real / top * room),
        _lying_path(synthetic / top * room),
        without_overlaps(ticks),
        levels,
        height=len(levels) * LEVEL_HEIGHT,
    )


def _code_shares(column: PairedColumn, weights: FloatArray, n_levels: int) -> tuple[FloatArray, FloatArray]:
    """Shares of missing cells and of each level, of both sides."""
    even = np.full(len(column.synthetic), 1 / len(column.synthetic))
    places = [np.where(np.isnan(side), 0, side + 1).astype(np.int64) for side in (column.real, column.synthetic)]
    real, synthetic = (
        np.bincount(at, share, n_levels + 1).astype(np.float64)
        for at, share in zip(places, (weights, even), strict=True)
    )
    return real, synthetic


def _shown_levels(
    real: FloatArray, synthetic: FloatArray, names: dict[int, str]
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Shares of the most frequent levels, of the rest and of missing cells, and their names."""
    order = 1 + np.lexsort((-synthetic[1:], -real[1:]))
    # A bar for "1 others" would take as much room as that level's own.
    order, rest = (order, order[:0]) if len(order) <= MOST_LEVELS + 1 else np.split(order, [MOST_LEVELS])
    texts = [*(names[int(code) - 1] for code in order), f"{len(rest)} others", "missing"]
    shares = [np.append(side[order], [side[rest].sum(), side[0]]) for side in (real, synthetic)]
    kept = [k for k in range(len(texts)) if k < len(order) or shares[0][k] or shares[1][k]]
    return shares[0][kept], shares[1][kept], [texts[k] for k in kept]


def _lying_path(lengths: FloatArray) -> str:
    thick = LEVEL_HEIGHT - 5
    return "".join(
        f"M{NAMES_ROOM} {k * LEVEL_HEIGHT + 2.5:.1f}h{length:.1f}v{thick}h-{length:.1f}z"
        for k, length in enumerate(lengths)
        if length > 0
    )
