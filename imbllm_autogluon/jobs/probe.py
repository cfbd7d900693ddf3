"""Quick models on a sample of a table: how sure a score of it is, and how long a fit takes.

Everything is measured on one core, on at most 20,000 rows: the rare classes whole, the others drawn and weighted.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._random import child_rng
from imbllm_autogluon.classification.calibration import correct_prior
from imbllm_autogluon.classification.logit_adjustment import adjustment_factors, usual_degree
from imbllm_autogluon.plugin.stage import plan_for
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.jobs.task import Task

_MOST_ROWS = 20_000
_MOST_CELLS = 300_000  # rows times columns times trees of a round that are learned, about
_FEWEST_ROWS = 1_000  # that are drawn whatever their columns
_USED_COLUMNS = 100  # that a tree looks at, about
_FOLDS, _ROUNDS, _TREES = 5, 50, 150  # trees of all classes together, at most
_MOST_LEVELS = 100  # of a category, beyond which its codes are taken for a number
# What a fit takes beside the timed parts, in CPU seconds of the machine on which it was set
_FIXED, _FIXED_SECONDS = (1000, 20), 0.053  # rows and columns of the fixed table, and seconds of boosting it there
_AROUND = 20.0  # of imports, ensembles and report
_PER_FIT, _PER_STEP = 32.0, 0.6  # of all plain models whatever the table, and of the network for a step in an epoch
_BOOSTED = 280.0  # times the timed boosting: five configurations in four folds to their early stopping, and forests
_LEARNED = 0.75  # of the rows are in the training part of a fold
_LIKE_PLAIN = 0.85  # of the plain models' time, for generators and twins: `plugin/clock.py`
_LIBRARIES_MIB, _COPIES = 650.0, 8.0  # of a process, and copies of the table in it

_RESAMPLES, _HALVES = 200, 16
_HALVED_ROWS = 1_200  # that are halved, at most


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of a labeled table as numbers."""

    names: tuple[Any, ...]  # of the columns
    cells: FloatArray  # shape (n, m), NaN where missing; categories are coded, the most frequent 0
    is_category: BoolArray  # shape (m,)
    y: FloatArray  # shape (n,): targets, or codes of classes in the order of `classes`
    classes: tuple[Any, ...]  # the largest first; empty for numbers
    weights: FloatArray  # shape (n,): rows of the table that a row stands for

    @staticmethod
    def of(task: Task, columns: Sequence[Any]) -> Sample:
        """Draw rows for a task, of these columns."""
        table, k = task.train, len(task.train.counts) if task.problem_type == "multiclass" else 1
        classes = () if task.problem_type == "regression" else tuple(table.counts)
        y = table.targets if not classes else pd.Categorical(table.labels, categories=classes).codes.astype(np.float64)
        most = int(_MOST_CELLS / k / min(max(1, len(columns)), _USED_COLUMNS))
        rows, weights = _drawn(y if classes else np.zeros(len(y)), max(_FEWEST_ROWS, min(_MOST_ROWS, most)))
        frame = table.frame.iloc[rows]
        coded = [_coded(frame[name]) for name in columns]
        cells = np.column_stack([values for values, _ in coded]) if coded else np.empty((len(rows), 0))
        is_category = np.array([is_one for _, is_one in coded], dtype=bool)
        return Sample(tuple(columns), cells, is_category, y[rows], classes, weights)

    def without(self, names: Collection[Any]) -> Sample:
        """The same rows without some columns."""
        kept = [j for j, name in enumerate(self.names) if name not in names]
        names = tuple(self.names[j] for j in kept)
        return replace(self, names=names, cells=self.cells[:, kept], is_category=self.is_category[kept])

    def rows(self, kept: npt.NDArray[Any]) -> Sample:
        """Some of the rows."""
        return replace(self, cells=self.cells[kept], y=self.y[kept], weights=self.weights[kept])

    @property
    def groups(self) -> FloatArray:
        """What folds and bootstrap samples keep the shares of: classes."""
        return self.y if self.classes else np.zeros(len(self.y))

    def folds(self, n: int = _FOLDS, seed: int = 0) -> IntArray:
        """Fold of each row, each class spread evenly."""
        order = np.lexsort((child_rng(seed, "order").random(len(self.y)), self.groups))
        folds = np.empty(len(order), dtype=np.int64)
        folds[order] = np.arange(len(order)) % n
        return folds


