"""What makes scores of a table too good: columns that identify rows or give the label away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Collection

    from imbllm_autogluon.arrays import BoolArray, FloatArray
    from imbllm_autogluon.jobs.probe import Sample

    Finding = dict[str, Any]

_ID_NAME = re.compile(
    r"(^|[\W_])(id|ids|uid|uuid|guid|index|rowid|row_?number)$|[a-z](Id|ID)$|^Unnamed: 0$", re.IGNORECASE
)
_ID_ROWS, _ID_SHARE = 20, 0.95  # cells, and share of different ones among them, from which a column identifies rows
_GROUP_SHARE = 0.02  # of different cells, from which a repeated identifier names groups of rows
_ID_SPREAD = 10  # a counter's highest less its lowest number, over its rows, at most
_ID_WORDS = 3.0  # in a cell, from which a column of different cells is a text
_NEAR = 0.98  # F1 of a class, or rank correlation, that one column alone should not reach
# A date, of which each row may have another without being named by it
_DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4}))(?=[ T]|$)")
_FEWEST, _MOST = 10, 0.6  # rows of a class, and its share of all, below and above which F1 says nothing
_HALF = 0.5  # of a class, from which cells that are missing, or present, in its rows alone give it away
_WORSE = 5.0  # times farther from 1 all other columns together are where a column that is near to 1 is no honest one
_MOST_LEAKS = 2  # columns near to 1 that can be leaks
_GOOD = 0.95  # what others reach where a table is easy
_FOLDS, _LEAVES = 3, 64  # of a tree on one column


def identifiers(frame: pd.DataFrame) -> list[Finding]:
    """Columns whose cells name rows, or groups of rows: ``column``, ``finding``, ``why`` and ``do``."""
    found = [_identifier(frame[name].dropna(), str(name)) for name in frame]
    named = [{"column": name, **one} for name, one in zip(frame, found, strict=True) if one]
    rows = [one for one in named if one["finding"] == "identifier"]
    for place, one in enumerate(rows):
        one["do"] = f"--{'ignore' if place else 'id'} {one['column']}"
    return named


def leaks(sample: Sample, aside: Collection[Any] = ()) -> list[Finding]:
    """Columns that tell the label nearly without error: ``leak``, or ``strong`` where the others do nearly as well.

    Of a class, F1 counts: in three folds of a tree on one column, and in five folds of LightGBM on all columns that
    are neither near nor `aside`, at its best threshold. Of numbers, Spearman's correlation counts.
    """
    found = {name: one for j, name in enumerate(sample.names) if (one := _only_in_a_class(sample, j))}
    alone = {name: _alone(sample, j) for j, name in enumerate(sample.names) if name not in found}
    near = {name: scores for name, scores in alone.items() if (scores >= _NEAR).any()}
    if near:
        others = sample.without({*near, *found, *aside})
        rest = _best(others, others.out_of_fold()) if others.names else np.zeros(max(1, len(sample.classes)))
        rest = np.ones_like(rest) if len(near) > _MOST_LEAKS else rest  # so many different columns show an easy table
        found |= {name: _judged(sample, name, scores, rest) for name, scores in near.items()}
    return [{"column": name, **one} for name, one in found.items()]


def _identifier(known: pd.Series[Any], name: str) -> Finding | None:
    is_number = holds_numbers(known.dtype)
    if len(known) < _ID_ROWS or known.dtype.kind in "bcmM":  # flags, complex numbers, durations, times
        return None
    first = [str(cell) for cell in known.head(1000)]
    is_text = np.mean([len(cell.split()) for cell in first]) >= _ID_WORDS
    if not (known % 1 == 0).all() if is_number else is_text or all(map(_DATE.match, first)):
        return None
    n, named = int(known.nunique()), bool(_ID_NAME.search(name))
    if n > _ID_SHARE * len(known) and (named or not is_number or _is_counter(known)):
        return {
            "finding": "identifier",
            "why": f"{n:,} of {len(known):,} cells differ: it names rows, and says nothing of new ones.",
        }
    if named and n > _GROUP_SHARE * len(known):
        why = (
            f"{n:,} different names in {len(known):,} rows: rows of a group in training and validation flatter scores."
        )
        return {"finding": "group", "why": why, "do": f"--ignore {name}, and keep whole groups out for a test"}
    return None


def _is_counter(known: pd.Series[Any]) -> bool:
    """Whether different whole numbers run densely, as those of a counter; shuffled ones count too."""
    spread, n = float(known.max()) - float(known.min()), len(known)
    return spread < _ID_SPREAD * n and (known.is_monotonic_increasing or spread < n / _ID_SHARE)


def _only_in_a_class(sample: Sample, j: int) -> Finding | None:
    """Whether missing, or present, cells of a column stand in rows of a class alone that is not the largest."""
    gone = np.isnan(sample.cells[:, j])
    for code in range(1, len(sample.classes)) if gone.any() else ():
        own = sample.y == code
        for side, word in ((gone, "missing"), (~gone, "present")):
            within, all_rows = sample.weights[own & side].sum(), sample.weights[side].sum()
            least = max(_NEAR * all_rows, _HALF * sample.weights[own].sum())
            if (own & side).sum() >= _FEWEST and within >= least:
                why = f"where its cell is {word}, {within / all_rows:.0%} of the rows are {sample.classes[code]!r}"
                return _leak(sample.names[j], why)
    return None


def _alone(sample: Sample, j: int) -> FloatArray:
    """How near out-of-fold answers of one column come to each class (F1), or to the numbers (rank correlation)."""
    values, folds = sample.cells[:, j], sample.folds(_FOLDS)
    everything = np.ones(len(folds), dtype=bool)
    if not (_agreement(sample, _answers_of(sample, values, everything, everything)) >= _NEAR).any():
        return np.zeros(1)
    found = np.zeros(len(folds))
    for fold in range(_FOLDS):
        found[folds == fold] = _answers_of(sample, values, folds != fold, folds == fold)
    return _agreement(sample, found)


def _answers_of(sample: Sample, values: FloatArray, train: BoolArray, test: BoolArray) -> FloatArray:
    """Answers of a tree on one column for the rows `test`; codes of categories are cut like numbers."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    tree = (DecisionTreeClassifier if sample.classes else DecisionTreeRegressor)(
        max_leaf_nodes=_LEAVES, min_samples_leaf=2, random_state=0
    )
    cells = np.nan_to_num(values, nan=np.nanmin(values, initial=0.0) - 1.0).reshape(-1, 1)
    learned = tree.fit(cells[train], sample.y[train], sample.weights[train])
    return np.asarray(learned.predict(cells[test]), dtype=np.float64)


