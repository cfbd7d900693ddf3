"""What the pictures of a report show of synthetic rows beside real ones, as plain numbers and texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.associations import FEWEST_ROWS, associations
from imbllm_autogluon.quality.columns import check_pair, paired_columns, shared_codes
from imbllm_autogluon.quality.distances import draw
from imbllm_autogluon.tables.dtypes import dense, nature_of

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.quality.columns import PairedColumn
    from imbllm_autogluon.quality.evaluation import Distances

MOST_COLUMNS = 24
"""Columns that are drawn, the worst ones."""

MOST_MAPPED = 20
"""Columns of a map of associations: more would be too small to read."""

MOST_POINTS = 500
"""Points of one kind of rows in the plane; of more, as many are drawn at random."""

MOST_LEVELS = 8
"""Levels that have a bar of their own, the most frequent real ones; the others share one."""

_MOST_ROWS = 5_000
"""Rows of each kind that pictures are made from; of larger tables as many are drawn at random."""

_BINS = 20
"""Bars of a number; whole numbers of fewer values have one bar each."""

_DISTANCE_BINS = 40

_LARGEST_COUNT = 2.0**50
"""Whole numbers beyond have no half between them in float64."""

_TAIL = 0.005
"""Share of real rows on either side that may lie beyond the axis of a number: one outlier must not hide the rest."""

_FAR_TAIL = 0.01
"""Share of distances, and of points on each side of the plane, beyond the frame; they are drawn at its edge."""

_MOST_AXES = 12
"""Levels of a category that have an axis of their own in the space of the plane, the most frequent real ones."""

_FARTHEST = 4.0
"""Largest standard deviations of a number in the space of the plane: one outlier must not lay out the plane."""

_MOST_PAIRS, _MOST_SHOWN, _MOST_CHARACTERS = 5, 8, 40
"""Pairs of neighbors at each end, their columns (as many fit on a printed page), and characters of a cell."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Rows for pictures, without the label, all with the columns of the real table."""

    real: pd.DataFrame
    """Real rows of the classes that were written."""

    weights: FloatArray
    """Of each of these real rows; they sum to 1 and give the classes the shares they have among the synthetic rows."""

    synthetic: pd.DataFrame
    holdout: pd.DataFrame | None
    """Real rows of these classes that the generator has not seen."""

    others: pd.DataFrame | None
    """Real rows of the other classes."""


def compared_rows(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    *,
    seed: int = 0,
    most_rows: int = _MOST_ROWS,
) -> Compared:
    """Choose the rows of pictures, at most `most_rows` of each kind.

    Raises
    ------
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.columns.check_pair`. Or no synthetic row has
        the class of a real one; where only some have none, these are left out.
    """
    check_pair(real, synthetic)
    codes, written = np.zeros(len(real), dtype=np.int64), np.zeros(len(synthetic), dtype=np.int64)
    if label is not None:
        codes, written = shared_codes(real[label], synthetic[label], label)
    known, inside = (written >= 0) & np.isin(written, codes), np.isin(codes, written[written >= 0])
    if not known.any():
        raise TableError(
            f"no synthetic row has a class of {label!r} that occurs in the real table: compare the labels."
        )
    synthetic = synthetic[known]
    if label is not None and holdout is not None:
        holdout = holdout[np.isin(*shared_codes(holdout[label], synthetic[label], label))]
    features = [name for name in real.columns if label is None or name != label]

    def drawn(rows: pd.DataFrame, purpose: str) -> pd.DataFrame:
        return rows.iloc[_places(len(rows), most_rows, seed, purpose)][features]

    own = np.flatnonzero(inside)
    return Compared(
        drawn(real[inside], "real"),
        _class_weights(codes[own[_places(len(own), most_rows, seed, "real")]], written[known]),
        drawn(synthetic, "synthetic"),
        drawn(holdout, "holdout") if holdout is not None and len(holdout) else None,
        drawn(real[~inside], "others") if not inside.all() else None,
    )


def _places(n: int, most: int, seed: int, purpose: str) -> IntArray:
    return draw(n, most, child_rng(seed, "order", "pictures", purpose))


