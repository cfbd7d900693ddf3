"""``imbllm bench paper``: ImbLLM beside the usual peers, by a classifier that learns the rows of each.

Protocol: a fifth of the rows to judge on, five seeds; a fifth of the smallest class kept among the rows to learn; every
rarer class brought to the size of the largest; XGBoost with its defaults.
"""

from __future__ import annotations

import time
from functools import partial
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.named_tables import cells_digest, packaged_and_named, require_distinct_names
from imbllm_autogluon.bench.paper_arms import arms_of, learned_rows
from imbllm_autogluon.bench.paper_judge import judged
from imbllm_autogluon.bench.paper_page import METRICS, ROWS, SECONDS, classes_text, page_text, summary
from imbllm_autogluon.bench.paper_split import PaperSplit
from imbllm_autogluon.bench.pieces import Piece, all_measured, pieces_of
from imbllm_autogluon.bench.results import RESULTS, command_line, versions, write_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

LOADED_FIRST = ("imbllm_autogluon.language.model", "imblearn.over_sampling", "xgboost")
"""Before the clock starts: the first arm would pay for loading them."""

QUICK_REPEATS, QUICK_ROWS = 2, 1000
"""Splits of a table and its rows, at most, where a run is to be quick."""


def run(
    tables: Sequence[str] = (),
    rows: int = 5000,
    repeats: int = 5,
    threads: int = 1,
    settings: Mapping[str, Any] | None = None,
    quick: bool = False,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``paper.csv`` and ``paper.md``; returns the page.

    Several processes may run the same command at once: each takes pieces that no other has in work.

    Parameters
    ----------
    tables
        ``FILE:LABEL`` or ``FILE:LABEL>=VALUE`` of tables beside the packaged one.
    rows
        Most rows of a table, learned and test rows together.
    repeats
        Splits of each table.
    threads
        torch threads; the classifier has one.
    settings
        Of ImbLLM, by their flat names.
    quick
        At most 2 splits and 1000 rows, without the generators that learn whole tables.
    fresh
        Measure everything anew; of several processes that share the work, only the first may ask for it.
    folder
        Where to write.

    Raises
    ------
    InvalidInputError
        A setting is not allowed, two tables have one name, or a table has no two classes of at least 25 rows.
    """
    rows, repeats = (min(rows, QUICK_ROWS), min(repeats, QUICK_REPEATS)) if quick else (rows, repeats)
    arms, read = arms_of(quick=quick, settings=settings), packaged_and_named(tables, rows)
    require_distinct_names([name for name, _ in read])
    # Split before anything is measured: a table that cannot be split is told of at once.
    classes = "\n".join(classes_text(name, PaperSplit.of(table, 0)) for name, table in read)
    keys = list(product(read, range(repeats), arms))
    digests = {name: cells_digest(table) for name, table in read}
    pieces = [
        Piece(
            f"{name} {arm} {split}",
            [arms[arm], threads, split, table.label, digests[name]],
            partial(measure, table, arms[arm], split, threads),
        )
        for (name, table), split, arm in keys
    ]
    found = all_measured(pieces_of("paper", fresh=fresh), pieces)
    tidy = pd.DataFrame(
        {"table": name, "split": split, "arm": arm, "metric": metric, "value": piece[metric]}
        for ((name, _), split, arm), piece in zip(keys, found, strict=True)
        for metric in (*METRICS, ROWS, SECONDS)
    )
    command = command_line("paper", tables, rows=rows, repeats=repeats, threads=threads) + _flags(settings, quick)
    text = page_text(tidy, classes, settings or {}, command)
    return write_results("paper", tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: LabelledTable, spec: Mapping[str, Any], seed: int, threads: int) -> dict[str, float]:
    """Let one arm prepare one split, and judge what a classifier learns from it.

    Parameters
    ----------
    table
        All rows.
    spec
        Of the arm, see :data:`imbllm_autogluon.bench.paper_arms.ARMS`.
    seed
        Of the split, the arm and the classifier.
    threads
        torch threads.

    Returns
    -------
    dict
        See :func:`imbllm_autogluon.bench.paper_judge.figures`; ``rows added``, and ``seconds`` of preparing the rows
        and of fitting and judging the classifier.
    """
    split = PaperSplit.of(table, seed)
    for module in LOADED_FIRST:
        import_module(module)
    started = time.perf_counter()
    learned = learned_rows(split, spec, seed, threads)
    found = judged(learned, split, seed)
    return {**found, ROWS: float(len(learned.y) - len(split.y)), SECONDS: time.perf_counter() - started}


def _flags(settings: Mapping[str, Any] | None, quick: bool) -> str:
    given = "".join(f" --setting {key}={'none' if value is None else value}" for key, value in (settings or {}).items())
    return given + (" --quick" if quick else "")
