"""How strongly each two columns of a table are associated, and how much of that synthetic rows keep."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imbllm_autogluon.quality.columns import PairedColumn
from imbllm_autogluon.quality.metrics import Finding, Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.distances import ClassRows

_TOO_FEW = "Too few rows to tell"  # how a note begins that says why nothing is known of associations
FEWEST_ROWS = 20  # rows that must have both values; of fewer nothing can be said
_MOST_LEVELS = 12  # told apart, the rarer ones count as one: many levels of few rows look associated with everything
_FEWEST_OF_LEVEL = 5  # real rows of a level: the expected count from which on a chi-squared test is trusted
_MOST_COLUMNS = 200  # whose pairs are looked at, drawn at random
_BY_CHANCE = 0.05  # probability that any of the pairs of independent columns counts, or of real rows counts as lost
_STRONG = 0.3  # strength from which on losing an association makes rows poor
_HALF = 0.5  # share of a strong association that rows must keep
_KEPT_WELL = 0.7  # share of the associations that good rows keep; further real rows keep 0.71 to 0.92 (150 rows)
_ERRORS = 2.0  # standard errors that real rows drawn again may be off: they kept less in 1 % of 700 draws
_MOST_NAMED = 5  # pairs, the worst ones


class _Associations(NamedTuple):
    """Of every two columns of a table; arrays of shape (p, p), symmetric."""

    strength: FloatArray  # 0 (none, or a column is constant) to 1 (one tells the other), signed between two numbers
    p_value: FloatArray  # that independent columns look as strong, for rows of one weight; 1 where one is constant
    rows: FloatArray  # that have both values


def associations(
    columns: Sequence[PairedColumn], weights: FloatArray | None = None, *, synthetic: bool = False
) -> _Associations:
    """Strength of association of every two columns, among the real or the synthetic rows with weights of shape (n,).

    Two numbers: Spearman's rank correlation; a number and a category: the correlation ratio of ranks (Kelley's
    epsilon); two categories: Cramér's V (Bergsma 2013, equation 6). All are corrected for what chance alone gives, so
    that tables of different sizes can be compared. Rows that lack one of the two are left out; a rank is that among all
    known values of the column.
    """
    sides = [(column, column.synthetic if synthetic else column.real) for column in columns]
    values = np.column_stack([_ranks(*side) if side[0].is_number else _few_levels(*side) for side in sides])
    weights = np.ones(len(values)) if weights is None else weights * (len(values) / weights.sum())
    known = (~np.isnan(values)).astype(np.float64)
    rows = known.T @ known
    strength, p_value = np.zeros_like(rows), np.ones_like(rows)
    numbers = np.flatnonzero([column.is_number for column in columns])
    categories = np.flatnonzero([not column.is_number for column in columns])
    ranks = np.nan_to_num(values[:, numbers]), known[:, numbers], weights[:, None]
    levels, starts = _levels(values[:, categories])
    with np.errstate(divide="ignore", invalid="ignore"):
        blocks = [(numbers, numbers, *_of_numbers(*ranks, rows[np.ix_(numbers, numbers)]))]
        if len(categories):
            mixed, both = (rows[np.ix_(categories, others)] for others in (numbers, categories))
            blocks += [
                (categories, numbers, *_of_category_and_number(*ranks, levels, starts, mixed)),
                (categories, categories, *_of_categories(levels, starts, weights[:, None], both)),
            ]
    for i, j, found, p in blocks:
        strength[np.ix_(i, j)], p_value[np.ix_(i, j)] = np.nan_to_num(found), np.nan_to_num(p, nan=1.0)
        strength[np.ix_(j, i)], p_value[np.ix_(j, i)] = strength[np.ix_(i, j)].T, p_value[np.ix_(i, j)].T
    return _Associations(_symmetric(strength), _symmetric(p_value), rows)


def _symmetric(matrix: FloatArray) -> FloatArray:
    """Equal to the last digit on both sides of a diagonal of ones."""
    lower = np.tril(matrix, -1)
    return lower + lower.T + np.eye(len(matrix))


def _ranks(column: PairedColumn, side: FloatArray) -> FloatArray:
    """Ranks of the known values around their mean; zeros where hardly a real row differs from the others."""
    from scipy.stats import rankdata

    known = ~np.isnan(side)
    if _varied_rows(column) < _FEWEST_OF_LEVEL or not known.any():
        return np.where(known, 0.0, np.nan)
    ranks = np.full(len(side), np.nan)
    ranks[known] = rankdata(side[known])
    return np.asarray((ranks - ranks[known].mean()) / known.sum(), dtype=np.float64)


def _varied_rows(column: PairedColumn) -> int:
    """Known real rows without the most frequent value."""
    counts = np.unique(column.known, return_counts=True)[1]
    return int(counts.sum() - counts.max(initial=0))


def _few_levels(column: PairedColumn, side: FloatArray) -> FloatArray:
    """Codes of the most frequent real levels; the others share one, or are missing where they are few rows."""
    codes, counts = np.unique(column.known, return_counts=True)
    kept = np.argsort(-counts, kind="stable")[: _MOST_LEVELS - 1]
    kept = kept[counts[kept] >= _FEWEST_OF_LEVEL]
    rest = float(len(kept)) if counts.sum() - counts[kept].sum() >= _FEWEST_OF_LEVEL else np.nan
    found = np.where(np.isnan(side), np.nan, rest)
    for place, code in enumerate(codes[kept]):
        found[side == code] = place
    return found


def _levels(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """A column of zeros and ones for each level, and where those of each category begin."""
    found = [values[:, [k]] == np.arange(max(1.0, np.nanmax(part, initial=0) + 1)) for k, part in enumerate(values.T)]
    starts = np.cumsum([0, *(part.shape[1] for part in found)])[:-1]
    return np.hstack([np.zeros((len(values), 0)), *found]), starts.astype(np.int64)


def _of_numbers(
    ranks: FloatArray, known: FloatArray, weights: FloatArray, rows: FloatArray
) -> tuple[FloatArray, FloatArray]:
    total = known.T @ (known * weights)
    mean = (ranks * weights).T @ known / total
    variance = (ranks**2 * weights).T @ known / total - mean**2
    covariance = ranks.T @ (ranks * weights) / total - mean * mean.T
    explained = np.clip(covariance**2 / (variance * variance.T), 0.0, 1.0)
    found, p_value = _beyond_chance(explained, rows, np.full_like(rows, 2.0))
    return np.sign(covariance) * found + 0.0, p_value  # no -0.0


def _of_category_and_number(
    ranks: FloatArray, known: FloatArray, weights: FloatArray, levels: FloatArray, starts: IntArray, rows: FloatArray
) -> tuple[FloatArray, FloatArray]:
    counts, sums = (levels.T @ (part * weights) for part in (known, ranks))
    between = np.add.reduceat(np.nan_to_num(sums**2 / counts), starts)
    count, mean_part, squares = (
        np.add.reduceat(part, starts) for part in (counts, sums, levels.T @ (ranks**2 * weights))
    )
    around = mean_part**2 / count
    groups = np.add.reduceat((counts > 0).astype(np.float64), starts)
    return _beyond_chance(np.clip((between - around) / (squares - around), 0.0, 1.0), rows, groups)


def _beyond_chance(explained: FloatArray, rows: FloatArray, groups: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Root of the share of variance explained by groups (or a line: two), corrected; and the p-value of an F test."""
    from scipy.stats import f

    free = rows - groups
    found = np.sqrt(np.clip(1.0 - (1.0 - explained) * (rows - 1) / free, 0.0, 1.0))
    ratio = explained / (groups - 1) / ((1.0 - explained) / free)
    told = (free > 0) & (groups > 1)
    return np.where(told, found, 0.0), np.where(told, f.sf(ratio, groups - 1, free), 1.0)


