"""Fidelity: whether synthetic rows lie where real rows do, vary as they do, and cannot be told from them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from imbllm_autogluon._random import child_rng, child_seed
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.columns import paired_columns, row_codes
from imbllm_autogluon.quality.distances import HOLDOUT, INTERPOLATED, REAL, SYNTHETIC, distances, draw, nearest
from imbllm_autogluon.quality.metrics import Finding, chance
from imbllm_autogluon.quality.utility import Forest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.quality.columns import PairedColumn
    from imbllm_autogluon.quality.distances import ClassRows, Points

NEIGHBORS = 5
"""k of the balls around real rows, as in the paper of coverage."""

_QUANTILES = 10
"""Bins of a number in inverse KL, of equally many real rows."""

LONE_ROW = "The class has one real row only."

_FEWEST_HELD_OUT, _FEWEST_UNSEEN = 30, 100
"""Hold-out rows of a class from which on they, not the training rows, are reached for (fewer are 0.05 too coarse), and
from which on a forest tells synthetic rows from them."""

_FEWEST_JUDGED = 40
"""Rows of each side below which a forest sees too little to tell independent columns from real ones."""

_HALVES_DIFFER, _FEWEST_HALVED = 0.03, 4
"""By how much inverse KL and pair trends of two halves of the real rows vary from draw to draw, for 40 rows of mixed
type, and the fewest rows whose halves are compared."""

_QUANTILE = 0.95
"""Share of real rows that are near to another real one."""

_MOST_ROWS = 1_000
"""Rows of each side that a forest sees, drawn at random: the AUC of rows that are alike is known to 0.013."""

_FREQUENT = 20
"""Occurrences from which on equal rows are split over the folds: fewer than the rows of a leaf are no evidence."""

_BINS = 10
"""Equal bins of a number beside a category, as in SDMetrics."""

_MOST_PAIRS = 1_000
"""Pairs of columns that are compared, drawn at random: 45 columns have 990."""


class DensityCoverage(NamedTuple):
    """Balls around real rows that a synthetic row is in, over k, and share of balls that hold one (Naeem et al. 2020).

    Equations 6 and 7; as many real rows drawn anew reach about 1 and ``1 - 2**-k``.
    """

    density: float
    coverage: float


def density_and_coverage(real: Points, synthetic: Points, k: int = NEIGHBORS) -> DensityCoverage:
    """Density and coverage of points of one space; a ball ends at the k-th nearest other real row.

    Of n real and m synthetic rows, n * (n + m) distances are computed, never more than 2.5 million held. The same table
    as both gives coverage 1 and density ``(k + 1) / k`` (more where real rows are equal).

    Raises
    ------
    InvalidInputError
        There are not more than k real rows, or k is below 1.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.quality.distances import points
    >>> real, synthetic = pd.DataFrame({"age": [20, 30, 40, 50]}), pd.DataFrame({"age": [20, 21]})
    >>> density_and_coverage(*points(paired_columns(real, synthetic)), k=1)
    DensityCoverage(density=1.5, coverage=0.5)
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InvalidInputError(f"k must be a whole number of at least 1; got {k!r}.")
    if len(real) <= k:
        raise InvalidInputError(f"balls of k = {k} neighbors need more than {k} real rows; got {len(real)}.")
    # The nearest row of all is the row itself.
    radii = np.concatenate([np.partition(block, k, axis=1)[:, k] for _, block in distances(real, real)])
    hits, closest = 0, np.empty(len(real))
    for place, block in distances(real, synthetic):
        hits += int((block <= radii[place][:, None]).sum())
        closest[place] = block.min(axis=1)
    return DensityCoverage(hits / (k * len(synthetic)), float((closest <= radii).mean()))


def density(rows: ClassRows) -> Finding:
    """Density, of hold-out rows where there are enough."""
    found, note, n = rows.once(_balls)
    if found is None:
        return Finding(None, note)
    return Finding(found.density, note, (1.0 - max(0.3, 2 * chance(0.5, n)), np.inf))


def coverage(rows: ClassRows) -> Finding:
    """Coverage, of hold-out rows where there are enough."""
    found, note, n = rows.once(_balls)
    if found is None:
        return Finding(None, note)
    return Finding(found.coverage, note, (0.8 - max(0.0, chance(0.9, n) - 0.05), 1.0))


def _balls(rows: ClassRows) -> tuple[DensityCoverage | None, str, int]:
    """Density and coverage, a note, and how many real rows were reached for."""
    held_out = len(rows.looked_at.get(HOLDOUT, ())) >= _FEWEST_HELD_OUT
    real, written = rows.sample(HOLDOUT if held_out else REAL), rows.sample(SYNTHETIC)
    note = f"Of {len(real)} hold-out rows." if held_out else "Of the training rows, which copies reach, too."
    if len(written) < len(real):
        # Each synthetic row reaches about k real ones: fewer synthetic than real rows could not reach all of these.
        real = real.take(draw(len(real), len(written), rows.rng))
        note += f" {len(real)} of them, as many as written rows."
    if len(real) <= NEIGHBORS:
        return None, f"More than {NEIGHBORS} real and written rows are needed; there are {len(real)}.", 0
    return density_and_coverage(real, written), note, len(real)


