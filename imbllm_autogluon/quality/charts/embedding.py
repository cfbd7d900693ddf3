"""Rows as points of a plane: principal components of standardised numbers and one-hot categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.columns import paired_columns
from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.charts.compared import Compared
    from imbllm_autogluon.quality.columns import PairedColumn

WIDTH, HEIGHT = 640, 380
"""Size of the plotting area in SVG units."""

MOST_POINTS = 500
"""Points of one kind of rows; of more, as many are drawn."""

MOST_LEVELS = 12
"""Levels of a category that have an axis of their own, the most frequent real ones."""

FARTHEST = 4.0
"""Standard deviations at which a number stands at most: one outlier must not lay out the plane."""

TAIL = 0.01
"""Share of points on each side that may lie beyond the frame; they stand on its edge."""

_MARKS = {
    "dot": "h0",
    "cross": "m-3 -3l6 6m0 -6l-6 6",
    "square": "m-3 -3h6v6h-6z",
    "ring": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0",
}


@dataclass(frozen=True)
class Cloud:
    """The points of one kind of rows."""

    name: str
    kind: str
    """``others``, ``real``, ``holdout`` or ``synthetic``."""

    mark: str
    """Shape: ``dot``, ``ring``, ``square`` or ``cross``, told apart without colours."""

    path: str
    shown: int
    rows: int


@dataclass(frozen=True)
class Embedding:
    """Everything a template needs to draw the plane."""

    clouds: tuple[Cloud, ...]
    variance: tuple[float, float]
    """Shares of the real rows' variance along both axes."""

    width: int = WIDTH
    height: int = HEIGHT


def embedding(rows: Compared, seed: int = 0) -> Embedding:
    """Lay out real, held-out and synthetic rows on two principal components of the real ones.

    Parameters
    ----------
    rows
        What is shown.
    seed
        Of the rows drawn from more than `MOST_POINTS` of one kind.

    Returns
    -------
    Embedding
        Lowest cloud first. Numbers are in standard deviations (missing: the mean), and two levels are as far apart as
        two numbers that differ by one.
    """
    kinds = {"others": rows.others, "real": rows.real, "holdout": rows.holdout, "synthetic": rows.synthetic}
    tables = {kind: table for kind, table in kinds.items() if table is not None}
    drawn = {kind: _drawn(table, seed, kind) for kind, table in tables.items()}
    spaces = {kind: _coordinates(paired_columns(rows.real, table)) for kind, table in drawn.items()}
    planes, variance = _project(spaces)
    frame = _frame(np.concatenate(list(planes.values())))
    named = rows.others is not None
    clouds = tuple(_cloud(kind, _placed(planes[kind], frame), len(tables[kind]), named) for kind in planes)
    return Embedding(clouds, variance)


def _drawn(table: pd.DataFrame, seed: int, kind: str) -> pd.DataFrame:
    if len(table) <= MOST_POINTS:
        return table
    return table.iloc[np.sort(child_rng(seed, "order", "embedding", kind).choice(len(table), MOST_POINTS, False))]


def _coordinates(columns: list[PairedColumn]) -> FloatArray:
    return np.column_stack([_axes(column) for column in columns])


def _axes(column: PairedColumn) -> FloatArray:
    """Axes of one column, shape (n, axes), laid out on its real values."""
    known = column.real[~np.isnan(column.real)]
    if not column.is_number:
        counts = np.bincount(known.astype(np.int64), minlength=1)
        kept = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        return np.asarray((column.synthetic[:, None] == kept[None, :]) * np.sqrt(0.5), dtype=np.float64)
    middle, spread = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
    standard = np.nan_to_num((column.synthetic - middle) / (spread or 1.0), nan=0.0)
    return np.clip(standard, -FARTHEST, FARTHEST)[:, None]


def _project(spaces: dict[str, FloatArray]) -> tuple[dict[str, FloatArray], tuple[float, float]]:
    """Two coordinates of every row, and the variance that they explain among real ones."""
    real = np.concatenate([spaces[kind] for kind in ("others", "real") if kind in spaces])
    centre = real.mean(axis=0)
    _, sizes, axes = np.linalg.svd(real - centre, full_matrices=False)
    axes = axes[:2] * np.where(axes[:2].sum(axis=1, keepdims=True) < 0, -1, 1)  # the sign of an axis is arbitrary
    planes = {kind: (space - centre) @ axes.T for kind, space in spaces.items()}
    if len(axes) < 2:
        planes = {kind: np.column_stack([plane, np.zeros(len(plane))]) for kind, plane in planes.items()}
    shares = np.append(sizes**2 / max(float((sizes**2).sum()), 1e-12), 0.0)
    return planes, (float(shares[0]), float(shares[1]))


def _frame(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = np.quantile(points, [TAIL, 1 - TAIL], axis=0)
    edge = np.where(high > low, 0.04 * (high - low), 0.5)
    return low - edge, high + edge


def _placed(plane: FloatArray, frame: tuple[FloatArray, FloatArray]) -> FloatArray:
    low, high = frame
    share = np.clip((plane - low) / (high - low), 0, 1)
    return share * [WIDTH, -HEIGHT] + [0, HEIGHT]


def _cloud(kind: str, points: FloatArray, rows: int, classes: bool) -> Cloud:
    names = {
        "others": ("real, other classes", "dot"),
        "real": ("real, classes that were written" if classes else "real", "ring"),
        "holdout": ("real, held out", "square"),
        "synthetic": ("synthetic", "cross"),
    }
    name, mark = names[kind]
    path = "".join(f"M{x:.0f} {y:.0f}{_MARKS[mark]}" for x, y in points)
    return Cloud(name, kind, mark, path, len(points), rows)
