"""The page of ``imbllm bench quality``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.page_text import markdown, tenths
from imbllm_autogluon.bench.quality.arms import (
    FEWEST,
    GREAT,
    IMBLLM,
    MOST_WRITTEN,
    NOISE,
    OTHERS,
    PRED_LLM,
    RANDOM,
    SMOTE,
    QualitySplit,
)
from imbllm_autogluon.quality.measures.catalogue import CATALOGUE

if TYPE_CHECKING:
    from imbllm_autogluon.quality.measures.measure import Measure

ROWS, SECONDS, GOOD = "rows written", "seconds", "measures judged good"

ASKED = {"coverage": 0.8, "close probability": 0.9}
"""Of ImbLLM on every table: the lowest mean over the splits."""

POOR = "*"
"""Behind a figure that was judged poor in half of the splits or more."""

ABOUT = f"""Rows of the rarer classes, written by default settings with the compact backbone, beside the usual peers. \
A third of the rows of each class is held out, two thirds are learned (stratified splits); classes of fewer than \
{FEWEST} rows are left out. Every arm writes rows of each class up to the largest one, at most {MOST_WRITTEN:,} of \
each. Written rows are compared with the real rows of their own class; with several rarer classes a figure is their \
mean, weighted by the rows written. Means over the splits; empty where a figure could not be measured.

- **{IMBLLM}, {GREAT}, {PRED_LLM}**: generators of this package with their defaults; the last two learn the whole \
table and are measured with `--slow-arms`
- **{SMOTE}, {RANDOM}**: by imbalanced-learn; missing numbers are filled with medians before {SMOTE}
- **{OTHERS}** (control): half of the learned rows of each rarer class, as if they had been written for the other \
half, which alone then counts as learned; shows what is attainable. They are fewer than the rows of the other arms, \
and so are the rows that they are compared with
- **{NOISE}** (control): every cell drawn on its own and evenly, numbers between the ends of their column, others \
from its values; shows what a measure says of rows that have nothing of the class. Measures of copies and variety \
are good for noise, so no measure says enough alone. Coverage grows with the number of rows written

A `{POOR}` stands behind a figure that was judged poor in half of the splits or more; what is good depends on the \
rows of the class for many measures (`imbllm_autogluon/quality/measures/catalogue.py` has the reasons)."""


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm: the share of its figures that were judged good, and mean seconds."""
    return pd.DataFrame(
        [
            {
                "arm": arm,
                GOOD: _percent(good_share(part)),
                SECONDS: tenths(part.loc[part["measure"] == SECONDS, "value"].mean()),
            }
            for arm, part in tidy.groupby("arm", sort=False)
        ]
    )


