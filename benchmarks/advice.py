"""What `imbllm inspect` says beforehand, against what happens: minutes and memory of a fit, width of an interval.

**Minutes and memory** are those of `imbllm fit TABLE --label LABEL --threads 1`, report included: CPU seconds of the
process, which other work on the machine does not stretch, and its peak. Within a factor of two counts as a success.

**The interval** is that of the score of five folds: average precision of two classes, balanced accuracy of more, mean
absolute error of numbers. Its width is 3.92 standard deviations of that score over tables drawn anew with as many rows
of each class. Here a table is a random half of the rows: 20 splits make 20 such tables, on which LightGBM as
scikit-learn's users call it is fitted in five folds. They share rows, so that their standard deviation is divided by
√(1 - 1/2) (the finite population correction). What is foretold comes from the first half alone; within a third of what
the splits show counts as a success. A standard deviation of 20 is itself uncertain by a sixth.

Factors of the estimate of minutes were set on fits of german and of the whole hypothyroid, and on plain models of ecoli
and of ISLP's Carseats; the definition of the interval on german, vehicle1, balance, yeast5, Carseats and
`seeded:4000x12:200`. That LatentDiff joins every regression was left out at first, and found when the fit of diabetes
took longer; its seconds are those of bags on 300 to 16,000 rows of housing. Of the others hypothyroid alone stands
here, cut to 1,000 rows as all tables are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.protocol import COLUMNS, Metric, Protocol, Task
from benchmarks.report import markdown, verdict
from imbllm_autogluon.tables.io import read_table, write_table

if TYPE_CHECKING:
    from benchmarks.tables import Table
    from imbllm_autogluon.arrays import FloatArray

FIT, ADVICE, SPLITS = "fit", "inspect", "20 splits"
CPU, PEAK, WIDTH, SCORE = "CPU seconds", "peak MiB", "interval width", "score"
COUNT = 20  # splits


def measure(task: Task) -> dict[str, float | None]:
    """Figures of a fit, of the splits, or of what was said beforehand."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "table.csv")
        write_table(task.table.frame, file)
        return _MEASURES[task.spec["case"]](task.table, file)


def fitted(table: Table, file: Path) -> dict[str, float | None]:
    """The command as a person calls it."""
    words = ["fit", file, "--label", table.label, "--threads", "1", "--verbosity", "0", "--out", file.parent / "fit"]
    command = [sys.executable, "-m", "imbllm_autogluon.cli", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}.")
    return {CPU: used.ru_utime + used.ru_stime, PEAK: used.ru_maxrss / 1024}


def foretold(table: Table, file: Path) -> dict[str, float | None]:
    """What is said of the table, and of the first half of its rows."""
    from imbllm_autogluon.jobs.advice import advise

    whole = advise(read_table(file), table.label).facts
    half = advise(_half(table, 0), table.label).facts["expected"]
    return {
        CPU: whole["cost"]["cpu_seconds"],
        PEAK: whole["cost"]["memory_mib"],
        WIDTH: half["width"],
        SCORE: half["score"],
        "seconds": whole["seconds"],
    }


