"""What the pictures of a report show of synthetic rows next to real ones, as plain numbers and texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.associations import FEWEST_ROWS, associations
from imbllm_autogluon.quality.columns import check_pair, paired_columns, shared_codes
from imbllm_autogluon.quality.distances import draw
from imbllm_autogluon.tables.dtypes import dense, physical_type_of

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.quality.columns import PairedColumn
    from imbllm_autogluon.quality.evaluation import Distances

_MOST_MAPPED = 20  # columns of a map of associations
_MOST_ROWS = 5_000  # of each kind that pictures are made from, drawn at random
_MOST_POINTS = 500  # of one kind of rows in the plane, drawn at random
_MOST_LEVELS = 8  # with a bar of their own, the most frequent real ones; the others share one
_BINS, _DISTANCE_BINS = 20, 40  # bars of a number (whole numbers of fewer values have one each) and of distances
_LARGEST_COUNT = 2.0**50  # whole numbers beyond have no half between them in float64
# Shares on either side that may be beyond the axis of a number, and beyond the frame of distances and the plane: one
# outlier must not hide the rest.
_TAIL, _FAR_TAIL = 0.005, 0.01
_MOST_AXES, _FARTHEST = 12, 4.0  # levels with an axis in the plane's space, largest standard deviations of a number
_MOST_PAIRS, _MOST_SHOWN = 5, 8  # neighbors at each end, and their columns: as many fit on a printed page
_MOST_CHARACTERS = 40  # of a cell


class _Compared(NamedTuple):
    """Rows for pictures, without the label, all with the columns of the real table."""

    real: pd.DataFrame  # of the classes that were written
    weights: FloatArray  # sum to 1 and give these classes the shares that they have among the synthetic rows
    synthetic: pd.DataFrame
    holdout: pd.DataFrame | None  # unseen rows of these classes
    others: pd.DataFrame | None  # real rows of other classes


def _compared_rows(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    seed: int = 0,
    most_rows: int = _MOST_ROWS,
) -> _Compared:
    """Choose the rows of pictures, at most `most_rows` of each kind; synthetic ones of no real class are left out."""
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

    def drawn(rows: pd.DataFrame, purpose: str) -> tuple[pd.DataFrame, IntArray]:
        places = draw(len(rows), most_rows, child_rng(seed, "order", "pictures", purpose))
        return rows.iloc[places][features], places

    own, places = drawn(real[inside], "real")
    return _Compared(
        own,
        _class_weights(codes[inside][places], written[known]),
        drawn(synthetic, "synthetic")[0],
        drawn(holdout, "holdout")[0] if holdout is not None and len(holdout) else None,
        drawn(real[~inside], "others")[0] if not inside.all() else None,
    )


def _class_weights(codes: IntArray, written: IntArray) -> FloatArray:
    """Weights that give each class of the real rows its share among the synthetic ones."""
    wanted = np.bincount(written, minlength=int(max(codes.max(), written.max())) + 1)
    have = np.bincount(codes, minlength=len(wanted))
    weights = (wanted / np.maximum(have, 1))[codes]
    return np.asarray(weights / weights.sum(), dtype=np.float64)


class ColumnShares(NamedTuple):
    """Shares of the rows in each bar of a column; the outer bars of a number hold what is beyond, the last gaps."""

    name: str
    real: FloatArray
    synthetic: FloatArray
    total_variation: float  # share of rows that would need another bar for both sides to be equal: 0 (best) to 1
    edges: FloatArray | None = None  # ends of the bars of a number
    levels: tuple[str, ...] = ()  # texts of the bars of a category
    is_day: bool = False  # whether numbers are days since 1970


def _all_column_shares(rows: _Compared) -> list[ColumnShares]:
    columns = paired_columns(rows.real, rows.synthetic)
    return sorted((_column_shares(column, rows) for column in columns), key=lambda found: -found.total_variation)


def _column_shares(column: PairedColumn, rows: _Compared) -> ColumnShares:
    name, cells = str(column.name), (rows.real[column.name], rows.synthetic[column.name])
    even = np.full(len(rows.synthetic), 1 / len(rows.synthetic))
    sides = ((column.real, rows.weights), (column.synthetic, even))
    if column.is_number:
        edges = _edges(column)
        real, synthetic = (_binned(values, weights, edges) for values, weights in sides)
        is_day = physical_type_of(dense(cells[0]), column.name) == "datetime"
        return ColumnShares(name, real, synthetic, _distance(real, synthetic), edges, is_day=is_day)
    names = _level_names(column, *cells)
    real, synthetic = (_counted(values, weights, len(names)) for values, weights in sides)
    return ColumnShares(name, *_shown_levels(real, synthetic, names))


def _distance(real: FloatArray, synthetic: FloatArray) -> float:
    return float(np.abs(real - synthetic).sum() / 2)


def _edges(column: PairedColumn) -> FloatArray:
    real, synthetic = column.known, column.synthetic[~np.isnan(column.synthetic)]
    both = np.concatenate([real, synthetic])
    if not len(both):
        return np.array([-0.5, 0.5])
    seen = real if len(real) else synthetic
    whole = np.all(both == np.rint(both)) and np.abs(both).max() < _LARGEST_COUNT
    if whole and np.ptp(seen) < _BINS and np.ptp(both) < 3 * _BINS:
        return np.arange(max(both.min(), seen.min() - _BINS), min(both.max(), seen.max() + _BINS) + 2) - 0.5
    low, high = np.quantile(seen, [_TAIL, 1 - _TAIL])
    edge = 0.1 * (high - low)
    low, high = max(both.min(), low - edge), min(both.max(), high + edge)
    if not high > low:
        width = max(0.5, abs(low) * 1e-6)
        low, high = low - width, low + width
    return np.linspace(low, high, _BINS + 1)


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
    order, rest = (order, order[:0]) if len(order) <= _MOST_LEVELS + 1 else np.split(order, [_MOST_LEVELS])
    texts = [*(names[int(code) - 1] for code in order), f"{len(rest)} others", "missing"]
    shares = [np.append(side[order], [side[rest].sum(), side[0]]) for side in (real, synthetic)]
    kept = [k for k in range(len(texts)) if k < len(order) or shares[0][k] or shares[1][k]]
    distance = _distance(real, synthetic)
    return shares[0][kept], shares[1][kept], distance, None, tuple(texts[k] for k in kept)


class AssociationMaps(NamedTuple):
    """Strength of association of every two columns, from 0 to 1, shape (p, p); NaN where too few rows have both."""

    names: tuple[str, ...]
    real: FloatArray
    synthetic: FloatArray
    mean_gap: float  # mean over the pairs of the size of the difference, 0 (best) to 1
    left_out: int  # columns that had no place


def _association_maps(rows: _Compared, worst_first: list[str]) -> AssociationMaps | None:
    """Strengths of the 20 worst columns in the table's order; None where there are no two columns."""
    kept = set(worst_first[:_MOST_MAPPED])
    columns = [column for column in paired_columns(rows.real, rows.synthetic) if str(column.name) in kept]
    columns = columns[:_MOST_MAPPED]
    if len(columns) < 2:
        return None
    found = associations(columns, rows.weights), associations(columns, synthetic=True)
    real, synthetic = (np.where(side.rows < FEWEST_ROWS, np.nan, np.abs(side.strength)) for side in found)
    gaps = np.nan_to_num(np.abs(real - synthetic)[np.tril_indices(len(columns), -1)])
    names = tuple(str(column.name) for column in columns)
    return AssociationMaps(names, real, synthetic, float(gaps.mean()), len(rows.real.columns) - len(columns))


