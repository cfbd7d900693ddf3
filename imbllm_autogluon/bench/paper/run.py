"""``imbllm bench paper``: ImbLLM beside the usual peers, by a classifier that learns the rows of each.

Protocol: a fifth of the rows to judge on, five seeds; a fifth of the smallest class kept among the rows to learn; every
rarer class brought to the size of the largest; XGBoost with its defaults.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.bench.paper.arms import arms_of
from imbllm_autogluon.bench.paper.page import METRICS, ROWS, SECONDS, page_text, summary
from imbllm_autogluon.bench.paper.pieces import PaperTables, judged_arm
from imbllm_autogluon.bench.paper.split import KEPT_SHARE, PaperSplit
from imbllm_autogluon.bench.pieces import pieces_of
from imbllm_autogluon.bench.results import RESULTS, command_line, flags, versions, write_results

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

NAME = "paper"


def run(
    tables: Sequence[str] = (),
    rows: int = 5000,
    repeats: int = 5,
    threads: int = 1,
    arms: Sequence[str] = (),
    kept: float = KEPT_SHARE,
    settings: Mapping[str, Any] | None = None,
    quick: bool = False,
    fresh: bool = False,
    name: str = NAME,
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
    arms
        Beside no treatment, class weights, duplication, SMOTE-NC and ImbLLM; none named: all but the slow ones, see
        :data:`imbllm_autogluon.bench.paper.arms.SLOW_ARMS`.
    kept
        Share of the smallest class's rows to learn that is kept; 1 leaves tables as imbalanced as they are.
    settings
        Of ImbLLM, by their flat names.
    quick
        At most 2 splits and 1000 rows, without the generators that learn whole tables.
    fresh
        Measure everything anew; of several processes that share the work, only the first may ask for it.
    name
        Of the result files, for runs that are to stand beside another one.
    folder
        Where to write.

    Raises
    ------
    InvalidInputError
        A setting is not allowed, two tables have one name, or a table has no two classes of at least 25 rows.
    """
    specs = arms_of(arms, quick=quick, settings=settings)
    chosen = PaperTables.of(tables, rows, repeats, kept=kept, quick=quick)
    figures = (*METRICS, ROWS, SECONDS)
    tidy = chosen.measured(
        pieces_of(NAME, fresh=fresh),
        specs,
        lambda spec: [spec, *([] if kept == KEPT_SHARE else [kept])],
        partial(measure, kept=kept),
        figures,
        threads,
    )
    other = {"kept": None if kept == KEPT_SHARE else kept, "results": None if name == NAME else name}
    command = command_line(NAME, tables, rows=chosen.rows, repeats=chosen.repeats, threads=threads, **other)
    command += flags(arm=arms, setting=settings or {}, quick=quick)
    text = page_text(tidy, chosen.classes, settings or {}, command)
    return write_results(name, tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(
    table: LabelledTable, spec: Mapping[str, Any], seed: int, threads: int, *, kept: float = KEPT_SHARE
) -> dict[str, float]:
    """Let one arm prepare one split, and judge what a classifier learns from it.

    Parameters
    ----------
    table
        All rows.
    spec
        Of the arm, see :data:`imbllm_autogluon.bench.paper.arms.ARMS`.
    seed
        Of the split, the arm and the classifier.
    threads
        torch threads.
    kept
        Share of the smallest class's rows that is learned.

    Returns
    -------
    dict
        See :func:`imbllm_autogluon.bench.paper.pieces.judged_arm`.
    """
    return judged_arm(PaperSplit.of(table, seed, kept), spec, seed, threads)[1]
