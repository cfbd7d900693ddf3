"""Fidelity: whether synthetic rows lie where real rows do, vary as they do, and cannot be told from them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from imbllm_autogluon._random import child_rng, child_seed
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.columns import paired_columns, row_codes
from imbllm_autogluon.quality.distances import HOLDOUT, INTERPOLATED, REAL, SYNTHETIC, distances, draw, nearest
from imbllm_autogluon.quality.metrics import Finding, Metric, chance
from imbllm_autogluon.quality.utility import _MOST_LEVELS, _Trees

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.quality.columns import PairedColumn
    from imbllm_autogluon.quality.distances import ClassRows, Points

LONE_ROW = "The class has one real row only."

_NEIGHBORS = 5  # k of the balls around real rows, as in the paper of coverage
_QUANTILE = 0.95  # share of real rows that are near to another real one
_FEWEST_HELD_OUT = 30  # rows of a class that are reached for in place of training rows; fewer are 0.05 too coarse
_QUANTILES = 10  # bins of a number in inverse KL, of equally many real rows
_BINS = 10  # equal bins of a number next to a category, as in SDMetrics
_MOST_PAIRS = 1_000  # pairs of columns that are compared, drawn at random: 45 columns have 990
_HALVES_DIFFER = 0.03  # how much inverse KL and pair trends of two halves of 40 real rows vary from draw to draw
_FEWEST_HALVED = 4  # rows whose halves are compared
_FEWEST_JUDGED = 40  # rows of each side; of fewer a forest cannot tell independent columns from real ones
_FEWEST_UNSEEN = 100  # hold-out rows from which a forest tells synthetic rows, in place of training rows
_MOST_ROWS = 1_000  # of each side that a forest sees: the AUC of rows that are alike is known to 0.013
_FREQUENT = 20  # equal rows from which on they are split over the folds: fewer than those of a leaf are no evidence


def _density_and_coverage(real: Points, synthetic: Points, k: int = _NEIGHBORS) -> tuple[float, float]:
    """Balls around real rows that a synthetic row is in, over k, and share of balls that hold one (Naeem et al. 2020).

    Equations 6 and 7, of points of one space; a ball ends at the k-th nearest other real row. As many real rows drawn
    again reach about 1 and ``1 - 2**-k``; the same table as both gives density ``(k + 1) / k``, more where real rows
    are
    equal, and coverage 1. Raises `InvalidInputError` if there are not more than k real rows.
    """
    if len(real) <= k:
        raise InvalidInputError(f"balls of k = {k} neighbors need more than {k} real rows; got {len(real)}.")
    # The nearest row of all is the row itself.
    radii = np.concatenate([np.partition(block, k, axis=1)[:, k] for _, block in distances(real, real)])
    hits, closest = 0, np.empty(len(real))
    for place, block in distances(real, synthetic):
        hits += int((block <= radii[place][:, None]).sum())
        closest[place] = block.min(axis=1)
    return hits / (k * len(synthetic)), float((closest <= radii).mean())


def _balls(rows: ClassRows) -> tuple[Finding, Finding]:
    """Density and coverage, of hold-out rows where there are enough."""
    held_out = len(rows.looked_at.get(HOLDOUT, ())) >= _FEWEST_HELD_OUT
    real, written = rows.sample(HOLDOUT if held_out else REAL), rows.sample(SYNTHETIC)
    note = f"Of {len(real)} hold-out rows." if held_out else "Of the training rows, which copies reach, too."
    if len(written) < len(real):
        # Each synthetic row reaches about k real ones: fewer synthetic than real rows could not reach all of these.
        real = real.take(draw(len(real), len(written), rows.rng))
        note += f" {len(real)} of them, as many as written rows."
    n = len(real)
    if n <= _NEIGHBORS:
        unknown = Finding(None, f"More than {_NEIGHBORS} real and written rows are needed; there are {n}.")
        return unknown, unknown
    density, coverage = _density_and_coverage(real, written)
    return (
        Finding(density, note, (1.0 - max(0.3, 2 * chance(0.5, n)), np.inf)),
        Finding(coverage, note, (0.8 - max(0.0, chance(0.9, n) - 0.05), 1.0)),
    )


def _close_probability(rows: ClassRows) -> Finding:
    """Share of rows no farther from their nearest real row than 95 % of real rows are; of hold-out rows if given."""
    if rows.to_holdout is not None and rows.real_to_holdout is not None:
        n, value = len(rows.points[HOLDOUT]), _near_share(rows.to_holdout.distance, rows.real_to_holdout)
        note = f"Against {n} hold-out rows."
    elif len(rows.points[REAL]) < 2:
        return Finding(None, LONE_ROW)
    else:
        n, value = len(rows.points[REAL]), _near_share(rows.to_real.distance, rows.real_to_real)
        note = "No hold-out rows: measured against the training rows, which copies are close to, too."
    # Threshold and share are both off by chance, hence half of the rows count.
    fewest = min(n, len(rows.real_to_real), len(rows.to_real.distance))
    return Finding(value, note, (_QUANTILE - max(0.05, chance(_QUANTILE, fewest / 2)), 1.0))


def _near_share(to_real: FloatArray, real_to_real: FloatArray) -> float:
    return float((to_real <= np.quantile(real_to_real, _QUANTILE)).mean())


def _low_density(rows: ClassRows) -> Finding:
    if INTERPOLATED not in rows.points:
        return Finding(None, "No interpolated rows of the class were given.")
    if len(rows.points[REAL]) < 2:
        return Finding(None, LONE_ROW)
    away = nearest(rows.sample(INTERPOLATED), rows.points[REAL]).distance
    value = 1.0 - _near_share(away, rows.real_to_real)
    return Finding(value, acceptable=(0.0, max(0.1, 0.05 + chance(0.05, len(away)))))


def _beside_halves(rows: ClassRows, measured: Callable[[list[PairedColumn]], float | None]) -> Finding:
    """A value that need not be higher than that of two random halves of the real rows, which is off by chance."""
    halves = rows.once(_halves)
    value, usual = measured(rows.sampled_columns), None if halves is None else measured(halves)
    if value is None:
        return Finding(None, "Two columns besides free text are needed.")
    if usual is None or usual - _HALVES_DIFFER >= 0.9:
        return Finding(value)
    return Finding(value, f"Two halves of the real rows reach {usual:.2f}.", (usual - _HALVES_DIFFER, 1.0))


def _halves(rows: ClassRows) -> list[PairedColumn] | None:
    n = len(rows.looked_at[REAL])
    if n < _FEWEST_HALVED:
        return None
    first, second = np.split(rows.rng.permutation(n), [n // 2])
    return [replace(column, real=column.real[first], synthetic=column.real[second]) for column in rows.sampled_columns]


def _inverse_kl(columns: Sequence[PairedColumn]) -> float:
    """Mean over the columns of ``1 / (1 + KL(real || synthetic))`` (Qian et al. 2023, synthcity): above 0, 1 is best.

    Numbers and times are counted in the deciles of the real ones, all else by its levels; a missing value is a level.
    One is added to every count, so that a value that was never written makes the divergence large but finite. A column
    of many levels scores high whatever it holds, as the added counts outweigh its own.
    """
    found = []
    for column in columns:
        p, q = _shares(*_codes(column, _deciles, "left"), added=1.0)
        found.append(1.0 / (1.0 + max(0.0, float((p * np.log(p / q)).sum()))))
    return float(np.mean(found))


def _deciles(known: FloatArray) -> FloatArray:
    return np.unique(np.quantile(known, np.linspace(0, 1, _QUANTILES + 1)[1:-1], method="nearest"))


def _even_bins(known: FloatArray) -> FloatArray:
    return np.asarray(np.histogram_bin_edges(known, _BINS)[1:-1], dtype=np.float64)


def _codes(
    column: PairedColumn, edges_of: Callable[[FloatArray], FloatArray], side: Literal["left", "right"]
) -> tuple[IntArray, IntArray]:
    """Bins (of numbers, by edges of the known real ones) or levels of both sides from 1, 0 for missing."""
    known, found = column.known, []
    edges = edges_of(known) if column.is_number and len(known) else known
    for values in (column.real, column.synthetic):
        codes = np.searchsorted(edges, values, side=side) if column.is_number else np.nan_to_num(values)
        found.append(np.where(np.isnan(values), 0, codes + 1).astype(np.int64))
    return found[0], found[1]


def _shares(real: IntArray, synthetic: IntArray, added: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Share of each code that either table holds, on both sides."""
    found, codes = np.unique(np.concatenate([real, synthetic]), return_inverse=True)
    p, q = (np.bincount(part, minlength=len(found)) + added for part in (codes[: len(real)], codes[len(real) :]))
    return p / p.sum(), q / q.sum()


