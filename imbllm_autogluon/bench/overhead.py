"""``imbllm bench overhead``: seconds of a whole fit with twins over seconds of the fit without them."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.pieces import piece_stem, pieces_of, stored_piece
from imbllm_autogluon.bench.results import RESULTS, versions, write_results
from imbllm_autogluon.bench.tables import mixed_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLAIN = "plain"

ARMS: Mapping[str, dict[str, Any] | None] = {
    PLAIN: None,
    "plain + ImbLLM twins": {},
    "plain + SMOTE-NC twins": {"method": "smote_nc"},
    "plain + duplicating twins": {"method": "random"},
}
"""Settings of the twins of each arm, in the order of their turns."""

FAMILIES = ("GBM", "CAT", "XGB", "RF", "LR")

LARGE_ROWS, LARGE_COLUMNS, LARGE_RARE = 10_000, 15, 500
"""Size of the seeded table."""

LABEL = "label"


def run(
    families: Sequence[str] = FAMILIES,
    folds: int = 4,
    repeats: int = 1,
    threads: int = 1,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``overhead.csv`` and ``overhead.md``; returns the page.

    Parameters
    ----------
    families
        AutoGluon model keys.
    folds
        Bagging folds.
    repeats
        Fits of each arm on each table.
    threads
        Threads of each model and generator.
    fresh
        Measure everything anew instead of going on after an interrupted run.
    folder
        Where to write.
    """
    work = pieces_of("overhead", fresh=fresh)
    entries = []
    for repetition in range(repeats):
        for table in TABLES:
            for arm, twins in ARMS.items():
                name = f"{table} {arm} {repetition}"
                identity = [table, twins, list(families), folds, threads, repetition]
                stem = piece_stem(work, name, identity)
                piece = stored_piece(stem, name, partial(in_own_process, table, twins, families, folds, threads))
                key = {"dataset": table, "split": repetition, "arm": arm}
                entries += [{**key, "metric": metric, "value": piece[metric]} for metric in METRICS]
    tidy = pd.DataFrame(entries)
    text = (
        f"Seconds of `TabularPredictor.fit` with {', '.join(families)} in {folds} folds, {threads} thread(s); each fit "
        f"in a process of its own, arms in turn; median of {repeats}. `x plain`: ratio to the plain fit of the same "
        "turn; twins double the models, so 2 is what a fit of everything twice costs. `generators`: seconds of "
        f"training and writing.\n\n{_sizes()}\n\nCommand: `imbllm bench overhead --folds {folds} --repeats {repeats} "
        f"--threads {threads}{''.join(f' --family {family}' for family in families)}`."
    )
    return write_results("overhead", tidy.assign(versions=versions()), summary(tidy), text, folder)


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and arm: medians, and the ratio to the plain fit of the same turn."""
    wide = tidy.pivot_table("value", ["dataset", "split", "arm"], "metric", sort=False).reset_index()
    plain = wide[wide["arm"] == PLAIN].set_index(["dataset", "split"])["seconds"]
    keys = pd.MultiIndex.from_frame(wide[["dataset", "split"]])
    wide["x plain"] = wide["seconds"] / plain.reindex(keys).to_numpy()
    medians = wide.groupby(["dataset", "arm"], sort=False)[["seconds", "generators", "models", "x plain"]].median()
    return medians.round({"seconds": 1, "generators": 1, "models": 0, "x plain": 2}).reset_index()


def in_own_process(*arguments: Any) -> dict[str, float]:
    """Run :func:`measure` in a fresh interpreter."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def measure(
    table: str, twins: Mapping[str, Any] | None, families: Sequence[str], folds: int, threads: int
) -> dict[str, float]:
    """Figures of one fit: all seconds, those of generators, and the number of models."""
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.base_job import quiet_libraries
    from imbllm_autogluon.plugin.callback import RebalanceCallback

    rows, rare = TABLES[table]()
    arguments: dict[str, Any] = {} if twins is None else {"callbacks": [[RebalanceCallback, dict(twins)]]}
    with tempfile.TemporaryDirectory() as path, quiet_libraries():
        predictor = TabularPredictor(
            LABEL, eval_metric="average_precision", positive_class=rare, path=str(Path(path) / "fit"), verbosity=0
        )
        started = time.perf_counter()
        predictor.fit(
            rows,
            hyperparameters={family: {} for family in families},
            num_bag_folds=folds,
            num_stack_levels=0,
            dynamic_stacking=False,
            num_cpus=threads,
            num_gpus=0,
            ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
            **arguments,
        )
        seconds = time.perf_counter() - started
        board = predictor.leaderboard().set_index("model")
        generators = board["fit_time_marginal"][board.index.str.startswith("ImbLLM")].sum()
        return {"seconds": seconds, "generators": float(generators), "models": float(len(board))}


METRICS = ("seconds", "generators", "models")


def _packaged() -> tuple[pd.DataFrame, str]:
    from imbllm_autogluon.datasets import load_hypothyroid

    X, y = load_hypothyroid()
    return X.assign(**{LABEL: y}), "hypothyroid"


def _large() -> tuple[pd.DataFrame, str]:
    X, y = mixed_table(LARGE_ROWS, LARGE_COLUMNS, LARGE_RARE)
    return X.assign(**{LABEL: y}), "rare"


TABLES = {"hypothyroid": _packaged, f"mixed, {LARGE_ROWS:,} rows": _large}
"""Rows with their label, and the rare class, by name."""


def _sizes() -> str:
    lines = []
    for name, make in TABLES.items():
        rows, rare = make()
        n_rare = int((rows[LABEL] == rare).sum())
        lines.append(f"- `{name}`: {len(rows):,} rows, {rows.shape[1] - 1} columns, {n_rare} of the rare class")
    return "\n".join(lines)
