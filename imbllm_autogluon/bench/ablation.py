"""``imbllm bench ablation``: every choice of ImbLLM changed alone, judged as in ``imbllm bench paper``.

Splits, coding, classifier and figures are those of :mod:`imbllm_autogluon.bench.paper`; the written rows are judged
too.
"""

from __future__ import annotations

import time
from functools import partial
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.ablation_arms import ablation_of
from imbllm_autogluon.bench.ablation_axes import CLOSE, COVERAGE
from imbllm_autogluon.bench.ablation_figure import draw
from imbllm_autogluon.bench.ablation_page import MEASURED, mean_figures, page_text, summary, with_gains
from imbllm_autogluon.bench.named_tables import cells_digest, packaged_and_named, require_distinct_names
from imbllm_autogluon.bench.paper import LOADED_FIRST, QUICK_REPEATS, QUICK_ROWS
from imbllm_autogluon.bench.paper_arms import learned_rows
from imbllm_autogluon.bench.paper_judge import judged
from imbllm_autogluon.bench.paper_page import ROWS, SECONDS, classes_text
from imbllm_autogluon.bench.paper_split import PaperSplit
from imbllm_autogluon.bench.pieces import Piece, all_measured, pieces_of
from imbllm_autogluon.bench.results import RESULTS, command_line, versions, write_results
from imbllm_autogluon.quality import evaluate
from imbllm_autogluon.quality.measures.coverage import NEIGHBOURS
from imbllm_autogluon.quality.measures.density import density_and_coverage
from imbllm_autogluon.randomness import child_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imbllm_autogluon.bench.ablation_arms import AblationArm
    from imbllm_autogluon.bench.paper_arms import LearnedRows
    from imbllm_autogluon.tables.labelled import LabelledTable

MOST_JUDGED = 2_000
"""Written rows that are looked at: shares among so many are known to 0.02."""

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
        What is changed, see :func:`imbllm_autogluon.bench.ablation_axes.axes_of`; none named: everything.
    settings
        Of ImbLLM in all arms, by their flat names.
    slow_arms
        The pretrained backbone too.
    quick
        At most 2 splits and 1000 rows.
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
    rows, repeats = (min(rows, QUICK_ROWS), min(repeats, QUICK_REPEATS)) if quick else (rows, repeats)
    ablation, read = ablation_of(axes, settings, slow=slow_arms), packaged_and_named(tables, rows)
    require_distinct_names([name for name, _ in read])
    # Split before anything is measured: a table that cannot be split is told of at once.
    classes = "\n".join(classes_text(name, PaperSplit.of(table, 0)) for name, table in read)
    tidy = with_gains(_measured(read, ablation.arms, repeats, threads, fresh), ablation)
    command = command_line("ablation", tables, rows=rows, repeats=repeats, threads=threads)
    command += _flags(axes, settings or {}, {"slow-arms": slow_arms, "quick": quick})
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw(mean_figures(tidy), ablation, folder / "ablation.png")
    text = page_text(tidy, ablation, classes, settings or {}, command, drawn=drawn)
    return write_results("ablation", tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: LabelledTable, arm: AblationArm, seed: int, threads: int) -> dict[str, float | None]:
    """Let one arm prepare one split, judge what a classifier learns from it, and judge the rows themselves.

    Parameters
    ----------
    table
        All rows.
    arm
        See :func:`imbllm_autogluon.bench.ablation_arms.ablation_of`.
    seed
        Of the split, the arm and the judges.
    threads
        torch threads.

    Returns
    -------
    dict
        See :func:`imbllm_autogluon.bench.paper_judge.figures` and :func:`written_figures`; ``rows added``, and
        ``seconds`` of preparing the rows and of fitting and judging the classifier.
    """
    split = PaperSplit.of(table, seed, arm.kept)
    for module in LOADED_FIRST:
        import_module(module)
    started = time.perf_counter()
    learned = learned_rows(split, arm.spec, seed, threads)
    found = judged(learned, split, seed)
    seconds = time.perf_counter() - started
    added = float(len(learned.y) - len(split.y))
    return {**found, **written_figures(learned, split, seed), ROWS: added, SECONDS: seconds}


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


def _measured(
    read: Sequence[tuple[str, LabelledTable]],
    arms: Mapping[str, AblationArm],
    repeats: int,
    threads: int,
    fresh: bool,
) -> pd.DataFrame:
    """One figure in each row: columns table, split, arm, metric and value; none where there is no figure."""
    keys = list(product(read, range(repeats), arms))
    digests = {name: cells_digest(table) for name, table in read}
    pieces = [
        Piece(
            f"{name} {arm} {split}",
            [arms[arm].spec, arms[arm].kept, threads, split, table.label, digests[name]],
            partial(measure, table, arms[arm], split, threads),
        )
        for (name, table), split, arm in keys
    ]
    found = all_measured(pieces_of("ablation", fresh=fresh), pieces)
    return pd.DataFrame(
        {"table": name, "split": split, "arm": arm, "metric": metric, "value": piece[metric]}
        for ((name, _), split, arm), piece in zip(keys, found, strict=True)
        for metric in MEASURED
        if piece[metric] is not None
    ).astype({"value": "float64"})


def _flags(axes: Sequence[str], settings: Mapping[str, Any], switches: Mapping[str, bool]) -> str:
    given = [f"--axis {name}" for name in axes]
    given += [f"--setting {key}={'none' if value is None else value}" for key, value in settings.items()]
    given += [f"--{name}" for name, on in switches.items() if on]
    return "".join(f" {text}" for text in given)
