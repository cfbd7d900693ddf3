"""All metrics of rows of rare classes that default settings write, next to peers and two controls.

Rows of the rarer classes, written by default settings with the compact backbone. A third of the rows of each class is
held out, two thirds are learned (stratified splits); classes of fewer than 9 rows are left out. Every method writes
rows of each class up to the largest one, at most 2,000 of each. Written rows are compared with the real rows of their
own class; with several rarer classes a figure is their mean, weighted by the rows written. Two controls: `other real
rows` are half of the learned rows of each rarer class, as if they had been written for the other half, which alone then
counts as learned; `uniform noise` draws every cell on its own and evenly. Metrics of copies and variety are good for
noise, so no metric says enough alone.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.methods import GREAT, IMBLLM, PRED_LLM, RANDOM, SMOTE_NC, chosen, load_libraries, new_rows
from benchmarks.protocol import Claim, Metric, Options, Protocol, Spec, Task
from benchmarks.report import by_table_means, claims, markdown, number
from benchmarks.tables import Split, Table, split_classes
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality import METRICS
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from imbllm_autogluon import quality

OTHERS, NOISE = "other real rows", "uniform noise"

MOST_WRITTEN = 2_000
"""Rows of each class: shares among so many are known to 0.02."""

FEWEST = 9
"""Rows of a class: 6 to learn, as many as ImbLLM needs for a language model, and 3 held out."""

ROWS, SECONDS = "rows written", "seconds"


def split_of(table: Table, seed: int) -> Split:
    """Hold out a third of the rows of each class, and want rows of each rarer one up to the largest."""
    split = split_classes(table, seed, 1 / 3, FEWEST)
    sizes = split.real.y.value_counts()
    if sizes.min() == sizes.max():
        raise InvalidInputError(f"{table.name} has no class that is rarer than another: {table.counts}.")
    most = int(sizes.max())
    return split._replace(counts={label: min(MOST_WRITTEN, most - n) for label, n in sizes.items() if n < most})


def describe(table: Table, options: Options) -> str:
    """Rows of each class in the first split."""
    return str(split_of(table, options.seed))


def measure(task: Task) -> list[dict[str, Any]]:
    """Let a method write rows for one split, and judge them with rows held out."""
    from imbllm_autogluon.quality import evaluate

    split = split_of(task.table, task.split)
    load_libraries("sklearn.ensemble")
    started = time.perf_counter()
    real, synthetic = written(split, task.spec, task.split, task.threads)
    seconds = time.perf_counter() - started
    found = evaluate(real, synthetic, label=task.table.label, holdout=split.test.frame, seed=task.split)
    rows: list[dict[str, Any]] = [{"metric": m.name, "value": m.value, "verdict": m.verdict} for m in found.measures]
    counted = {ROWS: found.rows["synthetic"], SECONDS: seconds}
    return [*rows, *({"metric": name, "value": value, "verdict": ""} for name, value in counted.items())]


def written(split: Split, spec: Spec, seed: int, threads: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The real rows that a method learned, and its rows of the rarer classes; features and label."""
    if spec["method"] == OTHERS:
        return _other_rows(split, seed)
    if spec["method"] == NOISE:
        return split.real.frame, _noise(split, seed)
    return split.real.frame, new_rows(split.real, split.counts, spec, seed, threads).frame