def _of_categories(
    levels: FloatArray, starts: IntArray, weights: FloatArray, rows: FloatArray
) -> tuple[FloatArray, FloatArray]:
    from scipy.stats import chi2

    owner = np.repeat(np.arange(len(starts)), np.diff([*starts, levels.shape[1]]))
    joint = levels.T @ (levels * weights)
    sums = np.add.reduceat(joint, starts, axis=1)
    cells = np.nan_to_num(joint**2 / (sums[:, owner] * sums.T[owner]))
    phi = np.clip(np.add.reduceat(np.add.reduceat(cells, starts, axis=1), starts) - 1.0, 0.0, None)
    groups = np.add.reduceat((sums > 0).astype(np.float64), starts)
    free = (groups - 1) * (groups.T - 1)
    corrected = groups - (groups - 1) ** 2 / (rows - 1)
    fewest = np.minimum(corrected, corrected.T) - 1
    found = np.sqrt(np.clip(np.clip(phi - free / (rows - 1), 0.0, None) / fewest, 0.0, 1.0))
    told = (free > 0) & (fewest > 0)
    return np.where(told, found, 0.0), np.where(told, chi2.sf(rows * phi, free), 1.0)


@dataclass(frozen=True)
class KeptAssociation:
    """Strength of association of two columns in real and in synthetic rows, with its sign between two numbers."""

    columns: tuple[str, str]
    real: float
    synthetic: float
    kept: float  # 1 minus the difference over the real strength, at least 0
    is_lost: bool  # whether a strong association is kept less than by half, beyond chance

    @property
    def cost(self) -> float:
        """How much the pair lowers the mean, times the sum of all weights."""
        return self.real**2 * (1 - self.kept)

    def __str__(self) -> str:
        return f"{self.columns[0]} with {self.columns[1]} ({self.real:.2f} real, {self.synthetic:.2f} synthetic)"