class Cloud(NamedTuple):
    """One kind of rows as points from 0 to 1 along both axes, shape (n, 2), and how many rows of the kind there are."""

    kind: str
    name: str
    points: FloatArray
    rows: int


def _plane(rows: _Compared, seed: int = 0) -> tuple[list[Cloud], tuple[float, float]]:
    """Real, held-out and synthetic rows on two principal components of the real ones, and their shares of variance.

    Numbers are in standard deviations (missing: the mean), and two levels are as far apart as two numbers that differ
    by one. The lowest cloud comes first.
    """
    named: dict[Any, tuple[str, pd.DataFrame | None]] = {
        "others": ("real, other classes", rows.others),
        "real": ("real" if rows.others is None else "real, classes that were written", rows.real),
        "holdout": ("real, held out", rows.holdout),
        "synthetic": ("synthetic", rows.synthetic),
    }
    tables = {kind: table for kind, (_, table) in named.items() if table is not None}
    spaces = {}
    for kind, table in tables.items():
        drawn = table.iloc[draw(len(table), _MOST_POINTS, child_rng(seed, "order", "embedding", kind))]
        spaces[kind] = np.column_stack([_axes(column) for column in paired_columns(rows.real, drawn)])
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


class Histogram(NamedTuple):
    """Shares of the rows by their distance to the closest record; the last bar holds what is beyond."""

    name: str
    shares: FloatArray
    median: float


def _distance_histograms(distances: Distances) -> tuple[FloatArray, list[Histogram]]:
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


class Pictures(NamedTuple):
    """What all pictures show."""

    columns: list[ColumnShares]  # worst first
    associations: AssociationMaps | None  # None for one column
    clouds: list[Cloud]
    variance: tuple[float, float]
    edges: FloatArray
    histograms: list[Histogram]


def pictures(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    distances: Distances,
    label: str | None = None,
    holdout: pd.DataFrame | None = None,
    seed: int = 0,
) -> Pictures:
    """Numbers and texts of all pictures; names are not escaped yet. `seed` chooses the rows of large tables."""
    rows = _compared_rows(real, synthetic, label, holdout, seed=seed)
    columns = _all_column_shares(rows)
    maps = _association_maps(rows, [column.name for column in columns])
    return Pictures(columns, maps, *_plane(rows, seed), *_distance_histograms(distances))


def neighbor_rows(real: pd.DataFrame, synthetic: pd.DataFrame, distances: Distances) -> dict[str, Any]:
    """The synthetic rows farthest from and nearest to real ones, each next to its nearest real row, as stored.

    The ``columns`` shown (those that differ most often), how many were ``left_out``, pairs of the ``farthest`` and the
    ``nearest`` rows with their cells as text, equal ones once, and the number of ``copies``.
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
