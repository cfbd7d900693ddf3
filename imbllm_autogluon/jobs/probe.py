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

_MOST_ROWS, _FEWEST_ROWS = 20_000, 1_000  # that are drawn
_MOST_CELLS = 240_000  # rows times columns times trees of a round that are learned, about
_USED_COLUMNS = 100  # that a tree looks at, about
_FOLDS, _ROUNDS, _TREES = 5, 50, 150  # rounds of boosting, and trees of all classes together, at most
_MOST_LEVELS = 100  # of a category, beyond which its codes are taken for a number
_RESAMPLES, _HALVES, _HALVED_ROWS = 200, 16, 800  # bootstrap samples; random halves, and of how many rows at most

# What a fit takes beside the timed part, in CPU seconds of the machine on which it was set
_FIXED, _FIXED_SECONDS = (1000, 20), 0.053  # rows and columns of the fixed table, and seconds of boosting it there
_AROUND, _LATENT_DIFF = 20.0, (11.0, 0.0053)  # of imports, ensembles, report; of LatentDiff's bag, and of a row in it
_PER_FIT, _PER_STEP = 32.0, 0.6  # of all plain models whatever the table, and of the network for a step in an epoch
_BOOSTED = 280.0  # times the timed boosting: five configurations in four folds to their early stopping, and forests
_LEARNED = 0.75  # of the rows are in the training part of a fold
_LIKE_PLAIN = 0.85  # of the plain models' time, for generators and twins: `plugin/clock.py`
_LIBRARIES_MIB, _COPIES = 650.0, 8.0  # of a process, and copies of the table in it


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
        table = task.train
        classes = () if task.problem_type == "regression" else tuple(table.counts)
        y = table.targets if not classes else pd.Categorical(table.labels, categories=classes).codes.astype(np.float64)
        trees = len(classes) if len(classes) > 2 else 1
        most = int(_MOST_CELLS / trees / min(max(1, len(columns)), _USED_COLUMNS))
        rows, weights = _drawn(y if classes else np.zeros(len(y)), max(_FEWEST_ROWS, min(_MOST_ROWS, most)))
        coded = [_coded(table.frame[name].iloc[rows]) for name in columns]
        cells = np.column_stack([values for values, _ in coded]) if coded else np.empty((len(rows), 0))
        is_category = np.array([is_one for _, is_one in coded], dtype=bool)
        return Sample(tuple(columns), cells, is_category, y[rows], classes, weights)

    def without(self, names: Collection[Any]) -> Sample:
        """The same rows without some columns."""
        kept = [j for j, name in enumerate(self.names) if name not in names]
        left = tuple(self.names[j] for j in kept)
        return replace(self, names=left, cells=self.cells[:, kept], is_category=self.is_category[kept])

    def rows(self, kept: npt.NDArray[Any]) -> Sample:
        """Some of the rows."""
        return replace(self, cells=self.cells[kept], y=self.y[kept], weights=self.weights[kept])

    def folds(self, n: int = _FOLDS, seed: int = 0) -> IntArray:
        """Fold of each row, each class spread evenly."""
        order = np.lexsort((child_rng(seed, "order").random(len(self.y)), self._groups))
        folds = np.empty(len(order), dtype=np.int64)
        folds[order] = np.arange(len(order)) % n
        return folds

    def out_of_fold(self) -> FloatArray:
        """Answers of LightGBM in five folds: probabilities (n, k) of classes, or numbers (n,)."""
        folds, k = self.folds(), len(self.classes)
        found, rounds = np.zeros((len(folds), k) if k else len(folds)), min(_ROUNDS, max(3, _TREES // max(1, k)))
        for fold in range(min(_FOLDS, len(folds))):
            test = folds == fold
            answers = self.boosted(~test, rounds).predict(self.cells[test], num_threads=1)
            found[test] = np.column_stack([1.0 - answers, answers]) if k == 2 else answers
        return found

    def boosted(self, rows: BoolArray, rounds: int = _ROUNDS) -> Any:
        """A LightGBM model of some rows, on one thread."""
        import lightgbm

        k, coded = len(self.classes), np.flatnonzero(self.is_category)
        goals: dict[int, dict[str, Any]] = {0: {"objective": "regression"}, 2: {"objective": "binary"}}
        few = min(20, max(2, int(rows.sum()) // 20))
        share = min(1.0, _USED_COLUMNS / max(1, len(self.names)))
        settings = {
            **goals.get(k, {"objective": "multiclass", "num_class": k}), "num_leaves": 15, "min_data_in_leaf": few,
            "feature_fraction": share, "num_threads": 1, "seed": 0, "deterministic": True, "verbosity": -1,
        }  # fmt: skip
        levels = [int(j) for j in coded if np.nanmax(self.cells[:, j], initial=0) < _MOST_LEVELS]
        own: Any = {"weight": self.weights[rows], "categorical_feature": levels, "params": {"verbosity": -1}}
        return lightgbm.train(settings, lightgbm.Dataset(self.cells[rows], self.y[rows], **own), rounds)

    def score_and_error(self) -> tuple[float, float]:
        """The default metric of out-of-fold answers, and its standard error over fresh tables of the same class sizes.

        Its square is the mean of two variances. Rows drawn anew within each class, as many as the whole table has, tell
        too little: the models stay. The score of random halves, whose variance is that of whole tables (balanced
        half-samples, McCarthy 1969), tells too much: models of half the rows vary more. Of large tables a smaller one
        tells how the two variances stand to each other.
        """
        found, (rows, _) = self.out_of_fold(), _drawn(self._groups, _HALVED_ROWS)
        part = self.rows(rows).without(self.names[_USED_COLUMNS:])
        small = replace(part, weights=np.ones(len(rows)))
        is_whole = small.cells.shape == self.cells.shape and len(rows) == round(self.weights.sum())
        redrawn = self._redrawn_variance(found)
        like = redrawn if is_whole else small._redrawn_variance(small.out_of_fold())
        ratio = small._half_variance() / like if like else 1.0
        return float(self._scores(found, self.weights[None])[0]), float(np.sqrt(redrawn * (1.0 + ratio) / 2.0))

    @property
    def _groups(self) -> FloatArray:
        """What folds and bootstrap samples keep the shares of: classes."""
        return self.y if self.classes else np.zeros(len(self.y))

    def _redrawn_variance(self, found: FloatArray) -> float:
        """Variance of the score where rows are drawn anew within each class, and models stay."""
        rng, draws = child_rng(0, "search"), np.empty((_RESAMPLES, len(self.y)))
        for group in np.unique(self._groups):
            rows = np.flatnonzero(self._groups == group)
            n = round(self.weights[rows].sum())
            draws[:, rows] = rng.multinomial(n, np.full(len(rows), 1 / len(rows)), _RESAMPLES)
        return float(self._scores(found, draws).var())

    def _half_variance(self) -> float:
        """Variance of the score over random halves of the rows."""
        halves = (self.rows(self.folds(2, seed=seed) == 0) for seed in range(1, _HALVES + 1))
        return float(np.var([half._scores(half.out_of_fold(), half.weights[None])[0] for half in halves], ddof=1))

    def _scores(self, found: FloatArray, weights: FloatArray) -> FloatArray:
        """The default metric for each of many weightings of the rows (b, n): shape (b,)."""
        if not self.classes:
            return np.asarray(weights @ np.abs(self.y - found) / weights.sum(axis=1))
        if len(self.classes) == 2:
            return _average_precisions(self.y == 1, found[:, 1], weights)
        shares = np.bincount(self.y.astype(np.int64), self.weights, len(self.classes))
        decided = correct_prior(found, adjustment_factors(shares / shares.sum(), usual_degree("balanced_accuracy")))
        right = decided.argmax(axis=1) == self.y
        classes = [self.y == code for code in np.unique(self.y)]
        recalls = [weights[:, own & right].sum(axis=1) / weights[:, own].sum(axis=1) for own in classes]
        return np.asarray(np.mean(recalls, axis=0))


def fit_cost(task: Task, sample: Sample) -> dict[str, Any]:
    """What ``imbllm fit`` takes with its defaults: CPU seconds, which are those of one idle core, and MiB.

    Boosting is timed on the sample, and on fixed rows, which tells how fast the machine is. How the rest of a fit
    stands to these was set on four tables: an exploration, which the benchmark ``advice`` tests on others.
    """
    n, everything = len(task.train.frame), np.ones(len(sample.y), dtype=bool)
    fixed = child_rng(0, "values").normal(size=_FIXED)
    numbers, ones, y = np.zeros(_FIXED[1], dtype=bool), np.ones(_FIXED[0]), fixed[:, :3].sum(axis=1) > 0
    known = Sample(tuple(range(_FIXED[1])), fixed, numbers, y.astype(np.float64), (0, 1), ones)
    speed = _cpu_seconds(lambda: known.boosted(ones > 0)) / _FIXED_SECONDS
    boosting = _cpu_seconds(lambda: sample.boosted(everything)) * n / len(sample.y) if sample.names else 0.0
    steps = _LEARNED * n / 2 ** (3 + np.floor(np.log10(n)))  # of an epoch: the batch sizes of AutoGluon's network
    plain = speed * (_PER_FIT + _PER_STEP * steps) + _BOOSTED * boosting
    is_rebalanced = not plan_for(task.problem_type, task.train.labels, task.rebalancing).reason
    around = _AROUND + (0.0 if sample.classes else _LATENT_DIFF[0] + _LATENT_DIFF[1] * n)
    seconds = float(speed * around + plain * (1.0 + _LIKE_PLAIN * is_rebalanced))
    memory = _LIBRARIES_MIB + _COPIES * n * len(sample.names) * 8 / 2**20
    return {"cpu_seconds": seconds, "memory_mib": memory, "cores": os.cpu_count() or 1}


def _cpu_seconds(function: Callable[[], object]) -> float:
    """CPU seconds of a call, the shortest of three: seconds of the clock are other processes' too."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        function()
        seconds.append(time.process_time() - started)
    return min(seconds)


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
    rng, weights, left = child_rng(0, "training"), np.zeros(len(groups)), most
    codes, sizes = np.unique(groups, return_counts=True)
    for rank, place in enumerate(np.argsort(sizes, kind="stable")):
        n = min(int(sizes[place]), left // (len(codes) - rank))
        weights[rng.choice(np.flatnonzero(groups == codes[place]), n, replace=False)] = sizes[place] / n
        left -= n
    rows = np.flatnonzero(weights)
    return rows, weights[rows]


def _coded(column: pd.Series[Any]) -> tuple[FloatArray, bool]:
    """Cells as numbers, and whether they are categories."""
    if holds_numbers(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isfinite(values), values, np.nan), False
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return np.where(column.isna(), np.nan, column.to_numpy("datetime64[ns]").astype(np.float64)), False
    text = column.astype(str).where(column.notna())
    codes = pd.Categorical(text, categories=text.value_counts().index).codes.astype(np.float64)
    return np.where(codes < 0, np.nan, codes), True
