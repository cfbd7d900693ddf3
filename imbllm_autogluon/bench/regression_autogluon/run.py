"""``imbllm bench regression-autogluon``: what LatentDiff and twins add to AutoGluon, by how rare a target is.

Protocol: a quarter of the rows to judge on, three seeds, one predictor on each split; arms are weighted ensembles over
subsets of its models, weighted by out-of-fold rows. Bins are fixed on the training targets.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.one_fit import FAMILIES
from imbllm_autogluon.bench.pieces import measured, pieces_of
from imbllm_autogluon.bench.regression.page import bins_text
from imbllm_autogluon.bench.regression.run import errors_by_shot
from imbllm_autogluon.bench.regression.tables import RegressionSplit, bundled_and_named
from imbllm_autogluon.bench.regression_autogluon.arms import ADDED, Plan, answering, costs, fitted
from imbllm_autogluon.bench.regression_autogluon.page import METRICS, page_text, summary
from imbllm_autogluon.bench.results import RESULTS, command_line, flags, versions, write_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.bench.regression.tables import RegressionTable

NAME = "regression_autogluon"


def run(
    tables: Sequence[str] = (),
    rows: int = 4000,
    bins: int = 50,
    repeats: int = 3,
    folds: int = 4,
    threads: int = 1,
    families: Sequence[str] = FAMILIES,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``regression_autogluon.csv`` and ``regression_autogluon.md``; returns the page.

    Parameters
    ----------
    tables
        ``FILE:TARGET`` of tables beside scikit-learn's diabetes.
    rows
        Most rows of a table, learned and unseen ones together.
    bins
        Most bins of a target; small tables have fewer, so that one of average size is not few-shot.
    repeats
        Splits of each table.
    folds
        Bagging folds.
    threads
        Threads of every model.
    families
        AutoGluon model keys, each with a twin.
    fresh
        Measure everything anew.
    folder
        Where to write.

    Raises
    ------
    InvalidInputError
        A table or a family cannot be used.
    """
    plan = Plan(families=tuple(families), folds=folds, bins=bins, threads=threads)
    work, read = pieces_of(NAME, fresh=fresh), bundled_and_named(tables, rows)
    entries = []
    for table, seed in product(read, range(repeats)):
        identity = [asdict(plan), seed, table.target.name, len(table.target)]
        piece = measured(work, f"{table.name} {seed}", identity, partial(measure, table, seed, plan))
        for arm, metric in product(ADDED, METRICS):
            if metric in piece[arm]:
                key = {"table": table.name, "split": seed, "arm": arm, "metric": metric}
                entries.append({**key, "value": piece[arm][metric]})
    tidy = pd.DataFrame(entries)
    printed = "\n".join(bins_text(table.name, RegressionSplit.of(table, 0, bins)) for table in read)
    options = {"rows": rows, "bins": bins, "repeats": repeats, "folds": folds, "threads": threads}
    command = command_line("regression-autogluon", tables, **options) + flags(family=families)
    text = page_text(tidy, printed, families, folds, command)
    return write_results(NAME, tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: RegressionTable, seed: int, plan: Plan) -> dict[str, dict[str, float]]:
    """Fit all models on one split and judge every arm on unseen rows.

    Returns figures of each arm, those of `METRICS` that the arm and the split have.
    """
    from imbllm_autogluon.jobs.base_job import quiet_libraries

    split = RegressionSplit.of(table, seed, plan.bins)
    with tempfile.TemporaryDirectory() as path, quiet_libraries():
        predictor = fitted(split, plan, Path(path) / "fit")
        models = {arm: answering(predictor, arm, plan.threads) for arm in ADDED}
        predicted = predictor.predict_multi(split.unseen_X, models=list(models.values()))
        return {
            arm: {**errors_by_shot(predicted[model].to_numpy(), split), **costs(predictor, arm, model)}
            for arm, model in models.items()
        }