def _agreement(sample: Sample, found: FloatArray) -> FloatArray:
    """F1 of each class, shape (k,), 0 for the rarest and a frequent one; of numbers, the rank correlation, (1,)."""
    if not sample.classes:
        return np.array([_rank_correlation(sample.y, found)])
    return np.array([_f1(sample, code, found == code) for code in range(len(sample.classes))])


def _f1(sample: Sample, code: int, said: BoolArray) -> float:
    own, weights = sample.y == code, sample.weights
    if own.sum() < _FEWEST or weights[own].sum() > _MOST * weights.sum():
        return 0.0
    return float(2 * weights[own & said].sum() / (weights[own].sum() + weights[said].sum()))


def _best(sample: Sample, found: FloatArray) -> FloatArray:
    """The same of probabilities (n, k), each class at its best threshold."""
    if not sample.classes:
        return np.array([_rank_correlation(sample.y, found)])
    from sklearn.metrics import precision_recall_curve

    best = []
    for code in range(len(sample.classes)):
        precision, recall, _ = precision_recall_curve(sample.y == code, found[:, code], sample_weight=sample.weights)
        best.append(float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()))
    return np.array(best)


def _rank_correlation(first: FloatArray, second: FloatArray) -> float:
    value = pd.Series(first).corr(pd.Series(second), method="spearman") if np.ptp(second) else 0.0
    return abs(float(value))


def _judged(sample: Sample, name: Any, scores: FloatArray, rest: FloatArray) -> Finding:
    """A leak where the others are far worse, else a strong column."""
    far = (scores >= _NEAR) & (rest < _GOOD) & (1.0 - rest > _WORSE * (1.0 - scores))
    place = int(np.argmax(np.where(far, scores - rest, scores - 2.0)))
    if _is_copy(sample, name):
        return _leak(name, "it is the label under another name")
    told = f"{sample.classes[place]!r} with an F1" if sample.classes else "the order of the label with a correlation"
    why = f"alone it tells {told} of {scores[place]:.3f}"
    if not far.any():
        return {"finding": "strong", "why": f"{why}; others do nearly as well: no sign of a leak", "do": "know why"}
    return _leak(name, f"{why}; all others together reach {rest[place]:.3f}")


def _is_copy(sample: Sample, name: Any) -> bool:
    """Whether each value of a column stands for one label, and each label for one value; numbers in the same order."""
    values = sample.cells[:, sample.names.index(name)]
    if not sample.classes:
        return _rank_correlation(values, sample.y) > 1.0 - 1e-9
    pairs = pd.DataFrame({"value": np.nan_to_num(values, nan=np.inf), "y": sample.y}).drop_duplicates()
    return bool(len(pairs) == pairs["value"].nunique() == pairs["y"].nunique())


def _leak(name: Any, why: str) -> Finding:
    return {"finding": "leak", "why": why, "do": f"--ignore {name}, unless it is known when you predict"}