def _kept_of_class(rows: ClassRows) -> tuple[Finding, list[KeptAssociation]]:
    return _associations_kept(rows.sampled_columns, rows.rng)


def _associations_kept(
    columns: Sequence[PairedColumn], rng: np.random.Generator
) -> tuple[Finding, list[KeptAssociation]]:
    """Share of the associations of columns that synthetic rows keep, strong ones counting most.

    Strengths are those of :func:`associations`; whether a value is missing is a further column of two levels. A pair
    counts where as strong an association would be found in less than 5 % of the tables with as many pairs of
    independent columns. Kept is ``1 - |s - r| / |r|`` of the strengths r among real rows and s among synthetic ones, at
    least 0; the result is the mean weighted by r². Columns of free text are left out, and `rng` chooses 200 columns
    where there are more. Also returns all pairs that count, those that lower the result most first.
    """
    fewer = min(len(columns[0].real), len(columns[0].synthetic))
    if fewer < FEWEST_ROWS:
        return Finding(None, f"{_TOO_FEW}: {FEWEST_ROWS} real and written ones are needed; one side has {fewer}."), []
    pairs, lowest, least = _kept(columns, rng)
    if not pairs:
        n = len(columns[0].real)
        note = f"{_TOO_FEW}: among {n} real ones only associations above {least:.2f} show beyond chance, and none does."
        return Finding(
            None, note if least > _STRONG else f"No two columns are associated beyond chance among {n} rows."
        ), []
    value = 1.0 - sum(pair.cost for pair in pairs) / sum(pair.real**2 for pair in pairs)
    lost = [pair for pair in pairs if pair.is_lost]
    note = f"Of {len(pairs)} associations beyond chance, "
    many = f"{len(lost)} strong ones are lost, first of all" if len(lost) > 1 else "a strong one is lost:"
    note += f"{many} {lost[0]}." if lost else "no strong one is lost."
    ends = (min(_KEPT_WELL, lowest), 1.0)
    return Finding(max(0.0, value), note, ends, good_from=_KEPT_WELL, is_poor=bool(lost)), pairs


