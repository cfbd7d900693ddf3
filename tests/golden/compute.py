"""Rows, reports and leaderboards of fixed settings and seeds: ``python -m tests.golden.compute FILE``.

Run it through :func:`tests.golden.process.computed`, which chooses kernels that every x86-64 processor has.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tests.golden.process import versions
from tests.golden.tables import TABLES, class_table, houses, people, target_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.jobs.fit import FitJob

METHODS = ("imbllm", "great", "pred_llm", "smote_nc", "random", "smogn")
SEEDS = (0, 1)
QUICK: dict[str, Any] = {"pretrain_steps": 12, "steps": 6, "batch_size": 8, "plausibility": 0.0}
"""The compact model as it is, but for few steps; rows it could not make plausible yet would be drawn for ever."""

DIGITS = 5
"""Significant digits of stored numbers."""

NO_RESULT = re.compile(r"(^|_)seconds$|^(made|versions|source|format)$")
"""Keys of a report that say when, where and how fast."""

HASH = re.compile(r"[0-9a-f]{40}")


def rows(method: str, table: str, seed: int) -> list[str]:
    """``name dtype hash`` of each column of the rows that a method writes, in their order; the label last."""
    from imbllm_autogluon.rebalancing import Fold, RebalanceConfig, plan_fold

    task = "regression" if method == "smogn" else "classification"
    X, y = target_table(table) if method == "smogn" else class_table(table)
    learning = QUICK if method in ("imbllm", "great", "pred_llm") else {}
    config = RebalanceConfig.from_flat({"method": method, "random_state": seed, **learning})
    made = Fold(X, y, plan_fold(y, config, task), {}).rows(config, None, threads=1)
    columns = [made.X.iloc[:, j] for j in range(made.X.shape[1])] + [made.y]
    return [f"{column.name} {column.dtype} {_hash(column)}" for column in columns]


def _hash(column: pd.Series) -> str:
    """Of a column's cells, as they print: floats in full, a gap unlike any text."""
    cells = "\n".join("<missing>" if pd.isna(cell) else repr(cell) for cell in column.tolist())
    return hashlib.sha256(cells.encode()).hexdigest()[:8]


def quality() -> dict[str, Any]:
    """Facts of the report of SMOTE-NC rows next to real ones."""
    from imbllm_autogluon.oversampling.baselines import smote_nc
    from imbllm_autogluon.quality import report

    X, y = class_table("mixed")
    real, held_out = X.assign(bought=y).head(45), X.assign(bought=y).tail(15)
    made, labels = smote_nc(real.drop(columns="bought"), real["bought"], {"yes": 25, "no": 10}, seed=0)
    return report(real, made.assign(bought=labels), label="bought", holdout=held_out).to_dict()


def jobs(folder: Path) -> Iterator[tuple[str, FitJob]]:
    """Fits of two classes with a test table, of three classes by GReaT, and of a target."""
    from imbllm_autogluon.jobs import twins
    from imbllm_autogluon.jobs.fit import FitJob
    from imbllm_autogluon.tables.labeled import LabeledTable

    twins._LEAST_FOR_IMPORTANCE = math.inf  # else the load of the machine chooses whose columns are weighed
    shared: dict[str, Any] = {"threads": 1, "verbosity": 0, "folds": 2, "duplicates": False}
    two = {"no": 90, "yes": 24}
    yield (
        "two classes",
        FitJob(
            LabeledTable.from_frame(people(two, 0), "label", "rows"),
            folder / "two",
            LabeledTable.from_frame(people(two, 1), "label", "test"),
            families=("LR",),
            settings=QUICK,
            **shared,
        ),
    )
    yield (
        "several classes",
        FitJob(
            LabeledTable.from_frame(people({"a": 80, "b": 30, "c": 16}, 2), "label", "rows"),
            folder / "several",
            families=("LR",),
            settings={"method": "great", **QUICK},
            **shared,
        ),
    )
    latent_diff = {
        "encoder_epochs": 3,
        "encoder_width": 16,
        "feature_size": 4,
        "diffusion_steps": 5,
        "denoiser_width": 8,
    }
    yield (
        "a target",
        FitJob(
            LabeledTable.from_frame(houses(120, 0), "price", "rows", task="regression"),
            folder / "target",
            LabeledTable.from_frame(houses(60, 1), "price", "test", task="regression"),
            families=("GBM",),
            settings={"method": "smogn", "n_bins": 8},
            latent_diff=latent_diff,
            **shared,
        ),
    )


def fit(job: FitJob) -> dict[str, Any]:
    """The report of a job, with what it finds about written rows."""
    from imbllm_autogluon.jobs.report import report_fit

    return report_fit(job.run()).facts


def plain(value: Any) -> Any:
    """A report without what differs from run to run, its numbers rounded."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if not NO_RESULT.search(str(key))}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return HASH.sub("<key>", value) if isinstance(value, str) else value


def everything(folder: Path) -> dict[str, Any]:
    """All that is stored."""
    made = {
        method: {f"{table}, seed {seed}": rows(method, table, seed) for table in TABLES for seed in SEEDS}
        for method in METHODS
    }
    reports, leaderboards = {"quality": plain(quality())}, {}
    for name, job in jobs(folder):
        report = plain(fit(job))
        board = report.pop("leaderboard")  # in which the order of equal scores is any
        leaderboards[name] = sorted(board, key=lambda model: (-(model["score_val"] or 0.0), model["model"]))
        reports[name] = report
    return {"versions": versions(), "rows": made, "leaderboards": leaderboards, "reports": reports}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        found = everything(Path(scratch))
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
