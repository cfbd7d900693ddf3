"""Seconds of a whole AutoGluon fit with twins, over seconds of the fit without them.

Seconds of `TabularPredictor.fit` with and without twins, generators included: CPU seconds, which other work on the
machine does not stretch, and those of the clock. Each fit is a process of its own, and methods take turns. Twins double
the models, so 2 is what a fit of everything twice costs.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.ensembles import BAGGED
from benchmarks.protocol import COLUMNS, Claim, Metric, Option, Options, Protocol, Spec, Task, in_own_process
from benchmarks.report import claims, medians

if TYPE_CHECKING:
    from benchmarks.tables import Table

PLAIN, IMBLLM = "plain", "plain + ImbLLM twins"

RATIOS = {"seconds": "x plain", "CPU seconds": "CPU x plain"}
"""Figures over those of the plain fit of the same split, and what they are of."""


def measure(task: Task) -> dict[str, float]:
    """Figures of one fit, in a process of its own."""
    own = task.options["family"], task.options["folds"], task.threads
    figures: dict[str, float] = in_own_process(fit, task.table, task.spec, *own)
    return figures


def fit(table: Table, spec: Spec, families: list[str], folds: int, threads: int) -> dict[str, float]:
    """Fit the families, with twins unless the method is none; all seconds, those of generators, and models."""
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.fit import quiet_libraries
    from imbllm_autogluon.plugin.portfolio import RebalanceCallback

    *_, rarest = table.counts
    binary = {"eval_metric": "average_precision", "positive_class": rarest}
    judge = binary if len(table.counts) == 2 else {"eval_metric": "log_loss"}
    twins: dict[str, Any] = {} if spec["method"] == "none" else {"callbacks": [[RebalanceCallback, dict(spec)]]}
    with tempfile.TemporaryDirectory() as path, quiet_libraries():
        predictor = TabularPredictor(table.label, path=str(Path(path) / "fit"), verbosity=0, **judge)
        started, used = time.perf_counter(), sum(os.times()[:4])
        own = {"hyperparameters": {family: {} for family in families}, "num_bag_folds": folds, "num_cpus": threads}
        predictor.fit(table.frame, **own, **BAGGED, **twins)
        seconds, cpu = time.perf_counter() - started, sum(os.times()[:4]) - used
        board = predictor.leaderboard().set_index("model")
    generators = board["fit_time_marginal"][board.index.str.startswith("ImbLLM")].sum()
    return {"seconds": seconds, "CPU seconds": cpu, "generators": float(generators), "models": float(len(board))}


def describe(table: Table, _options: Options) -> str:
    """Size of the table."""
    *_, rarest = table.counts
    rows, columns = table.features.shape
    return f"{rows:,} rows, {columns} columns, {table.counts[rarest]:,} of the rare class"


def costs(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """Whether the cost is as low as asked, and medians of figures and ratios."""
    both = pd.concat([tidy, *(ratios(tidy, metric, name) for metric, name in RATIOS.items())])
    return "\n\n".join(text for text in (claims(both, protocol), medians(both, protocol)) if text)


def ratios(tidy: pd.DataFrame, metric: str, name: str) -> pd.DataFrame:
    """A metric over that of the plain method of the same split, under a name of its own."""
    own = tidy[tidy["metric"] == metric]
    plain = own[own["method"] == PLAIN].set_index(["table", "split"])["value"]
    base = plain.reindex(pd.MultiIndex.from_frame(own[["table", "split"]])).to_numpy()
    return own.assign(metric=name, value=own["value"] / base)


PROTOCOL = Protocol(
    name="overhead",
    about=__doc__,
    methods={
        PLAIN: {"method": "none"},
        IMBLLM: {"method": "imbllm"},
        "plain + SMOTE-NC twins": {"method": "smote_nc"},
        "plain + duplicating twins": {"method": "random"},
    },
    always=(PLAIN,),
    measure=measure,
    metrics=(
        Metric("seconds", "of the whole fit, by the clock", "lower", 1),
        Metric("CPU seconds", "of the whole fit, of all its threads and processes", "lower", 1),
        Metric("generators", "seconds of training and writing", "lower", 1),
        Metric("models", "", "", 0),
        Metric(RATIOS["seconds"], "seconds over those of the plain fit of the same split", "lower", 2),
        Metric(RATIOS["CPU seconds"], "the same of CPU seconds", "lower", 2),
    ),
    tables=("hypothyroid", "seeded:10000x15:500"),
    rows=10_000,
    repeats=1,
    options={
        "family": Option(list[str], ("GBM", "CAT", "XGB", "RF", "LR"), "AutoGluon model key; repeatable."),
        "folds": Option(int, 4, "Of bagging."),
    },
    describe=describe,
    claims=tuple(Claim(IMBLLM, ratio, highest=2.0) for ratio in RATIOS.values()),
    page=(costs,),
    columns={**COLUMNS, "table": "dataset"},
)
