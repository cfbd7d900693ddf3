"""``imbllm bench quality``: how good rows of rare classes are that default settings write, beside the usual peers."""

from __future__ import annotations

import time
from functools import partial
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.named_tables import cells_digest, packaged_and_named
from imbllm_autogluon.bench.pieces import measured, pieces_of
from imbllm_autogluon.bench.quality.arms import QualitySplit, arms_of, written
from imbllm_autogluon.bench.quality.page import ROWS, SECONDS, classes_text, page_text, summary
from imbllm_autogluon.bench.results import RESULTS, command_line, flags, versions, write_results
from imbllm_autogluon.quality import evaluate
from imbllm_autogluon.rebalancing.fold import KEY_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

LOADED_FIRST = ("imbllm_autogluon.language.model", "imblearn.over_sampling", "sklearn.ensemble")
"""Before the clock starts: the first arm would pay for loading them."""


def run(
    tables: Sequence[str] = (),
    rows: int = 3000,
    repeats: int = 3,
    threads: int = 1,
    seed: int = 0,
    slow_arms: bool = False,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``quality.csv`` and ``quality.md``; returns the page.

    Parameters
    ----------
    tables
        ``FILE:LABEL`` or ``FILE:LABEL>=VALUE`` of tables beside the packaged one.
    rows
        Most rows of a table, learned and held-out ones together.
    repeats
        Splits of each table.
    threads
        torch threads.
    seed
        Of the first split; the others follow.
    slow_arms
        GReaT and Pred-LLM too.
    fresh
        Measure everything anew.
    folder
        Where to write.

    Raises
    ------
    InvalidInputError
        Two tables have one name, or a table has no rarer class of at least 9 rows.
    """
    work = pieces_of("quality", fresh=fresh)
    read = packaged_and_named(tables, rows)
    # Split before anything is measured: a table without a rare class is told of at once.
    classes = "\n".join(classes_text(name, QualitySplit.of(table, seed)) for name, table in read)
    digests = {name: cells_digest(table) for name, table in read}
    entries = []
    for (name, table), split, (arm, spec) in product(
        read, range(seed, seed + repeats), arms_of(slow=slow_arms).items()
    ):
        identity = [KEY_VERSION, spec, threads, split, table.label, digests[name]]
        piece = measured(work, f"{name} {arm} {split}", identity, partial(measure, table, spec, split, threads))
        entries += [{"table": name, "split": split, "arm": arm, **figure} for figure in _figures(piece)]
    tidy = pd.DataFrame(entries).astype({"value": "float64"})
    command = command_line("quality", tables, rows=rows, repeats=repeats, threads=threads, seed=seed)
    text = page_text(tidy, classes, command + flags(slow_arms=slow_arms))
    return write_results("quality", tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: LabelledTable, spec: Mapping[str, Any], seed: int, threads: int) -> dict[str, Any]:
    """Let one arm write rows for one split and judge them beside rows held out.

    Parameters
    ----------
    table
        All rows.
    spec
        Of the arm, see :data:`imbllm_autogluon.bench.quality.arms.ARMS`.
    seed
        Of the split, the arm and the judge.
    threads
        torch threads.

    Returns
    -------
    dict
        ``rows written``, ``seconds`` of training and writing, and ``measures``: value (None: not measurable) and
        verdict of each.
    """
    split = QualitySplit.of(table, seed)
    for module in LOADED_FIRST:
        import_module(module)
    started = time.perf_counter()
    compared = written(split, spec, seed, threads)
    seconds = time.perf_counter() - started
    found = evaluate(compared.real, compared.synthetic, label=table.label, holdout=split.holdout, seed=seed)
    judged = {one.name: {"value": one.value, "verdict": one.verdict} for one in found.measures}
    return {"measures": judged, ROWS: found.rows["synthetic"], SECONDS: seconds}


def _figures(piece: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, judged in piece["measures"].items():
        yield {"measure": name, **judged}
    for name in (ROWS, SECONDS):
        yield {"measure": name, "value": piece[name], "verdict": ""}
