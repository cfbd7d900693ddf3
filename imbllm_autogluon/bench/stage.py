"""``imbllm bench stage``: what rebalancing one fold costs, in seconds and memory, beside SMOTE-NC and duplication.

Every arm runs in a process of its own, so that peak memory is its own; arms take turns, so that a drifting machine
treats them alike.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.results import RESULTS, versions, write_results
from imbllm_autogluon.bench.tables import mixed_table
from imbllm_autogluon.bench.validity import legal_rows

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

PEERS = {"SMOTE-NC": "smote_nc", "random oversampling": "random"}
"""Method behind each arm that trains nothing."""

ARMS = ("ImbLLM", *PEERS)
MIB = 2**20


def run(rows: int = 3000, columns: int = 15, minority: int = 80, threads: int = 2, repeats: int = 3) -> Path:
    """Measure all arms and write ``results/stage.csv`` and ``results/stage.md``; returns the page.

    Parameters
    ----------
    rows, columns, minority
        Size of the fold; the rare class grows to the size of the other.
    threads
        torch threads.
    repeats
        Runs of each arm, each on a table of another seed.
    """
    measured = []
    for seed in range(repeats):
        for arm in ARMS:
            figures = in_own_process(arm, rows, columns, minority, threads, seed)
            measured += [
                {"dataset": f"{rows}x{columns}", "split": seed, "arm": arm, "metric": m, "value": v}
                for m, v in figures.items()
            ]
    tidy = pd.DataFrame(measured).assign(versions=versions())
    text = (
        f"One fold of {rows:,} rows and {columns} columns with {minority} rows of the rare class, brought to 1:1 with "
        f"{threads} torch threads; median (minimum to maximum) of {repeats} tables. Memory is the peak of a process of "
        "its own, libraries included; `valid` is the share of written rows whose every cell is a legal value of its "
        "column (SMOTE-NC gets medians for missing numbers, and does not round to a column's decimals).\n\n"
        f"Command: `imbllm bench stage --rows {rows} --columns {columns} --minority {minority} "
        f"--threads {threads}`."
    )
    return write_results("stage", tidy, summary(tidy), text, RESULTS)


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm: median and spread of every figure."""
    spread = tidy.groupby(["arm", "metric"])["value"].agg(["median", "min", "max"])
    cells = {key: f"{row['median']:,.3g} ({row['min']:,.3g} to {row['max']:,.3g})" for key, row in spread.iterrows()}
    metrics = list(dict.fromkeys(tidy["metric"]))
    return pd.DataFrame([{"arm": arm, **{m: cells.get((arm, m), "") for m in metrics}} for arm in ARMS])


def in_own_process(*arguments: Any) -> dict[str, float]:
    """Run :func:`measure` in a fresh interpreter."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def measure(arm: str, rows: int, columns: int, minority: int, threads: int, seed: int) -> dict[str, float]:
    """Figures of one arm on one table: seconds, rows for each second of writing, peak MiB, share of valid rows."""
    X, y = mixed_table(rows, columns, minority, seed)
    started = time.perf_counter()
    figures = _imbllm(X, y, threads, seed) if arm == "ImbLLM" else _peer(X, y, arm, seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": time.perf_counter() - started, **figures, "peak MiB": peak / MIB}


def _imbllm(X: pd.DataFrame, y: pd.Series, threads: int, seed: int) -> dict[str, float]:
    from imbllm_autogluon.oversampling import ImbLLM

    generator = ImbLLM(random_state=seed, threads=threads).fit(X, y, _missing_rows(y))
    written, _ = generator.sample()
    return {
        "training seconds": generator.report.training_seconds,
        "rows/s of writing": len(written) / generator.report.sampling_seconds,
        "valid": valid_share(written, X),
    }


def _peer(X: pd.DataFrame, y: pd.Series, arm: str, seed: int) -> dict[str, float]:
    import imblearn.over_sampling  # noqa: F401 - loading it is no part of writing rows

    from imbllm_autogluon.oversampling.baselines import BASELINES

    started = time.perf_counter()
    written, _ = BASELINES[PEERS[arm]](X, y, _missing_rows(y), seed=seed)
    return {"rows/s of writing": len(written) / (time.perf_counter() - started), "valid": valid_share(written, X)}


def _missing_rows(y: pd.Series) -> dict[Hashable, int]:
    """Rows that bring the rare class to the size of the other."""
    sizes = y.value_counts()
    return {"rare": int(sizes["usual"] - sizes["rare"])}


def valid_share(written: pd.DataFrame, real: pd.DataFrame) -> float:
    """Share of rows whose every cell is a legal value of its column: on the lattice, in range, or a known category.

    Judged by the decimals and levels of the real table alone, not by the schema that the generator works with.
    """
    return float(legal_rows(written, real).mean())