def _pair_trends(columns: Sequence[PairedColumn], rng: np.random.Generator) -> float | None:
    """Mean similarity of all pairs of columns besides free text, as SDMetrics' column pair trends defines it.

    Two numbers: ``1 - |r - s| / 2`` of their Pearson correlations r and s over rows where both are known. Any other
    pair: 1 minus the total variation distance of their contingency tables, numbers in ten equal bins of the real ones
    (in SDMetrics' report: each table in its own bins), a missing value as a level. Two numbers, one of which is
    constant in a table, are compared by their contingency tables, too (SDMetrics leaves them out). `rng` chooses 1,000
    pairs where there are more. From 0 to 1, the best; None with fewer than two columns.
    """
    used = [column for column in columns if not column.is_free_text]
    pairs = list(combinations(range(len(used)), 2))
    if not pairs:
        return None
    if len(pairs) > _MOST_PAIRS:
        chosen = rng.choice(len(pairs), _MOST_PAIRS, replace=False)
        pairs = [pairs[place] for place in chosen]
    binned = [_codes(column, _even_bins, "right") for column in used]
    return float(np.mean([_similarity(used[i], used[j], binned[i], binned[j]) for i, j in pairs]))


def _similarity(
    a: PairedColumn, b: PairedColumn, a_codes: tuple[IntArray, IntArray], b_codes: tuple[IntArray, IntArray]
) -> float:
    if a.is_number and b.is_number:
        r, s = _correlation(a.real, b.real), _correlation(a.synthetic, b.synthetic)
        if r is not None and s is not None:
            return 1.0 - abs(r - s) / 2.0
    width = int(max(b_codes[0].max(), b_codes[1].max())) + 1
    p, q = _shares(a_codes[0] * width + b_codes[0], a_codes[1] * width + b_codes[1])
    # Rounding may leave the sum a little above two.
    return max(0.0, float(1.0 - np.abs(p - q).sum() / 2.0))


