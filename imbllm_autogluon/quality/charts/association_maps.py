"""Two heat maps side by side: associations of columns among real and among synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.associations import FEWEST_ROWS, associations
from imbllm_autogluon.quality.charts.ticks import shortened
from imbllm_autogluon.quality.columns import paired_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.charts.compared import Compared

MOST_COLUMNS = 20
"""Columns of a map: more would be too small to read."""

MAP, GAP, NAMES_ROOM = 280, 44, 132
"""Side of a map, room between both and for the names of its rows, in SVG units."""

SHADES = 10
"""Steps of the colour scale."""


@dataclass(frozen=True)
class Shade:
    """All cells of one shade."""

    opacity: float
    path: str


@dataclass(frozen=True)
class HeatMap:
    """One of both maps."""

    title: str
    left: float
    shades: tuple[Shade, ...]


@dataclass(frozen=True)
class AssociationChart:
    """Everything a template needs to draw both maps."""

    maps: tuple[HeatMap, HeatMap]
    names: tuple[tuple[float, str, str], ...]
    """Middle of each row or column of a map, its name cut to the room, and whole."""

    mean_gap: float
    """Mean over the pairs of the size of the difference: 0 (best) to 1."""

    left_out: int
    """Columns that had no place."""

    cell: float
    size: int = MAP
    width: int = NAMES_ROOM + 2 * MAP + GAP


def association_chart(rows: Compared, worst_first: Sequence[str]) -> AssociationChart | None:
    """Lay out the maps of a table.

    Parameters
    ----------
    rows
        Real and synthetic rows; real ones count by their weights.
    worst_first
        Names of columns; where there are too many, the first of these are shown, in the table's order.

    Returns
    -------
    AssociationChart or None
        `None` where there are no two columns.
    """
    kept = set(worst_first[:MOST_COLUMNS])
    columns = [column for column in paired_columns(rows.real, rows.synthetic) if str(column.name) in kept]
    columns = columns[:MOST_COLUMNS]
    if len(columns) < 2:
        return None
    found = associations(columns, rows.weights), associations(columns, synthetic=True)
    real, synthetic = (np.where(side.rows < FEWEST_ROWS, np.nan, np.abs(side.strength)) for side in found)
    names = [str(column.name) for column in columns]
    cell = MAP / len(names)
    places = tuple(((k + 0.5) * cell, shortened(name, NAMES_ROOM - 32), name) for k, name in enumerate(names))
    maps = (
        HeatMap("real", NAMES_ROOM, _shades(real)),
        HeatMap("synthetic", NAMES_ROOM + MAP + GAP, _shades(synthetic)),
    )
    pairs = np.nan_to_num(np.abs(real - synthetic)[np.tril_indices(len(names), -1)])
    left_out = len(rows.real.columns) - len(names)
    return AssociationChart(maps, places, float(pairs.mean()), left_out, cell)


def _shades(matrix: FloatArray) -> tuple[Shade, ...]:
    """Cells by shade; those near 0 stay empty."""
    cell, steps = MAP / len(matrix), np.rint(np.nan_to_num(matrix) * SHADES).astype(np.int64)
    edge = cell - min(1.0, cell / 8)
    return tuple(
        Shade(
            step / SHADES,
            "".join(
                f"M{column * cell:.1f} {row * cell:.1f}h{edge:.1f}v{edge:.1f}h-{edge:.1f}z"
                for row, column in np.argwhere(steps == step)
            ),
        )
        for step in range(1, SHADES + 1)
        if (steps == step).any()
    )
