"""Efficacy: whether boosted trees find a class more precisely when written rows are added to the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, REAL, SYNTHETIC
from imbllm_autogluon.quality.measures.measure import Finding, chance
from imbllm_autogluon.quality.measures.trees import Trees
from imbllm_autogluon.randomness import child_rng, child_seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.class_rows import MatchedTables

RECALL = 0.8
"""Share of the rows of the class that must be found."""

FOLDS = 3
"""Of cross-validation inside the real rows, where none were held out."""

MOST_TAUGHT = 20_000
"""Real rows that trees learn from: about 2 s of training for 20 columns on one core."""

FEWEST = 5
"""Rows of a class to judge on: fewer have no precision at a recall."""


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows to learn from and to judge on."""

    taught: IntArray
    judged: FloatArray
    truth: IntArray


def precision_at_recall(is_class: npt.NDArray[np.bool_], scores: FloatArray, recall: float = RECALL) -> float:
    """Best precision of a threshold that finds at least a given share of the class.

    Parameters
    ----------
    is_class
        Whether each row is of the class, shape (n,); at least one is.
    scores
        Higher: more likely of the class; shape (n,).
    recall
        Above 0, up to 1.

    Returns
    -------
    float
        Above 0, up to 1; at least the share of the class, which naming every row reaches.

    Raises
    ------
    InvalidInputError
        No row is of the class, or the recall is outside its range.

    Examples
    --------
    >>> precision_at_recall(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]), recall=1.0)
    0.6666666666666666
    """
    from sklearn.metrics import precision_recall_curve

    if not 0.0 < recall <= 1.0 or not np.any(is_class):
        raise InvalidInputError(
            f"recall must be above 0 and at most 1, with rows of the class; got {recall!r} and {int(np.sum(is_class))} "
            "such rows."
        )
    precisions, recalls, _ = precision_recall_curve(is_class, scores)
    return float(precisions[recalls >= recall - 1e-12].max())


def efficacy(matched: MatchedTables, seed: int, recall: float = RECALL) -> Finding:
    """Precision with the written rows minus that without, mean over the written classes.

    On the hold-out rows; where there are none, by cross-validation inside the real rows.
    """
    if len(np.unique(matched.codes[REAL][matched.codes[REAL] >= 0])) < 2:
        return Finding(None, "The real rows are of one class; two are needed.")
    values = _values(matched)
    truth, plain, helped = _judged(matched, values, seed)
    classes = [code for code in np.unique(_written(matched)) if (truth == code).sum() >= FEWEST]
    if not classes or len(np.unique(truth)) < 2:
        return Finding(None, f"A written class needs {FEWEST} rows to judge on, beside rows of another class.")
    without, with_rows = (
        float(np.mean([precision_at_recall(truth == code, scores[:, code], recall) for code in classes]))
        for scores in (plain, helped)
    )
    n_judged = int(np.isin(truth, classes).sum())
    note = f"At recall {recall:g}: {with_rows:.3f} with, {without:.3f} without, on {n_judged} rows of the class."
    if HOLDOUT not in matched.codes:
        note += " By cross-validation inside the real rows, from all of which rows may have been written: optimistic."
    by_chance = max(0.05, chance(without, n_judged))
    return Finding(with_rows - without, note, (-by_chance, 1.0), good_from=by_chance)


def _values(matched: MatchedTables) -> dict[str, FloatArray]:
    """Rows of each table as numbers and codes."""
    rows = matched.classes[0]
    stacked = np.column_stack([column.synthetic for column in rows.columns])
    parts = {called: stacked[start : start + len(rows.features[called])] for called, start in rows.starts.items()}
    return {REAL: np.column_stack([column.real for column in rows.columns]), **parts}


def _written(matched: MatchedTables) -> IntArray:
    """Code of each synthetic row whose class is real; -1 for the others."""
    codes = matched.codes[SYNTHETIC]
    return np.where(np.isin(codes, matched.codes[REAL]), codes, -1)


def _judged(
    matched: MatchedTables, values: dict[str, FloatArray], seed: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """True classes, and probabilities learnt without and with the written rows."""
    rng = child_rng(seed, "order", "efficacy")
    codes, written = matched.codes[REAL], _written(matched)
    n_classes = int(codes.max()) + 1
    truths, plain, helped = [], [], []
    for k, part in enumerate(_parts(matched, values, rng)):
        taught, added = _thinned(part.taught, np.flatnonzero(written >= 0), rng)
        trees = Trees([c.is_number for c in matched.classes[0].columns], child_seed(seed, "training", "efficacy", k))
        own, own_codes = values[REAL][taught], codes[taught]
        both, both_codes = np.vstack([own, values[SYNTHETIC][added]]), np.append(own_codes, written[added])
        truths.append(part.truth)
        plain.append(trees.fit(own, own_codes).probabilities(part.judged, n_classes))
        helped.append(trees.fit(both, both_codes).probabilities(part.judged, n_classes))
    return np.concatenate(truths), np.vstack(plain), np.vstack(helped)


def _thinned(taught: IntArray, added: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """At most 20,000 real rows, and as large a share of the written ones."""
    share = MOST_TAUGHT / len(taught)
    if share >= 1.0:
        return taught, added
    n_added = max(1, round(share * len(added)))
    return rng.choice(taught, MOST_TAUGHT, replace=False), rng.choice(added, n_added, replace=False)


def _parts(matched: MatchedTables, values: dict[str, FloatArray], rng: np.random.Generator) -> Iterator[_Part]:
    codes = matched.codes[REAL]
    known = np.flatnonzero(codes >= 0)
    if HOLDOUT in matched.codes:
        truth = matched.codes[HOLDOUT]
        judged = truth >= 0
        yield _Part(known, values[HOLDOUT][judged], truth[judged])
        return
    fold_of = np.full(len(codes), -1)
    for code in np.unique(codes[known]):
        own = np.flatnonzero(codes == code)
        fold_of[own] = rng.permutation(len(own)) % FOLDS
    for fold in range(FOLDS):
        test = np.flatnonzero(fold_of == fold)
        if len(test):
            yield _Part(known[fold_of[known] != fold], values[REAL][test], codes[test])