def worst_associations(classes: Sequence[ClassRows]) -> tuple[KeptAssociation, ...]:
    """The five pairs that lower the metric most, of those that are kept badly: lost ones first, each at its worst."""
    pairs = [pair for rows in classes for pair in rows.once(_kept_of_class)[1]]
    bad = [pair for pair in pairs if pair.is_lost or pair.kept < _KEPT_WELL]
    worst: dict[tuple[str, str], KeptAssociation] = {}
    for pair in sorted(bad, key=lambda pair: (not pair.is_lost, -pair.cost)):
        worst.setdefault(pair.columns, pair)
    return tuple(worst.values())[:_MOST_NAMED]


def _kept(columns: Sequence[PairedColumn], rng: np.random.Generator) -> tuple[list[KeptAssociation], float, float]:
    """Pairs that count, worst first, the least that real rows drawn again keep, and about the least that counts."""
    columns = _with_gaps(columns)
    if len(columns) > _MOST_COLUMNS:
        columns = [columns[k] for k in np.sort(rng.choice(len(columns), _MOST_COLUMNS, replace=False))]
    if len(columns) < 2:
        return [], 1.0, 0.0
    real, synthetic = associations(columns), associations(columns, synthetic=True)
    i, j = np.nonzero(np.triu(real.rows >= FEWEST_ROWS, 1))
    told = NormalDist().inv_cdf(1 - _BY_CHANCE / max(1, len(i)))
    counts = (real.p_value[i, j] < _BY_CHANCE / max(1, len(i))) & (real.strength[i, j] != 0)
    i, j = i[counts], j[counts]
    r, s = real.strength[i, j], synthetic.strength[i, j]
    kept = np.clip(1 - np.abs(s - r) / np.abs(r), 0, 1)
    error = _error(columns, i, j, real.rows[i, j])
    is_lost = (np.abs(r) >= _STRONG) & (kept < _HALF) & (np.abs(r) - s * np.sign(r) > told * error)
    names = [str(column.name) for column in columns]
    found = zip(i, j, r.tolist(), s.tolist(), kept.tolist(), is_lost.tolist(), strict=True)
    pairs = [KeptAssociation((names[a], names[b]), *figures) for a, b, *figures in found]
    lowest = float(r**2 @ np.clip(1 - _ERRORS * error / np.abs(r), 0, 1) / (r**2).sum()) if pairs else 1.0
    return sorted(pairs, key=lambda pair: -pair.cost), lowest, told / float(np.sqrt(len(columns[0].real)))


def _with_gaps(columns: Sequence[PairedColumn]) -> list[PairedColumn]:
    """Columns without free text, and whether a value is missing as further ones."""
    sides = [(f"{column.name} is missing", np.isnan(column.real), np.isnan(column.synthetic)) for column in columns]
    gaps = [PairedColumn(name, False, real * 1.0, synthetic * 1.0) for name, real, synthetic in sides]
    used = [column for column in columns if not column.is_free_text]
    return used + [gap for gap in gaps if _varied_rows(gap) >= _FEWEST_OF_LEVEL]


def _error(columns: Sequence[PairedColumn], i: IntArray, j: IntArray, rows: FloatArray) -> FloatArray:
    """Standard error of the difference of two strengths, as that of chance, of rows unlike the usual value."""
    # Twice their number counts, so that two even levels tell as much as a number.
    varied = 2.0 * np.array([_varied_rows(column) for column in columns])
    n = np.minimum(np.minimum(varied[i], varied[j]), rows)
    ratio = len(columns[0].synthetic) / len(columns[0].real)
    return np.asarray(np.sqrt(1 / n + 1 / (n * ratio)))


METRICS = {
    "associations kept": Metric(
        0, 1, "higher", 1.0, (0.7, 1), group="fidelity", function=lambda rows: rows.once(_kept_of_class)[0],
        meaning="How much of the associations of columns beyond chance is kept, strong ones counting most."),
}  # fmt: skip