def _correlation(a: FloatArray, b: FloatArray) -> float | None:
    """Pearson's, over rows where both are known; None where one does not vary."""
    known = ~np.isnan(a) & ~np.isnan(b)
    if known.sum() < 2:
        return None
    scaled = []
    for values in (a[known], b[known]):
        # Numbers may be as large as 1e100, whose squares' sums would overflow.
        centered = values / max(1.0, float(np.abs(values).max()))
        centered = centered - centered.mean()
        length = float(np.linalg.norm(centered))
        if np.ptp(values) == 0 or length == 0:
            return None
        scaled.append(centered / length)
    return float(np.clip(scaled[0] @ scaled[1], -1.0, 1.0))


def _category_coverage(rows: ClassRows) -> Finding:
    parts = [_levels_found(column) for column in rows.columns if not column.is_number and not column.is_free_text]
    if not parts:
        return Finding(None, "There is no column of categories.")
    found, expected = np.mean(parts, axis=0).tolist()
    note = f"As many rows drawn from the real ones show {expected:.0%}." if expected < 0.995 else ""
    return Finding(found, note, (0.9 * expected, 1.0))


def _levels_found(column: PairedColumn) -> tuple[float, float]:
    """Share of real levels that were written, and the share expected of as many rows drawn with replacement."""
    real, written = (np.nan_to_num(side, nan=-1.0) for side in (column.real, column.synthetic))
    levels, counts = np.unique(real, return_counts=True)
    expected = 1.0 - (1.0 - counts / len(real)) ** len(written)
    return float(np.isin(levels, written).mean()), float(expected.mean())