def close_probability(rows: ClassRows) -> Finding:
    """Share of rows no farther from their nearest real row than 95 % of real rows are; of hold-out rows if given."""
    if rows.to_holdout is not None and rows.real_to_holdout is not None:
        n = len(rows.points[HOLDOUT])
        value = _near_share(rows.to_holdout.distance, rows.real_to_holdout)
        return Finding(value, f"Against {n} hold-out rows.", _close_ends(rows, n))
    if len(rows.points[REAL]) < 2:
        return Finding(None, LONE_ROW)
    note = "No hold-out rows: measured against the training rows, which copies are close to, too."
    value = _near_share(rows.to_real.distance, rows.real_to_real)
    return Finding(value, note, _close_ends(rows, len(rows.points[REAL])))


def _near_share(to_real: FloatArray, real_to_real: FloatArray) -> float:
    return float((to_real <= np.quantile(real_to_real, _QUANTILE)).mean())


def _close_ends(rows: ClassRows, n_near: int) -> tuple[float, float]:
    """Threshold and share are both off by chance, hence half of the rows count."""
    fewest = min(n_near, len(rows.real_to_real), len(rows.to_real.distance))
    return _QUANTILE - max(0.05, chance(_QUANTILE, fewest / 2)), 1.0


def low_density(rows: ClassRows) -> Finding:
    """Share of interpolated rows farther from the class than 95 % of its own rows."""
    if INTERPOLATED not in rows.points:
        return Finding(None, "No interpolated rows of the class were given.")
    if len(rows.points[REAL]) < 2:
        return Finding(None, LONE_ROW)
    away = nearest(rows.sample(INTERPOLATED), rows.points[REAL]).distance
    value = 1.0 - _near_share(away, rows.real_to_real)
    return Finding(value, acceptable=(0.0, max(0.1, 0.05 + chance(0.05, len(away)))))


def column_shares(rows: ClassRows) -> Finding:
    """Inverse KL divergence beside that of two random halves of the real rows."""
    halves = rows.once(_halves)
    return _beside(inverse_kl(rows.sampled_columns), None if halves is None else inverse_kl(halves))


def column_pairs(rows: ClassRows) -> Finding:
    """Pair trends beside those of two random halves of the real rows."""
    halves = rows.once(_halves)
    value = pair_trends(rows.sampled_columns, rows.rng)
    if value is None:
        return Finding(None, "Two columns besides free text are needed.")
    return _beside(value, None if halves is None else pair_trends(halves, rows.rng))


