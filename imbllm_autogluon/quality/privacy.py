"""Privacy: whether synthetic rows are new, or copies of the rows that the generator was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.quality.columns import row_codes
from imbllm_autogluon.quality.distances import HOLDOUT, REAL, SYNTHETIC, draw, nearest
from imbllm_autogluon.quality.fidelity import LONE_ROW
from imbllm_autogluon.quality.metrics import ONE_SIDED_95, Finding, Metric, chance

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.distances import ClassRows, _Nearest

_NO_HOLDOUT = "There are no hold-out rows of the class."

_NEAR_QUANTILE = 0.01  # of the distances among real rows: what is nearer is a near copy
_MOST_QUERIES = 2_000  # rows of each side whose membership is guessed: their chance error is 0.02
_FEWEST = 4  # rows of each side: two to choose the threshold and two to test it
_SPLITS = 20  # random halves over which the advantage is averaged: more change it by less than 0.01


def _distance_to_holdout(rows: ClassRows) -> Finding:
    if rows.to_holdout is None or rows.real_to_holdout is None:
        return Finding(None, _NO_HOLDOUT)
    return _typical(rows.to_holdout.distance, rows.real_to_holdout, "")


def _typical(distances: FloatArray, usual: FloatArray, otherwise: str) -> Finding:
    if not np.isfinite(usual).all():
        return Finding(float(np.median(distances)), otherwise)
    low, middle, high = np.quantile(usual, [0.25, 0.5, 0.75]).tolist()
    return Finding(float(np.median(distances)), acceptable=(low, high), best=middle)


def _nearer_to_train(rows: ClassRows) -> Finding:
    if rows.to_holdout is None:
        return Finding(None, _NO_HOLDOUT)
    n_real, n_holdout = len(rows.points[REAL]), len(rows.points[HOLDOUT])
    if n_holdout <= n_real:
        value = _nearer_share(rows.to_real, n_holdout, n_real)
    else:
        value = 1.0 - _nearer_share(rows.to_holdout, n_real, n_holdout)
    fewer = min(n_real, n_holdout)
    note = "" if n_real == n_holdout else f"Both taken as {fewer} rows: the mean over all draws from the larger table."
    return Finding(value, note, (0.0, 0.5 + max(0.1, chance(0.5, min(fewer, len(rows.to_real.distance))))))


def _nearer_share(to_large: _Nearest, n_small: int, n_large: int) -> float:
    """Share of rows nearer to one of `n_small` rows of a larger table than to the rows of a table of `n_small`.

    The larger table has more rows near by for its size alone. So `n_small` of its rows are drawn, and the result is the
    mean over all draws, by the hypergeometric law; ties count half. `to_large` is that of each query in the larger
    table, with its distance to the smaller one as limit.
    """
    from scipy.stats import hypergeom

    none_drawn = hypergeom(n_large, to_large.closer, n_small).pmf(0)
    none_as_near = hypergeom(n_large, to_large.closer + to_large.tied, n_small).pmf(0)
    return float(np.mean(1.0 - none_drawn + (none_drawn - none_as_near) / 2.0))


def _exact_copies(rows: ClassRows) -> Finding:
    """Share of copies, next to what real rows repeat of each other."""
    real, written = rows.codes
    counts = np.unique(real, return_counts=True)[1]
    repeated = float(counts[counts > 1].sum() / len(real))
    if rows.count(HOLDOUT):
        repeated = max(repeated, _copied_share(rows.table(REAL), rows.table(HOLDOUT)))
    note = f"Real rows repeat each other in {repeated:.1%} of the cases." if repeated else ""
    value = float(np.isin(written, real).mean())
    return Finding(value, note, (0.0, max(0.01, repeated + chance(repeated, min(len(real), len(written))))))


def _copied_share(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Share of the synthetic rows that equal a real row in every column, by value; missing equals missing."""
    real_rows, written = row_codes(real, synthetic)
    return float(np.isin(written, real_rows).mean())


def _near_copies(rows: ClassRows) -> Finding:
    usual = rows.real_to_real
    if not np.isfinite(usual).all():
        return Finding(None, LONE_ROW)
    threshold = float(np.quantile(usual, _NEAR_QUANTILE))
    value, repeated = (float((found <= threshold).mean()) for found in (rows.to_real.distance, usual))
    # The threshold is set by that many pairs of real rows, a count with Poisson errors: rows drawn again are often
    # nearer than the nearest of few pairs.
    pairs = max(1.0, repeated * len(usual) / 2)
    share = min(1.0, 2 * (pairs + ONE_SIDED_95 * np.sqrt(pairs) + 1) / len(usual))
    allowed = share + chance(share, len(rows.to_real.distance))
    return Finding(value, acceptable=(0.0, max(0.05, allowed)), best=repeated)