def _distinct_rows(rows: ClassRows) -> Finding:
    """Share of different rows among as many of each side, as it depends on how many there are."""
    real, written = rows.once(_as_many_codes)
    if len(real) < 2:
        return Finding(None, "One row has no variety.")
    usual, value = (len(np.unique(codes)) / len(codes) for codes in (real, written))
    note = f"Among {len(real)} rows, as many as real ones; of these {usual:.0%} are distinct."
    return Finding(value, note, (0.9 * usual, 1.0), usual)


def _entropy(rows: ClassRows) -> Finding:
    """Shannon entropy of how often rows occur, over that of as many real rows."""
    real, written = rows.once(_as_many_codes)
    if len(real) < 2:
        return Finding(None, "One row has no variety.")
    most, value = _entropy_of(real), _entropy_of(written)
    if most == 0:
        return Finding(None if value else 1.0, "The real rows are all equal: their entropy is zero.")
    return Finding(value / most, f"Among {len(real)} rows of each.")


def _as_many_codes(rows: ClassRows) -> tuple[IntArray, IntArray]:
    real, written = rows.codes
    n = min(len(real), len(written))
    return real[draw(len(real), n, rows.rng)], written[draw(len(written), n, rows.rng)]


def _entropy_of(codes: IntArray) -> float:
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(-(shares * np.log(shares)).sum()) + 0.0


def _discriminator(rows: ClassRows) -> Finding:
    """AUC of a forest, next to hold-out rows where there are enough."""
    unseen = len(rows.looked_at.get(HOLDOUT, ())) >= _FEWEST_UNSEEN
    sides = (HOLDOUT if unseen else REAL, SYNTHETIC)
    real, written = (rows.table(called).iloc[rows.looked_at[called]] for called in sides)
    fewer = min(len(real), len(written))
    if fewer < _FEWEST_JUDGED:
        return Finding(None, f"{_FEWEST_JUDGED} real and written rows are needed; there are {fewer} of one side.")
    # The standard error of an AUC of n against n rows that cannot be told apart is sqrt(1 / (6 n)).
    spread = 2 * float(np.sqrt(1 / (6 * fewer)))
    note = f"{fewer} written rows next to as many {'hold-out' if unseen else 'training'} rows."
    return Finding(_discriminator_auc(real, written, rows.seed), note, (0.3, 0.5 + max(0.2, spread)))


def _discriminator_auc(real: pd.DataFrame, synthetic: pd.DataFrame, seed: int = 0, folds: int = 3) -> float:
    """ROC AUC of a forest that tells real rows from synthetic ones on rows it was not trained on, mean over the folds.

    As many rows of each side take part, at most 1,000. Equal rows stay in one fold: split over two, a copy and its
    original would teach the wrong answer. A row that occurs 20 times or more is split all the same, so that writing a
    few rows over and over is seen. Copies of real rows score 0.5 (down to 0.4 where most rows occur 20 to 50 times).
    """
    columns = paired_columns(real, synthetic)
    n = min(len(real), len(synthetic), _MOST_ROWS)
    rng = child_rng(seed, "order", "discriminator")
    picks = [np.sort(rng.choice(len(table), n, replace=False)) for table in (real, synthetic)]
    values = np.column_stack([_ranked(np.append(c.real[picks[0]], c.synthetic[picks[1]]), c) for c in columns])
    rows = np.concatenate([codes[pick] for codes, pick in zip(row_codes(real, synthetic), picks, strict=True)])
    written = np.repeat([0, 1], n)
    fold_of = _folds(rows, written, folds, rng)
    is_number = [column.is_number for column in columns]
    seeds = [child_seed(seed, "training", "discriminator", fold) for fold in range(folds)]
    return float(
        np.mean([_fold_auc(values, written, fold_of == k, _Forest(is_number, seeds[k])) for k in range(folds)])
    )


def _ranked(values: FloatArray, column: PairedColumn) -> FloatArray:
    """Numbers by their rank, so that a random threshold between two of them parts near values as often as far ones."""
    if not column.is_number:
        return values
    ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)
    return np.where(np.isnan(values), np.nan, ranks)