def _halves(rows: ClassRows) -> list[PairedColumn] | None:
    n = len(rows.looked_at[REAL])
    if n < _FEWEST_HALVED:
        return None
    first, second = np.split(rows.rng.permutation(n), [n // 2])
    return [replace(column, real=column.real[first], synthetic=column.real[second]) for column in rows.sampled_columns]


def _beside(value: float, usual: float | None) -> Finding:
    """A value that need not be higher than the usual one, which itself is off by chance."""
    if usual is None or usual - _HALVES_DIFFER >= 0.9:
        return Finding(value)
    return Finding(value, f"Two halves of the real rows reach {usual:.2f}.", (usual - _HALVES_DIFFER, 1.0))


def inverse_kl(columns: Sequence[PairedColumn]) -> float:
    """Mean over the columns of ``1 / (1 + KL(real || synthetic))`` (Qian et al. 2023, synthcity).

    Numbers and times are counted in the deciles of the real ones, all else by its levels; a missing value is a level.
    One is added to every count, so that a value that was never written makes the divergence large but finite.

    Returns
    -------
    float
        Above 0, up to 1; 1 is best: every column has the real shares. Rows drawn from the columns' own shares score 1
        too. A column of many levels scores high whatever it holds, as the added counts outweigh its own.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"city": ["Oslo", "Oslo", "Bergen"]})
    >>> round(inverse_kl(paired_columns(real, real.assign(city="Bergen"))), 4)
    0.7236
    """
    return float(np.mean([1.0 / (1.0 + _divergence(*_decile_codes(column))) for column in columns]))


def _decile_codes(column: PairedColumn) -> tuple[IntArray, IntArray]:
    known, edges = column.known, None
    if column.is_number:
        deciles = np.linspace(0, 1, _QUANTILES + 1)[1:-1]
        edges = np.unique(np.quantile(known, deciles, method="nearest")) if len(known) else known
    return _codes(column.real, edges, "left"), _codes(column.synthetic, edges, "left")


def _codes(values: FloatArray, edges: FloatArray | None, side: Literal["left", "right"]) -> IntArray:
    """Bins or levels from 1, 0 for missing."""
    codes = np.nan_to_num(values) if edges is None else np.searchsorted(edges, values, side=side)
    return np.where(np.isnan(values), 0, codes + 1).astype(np.int64)


def _shares(real: IntArray, synthetic: IntArray, added: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Share of each code that either table holds, on both sides."""
    found, codes = np.unique(np.concatenate([real, synthetic]), return_inverse=True)
    p, q = (np.bincount(part, minlength=len(found)) + added for part in (codes[: len(real)], codes[len(real) :]))
    return p / p.sum(), q / q.sum()


def _divergence(real: IntArray, synthetic: IntArray) -> float:
    """Kullback-Leibler divergence in nats."""
    p, q = _shares(real, synthetic, added=1.0)
    return max(0.0, float((p * np.log(p / q)).sum()))


def pair_trends(columns: Sequence[PairedColumn], rng: np.random.Generator | None = None) -> float | None:
    """Mean similarity of all pairs of columns besides free text, as SDMetrics' column pair trends defines it.

    Two numbers: ``1 - |r - s| / 2`` of their Pearson correlations r and s over rows where both are known. Any other
    pair: 1 minus the total variation distance of their contingency tables, numbers in ten equal bins of the real ones
    (in SDMetrics' report: each table in its own bins), a missing value as a level. Two numbers, one of which is
    constant in a table, are compared by their contingency tables, too (SDMetrics leaves them out). `rng` chooses 1,000
    pairs where there are more; by default a fixed choice.

    Returns
    -------
    float or None
        From 0 to 1; 1 is best. None with fewer than two columns. Small samples of one source score less than 1: compare
        with two halves of the real rows.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]})
    >>> pair_trends(paired_columns(real, real.assign(b=[3, 2, 1])))
    0.0
    """
    used = [column for column in columns if not column.is_free_text]
    pairs = list(combinations(range(len(used)), 2))
    if not pairs:
        return None
    if len(pairs) > _MOST_PAIRS:
        chosen = (rng or np.random.default_rng(0)).choice(len(pairs), _MOST_PAIRS, replace=False)
        pairs = [pairs[place] for place in chosen]
    binned = [_bin_codes(column) for column in used]
    return float(np.mean([_similarity(used[i], used[j], binned[i], binned[j]) for i, j in pairs]))


def _bin_codes(column: PairedColumn) -> tuple[IntArray, IntArray]:
    known, edges = column.known, None
    if column.is_number:
        edges = np.histogram_bin_edges(known, _BINS)[1:-1] if len(known) else known
    return _codes(column.real, edges, "right"), _codes(column.synthetic, edges, "right")


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


def category_coverage(rows: ClassRows) -> Finding:
    """Mean over the categories' columns of the share of real levels that were written; missing is a level."""
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


def distinct_rows(rows: ClassRows) -> Finding:
    """Share of different rows among as many of each side, as it depends on how many there are."""
    real, written = rows.once(_as_many_codes)
    if len(real) < 2:
        return Finding(None, "One row has no variety.")
    usual, value = (len(np.unique(codes)) / len(codes) for codes in (real, written))
    note = f"Among {len(real)} rows, as many as real ones; of these {usual:.0%} are distinct."
    return Finding(value, note, (0.9 * usual, 1.0), usual)


def entropy(rows: ClassRows) -> Finding:
    """Shannon entropy of how often rows occur, over that of as many real rows."""
    real, written = rows.once(_as_many_codes)
    if len(real) < 2:
        return Finding(None, "One row has no variety.")
    most, value = _entropy(real), _entropy(written)
    if most == 0:
        return Finding(None if value else 1.0, "The real rows are all equal: their entropy is zero.")
    return Finding(value / most, f"Among {len(real)} rows of each.")


def class_codes(rows: ClassRows) -> tuple[IntArray, IntArray]:
    """Code of each real and synthetic row of the class, see :func:`imbllm_autogluon.quality.columns.row_codes`."""
    return row_codes(rows.table(REAL), rows.table(SYNTHETIC))


def _as_many_codes(rows: ClassRows) -> tuple[IntArray, IntArray]:
    real, written = rows.once(class_codes)
    n = min(len(real), len(written))
    return real[draw(len(real), n, rows.rng)], written[draw(len(written), n, rows.rng)]


def _entropy(codes: IntArray) -> float:
    """In nats, from 0 (all equal) to log n (all different)."""
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(-(shares * np.log(shares)).sum()) + 0.0


def discriminator(rows: ClassRows) -> Finding:
    """AUC of a forest, beside hold-out rows where there are enough."""
    unseen = len(rows.looked_at.get(HOLDOUT, ())) >= _FEWEST_UNSEEN
    sides = (HOLDOUT if unseen else REAL, SYNTHETIC)
    real, written = (rows.table(called).iloc[rows.looked_at[called]] for called in sides)
    fewer = min(len(real), len(written))
    if fewer < _FEWEST_JUDGED:
        return Finding(None, f"{_FEWEST_JUDGED} real and written rows are needed; there are {fewer} of one side.")
    # The standard error of an AUC of n against n rows that cannot be told apart is sqrt(1 / (6 n)).
    spread = 2 * float(np.sqrt(1 / (6 * fewer)))
    note = f"{fewer} written rows beside as many {'hold-out' if unseen else 'training'} rows."
    return Finding(discriminator_auc(real, written, rows.seed), note, (0.3, 0.5 + max(0.2, spread)))


def discriminator_auc(real: pd.DataFrame, synthetic: pd.DataFrame, seed: int = 0, folds: int = 3) -> float:
    """ROC AUC of a forest that tells real rows from synthetic ones, on rows it was not trained on.

    As many rows of each side take part, at most 1,000. Equal rows stay in one fold: split over two, a copy and its
    original would teach the wrong answer, and a table of copies would score 0.1 to 0.2 (packaged table, car) instead of
    0.5. A row that occurs 20 times or more is split all the same, so that writing a few rows over and over is seen.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns, at least `folds` each.
    seed
        Of the choice of rows, the folds and the forests.
    folds
        Each fold is tested by a forest trained on the others; the result is the mean over the folds.

    Returns
    -------
    float
        From 0 to 1; 0.5 is best (they cannot be told apart), 1 is worst. Below 0.5 is chance. Copies of real rows score
        0.5 (down to 0.4 where most rows occur 20 to 50 times): read it beside the share of copies.

    Raises
    ------
    InvalidInputError
        There are fewer than two folds, or fewer rows than folds.
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.columns.paired_columns`.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"age": range(100)})
    >>> discriminator_auc(real, real), discriminator_auc(real, real + 500)
    (0.5, 1.0)
    """
    columns = paired_columns(real, synthetic)
    n = _rows_per_side(real, synthetic, folds)
    rng = child_rng(seed, "order", "discriminator")
    picks = [np.sort(rng.choice(len(table), n, replace=False)) for table in (real, synthetic)]
    values = np.column_stack([_ranked(np.append(c.real[picks[0]], c.synthetic[picks[1]]), c) for c in columns])
    rows = np.concatenate([codes[pick] for codes, pick in zip(row_codes(real, synthetic), picks, strict=True)])
    written = np.repeat([0, 1], n)
    fold_of = _folds(rows, written, folds, rng)
    is_number = [column.is_number for column in columns]
    seeds = [child_seed(seed, "training", "discriminator", fold) for fold in range(folds)]
    return float(np.mean([_fold_auc(values, written, fold_of == k, Forest(is_number, seeds[k])) for k in range(folds)]))


def _ranked(values: FloatArray, column: PairedColumn) -> FloatArray:
    """Numbers by their rank, so that a random threshold between two of them parts near values as often as far ones."""
    if not column.is_number:
        return values
    ranks = np.unique(values, return_inverse=True)[1].astype(np.float64)
    return np.where(np.isnan(values), np.nan, ranks)


def _rows_per_side(real: pd.DataFrame, synthetic: pd.DataFrame, folds: int) -> int:
    n = min(len(real), len(synthetic), _MOST_ROWS)
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= n:
        raise InvalidInputError(
            f"folds must be a whole number from 2 to the rows of the smaller table ({n}); got {folds!r}."
        )
    return n


def _folds(rows: IntArray, written: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Fold of each row: a row that occurs a few times stays in one, the others of each side are dealt evenly."""
    _, groups, counts = np.unique(rows, return_inverse=True, return_counts=True)
    fold_of = (rng.permutation(len(counts)) % folds)[groups]
    alone = (counts == 1) | (counts >= _FREQUENT)
    for side in (0, 1):
        own = np.flatnonzero(alone[groups] & (written == side))
        fold_of[own] = rng.permutation(len(own)) % folds
    return np.asarray(fold_of, dtype=np.int64)


def _fold_auc(values: FloatArray, written: IntArray, test: BoolArray, forest: Forest) -> float:
    """AUC on the rows of `test`; 0.5 where either part lacks a side, as there is nothing to learn or to test."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(written[test])) < 2 or len(np.unique(written[~test])) < 2:
        return 0.5
    scores = forest.fit(values[~test], written[~test]).probabilities(values[test], 2)[:, 1]
    return float(roc_auc_score(written[test], scores))
