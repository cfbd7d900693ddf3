"""``imbllm bench autogluon``: what twins add to AutoGluon on tables with a rare class, beside the usual remedies.

Protocol: a quarter of the rows to judge on, three seeds; one predictor on each split holds the models of all arms but
class weights, which are a second one. Arms are weighted ensembles over subsets of its models.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.autogluon.arms import (
    ARMS,
    COSTS,
    WEIGHTS,
    Plan,
    answering,
    costs,
    fitted,
    fitted_with_weights,
)
from imbllm_autogluon.bench.autogluon.judge import judged
from imbllm_autogluon.bench.autogluon.page import METRICS, classes_text, page_text, summary
from imbllm_autogluon.bench.autogluon.split import ClassSplit
from imbllm_autogluon.bench.named_tables import cells_digest, packaged_and_named
from imbllm_autogluon.bench.one_fit import FAMILIES
from imbllm_autogluon.bench.pieces import Piece, all_measured, pieces_of
from imbllm_autogluon.bench.results import RESULTS, command_line, flags, versions, write_results
from imbllm_autogluon.plugin.ensemble_selection import ENSEMBLE_VERSION
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.fold import KEY_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.tables.labelled import LabelledTable

NAME = "autogluon"

Figures = dict[str, dict[str, float]]
"""Of each arm."""


def run(
    tables: Sequence[str] = (),
    rows: int = 3000,
    repeats: int = 3,
    folds: int = 4,
    threads: int = 1,
    families: Sequence[str] = FAMILIES,
    tuned: bool = False,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``autogluon.csv`` and ``autogluon.md``; returns the page.

    Several processes may run the same command at once: each takes fits that no other has in work.

    Parameters
    ----------
    tables
        ``FILE:LABEL`` or ``FILE:LABEL>=VALUE`` of tables beside the packaged one.
    rows
        Most rows of a table, learned and unseen ones together.
    repeats
        Splits of each table.
    folds
        Bagging folds.
    threads
        Threads of every model.
    families
        AutoGluon model keys, each with a twin.
    tuned
        Twins tuned by Optuna, too; they take longer than everything else.
    fresh
        Measure everything anew; of several processes that share the work, only the first may ask for it.
    folder
        Where to write.

    Raises
    ------
    InvalidInputError
        A family cannot be used, two tables have one name, or a table has no two classes of at least 16 rows.
    """
    plan = Plan(families=tuple(families), folds=folds, threads=threads, tuned=tuned)
    read = packaged_and_named(tables, rows)
    # Split before anything is measured: a table that cannot be split is told of at once.
    classes = "\n".join(classes_text(name, ClassSplit.of(table, 0)) for name, table in read)
    tidy = _tidy(read, repeats, plan, pieces_of(NAME, fresh=fresh))
    command = command_line(NAME, tables, rows=rows, repeats=repeats, folds=folds, threads=threads)
    command += flags(family=families, tuned=tuned)
    text = page_text(tidy, classes, families, folds, command)
    return write_results(NAME, tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: LabelledTable, seed: int, plan: Plan) -> Figures:
    """Fit the models of all arms but class weights on one split, and judge every arm on unseen rows.

    Returns figures of each arm, those of `METRICS` that the arm and the table have.
    """
    from imbllm_autogluon.jobs.base_job import quiet_libraries

    split = ClassSplit.of(table, seed)
    with tempfile.TemporaryDirectory() as path, quiet_libraries():
        return _judged_arms(fitted(split, plan, Path(path) / "fit"), split, plan.arms, plan.threads)


def measure_weights(table: LabelledTable, seed: int, plan: Plan) -> Figures:
    """The same of the arm whose rows weigh as much as their class is rare."""
    from imbllm_autogluon.jobs.base_job import quiet_libraries

    split = ClassSplit.of(table, seed)
    with tempfile.TemporaryDirectory() as path, quiet_libraries():
        return _judged_arms(fitted_with_weights(split, plan, Path(path) / "fit"), split, (WEIGHTS,), plan.threads)


def _judged_arms(predictor: TabularPredictor, split: ClassSplit, arms: Sequence[str], threads: int) -> Figures:
    models = {arm: answering(predictor, arm, threads) for arm in arms}
    answers = predictor.predict_proba_multi(split.test_X, models=list(models.values()))
    return {
        arm: {**judged(predictor, model, answers[model], split), **costs(predictor, arm, model)}
        for arm, model in models.items()
    }


def _tidy(read: Sequence[tuple[str, LabelledTable]], repeats: int, plan: Plan, work: Path) -> pd.DataFrame:
    """One measured value in each row."""
    keys = list(product(read, range(repeats)))
    digests = {name: cells_digest(table) for name, table in read}
    pieces = [piece for (name, table), split in keys for piece in _pieces(name, table, digests[name], split, plan)]
    found = all_measured(work, pieces)
    entries: list[dict[str, Any]] = []
    for place, ((name, _), split) in enumerate(keys):
        arms = {**found[2 * place], **found[2 * place + 1]}
        for arm, metric in product(ARMS, (*METRICS, *COSTS)):
            if metric in arms.get(arm, {}):
                key = {"table": name, "split": split, "arm": arm, "metric": metric}
                entries.append({**key, "value": arms[arm][metric]})
    return pd.DataFrame(entries)


def _pieces(name: str, table: LabelledTable, digest: int, split: int, plan: Plan) -> list[Piece]:
    """The two fits of a split; that with class weights depends on nothing about twins."""
    told = [split, table.label, digest]
    plain = [list(plan.families), plan.folds, plan.threads]
    ours = [KEY_VERSION, ENSEMBLE_VERSION, RebalanceConfig().flat(), list(plan.arms), asdict(plan)]
    return [
        Piece(f"{name} {split}", [*ours, *told], partial(measure, table, split, plan)),
        Piece(f"{name} {WEIGHTS} {split}", [plain, *told], partial(measure_weights, table, split, plan)),
    ]
