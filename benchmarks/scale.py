"""CPU seconds and peak memory where tables are large: a fit with twins, and the commands on a million rows.

CPU seconds and peak memory, table and libraries included, each in a process of its own on one thread. Fits (GBM and
XGB) are measured on the tables of fewer than 500,000 rows, reading not counted; commands, sampler and `PredLLM` on the
larger ones, from a CSV file or, within Python, from a Parquet file.
"""

from __future__ import annotations

import resource
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.overhead import PLAIN, describe, fit, ratios
from benchmarks.protocol import COLUMNS, Metric, Option, Protocol, Spec, Task, in_own_process
from benchmarks.report import medians
from benchmarks.speed.great_worker import peak_memory
from benchmarks.tables import Table
from imbllm_autogluon.tables.io import write_table

if TYPE_CHECKING:
    from collections.abc import Callable

CPU, PEAK = "CPU seconds", "peak MiB"
_LARGE = 500_000  # rows from which commands are measured instead of fits
_NEW_ROWS, _RATIO = 50_000, 0.05  # rows to write; rare over usual rows afterwards


def measure(task: Task) -> dict[str, float]:
    """Figures of one case in a process of its own; none where it is not for tables of this size."""
    is_large = len(task.table.frame) >= _LARGE
    if is_large == ("method" in task.spec):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ("table.csv" if task.spec.get("case") in ("sample", "train") else "table.parquet")
        write_table(task.table.frame, file)
        return dict(
            in_own_process(_large if is_large else _fitted, file, task.table.label, task.spec, task.options.own)
        )


def _fitted(file: Path, label: str, spec: Spec, own: dict[str, Any]) -> dict[str, float]:
    """A fit of AutoGluon with or without twins."""
    import_module("autogluon.tabular")  # before the clock
    table, before = Table(pd.read_parquet(file), label, file.stem), _cpu_seconds()
    fitted = fit(table, spec, own["family"], own["folds"], threads=1)
    figures = {CPU: _cpu_seconds() - before, "generators": fitted["generators"] / fitted["seconds"]}
    return {**figures, **peak_memory("cpu")}


def _large(file: Path, label: str, spec: Spec, _own: dict[str, Any]) -> dict[str, float]:
    """One way to write rows of the rare class, from the beginning of the process."""
    CASES[spec["case"]](file, label)
    return {CPU: _cpu_seconds(), **peak_memory("cpu")}


def _command(*words: object) -> None:
    from imbllm_autogluon.cli import app

    app([*map(str, words), "--threads", "1", "--n", str(_NEW_ROWS), "--label-value", "rare"], standalone_mode=False)


def _sample(file: Path, label: str) -> None:
    _command("sample", file, "--label", label, "--out", file.parent / "written.csv")


def _train(file: Path, label: str) -> None:
    _command("train", file, "--label", label, "--out", file.parent / "generator")


def _resample(file: Path, label: str) -> None:
    from imbllm_autogluon import ImbLLMOverSampler

    table = pd.read_parquet(file)
    sampler = ImbLLMOverSampler(sampling_strategy=_RATIO, random_state=0, threads=1)
    sampler.fit_resample(table.drop(columns=label), table[label])


def _pred_llm(file: Path, label: str) -> None:
    from imbllm_autogluon.oversampling.synthesizer import PredLLM

    PredLLM(random_state=0, threads=1).fit(pd.read_parquet(file), label).sample(_NEW_ROWS)


CASES: dict[str, Callable[[Path, str], None]] = {
    "sample": _sample,
    "train": _train,
    "resample": _resample,
    "pred_llm": _pred_llm,
}


def _cpu_seconds() -> float:
    """CPU seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def costs(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """Figures of all cases; those of fits also over the plain fit's."""
    fits = tidy[tidy["table"].isin(tidy["table"][tidy["method"] == PLAIN])]
    parts = [ratios(fits, metric, f"{metric} x plain") for metric in (CPU, PEAK)]
    return medians(pd.concat([tidy, *parts]), protocol)


PROTOCOL = Protocol(
    name="scale",
    about=__doc__,
    methods={
        PLAIN: {"method": "none"},
        "plain + twins": {"method": "imbllm"},
        "plain + twins on all rows": {"method": "imbllm", "majority_ratio": None},
        "imbllm sample, 50,000 rows": {"case": "sample"},
        "imbllm train": {"case": "train"},
        "sampler to 5 %": {"case": "resample"},
        "PredLLM, fit and 50,000 rows": {"case": "pred_llm"},
    },
    always=(PLAIN,),
    measure=measure,
    metrics=(
        Metric(CPU, "of the fit, or of the whole process", "lower", 0),
        Metric("CPU seconds x plain", "over those of the plain fit", "lower", 2),
        Metric(PEAK, "peak memory of the process", "lower", 0),
        Metric("peak MiB x plain", "over that of the plain fit", "lower", 2),
        Metric("generators", "share of the seconds of the fit that training and writing took", "lower", 2),
    ),
    tables=("fraud:285000x30:493", "seeded:1000000x20:1500"),
    rows=1_000_000,
    repeats=1,
    options={
        "family": Option(list[str], ("GBM", "XGB"), "AutoGluon model key; repeatable."),
        "folds": Option(int, 3, "Of bagging."),
    },
    describe=describe,
    page=(costs,),
    columns={**COLUMNS, "table": "dataset"},
)