def _folds(rows: IntArray, written: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Fold of each row: a row that occurs a few times stays in one, the others of each side are dealt evenly."""
    _, groups, counts = np.unique(rows, return_inverse=True, return_counts=True)
    fold_of = (rng.permutation(len(counts)) % folds)[groups]
    alone = (counts == 1) | (counts >= _FREQUENT)
    for side in (0, 1):
        own = np.flatnonzero(alone[groups] & (written == side))
        fold_of[own] = rng.permutation(len(own)) % folds
    return np.asarray(fold_of, dtype=np.int64)


def _fold_auc(values: FloatArray, written: IntArray, test: BoolArray, forest: _Forest) -> float:
    """AUC on the rows of `test`; 0.5 where either part lacks a side, as there is nothing to learn or to test."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(written[test])) < 2 or len(np.unique(written[~test])) < 2:
        return 0.5
    scores = forest.fit(values[~test], written[~test]).probabilities(values[test], 2)[:, 1]
    return float(roc_auc_score(written[test], scores))


METRICS = {
    "density": Metric(
        0, np.inf, "higher", 1.0, (0.7, np.inf), group="fidelity", function=lambda rows: rows.once(_balls)[0],
        meaning="Balls around real rows that a written row lies in, over k; about 1 for real rows drawn again."),
    "coverage": Metric(
        0, 1, "higher", 1.0, (0.8, 1), group="fidelity", function=lambda rows: rows.once(_balls)[1],
        meaning="Share of real rows with a written row among their neighbors."),
    "close probability": Metric(
        0, 1, "higher", 0.95, (0.9, 1), group="fidelity", function=_close_probability,
        meaning="Share of written rows as near to a real row as 95 % of the real rows are to each other."),
    "inverse KL": Metric(
        0, 1, "higher", 1.0, (0.9, 1), group="fidelity", function=lambda rows: _beside_halves(rows, _inverse_kl),
        meaning="How alike each column's values are spread: mean of 1 / (1 + KL divergence)."),
    "pair trends": Metric(
        0, 1, "higher", 1.0, (0.9, 1), group="fidelity",
        function=lambda rows: _beside_halves(rows, lambda columns: _pair_trends(columns, rows.rng)),
        meaning="How alike each pair of columns goes together: correlations and contingency tables."),
    "category coverage": Metric(
        0, 1, "higher", 1.0, (0.9, 1), group="fidelity", function=_category_coverage,
        meaning="Share of the real categories of the class that were written, mean over the columns."),
    "discriminator AUC": Metric(
        0, 1, "nearest", 0.5, (0.3, 0.7), group="fidelity", function=_discriminator,
        meaning="How well a forest tells written from real rows: 0.5 not at all, 1 always."),
    "distinct rows": Metric(
        0, 1, "higher", 1.0, (0.9, 1), group="fidelity", function=_distinct_rows,
        meaning="Share of different rows among the written ones."),
    "entropy": Metric(
        0, np.inf, "nearest", 1.0, (0.9, 1.1), group="fidelity", function=_entropy,
        meaning="Entropy of the written rows over that of as many real ones; below 1: less varied."),
    "low-density interpolations": Metric(
        0, 1, "lower", 0.05, (0, 0.1), group="fidelity", function=_low_density,
        meaning="Share of interpolated rows farther from the class than 95 % of its own rows."),
}  # fmt: skip


class _Forest(_Trees):
    """100 extremely randomized trees that try every column at each split, with leaves of two rows (Geurts et al. 2006).

    Finds what no column shows alone in fewer rows than boosting. Numbers should be given as ranks: values beyond what
    float32 holds are refused.
    """

    def _estimator(self) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(100, min_samples_leaf=2, max_features=None, random_state=self._seed)

    def _matrix(self, values: FloatArray) -> FloatArray:
        """Without gaps, which these trees know from scikit-learn 1.6 on only; a new level is like the rarest ones."""
        matrix = super()._matrix(values)
        return np.where(np.isnan(matrix), np.where(self._is_number, -1.0, _MOST_LEVELS), matrix)