def _membership(rows: ClassRows) -> Finding:
    if HOLDOUT not in rows.points:
        return Finding(None, _NO_HOLDOUT)
    tables = [rows.points[called] for called in (REAL, HOLDOUT)]
    sides = [table.take(draw(len(table), _MOST_QUERIES, rows.rng)) for table in tables]
    sizes = [len(side) for side in sides]
    if min(sizes) < _FEWEST:
        return Finding(None, f"The class has {sizes[0]} real and {sizes[1]} hold-out rows; {_FEWEST} each are needed.")
    members, others = (nearest(side, rows.points[SYNTHETIC]).distance for side in sides)
    spread = ONE_SIDED_95 * float(np.sqrt(0.25 / sizes[0] + 0.25 / sizes[1]))
    note = f"With {min(sizes)} rows of the smaller side, chance alone reaches {spread:.2f}." if spread > 0.1 else ""
    if max(map(len, tables)) > _MOST_QUERIES:
        note = f"Drawn at random: {sizes[0]} real and {sizes[1]} hold-out rows."
    return Finding(_membership_advantage(members, others, rows.rng), note, (0.0, max(0.1, spread)))


def _membership_advantage(members: FloatArray, others: FloatArray, rng: np.random.Generator) -> float:
    """Share of members found minus share of others taken for members, of the best threshold (Yeom et al. 2018).

    An attacker says "member" where a row is no farther from the nearest synthetic row than a threshold. The threshold
    that is best on the very rows it is tested on shows an advantage where there is none: 0.25 on average for 20 rows of
    each side. So it is chosen on one half of the rows and tested on the other, both ways, over 20 random halves.
    `members` and `others` are distances of training and of unseen rows. A negative mean counts as 0.
    """
    found = [_both_ways(rng.permutation(members), rng.permutation(others)) for _ in range(_SPLITS)]
    return max(0.0, float(np.mean(found)))


def _both_ways(members: FloatArray, others: FloatArray) -> float:
    """Advantage of a threshold that is chosen on one half of the rows and tested on the other, mean of both ways."""
    halves, found = ((members[::2], others[::2]), (members[1::2], others[1::2])), []
    for chosen, tested in (halves, halves[::-1]):
        threshold = _best_threshold(*chosen)
        found.append(float((tested[0] <= threshold).mean() - (tested[1] <= threshold).mean()))
    return float(np.mean(found))


def _best_threshold(members: FloatArray, others: FloatArray) -> float:
    """Distance up to which most more members than others lie; below all of them where there is none."""
    tried = np.unique(np.concatenate([members, others]))
    shares = [np.searchsorted(np.sort(side), tried, side="right") / len(side) for side in (members, others)]
    gains = shares[0] - shares[1]
    return float(tried[gains.argmax()]) if gains.max() > 0 else -1.0


METRICS = {
    "DCR to train (median)": Metric(
        0, np.inf, "nearest", 0.0, (0, np.inf), group="privacy",
        function=lambda rows: _typical(rows.to_real.distance, rows.real_to_real, LONE_ROW),
        meaning="Distance to the closest training row, in standard deviations; 0 is a copy."),
    "DCR to hold-out (median)": Metric(
        0, np.inf, "nearest", 0.0, (0, np.inf), group="privacy", function=_distance_to_holdout,
        meaning="Distance to the closest real row that the generator has not seen."),
    "nearer to train than to hold-out": Metric(
        0, 1, "nearest", 0.5, (0, 0.6), group="privacy", function=_nearer_to_train,
        meaning="Share of written rows nearer to a training row than to as many unseen rows; 0.5: nothing memorised."),
    "exact copies": Metric(
        0, 1, "lower", 0.0, (0, 0.01), group="privacy", function=_exact_copies,
        meaning="Share of written rows that equal a training row."),
    "near copies": Metric(
        0, 1, "lower", 0.01, (0, 0.05), group="privacy", function=_near_copies,
        meaning="Share of written rows as near to a training row as the nearest 1 % of real rows are to each other."),
    "membership-inference advantage": Metric(
        0, 1, "lower", 0.0, (0, 0.1), group="privacy", function=_membership,
        meaning=
        "How much better than guessing one tells training from unseen rows by their distance to the written ones."),
}  # fmt: skip