def _other_rows(split: Split, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Half of the rows of each rarer class, taken out of the table, as if they were written for the other half."""
    rng, rows = child_rng(seed, "order", "other rows"), split.real.frame
    positions = [np.flatnonzero(split.real.y == label) for label in split.counts]
    given = np.concatenate([rng.permutation(own)[: len(own) // 2] for own in positions])
    is_given = np.isin(np.arange(len(rows)), given)
    return rows[~is_given].reset_index(drop=True), rows[is_given].reset_index(drop=True)


def _noise(split: Split, seed: int) -> pd.DataFrame:
    """Every cell drawn on its own and evenly."""
    rng = child_rng(seed, "values", "noise")
    labels = [label for label, n in split.counts.items() for _ in range(n)]
    columns = {str(name): _evenly(column, len(labels), rng) for name, column in split.real.X.items()}
    # Built column by column: the label keeps the dtype of the real one.
    return pd.DataFrame({**columns, str(split.real.y.name): pd.Series(labels).astype(split.real.y.dtype)})


def _evenly(column: pd.Series[Any], n_rows: int, rng: np.random.Generator) -> pd.Series[Any]:
    """Numbers between the ends of the column and missing as often as there, else values the column has."""
    known = column.dropna()
    if not holds_numbers(column.dtype) or not len(known):
        values = column.drop_duplicates()
        return values.iloc[rng.integers(len(values), size=n_rows)].reset_index(drop=True)
    numbers = rng.uniform(float(known.min()), float(known.max()), n_rows)
    whole = pd.api.types.is_integer_dtype(column.dtype)
    drawn = pd.Series(np.rint(numbers) if whole else numbers)
    return drawn.mask(rng.random(n_rows) < column.isna().mean()).astype(column.dtype)


def _metric(name: str, entry: quality.Metric) -> Metric:
    if entry.direction != "nearest":
        return Metric(name, f"{entry.range_text}; {entry.direction} is better: {entry.meaning}", entry.direction, 3)
    # Nothing is ruled out beforehand where the distances among real rows decide.
    best = "near that of real rows" if math.isinf(entry.acceptable[1]) else f"near {entry.best:g}"
    return Metric(name, f"{entry.range_text}; best {best}: {entry.meaning}", "", 3)


def verdicts(tidy: pd.DataFrame, _: Protocol) -> str:
    """Share of each method's figures that were judged good, and mean seconds."""
    lines = []
    for method, part in tidy.groupby("method", sort=False):
        judged = part.loc[part["verdict"].isin(["good", "fair", "poor"]), "verdict"]
        seconds = part.loc[part["metric"] == SECONDS, "value"].mean()
        good = f"{100 * (judged == 'good').mean():.0f} %" if len(judged) else ""
        lines.append({"method": method, "metrics judged good": good, SECONDS: f"{seconds:.1f}"})
    about = "Share of the figures whose verdict is good, over tables and splits; seconds of training and writing."
    return f"## Metrics judged good\n\n{about}\n\n{markdown(pd.DataFrame(lines))}"


def all_figures(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """A row for each table and metric, a column for each method: means over the splits, poor ones marked."""
    found = by_table_means(tidy)
    poor = tidy.groupby(["table", "method", "metric"], sort=False)["verdict"].agg(lambda own: (own == "poor").mean())
    lines = []
    for table in dict.fromkeys(tidy["table"]):
        for metric in (one for one in protocol.metrics if one.name in found):
            own = found.loc[table][metric.name]
            cells = {
                method: number(value, metric) + ("*" if poor.get((table, method, metric.name), 0.0) >= 0.5 else "")
                for method, value in own.items()
            }
            lines.append({"table": table, "metric": metric.name, **cells})
    about = "Means over the splits; a `*` stands behind a figure that was judged poor in half of the splits or more."
    return f"## All figures\n\n{about}\n\n{markdown(pd.DataFrame(lines).fillna(''))}"


PROTOCOL = Protocol(
    name="quality",
    about=__doc__,
    methods={
        **chosen(IMBLLM, GREAT, PRED_LLM, SMOTE_NC, RANDOM),
        **{name: {"method": name} for name in (OTHERS, NOISE)},
    },
    slow=(GREAT, PRED_LLM),
    measure=measure,
    metrics=(
        *(_metric(name, entry) for name, entry in METRICS.items()),
        Metric(ROWS, "", "", 0),
        Metric(SECONDS, "", ""),
    ),
    describe=describe,
    claims=(Claim(IMBLLM, "coverage", worst=0.8), Claim(IMBLLM, "close probability", worst=0.9)),
    page=(claims, verdicts, all_figures),
    columns={"table": "table", "split": "split", "method": "arm", "metric": "measure", "value": "value"},
)