def answers(sample: Sample, seed: int = 0) -> FloatArray:
    """Out-of-fold predictions of LightGBM in five folds: probabilities (n, k) of classes, or numbers (n,)."""
    folds, rounds = sample.folds(seed=seed), min(_ROUNDS, max(3, _TREES // max(1, len(sample.classes))))
    found = np.zeros((len(folds), len(sample.classes)) if sample.classes else len(folds))
    for fold in range(_FOLDS):
        test = folds == fold
        if test.any() and not test.all():
            predicted = boosted(sample, ~test, rounds).predict(sample.cells[test], num_threads=1)
            is_binary = sample.classes and predicted.ndim == 1
            found[test] = np.column_stack([1.0 - predicted, predicted]) if is_binary else predicted
    return found


def boosted(sample: Sample, rows: BoolArray, rounds: int) -> Any:
    """A LightGBM model of some rows, on one thread."""
    import lightgbm

    n_classes = len(sample.classes)
    goal = {0: {"objective": "regression"}, 2: {"objective": "binary"}}
    coded = np.flatnonzero(sample.is_category)
    levels = [int(j) for j in coded if np.nanmax(sample.cells[:, j], initial=0) < _MOST_LEVELS]
    settings = {
        **goal.get(n_classes, {"objective": "multiclass", "num_class": n_classes}),
        "num_leaves": 15,
        "min_data_in_leaf": min(20, max(2, int(rows.sum()) // 20)),
        "feature_fraction": min(1.0, _USED_COLUMNS / max(1, len(sample.names))),
        "num_threads": 1,
        "seed": 0,
        "deterministic": True,
        "verbosity": -1,
    }
    own: Any = {"weight": sample.weights[rows], "categorical_feature": levels, "params": {"verbosity": -1}}
    return lightgbm.train(settings, lightgbm.Dataset(sample.cells[rows], sample.y[rows], **own), rounds)


def score_error(sample: Sample, found: FloatArray) -> tuple[float, float]:
    """The default metric of out-of-fold answers, and its standard error over fresh tables of the same class sizes.

    Its square is the mean of two variances. Rows drawn anew within each class, as many as the whole table has, tell too
    little: the models stay. The score of random halves, whose variance is that of whole tables (McCarthy 1969, balanced
    half-samples), tells too much: models of half the rows vary more. Of large tables a smaller one tells how the two
    variances stand to each other.
    """
    score = float(_scores(sample, found, sample.weights[None])[0])
    rows, _ = _drawn(sample.groups, _HALVED_ROWS)
    few = sample.rows(rows).without(sample.names[_USED_COLUMNS:])
    small = replace(few, weights=np.ones(len(rows)))
    is_whole = small.cells.shape == sample.cells.shape and len(rows) == round(sample.weights.sum())
    redrawn = _redrawn_variance(sample, found)
    like = redrawn if is_whole else _redrawn_variance(small, answers(small))
    ratio = _half_variance(small) / like if like else 1.0
    return score, float(np.sqrt(redrawn * (1.0 + ratio) / 2.0))


def _redrawn_variance(sample: Sample, found: FloatArray) -> float:
    """Variance of the score where rows are drawn anew within each class, and models stay."""
    rng, draws = child_rng(0, "search"), np.empty((_RESAMPLES, len(sample.y)))
    for group in np.unique(sample.groups):
        rows = np.flatnonzero(sample.groups == group)
        n = round(sample.weights[rows].sum())
        draws[:, rows] = rng.multinomial(n, np.full(len(rows), 1 / len(rows)), _RESAMPLES)
    return float(_scores(sample, found, draws).var())


def _half_variance(sample: Sample) -> float:
    """Variance of the score over random halves of the rows."""
    halves = (sample.rows(sample.folds(2, seed=seed) == 0) for seed in range(1, _HALVES + 1))
    return float(np.var([_scores(half, answers(half), half.weights[None])[0] for half in halves], ddof=1))


def _scores(sample: Sample, found: FloatArray, weights: FloatArray) -> FloatArray:
    """The default metric for each of many weightings of the rows (b, n): shape (b,)."""
    if not sample.classes:
        return np.asarray(weights @ np.abs(sample.y - found) / weights.sum(axis=1))
    if len(sample.classes) == 2:
        return _average_precisions(sample.y == 1, found[:, 1], weights)
    shares = np.bincount(sample.y.astype(np.int64), sample.weights, len(sample.classes))
    decided = correct_prior(found, adjustment_factors(shares / shares.sum(), usual_degree("balanced_accuracy")))
    right = decided.argmax(axis=1) == sample.y
    classes = [own for own in (sample.y == code for code in range(len(sample.classes))) if own.any()]
    recalls = [weights[:, own & right].sum(axis=1) / weights[:, own].sum(axis=1) for own in classes]
    return np.asarray(np.mean(recalls, axis=0))


def _average_precisions(truth: BoolArray, scores: FloatArray, weights: FloatArray) -> FloatArray:
    """Average precision for each of many weightings of the rows; rows of equal scores count together."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    all_rows = np.add.reduceat(weights[:, order], starts, axis=1)
    hits = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    precision = hits.cumsum(axis=1) / np.maximum(all_rows.cumsum(axis=1), 1e-12)
    return np.asarray((precision * hits).sum(axis=1) / hits.sum(axis=1))


def _drawn(groups: FloatArray, most: int) -> tuple[IntArray, FloatArray]:
    """Places of at most about so many rows, small groups whole, and how many rows each stands for."""
    rng, rows, weights, left = child_rng(0, "training"), [], [], most
    codes, sizes = np.unique(groups, return_counts=True)
    for rank, place in enumerate(np.argsort(sizes, kind="stable")):
        own = np.flatnonzero(groups == codes[place])
        n = min(len(own), left // (len(codes) - rank))
        rows.append(np.sort(rng.choice(own, n, replace=False)))
        weights.append(np.full(n, len(own) / n))
        left -= n
    order = np.argsort(np.concatenate(rows))
    return np.concatenate(rows)[order], np.concatenate(weights)[order]


def _coded(column: pd.Series[Any]) -> tuple[FloatArray, bool]:
    """Cells as numbers, and whether they are categories."""
    if holds_numbers(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan), False
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return np.where(column.isna(), np.nan, column.to_numpy("datetime64[ns]").astype(np.float64)), False
    text = column.astype(str).where(column.notna())
    levels = text.value_counts().index
    codes = pd.Categorical(text, categories=levels).codes.astype(np.float64)
    return np.where(codes < 0, np.nan, codes), True


def fit_cost(task: Task, sample: Sample, texts: int = 0) -> dict[str, Any]:
    """What ``imbllm fit`` takes with its defaults: CPU seconds, minutes of one idle core, and MiB.

    Boosting and forests are timed on the sample, and boosting on fixed rows tells how fast the machine is. How the rest
    of a fit stands to these was set on three tables: an exploration, tested by the benchmark ``advice``.
    """
    n, everything = len(task.train.frame), np.ones(len(sample.y), dtype=bool)
    grown = n / len(everything)
    speed = _cpu_seconds(boosted, _fixed_rows(), np.ones(_FIXED[0], dtype=bool), _ROUNDS) / _FIXED_SECONDS
    boosting = grown * _cpu_seconds(boosted, sample, everything, _ROUNDS) if sample.names else 0.0
    steps = _LEARNED * n / 2 ** (3 + np.floor(np.log10(n)))  # of an epoch: the batch sizes of AutoGluon's network
    plain = speed * (_PER_FIT + _PER_STEP * steps) + _BOOSTED * boosting
    is_rebalanced = not plan_for(task.problem_type, task.train.labels, task.rebalancing).reason
    seconds = float(speed * _AROUND + plain * (1.0 + _LIKE_PLAIN * is_rebalanced))
    table = n * len(sample.names) * 8 / 2**20
    note = f"; {texts} column(s) of text, which can multiply it, are not counted" if texts else ""
    cores = os.cpu_count() or 1
    facts = {"cpu_seconds": seconds, "minutes": seconds / 60, "memory_mib": _LIBRARIES_MIB + _COPIES * table}
    return {**facts, "cores": cores, "note": note}


def _cpu_seconds(function: Callable[..., object], *arguments: Any) -> float:
    """CPU seconds of a call, the shortest of three: those of the clock are other processes' too."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        function(*arguments)
        seconds.append(time.process_time() - started)
    return min(seconds)


def _fixed_rows() -> Sample:
    n, m = _FIXED
    cells = child_rng(0, "values").normal(size=(n, m))
    y = (cells[:, :3].sum(axis=1) > 0).astype(np.float64)
    return Sample(tuple(range(m)), cells, np.zeros(m, dtype=bool), y, (0, 1), np.ones(n))
