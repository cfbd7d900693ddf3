"""What rebalancing one fold costs, in seconds and memory, next to SMOTE-NC and duplication.

Seconds and memory of rebalancing one fold to 1:1. Each run is a process of its own, and methods take turns, so that a
drifting machine treats them alike. SMOTE-NC gets medians for missing numbers, and does not round to a column's
decimals.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.methods import IMBLLM, PEERS, RANDOM, SMOTE_NC, chosen
from benchmarks.protocol import COLUMNS, Metric, Protocol, Spec, Task, in_own_process
from benchmarks.report import medians
from benchmarks.speed.great_worker import peak_memory
from benchmarks.speed.rare_rows import legal_rows

if TYPE_CHECKING:
    from benchmarks.tables import Table


def measure(task: Task) -> dict[str, float]:
    """Figures of one method, in a process of its own."""
    figures: dict[str, float] = in_own_process(rebalance, task.table, task.spec, task.split, task.threads)
    return figures


def rebalance(table: Table, spec: Spec, seed: int, threads: int) -> dict[str, float]:
    """Bring every class to the size of the largest; seconds, rows written per second, share of valid rows, peak MiB."""
    sizes = table.counts
    counts = {label: max(sizes.values()) - n for label, n in sizes.items() if n < max(sizes.values())}
    is_peer = spec["method"] in PEERS
    import_module("imblearn.over_sampling" if is_peer else "imbllm_autogluon.language.model")  # before the clock
    started = time.perf_counter()
    if is_peer:
        written, _ = PEERS[spec["method"]](table.features, table.labels, counts, seed=seed)
        own = {}
        sampling = time.perf_counter() - started
    else:
        from imbllm_autogluon.oversampling.methods import generator_of

        generator = generator_of(spec, random_state=seed, threads=threads).fit(table.features, table.labels, counts)
        written, _ = generator.sample()
        own, sampling = {"training seconds": generator.report.training_seconds}, generator.report.sampling_seconds
    figures = {"seconds": time.perf_counter() - started, **own, "rows/s of writing": len(written) / sampling}
    return {**figures, "valid": float(legal_rows(written, table.features).mean()), **peak_memory("cpu")}


PROTOCOL = Protocol(
    name="stage",
    about=__doc__,
    methods=chosen(IMBLLM, SMOTE_NC, RANDOM),
    measure=measure,
    metrics=(
        Metric("seconds", "of the whole stage", "lower", 3),
        Metric("training seconds", "of the language model", "lower", 2),
        Metric("rows/s of writing", "rows written in a second", "higher", 0),
        Metric("valid", "share of written rows whose every cell is a legal value of its column", "higher", 2),
        Metric("peak MiB", "peak memory of the process, libraries included", "lower", 0),
    ),
    tables=("seeded:3000x15:80",),
    threads=2,
    page=(medians,),
    columns={**COLUMNS, "table": "dataset"},
)
