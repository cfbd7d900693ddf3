"""``imbllm bench ablation``: every choice of ImbLLM changed alone, judged as in ``imbllm bench paper``.

Splits, coding, classifier and figures are those of :mod:`imbllm_autogluon.bench.paper.run`, but where an axis
changes them; the written rows are judged too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imbllm_autogluon.bench.ablation.arms import ablation_of
from imbllm_autogluon.bench.ablation.axes import CLOSE, COVERAGE
from imbllm_autogluon.bench.ablation.figure import draw
from imbllm_autogluon.bench.ablation.page import MEASURED, mean_figures, page_text, summary, with_gains
from imbllm_autogluon.bench.paper.pieces import PaperTables, judged_arm
from imbllm_autogluon.bench.paper.split import PaperSplit
from imbllm_autogluon.bench.pieces import pieces_of
from imbllm_autogluon.bench.results import RESULTS, command_line, flags, versions, write_results
from imbllm_autogluon.quality import evaluate
from imbllm_autogluon.quality.measures.coverage import NEIGHBOURS
from imbllm_autogluon.quality.measures.density import density_and_coverage
from imbllm_autogluon.randomness import child_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from imbllm_autogluon.bench.ablation.arms import AblationArm
    from imbllm_autogluon.bench.paper.arms import LearnedRows
    from imbllm_autogluon.tables.labelled import LabelledTable

MOST_JUDGED = 2_000
"""Written rows that are looked at: shares among so many are known to 0.02."""

QUICK_REPEATS = 1
"""Splits where a run is to be quick: there are five times as many arms as in `imbllm bench paper`."""

DRAWS = 20
"""Of as many written rows as there are test rows: all of them reach every test row (754 rows of a barely trained model
reached all 10 of `hypothyroid`), so that coverage would be 100 % for every arm."""


def run(
    tables: Sequence[str] = (),
    rows: int = 5000,
    repeats: int = 5,
    threads: int = 1,
    axes: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    slow_arms: bool = False,
    quick: bool = False,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``ablation.csv``, ``.md`` and ``.png``; returns the page.

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
    axes
        What is changed, see :func:`imbllm_autogluon.bench.ablation.axes.axes_of`; none named: everything.
    settings
        Of ImbLLM in all arms, by their flat names.
    slow_arms
        The pretrained backbone too.
    quick
        One split and at most 1000 rows.
    fresh
        Measure everything anew; of several processes that share the work, only the first may ask for it.
    folder
        Where to write.

    Raises
    ------
    InvalidInputError
        There is no such axis, a setting is not allowed, two tables have one name, or a table has no two classes of at
        least 25 rows.
    """
    ablation = ablation_of(axes, settings, slow=slow_arms)
    chosen = PaperTables.of(tables, rows, min(repeats, QUICK_REPEATS) if quick else repeats, quick=quick)
    work = pieces_of("ablation", fresh=fresh)
    tidy = chosen.measured(work, ablation.arms, list, measure, MEASURED, threads)
    tidy = with_gains(tidy, ablation)
    command = command_line("ablation", tables, rows=chosen.rows, repeats=chosen.repeats, threads=threads)
    command += flags(axis=axes, setting=settings or {}, slow_arms=slow_arms, quick=quick)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw(mean_figures(tidy), ablation, folder / "ablation.png")
    text = page_text(tidy, ablation, chosen.classes, settings or {}, command, drawn=drawn)
    return write_results("ablation", tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: LabelledTable, arm: AblationArm, seed: int, threads: int) -> dict[str, float | None]:
    """Let one arm prepare one split, judge what a classifier learns from it, and judge the rows themselves.

    Parameters
    ----------
    table
        All rows.
    arm
        See :func:`imbllm_autogluon.bench.ablation.arms.ablation_of`.
    seed
        Of the split, the arm and the judges.
    threads
        torch threads.

    Returns
    -------
    dict
        See :func:`imbllm_autogluon.bench.paper.pieces.judged_arm` and :func:`written_figures`.
    """
    split = PaperSplit.of(table, seed, arm.kept)
    learned, figures = judged_arm(split, arm.spec, seed, threads, arm.classifier)
    found = {**figures, **written_figures(learned, split, seed)}
    return {name: found[name] for name in MEASURED}


def written_figures(learned: LearnedRows, split: PaperSplit, seed: int) -> dict[str, float | None]:
    """Close probability and coverage of the new rows of the smallest class, percent, against its test rows alone.

    The few rows that are learned would say little of the class, and other things for every share of them that is kept.
    None without new rows, or where the class has too few test rows.
    """
    new = learned.X.iloc[len(split.y) :][(learned.y.iloc[len(split.y) :] == split.minority).to_numpy()]
    if new.empty:
        return {CLOSE: None, COVERAGE: None}
    real = split.test_X[(split.test_y == split.minority).to_numpy()].reset_index(drop=True)
    looked_at = new.sample(min(len(new), MOST_JUDGED), random_state=seed).reset_index(drop=True)
    close = evaluate(real, looked_at, seed=seed).measure(CLOSE).value
    return {CLOSE: None if close is None else 100.0 * close, COVERAGE: _coverage(real, looked_at, seed)}


def _coverage(real: pd.DataFrame, new: pd.DataFrame, seed: int) -> float | None:
    """Percent of the real rows that as many new ones reach, mean of some draws; None for too few real rows."""
    if len(real) <= NEIGHBOURS:
        return None
    sizes = min(len(real), len(new))
    draws = [new.sample(sizes, random_state=child_seed(seed, "order", "coverage", draw)) for draw in range(DRAWS)]
    shares = [density_and_coverage(real, drawn.reset_index(drop=True)).coverage for drawn in draws]
    return 100.0 * sum(shares) / DRAWS
