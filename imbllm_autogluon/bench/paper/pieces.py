"""What ``imbllm bench paper`` and ``imbllm bench ablation`` share: tables, pieces, and how an arm is judged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from imbllm_autogluon.bench.named_tables import cells_digest, packaged_and_named
from imbllm_autogluon.bench.paper.arms import learned_rows
from imbllm_autogluon.bench.paper.classifiers import CLASSIFIERS, XGBOOST
from imbllm_autogluon.bench.paper.judge import judged
from imbllm_autogluon.bench.paper.page import ROWS, SECONDS, classes_text
from imbllm_autogluon.bench.paper.split import KEPT_SHARE, PaperSplit
from imbllm_autogluon.bench.pieces import Piece, all_measured
from imbllm_autogluon.rebalancing.fold import KEY_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from imbllm_autogluon.bench.paper.arms import LearnedRows
    from imbllm_autogluon.tables.labelled import LabelledTable

Arm = TypeVar("Arm")

LOADED_FIRST = ("imbllm_autogluon.language.model", "imblearn.over_sampling")
"""Before the clock starts, and the library of the classifier too: the first arm would pay for loading them."""

QUICK_REPEATS, QUICK_ROWS = 2, 1000
"""Splits of a table and its rows, at most, where a run is to be quick."""


@dataclass(frozen=True, eq=False)
class PaperTables:
    """Tables of a run and how often each is split."""

    tables: list[tuple[str, LabelledTable]]
    """By name."""

    classes: str
    """Rows of the classes of each table in its first split, a line each."""

    rows: int
    """Most rows of a table."""

    repeats: int
    """Splits of each table."""

    @classmethod
    def of(
        cls, named: Sequence[str], rows: int, repeats: int, *, kept: float = KEPT_SHARE, quick: bool = False
    ) -> PaperTables:
        """The packaged table and the named ones; `quick` limits splits and rows.

        Raises
        ------
        InvalidInputError
            Two tables have one name, `kept` is no share of a class's rows, or a table has no two classes of at least
            25 rows.
        """
        rows, repeats = (min(rows, QUICK_ROWS), min(repeats, QUICK_REPEATS)) if quick else (rows, repeats)
        read = packaged_and_named(named, rows)
        # Split before anything is measured: a table that cannot be split is told of at once.
        classes = "\n".join(classes_text(name, PaperSplit.of(table, 0, kept)) for name, table in read)
        return cls(read, classes, rows, repeats)

    def measured(
        self,
        work: Path,
        arms: Mapping[str, Arm],
        identity: Callable[[Arm], list[object]],
        measure: Callable[[LabelledTable, Arm, int, int], dict[str, Any]],
        metrics: Sequence[str],
        threads: int,
    ) -> pd.DataFrame:
        """Measure every arm on every split of every table, unless an earlier run did.

        Parameters
        ----------
        work
            Folder of the pieces.
        arms
            By name.
        identity
            What an arm's figures depend on, besides the version of the rows, threads, split and table; JSON-able.
        measure
            Figures by table, arm, split and torch threads.
        metrics
            Figures to be told, None where an arm has none.
        threads
            torch threads.

        Returns
        -------
        DataFrame
            One figure in each row: columns table, split, arm, metric and value; none where there is no figure.
        """
        keys = list(product(self.tables, range(self.repeats), arms))
        digests = {name: cells_digest(table) for name, table in self.tables}
        pieces = [
            Piece(
                f"{name} {arm} {split}",
                [KEY_VERSION, *identity(arms[arm]), threads, split, table.label, digests[name]],
                partial(measure, table, arms[arm], split, threads),
            )
            for (name, table), split, arm in keys
        ]
        found = all_measured(work, pieces)
        return pd.DataFrame(
            {"table": name, "split": split, "arm": arm, "metric": metric, "value": piece[metric]}
            for ((name, _), split, arm), piece in zip(keys, found, strict=True)
            for metric in metrics
            if piece[metric] is not None
        ).astype({"value": "float64"})


def judged_arm(
    split: PaperSplit, spec: Mapping[str, Any], seed: int, threads: int, classifier: str = XGBOOST
) -> tuple[LearnedRows, dict[str, float]]:
    """Let one arm prepare a split, and judge what a classifier learns from it.

    Parameters
    ----------
    split
        Of the table.
    spec
        Of the arm, see :data:`imbllm_autogluon.bench.paper.arms.ARMS`.
    seed
        Of the arm and the classifier.
    threads
        torch threads.
    classifier
        One of :data:`imbllm_autogluon.bench.paper.classifiers.CLASSIFIERS`.

    Returns
    -------
    LearnedRows
        What the classifier learnt.
    dict
        See :func:`imbllm_autogluon.bench.paper.judge.figures`; ``rows added``, and ``seconds`` of preparing the rows
        and of fitting and judging the classifier.
    """
    for module in (*LOADED_FIRST, CLASSIFIERS[classifier].library):
        import_module(module)
    started = time.perf_counter()
    learned = learned_rows(split, spec, seed, threads)
    found = judged(learned, split, seed, classifier)
    seconds = time.perf_counter() - started
    return learned, {**found, ROWS: float(len(learned.y) - len(split.y)), SECONDS: seconds}
