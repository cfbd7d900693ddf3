"""``imbllm bench regression``: LatentDiff beside its peers on one encoder, by many-, medium- and few-shot targets.

Protocol: a quarter of the rows to judge on, three seeds, bins of equal width fixed on the training targets and printed.
"""

from __future__ import annotations

import functools
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.pieces import measured, pieces_of
from imbllm_autogluon.bench.regression.arms import ARMS, arms_of, fitted
from imbllm_autogluon.bench.regression.feature_quality import feature_quality
from imbllm_autogluon.bench.regression.page import LATENT_DIFF, METRICS, bins_text, page_text, summary
from imbllm_autogluon.bench.regression.tables import RegressionSplit, bundled_and_named
from imbllm_autogluon.bench.results import RESULTS, command_line, flags, versions, write_results
from imbllm_autogluon.regression.metrics import shot_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from imbllm_autogluon.bench.regression.arms import Arm
    from imbllm_autogluon.bench.regression.tables import RegressionTable
    from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor


def run(
    tables: Sequence[str] = (),
    rows: int = 4000,
    bins: int = 50,
    repeats: int = 3,
    threads: int = 1,
    slow_arms: bool = False,
    ablations: bool = False,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``regression.csv`` and ``regression.md``; returns the page.

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
    threads
        torch threads.
    slow_arms
        Rows written by ImbLLM too.
    ablations
        LatentDiff with one setting changed at a time too.
    fresh
        Measure everything anew.
    folder
        Where to write.
    """
    work = pieces_of("regression", fresh=fresh)
    arms = arms_of(slow=slow_arms, ablations=ablations)
    read = bundled_and_named(tables, rows)
    entries = []
    for table, seed, (name, arm) in product(read, range(repeats), arms.items()):
        identity = [arm.source, dict(arm.settings), bins, threads, seed, table.target.name, len(table.target)]
        piece = measured(
            work, f"{table.name} {name} {seed}", identity, partial(measure, table, arm, seed, bins, threads)
        )
        key = {"table": table.name, "split": seed, "arm": name}
        entries += [{**key, "metric": metric, "value": piece[metric]} for metric in METRICS if metric in piece]
    tidy = pd.DataFrame(entries)
    printed = "\n".join(bins_text(table.name, RegressionSplit.of(table, 0, bins)) for table in read)
    command = command_line("regression", tables, rows=rows, bins=bins, repeats=repeats, threads=threads)
    text = page_text(tidy, printed, command + flags(slow_arms=slow_arms, ablations=ablations))
    return write_results("regression", tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: RegressionTable, arm: Arm, seed: int, bins: int, threads: int) -> dict[str, float]:
    """Fit one arm on one split and judge it on unseen rows.

    Returns one figure for each of `METRICS` that the arm and the split have: no errors of shots without unseen rows.
    """
    split = _split(table, seed, bins)
    regressor, seconds = fitted(arm, split, seed, threads)
    figures = {**judge(regressor, split), **_generated(regressor, len(split.y)), "fit s": seconds}
    if arm == ARMS[LATENT_DIFF]:
        figures |= feature_quality(regressor.model_, split.X, split.y.to_numpy(dtype=float), seed)
    return figures


@functools.lru_cache(maxsize=1)
def _split(table: RegressionTable, seed: int, bins: int) -> RegressionSplit:
    """The same object for all arms of a split, which share an encoder by it."""
    return RegressionSplit.of(table, seed, bins)


def judge(regressor: LatentDiffRegressor, split: RegressionSplit) -> dict[str, float]:
    """Errors on unseen rows and number of these, over all and by shots; absent without rows."""
    return errors_by_shot(regressor.predict(split.unseen_X), split)


def errors_by_shot(predicted: npt.ArrayLike, split: RegressionSplit) -> dict[str, float]:
    """The same of predictions for the unseen rows, shape (n,)."""
    counts = split.bins.counts(split.y.to_numpy())
    errors = shot_metrics(split.unseen_y.to_numpy(), predicted, split.bins, counts)
    return {
        f"{shot} {metric}": float(value)
        for shot, figures in errors.to_dict(orient="index").items()
        for metric, value in figures.items()
        if figures["n"]
    }


def _generated(regressor: LatentDiffRegressor, n_rows: int) -> dict[str, float]:
    """How many features were generated and passed the gate, where any were."""
    bins = regressor.report_.bins
    if "drawn" not in bins or not bins["drawn"].sum():
        return {}
    synthetic, accepted = bins["kept"].sum() / n_rows, bins["accepted"].sum() / bins["drawn"].sum()
    return {"synthetic": 100 * float(synthetic), "accepted": 100 * float(accepted)}