def split(table: Table, _: Path) -> dict[str, float | None]:
    """Spread of the score of five folds over halves of the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tiny classes, and of zero divisions where a class has no answer
        scores = [_score(_half(table, seed), table) for seed in range(COUNT)]
    return {WIDTH: 3.92 * float(np.std(scores, ddof=1)) * 2**0.5, SCORE: float(np.mean(scores))}


def _half(table: Table, seed: int) -> pd.DataFrame:
    """A random half of the rows, of every class alike."""
    from sklearn.model_selection import train_test_split

    lone = [label for label, n in table.counts.items() if n < 2] if table.task == "classification" else []
    frame = table.frame[~table.labels.isin(lone)]
    classes = frame[table.label] if table.task == "classification" else None
    half, _ = train_test_split(frame, train_size=0.5, random_state=seed, stratify=classes)
    return pd.DataFrame(half.reset_index(drop=True))


def _score(frame: pd.DataFrame, table: Table) -> float:
    """The metric that `imbllm fit` defaults to, of out-of-fold answers of LightGBM."""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from sklearn.metrics import average_precision_score, balanced_accuracy_score, mean_absolute_error
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict

    y, X = frame[table.label], frame.drop(columns=table.label)
    texts = X.select_dtypes(exclude="number").columns
    X = X.astype(dict.fromkeys(texts, str)).astype(dict.fromkeys(texts, "category"))
    own: dict[str, Any] = {"n_jobs": 1, "verbosity": -1, "random_state": 0}
    if table.task == "regression":
        found = cross_val_predict(LGBMRegressor(**own), X, y, cv=KFold(5, shuffle=True, random_state=0))
        return float(mean_absolute_error(y, found))
    model, folds = LGBMClassifier(**own), StratifiedKFold(5, shuffle=True, random_state=0)
    if len(table.counts) > 2:
        return float(balanced_accuracy_score(y, cross_val_predict(model, X, y, cv=folds)))
    truth = (y == table.rarest).to_numpy()
    probabilities: FloatArray = cross_val_predict(model, X, truth, cv=folds, method="predict_proba")[:, 1]
    return float(average_precision_score(truth, probabilities))


_MEASURES = {"fit": fitted, "advice": foretold, "splits": split}


def foretold_and_found(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """For each figure: how many tables are as near as asked, and all of them."""
    del protocol
    parts = []
    for metric, found, low, high in ((CPU, FIT, 1 / 2, 2.0), (WIDTH, SPLITS, 2 / 3, 4 / 3), (PEAK, FIT, 1 / 2, 2.0)):
        own = tidy[tidy["metric"] == metric].pivot_table("value", "table", "method", sort=False)
        if {ADVICE, found} <= set(own):
            parts.append(_compared(own[[ADVICE, found]], metric, low, high))
    return "\n\n".join(parts)


def _compared(own: pd.DataFrame, metric: str, low: float, high: float) -> str:
    measured = own.dropna()
    ratio = measured.iloc[:, 0] / measured.iloc[:, 1]
    near = ratio.between(low, high)
    missed = ", ".join(f"{name} ({ratio[name]:.2f})" for name in ratio.index[~near]) or "none"
    asked = f"{low:.2f} to {high:.2f} times what is found"
    left = own.index.difference(measured.index, sort=False)
    held = "so far" if len(left) else verdict(bool(near.all()))
    lines = f"{held}: {asked} on {near.sum()} of {len(near)} tables; missed: {missed}."
    if len(left):
        lines += f" Not measured yet: {', '.join(left)}."
    digits = 3 if metric == WIDTH else 0
    shown = measured.map(lambda value: f"{value:.{digits}f}").assign(ratio=ratio.map("{:.2f}".format))
    return f"## {metric[0].upper()}{metric[1:]}\n\n{lines}\n\n{markdown(shown.reset_index())}"


def describe(table: Table, _options: Any) -> str:
    """Size of the table."""
    rows, columns = table.features.shape
    held = (
        "a number"
        if table.task == "regression"
        else f"{len(table.counts)} classes, {table.counts[table.rarest]} rows of the rarest"
    )
    return f"{rows:,} rows, {columns} columns, {held}"


PROTOCOL = Protocol(
    name="advice",
    about=__doc__,
    methods={FIT: {"case": "fit"}, ADVICE: {"case": "advice"}, SPLITS: {"case": "splits"}},
    measure=measure,
    tables=(
        "registry:glass2", "registry:cleveland", "registry:dermatology", "diabetes", "registry:cm1",
        "registry:abalone9-18", "registry:vowel0", "registry:pc1", "registry:yeast", "hypothyroid", "registry:stroke",
        "registry:default",
    ),
    number=None,
    rows=1000,
    repeats=1,
    metrics=(
        Metric(CPU, "of the command", "", 0),
        Metric(PEAK, "of its process", "", 0),
        Metric(WIDTH, "of the 95 % interval of the score of five folds", "", 3),
        Metric(SCORE, "of five folds of LightGBM", "", 3),
        Metric("seconds", "that `imbllm inspect` took by the clock", "", 1),
    ),
    describe=describe,
    page=(foretold_and_found,),
    columns={**COLUMNS, "table": "dataset"},
)  # fmt: skip