def all_figures(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and measure, one column for each arm: means over the splits, poor ones marked."""
    cells = _cells(tidy).rename("text").reset_index()
    wide = cells.pivot_table("text", ["table", "measure"], "arm", aggfunc="first", sort=False)
    tables, measures, arms = (list(dict.fromkeys(tidy[name])) for name in ("table", "measure", "arm"))
    order = pd.MultiIndex.from_product([tables, measures], names=["table", "measure"])
    return wide.reindex(index=order, columns=arms).fillna("").reset_index().rename_axis(columns=None)


def page_text(tidy: pd.DataFrame, classes: str, command: str) -> str:
    """What was measured, what it means, and whether ImbLLM does what it should.

    Parameters
    ----------
    tidy
        One figure in each row: columns table, split, arm, measure, value (NaN: not measurable) and verdict.
    classes
        Rows of each table, see :func:`classes_text`.
    command
        How to repeat it.
    """
    means = tidy.groupby(["table", "arm", "measure"], sort=False)["value"].mean()
    tables = list(dict.fromkeys(tidy["table"]))
    overall = "\n".join(_overall(means, tables, name) for name in ASKED)
    lines = "\n".join(_line(means, tidy, table) for table in tables)
    asked = " and ".join(f"{name} at least {limit}" for name, limit in ASKED.items())
    return (
        f"{ABOUT}\n\n## Rows\n\nOf the first split.\n\n{classes}\n\n## What the figures say\n\n{_meanings(tidy)}\n\n"
        f"## {IMBLLM}\n\nAsked on every table: {asked}; means over the splits.\n\n{overall}\n\n{lines}\n\n"
        f"## All figures\n\n{markdown(all_figures(tidy))}\n\nCommand: `{command}`.\n\n"
        "## Measures judged good\n\nShare of the figures whose verdict is good, over tables and splits; unknown ones "
        "do not count. Seconds of training and writing, mean over tables and splits."
    )


def classes_text(name: str, split: QualitySplit) -> str:
    """Rows of one table: those learned, those held out, and those wanted of each rarer class."""
    learned, unseen = (labels.value_counts().to_dict() for labels in (split.labels, split.holdout[split.label]))
    parts = [
        f"`{label}` {learned[label]} learned, {unseen[label]} held out, {n} wanted" for label, n in split.counts.items()
    ]
    return f"- **{name}**: {len(split.train)} rows learned, {len(split.holdout)} held out; {'; '.join(parts)}"


def good_share(figures: pd.DataFrame) -> float:
    """Share of the figures judged good among those that were judged; NaN where none was."""
    judged = figures["verdict"].isin(["good", "poor"])
    return float((figures.loc[judged, "verdict"] == "good").mean()) if judged.any() else float("nan")


def _cells(tidy: pd.DataFrame) -> pd.Series[str]:
    """Text of each table, measure and arm."""
    by_cell = tidy.groupby(["table", "measure", "arm"], sort=False)
    poor = by_cell["verdict"].agg(lambda verdicts: (verdicts == "poor").mean() >= 0.5)
    means = by_cell["value"].mean()
    cells = [
        _number(value, key[1]) + (POOR if is_poor else "")
        for key, value, is_poor in zip(means.index, means, poor, strict=True)
    ]
    return pd.Series(cells, index=means.index)


def _number(value: float, name: str) -> str:
    digits = {SECONDS: 1, ROWS: 0}.get(name, 3)
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def _meanings(tidy: pd.DataFrame) -> str:
    seen = set(tidy["measure"])
    return "\n".join(
        f"- **{name}** ({entry.range_text}; {_better(entry)}): {entry.meaning}"
        for name, entry in CATALOGUE.items()
        if name in seen
    )


def _better(entry: Measure) -> str:
    if entry.direction != "nearest":
        return f"{entry.direction} is better"
    # Nothing is ruled out beforehand where the distances among real rows decide.
    return "best near that of real rows" if math.isinf(entry.acceptable[1]) else f"best near {entry.best:g}"


def _overall(means: pd.Series[float], tables: list[str], name: str) -> str:
    """On how many tables a figure of ImbLLM is as asked."""
    reached = [bool(means[table, IMBLLM, name] >= ASKED[name]) for table in tables]
    every = "all" if all(reached) else "NOT all"
    return f"- {name} of {IMBLLM} at least {ASKED[name]} on {sum(reached)} of {len(reached)} tables ({every})"


def _line(means: pd.Series[float], tidy: pd.DataFrame, table: str) -> str:
    """One table: both figures that are asked for beside those of the peers, what is good, and seconds."""
    own = tidy.loc[(tidy["table"] == table) & (tidy["arm"] == IMBLLM), "verdict"]
    asked = ", ".join(_against(means.xs((table, name), level=("table", "measure")), name) for name in ASKED)
    good, judged = int((own == "good").sum()), int(own.isin(["good", "poor"]).sum())
    seconds = tenths(means[table, IMBLLM, SECONDS])
    return f"- **{table}**: {asked}; {good} of {judged} figures judged good; {seconds} s"


def _against(values: pd.Series[float], name: str) -> str:
    """One figure of ImbLLM, whether it is reached, and that of every other arm."""
    own = values[IMBLLM]
    said = "reached" if own >= ASKED[name] else "NOT reached"
    others = [f"; {arm} {_number(value, name)}" for arm, value in values.drop(IMBLLM).dropna().items()]
    return f"{name} {_number(own, name) or 'not measured'} ({said}{''.join(others)})"


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.0f} %"