def _class_weights(codes: IntArray, written: IntArray) -> FloatArray:
    """Weights that give each class of the real rows its share among the synthetic ones."""
    wanted = np.bincount(written, minlength=int(max(codes.max(), written.max())) + 1)
    have = np.bincount(codes, minlength=len(wanted))
    weights = (wanted / np.maximum(have, 1))[codes]
    return np.asarray(weights / weights.sum(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ColumnShares:
    """Shares of the rows in each bar of a column, real and synthetic."""

    name: str
    real: FloatArray
    """Of a number, the last one is that of missing cells."""

    synthetic: FloatArray
    total_variation: float
    """Share of rows that would need another value (of numbers: another bar) for both to be equal: 0 (best) to 1."""

    edges: FloatArray | None = None
    """Ends of the bars of a number; bars at both ends hold what is beyond."""

    levels: tuple[str, ...] = ()
    """Texts of the bars of a category; the rest of the levels, and missing cells, come last where there are any."""

    is_day: bool = False
    """Whether the numbers are days since 1970."""


def column_shares(rows: Compared) -> list[ColumnShares]:
    """Shares of every column, the worst first.

    Examples
    --------
    >>> real = pd.DataFrame({"a": [1, 1, 2, 2], "b": ["x", "x", "y", "y"]})
    >>> found = column_shares(compared_rows(real, real.assign(b="x")))
    >>> [(column.name, round(column.total_variation, 3)) for column in found]
    [('b', 0.5), ('a', 0.0)]
    """
    columns = paired_columns(rows.real, rows.synthetic)
    return sorted((_column_shares(column, rows) for column in columns), key=lambda found: -found.total_variation)


def _column_shares(column: PairedColumn, rows: Compared) -> ColumnShares:
    name, cells = str(column.name), (rows.real[column.name], rows.synthetic[column.name])
    even = np.full(len(rows.synthetic), 1 / len(rows.synthetic))
    sides = ((column.real, rows.weights), (column.synthetic, even))
    if column.is_number:
        edges = _edges(column)
        real, synthetic = (_binned(values, weights, edges) for values, weights in sides)
        is_day = nature_of(dense(cells[0]), column.name) == "datetime"
        return ColumnShares(name, real, synthetic, _distance(real, synthetic), edges, is_day=is_day)
    names = _level_names(column, *cells)
    real, synthetic = (_counted(values, weights, len(names)) for values, weights in sides)
    return ColumnShares(name, *_shown_levels(real, synthetic, names))


def _distance(real: FloatArray, synthetic: FloatArray) -> float:
    return float(np.abs(real - synthetic).sum() / 2)


def _edges(column: PairedColumn) -> FloatArray:
    """Ends of the bars of a number."""
    real, synthetic = column.known, column.synthetic[~np.isnan(column.synthetic)]
    both = np.concatenate([real, synthetic])
    if not len(both):
        return np.array([-0.5, 0.5])
    seen = real if len(real) else synthetic
    if _is_counted(both) and np.ptp(seen) < _BINS and np.ptp(both) < 3 * _BINS:
        return np.arange(max(both.min(), seen.min() - _BINS), min(both.max(), seen.max() + _BINS) + 2) - 0.5
    low, high = np.quantile(seen, [_TAIL, 1 - _TAIL])
    edge = 0.1 * (high - low)
    low, high = max(both.min(), low - edge), min(both.max(), high + edge)
    if not high > low:
        width = max(0.5, abs(low) * 1e-6)
        low, high = low - width, low + width
    return np.linspace(low, high, _BINS + 1)


def _is_counted(values: FloatArray) -> bool:
    """Whether all are whole numbers that halves can be added to."""
    return bool(np.all(values == np.rint(values)) and np.abs(values).max() < _LARGEST_COUNT)


def _binned(values: FloatArray, weights: FloatArray, edges: FloatArray) -> FloatArray:
    """Share of the rows in each bar, then of those without a value."""
    n = len(edges) - 1
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, n - 1)
    return np.bincount(np.where(np.isnan(values), n, places), weights, minlength=n + 1).astype(np.float64)


def _counted(codes: FloatArray, weights: FloatArray, n_levels: int) -> FloatArray:
    """Share of the rows without a value, then of each level."""
    places = np.where(np.isnan(codes), 0, codes + 1).astype(np.int64)
    return np.bincount(places, weights, n_levels + 1).astype(np.float64)


def _level_names(column: PairedColumn, real: pd.Series[Any], synthetic: pd.Series[Any]) -> dict[int, str]:
    """Text of each code of a category."""
    names: dict[int, str] = {}
    for codes, cells in ((column.synthetic, synthetic), (column.real, real)):
        found, first = np.unique(codes, return_index=True)
        known = [(int(code), place) for code, place in zip(found, first, strict=True) if not np.isnan(code)]
        names |= {code: str(cells.iloc[place]) for code, place in known}
    return names


def _shown_levels(
    real: FloatArray, synthetic: FloatArray, names: dict[int, str]
) -> tuple[FloatArray, FloatArray, float, None, tuple[str, ...]]:
    """The most frequent levels, the rest and missing cells."""
    order = 1 + np.lexsort((-synthetic[1:], -real[1:]))
    # A bar for "1 others" would take as much room as that level's own.
    order, rest = (order, order[:0]) if len(order) <= MOST_LEVELS + 1 else np.split(order, [MOST_LEVELS])
    texts = [*(names[int(code) - 1] for code in order), f"{len(rest)} others", "missing"]
    shares = [np.append(side[order], [side[rest].sum(), side[0]]) for side in (real, synthetic)]
    kept = [k for k in range(len(texts)) if k < len(order) or shares[0][k] or shares[1][k]]
    distance = _distance(real, synthetic)
    return shares[0][kept], shares[1][kept], distance, None, tuple(texts[k] for k in kept)


@dataclass(frozen=True, eq=False)
class AssociationMaps:
    """Strength of association of every two columns, real and synthetic."""

    names: tuple[str, ...]
    real: FloatArray
    """From 0 to 1, shape (p, p); NaN where too few rows have both values."""

    synthetic: FloatArray
    mean_gap: float
    """Mean over the pairs of the size of the difference: 0 (best) to 1."""

    left_out: int
    """Columns that had no place."""


def association_maps(rows: Compared, worst_first: list[str]) -> AssociationMaps | None:
    """Strengths of the 20 worst columns in the table's order; None where there are no two columns."""
    kept = set(worst_first[:MOST_MAPPED])
    columns = [column for column in paired_columns(rows.real, rows.synthetic) if str(column.name) in kept]
    columns = columns[:MOST_MAPPED]
    if len(columns) < 2:
        return None
    found = associations(columns, rows.weights), associations(columns, synthetic=True)
    real, synthetic = (np.where(side.rows < FEWEST_ROWS, np.nan, np.abs(side.strength)) for side in found)
    gaps = np.nan_to_num(np.abs(real - synthetic)[np.tril_indices(len(columns), -1)])
    names = tuple(str(column.name) for column in columns)
    return AssociationMaps(names, real, synthetic, float(gaps.mean()), len(rows.real.columns) - len(columns))


@dataclass(frozen=True, eq=False)
class Cloud:
    """One kind of rows as points of a plane."""

    kind: str
    """``others``, ``real``, ``holdout`` or ``synthetic``."""

    name: str
    points: FloatArray
    """From 0 to 1 along both axes, shape (n, 2)."""

    rows: int
    """Rows of the kind, of which n are shown."""


def plane(rows: Compared, seed: int = 0) -> tuple[list[Cloud], tuple[float, float]]:
    """Real, held-out and synthetic rows on two principal components of the real ones.

    Numbers are in standard deviations (missing: the mean), and two levels are as far apart as two numbers that differ
    by one.

    Returns
    -------
    clouds : list of Cloud
        Lowest first.
    variance : tuple of float
        Shares of the real rows' variance along both axes.
    """
    named = {
        "others": ("real, other classes", rows.others),
        "real": ("real" if rows.others is None else "real, classes that were written", rows.real),
        "holdout": ("real, held out", rows.holdout),
        "synthetic": ("synthetic", rows.synthetic),
    }
    tables = {kind: table for kind, (_, table) in named.items() if table is not None}
    drawn = {
        kind: table.iloc[draw(len(table), MOST_POINTS, child_rng(seed, "order", "embedding", kind))]
        for kind, table in tables.items()
    }
    spaces = {
        kind: np.column_stack([_axes(column) for column in paired_columns(rows.real, table)])
        for kind, table in drawn.items()
    }
    planes, variance = _project(spaces)
    low, high = np.quantile(np.concatenate(list(planes.values())), [_FAR_TAIL, 1 - _FAR_TAIL], axis=0)
    edge = np.where(high > low, 0.04 * (high - low), 0.5)
    low, high = low - edge, high + edge
    placed = {kind: np.clip((points - low) / (high - low), 0, 1) for kind, points in planes.items()}
    return [Cloud(kind, named[kind][0], points, len(tables[kind])) for kind, points in placed.items()], variance


def _axes(column: PairedColumn) -> FloatArray:
    """Axes of one column, shape (m, axes), laid out on its real values."""
    known = column.known
    if not column.is_number:
        counts = np.bincount(known.astype(np.int64), minlength=1)
        kept = np.argsort(-counts, kind="stable")[:_MOST_AXES]
        return np.asarray((column.synthetic[:, None] == kept[None, :]) * np.sqrt(0.5), dtype=np.float64)
    middle, spread = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
    standard = np.nan_to_num((column.synthetic - middle) / (spread or 1.0), nan=0.0)
    return np.clip(standard, -_FARTHEST, _FARTHEST)[:, None]


def _project(spaces: dict[str, FloatArray]) -> tuple[dict[str, FloatArray], tuple[float, float]]:
    """Two coordinates of every row, and the variance that they explain among real ones."""
    real = np.concatenate([spaces[kind] for kind in ("others", "real") if kind in spaces])
    center = real.mean(axis=0)
    _, sizes, axes = np.linalg.svd(real - center, full_matrices=False)
    axes = axes[:2] * np.where(axes[:2].sum(axis=1, keepdims=True) < 0, -1, 1)  # the sign of an axis is arbitrary
    planes = {kind: (space - center) @ axes.T for kind, space in spaces.items()}
    if len(axes) < 2:
        planes = {kind: np.column_stack([found, np.zeros(len(found))]) for kind, found in planes.items()}
    shares = np.append(sizes**2 / max(float((sizes**2).sum()), 1e-12), 0.0)
    return planes, (float(shares[0]), float(shares[1]))


@dataclass(frozen=True, eq=False)
class Histogram:
    """How far one kind of rows is from the closest record."""

    name: str
    shares: FloatArray
    """Of the rows in each bar; the last one holds what is beyond."""

    median: float


def distance_histograms(distances: Distances) -> tuple[FloatArray, list[Histogram]]:
    """Ends of common bars, and a histogram of each kind of distances that has a finite one."""
    given = {
        "real to other real rows": distances.real_to_real,
        "synthetic to real rows": distances.to_real,
        "synthetic to held-out rows": distances.to_holdout,
    }
    known = {name: values[np.isfinite(values)] for name, values in given.items() if values is not None}
    known = {name: values for name, values in known.items() if len(values)}
    end = max((float(np.quantile(values, 1 - _FAR_TAIL)) for values in known.values()), default=0.0) or 1.0
    edges = np.linspace(0, end, _DISTANCE_BINS + 1)
    counts = {name: np.histogram(np.clip(values, 0, end), edges)[0] for name, values in known.items()}
    return edges, [Histogram(name, counts[name] / len(v), float(np.median(v))) for name, v in known.items()]


@dataclass(frozen=True, eq=False)
class Pictures:
    """What all pictures of a table show."""

    columns: list[ColumnShares]
    """Worst first; the first 24 are drawn."""

    associations: AssociationMaps | None
    """None for a table of one column."""

    clouds: list[Cloud]
    variance: tuple[float, float]
    """Shares of the real rows' variance along both axes of the plane."""

    edges: FloatArray
    """Ends of the bars of distances."""

    histograms: list[Histogram]
    """Empty where no distance was measured."""


def pictures(rows: Compared, distances: Distances, seed: int = 0) -> Pictures:
    """Numbers of all pictures; names are not escaped yet.

    Parameters
    ----------
    rows
        What is compared.
    distances
        Of the synthetic rows to the nearest real ones, as :func:`imbllm_autogluon.quality.evaluate` finds them.
    seed
        Of the rows drawn for the plane.
    """
    columns = column_shares(rows)
    maps = association_maps(rows, [column.name for column in columns])
    return Pictures(columns, maps, *plane(rows, seed), *distance_histograms(distances))


def neighbor_rows(real: pd.DataFrame, synthetic: pd.DataFrame, distances: Distances) -> dict[str, Any]:
    """The synthetic rows farthest from and nearest to real ones, each beside its nearest real row.

    Returns
    -------
    dict
        As it is stored: the ``columns`` shown (those that differ most often), how many were ``left_out``, pairs of the
        ``farthest`` and the ``nearest`` rows with their cells as text, equal ones once, and the number of ``copies``.
    """
    written, partners = distances.looked_at, distances.nearest_real
    different = _different(real.iloc[partners], synthetic.iloc[written])
    first = np.flatnonzero(~synthetic.iloc[written].astype(object).duplicated().to_numpy())
    order = first[np.argsort(distances.to_real[first], kind="stable")]
    near, far = order[:_MOST_PAIRS], order[::-1][: min(_MOST_PAIRS, max(0, len(order) - _MOST_PAIRS))]
    often = np.argsort(-different[np.concatenate([far, near])].sum(axis=0), kind="stable")
    shown = np.sort(often[:_MOST_SHOWN])
    names = [real.columns[j] for j in shown]

    def pair(k: int) -> dict[str, Any]:
        return {
            "distance": float(distances.to_real[k]),
            "synthetic": [_text(synthetic[name].iloc[written[k]]) for name in names],
            "real": [_text(real[name].iloc[partners[k]]) for name in names],
            "differs": different[k, shown].tolist(),
            "differing": int(different[k].sum()),  # shown or not
        }

    return {
        "columns": [str(name) for name in names],
        "left_out": len(real.columns) - len(names),
        "farthest": [pair(k) for k in far],
        "nearest": [pair(k) for k in near],
        "copies": int((~different.any(axis=1)).sum()),
    }


def _different(real: pd.DataFrame, synthetic: pd.DataFrame) -> BoolArray:
    """Whether each cell differs from its partner's, shape (n, p)."""
    codes = (shared_codes(real[name], synthetic[name], name) for name in real.columns)
    return np.column_stack([a != b for a, b in codes])


def _text(cell: Any) -> str:
    if pd.isna(cell):
        return "missing"
    if isinstance(cell, float | np.floating):
        return f"{cell:.6g}"
    text = " ".join(str(cell).removesuffix(" 00:00:00").split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
