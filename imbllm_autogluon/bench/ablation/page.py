"""The page of ``imbllm bench ablation``: what was expected of each change, and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.ablation.arms import DEFAULT, NONE
from imbllm_autogluon.bench.ablation.axes import CLASSIFIER, CLOSE, COVERAGE, GAIN, OF_THE_JUDGING
from imbllm_autogluon.bench.changes import p_value, wide_figures
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1, LOG_LOSS
from imbllm_autogluon.bench.page_text import markdown, signed, tenths
from imbllm_autogluon.bench.paper.page import METRICS, ROWS, SECONDS
from imbllm_autogluon.oversampling.class_rows import FEWEST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.bench.ablation.arms import Ablation, AxisArms
    from imbllm_autogluon.bench.ablation.axes import Claim

MEASURED = (*METRICS, CLOSE, COVERAGE, ROWS, SECONDS)
"""Figures of one arm on one split."""

ALL = (*METRICS, GAIN, CLOSE, COVERAGE, ROWS, SECONDS)

SHOWN = (F1, AVERAGE_PRECISION, CLOSE, COVERAGE)
"""Figures beside each value of an axis."""

LEVEL = 0.05
"""Of the two-sided t-test over all splits: a greater p is called chance."""

FEWEST_TABLES = 6
"""With fewer Wilcoxon's test cannot have a p below 0.05."""

AS_EXPECTED, NOT_AS_EXPECTED, CHANCE, TOO_FEW = (
    "as expected",
    "NOT as expected",
    "no more than chance",
    "too few splits",
)

ABOUT = f"""ImbLLM with its defaults, and with one thing changed at a time; rows, classifier and figures as in \
`imbllm bench paper` ([its page](paper.md) explains them). Splits and seeds are the same for all arms.

- **{DEFAULT}**: nothing changed; it stands for its own value on every axis
- **{NONE}**: no oversampling
- **{CLOSE}**: share of the new rows of the smallest class that are as near to a test row of the class as 95 % of its \
test rows are to each other; percent
- **{COVERAGE}**: share of the test rows of the class with a new row no farther away than their fifth nearest test \
row; percent. As many new rows as there are test rows are drawn for it, mean of 20 draws: all of them would cover \
everything
- **{GAIN}**: {F1} less that without oversampling on the same split with the same classifier, points
- **{CLASSIFIER}**: each with the defaults of its library; random forest and logistic regression learn scaled numbers, \
medians for gaps and a column for each category
- **±**: standard error over all splits of all tables, of the difference on the same split. A difference that a t-test \
over them does not tell from 0 (two-sided, {LEVEL:g}) is called {CHANCE}; splits of one table share rows, so the test \
is kind. Many comparisons stand here: one in twenty is beyond that by chance too
- **p**: of Wilcoxon's signed-rank test over the tables, where there are {FEWEST_TABLES} or more

A smallest class of fewer than {FEWEST_ROWS} rows to learn has its new rows by interpolation alone: most arms are then \
the same, and a smaller `kept_share` may mean another method."""


def with_gains(tidy: pd.DataFrame, ablation: Ablation) -> pd.DataFrame:
    """The figures, and behind them each arm's F1 above that of no oversampling, judged alike."""
    f1 = tidy[tidy["metric"] == F1]
    references = f1.assign(arm=f1["arm"].map(ablation.reference))
    keys = ["table", "split", "arm"]
    base = references[keys].merge(f1[[*keys, "value"]], on=keys, how="left", validate="many_to_one")["value"]
    gains = f1.assign(metric=GAIN, value=f1["value"].to_numpy() - base.to_numpy())
    return pd.concat([tidy, gains], ignore_index=True)


def mean_figures(tidy: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm, a column for each metric: means over the tables of the means over the splits."""
    return _over_tables(wide_figures(tidy, ALL))


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each arm: all figures as text."""
    means = mean_figures(tidy)
    columns = {name: means[name].map(_three if name == LOG_LOSS else tenths) for name in ALL}
    return pd.DataFrame(columns).reset_index()


def page_text(
    tidy: pd.DataFrame,
    ablation: Ablation,
    classes: str,
    settings: Mapping[str, Any],
    command: str,
    *,
    drawn: bool,
) -> str:
    """What was measured, what was expected, and what was found.

    Parameters
    ----------
    tidy
        One figure in each row, see :func:`with_gains`.
    ablation
        The arms and their axes.
    classes
        Rows of each table, see :func:`imbllm_autogluon.bench.paper.page.classes_text`.
    settings
        Of ImbLLM in all arms, apart from its defaults.
    command
        How to repeat it.
    drawn
        Whether there is a picture.
    """
    wide = wide_figures(tidy, ALL)
    listed = ", ".join(f"`{key}={value}`" for key, value in settings.items())
    changed = f"\n\nSettings in all arms: {listed}; otherwise the defaults of ImbLLM." if settings else ""
    picture = "\n\n![Sweeps of interpolation ratio and temperature](ablation.png)" if drawn else ""
    axes = "\n\n".join(_axis_text(wide, part) for part in ablation.axes)
    return (
        f"{ABOUT}{changed}\n\n## Rows\n\nOf the first split.\n\n{classes}{picture}\n\n{axes}\n\n"
        f"## {F1} table by table\n\n{markdown(by_table(wide))}\n\nCommand: `{command}`.\n\n## Means over the tables"
    )


def axis_table(wide: pd.DataFrame, part: AxisArms) -> pd.DataFrame:
    """One row for each value of an axis: main figures, and how far two of them are from those of the default."""
    means = _over_tables(wide)
    shown = (*SHOWN, *((GAIN,) if part.axis.name in OF_THE_JUDGING else ()))
    lines = []
    for value, arm in part.arms.items():
        line = {part.axis.name: f"{value} ({DEFAULT})" if arm == DEFAULT else value}
        line |= {name: tenths(means[name][arm]) for name in shown}
        for name in (F1, AVERAGE_PRECISION):
            line[f"{name} against {DEFAULT}"] = (
                "" if arm == DEFAULT else _spread(_differences(wide, name, arm, DEFAULT))
            )
        lines.append(line)
    return pd.DataFrame(lines)


def finding(wide: pd.DataFrame, part: AxisArms, claim: Claim) -> str:
    """One expectation beside what was found: the difference, its error, on how many tables it holds, and p."""
    differences = _differences(wide, claim.metric, *part.compared(claim))
    named = f"- {claim.metric} of `{claim.higher}` above `{claim.lower}`"
    if differences.empty:
        return f"{named}: could not be measured"
    tables = differences.groupby("table", sort=False).mean()
    p = p_value(tables) if len(tables) >= FEWEST_TABLES else ""
    told = f"higher on {int((tables > 0).sum())} of {len(tables)} tables" + (f", p {p}" if p else "")
    return f"{named}: found {_spread(differences)} points, {told}: **{verdict(differences)}**"


def verdict(differences: pd.Series[float]) -> str:
    """Whether differences that are expected to be above 0 are.

    Examples
    --------
    >>> verdict(pd.Series([2.0, 2.5, 2.2])), verdict(pd.Series([2.0, -2.5])), verdict(pd.Series([2.0]))
    ('as expected', 'no more than chance', 'too few splits')
    """
    from scipy.stats import t

    if len(differences) < 2:
        return TOO_FEW
    limit = float(t.ppf(1.0 - LEVEL / 2.0, len(differences) - 1))
    sure = abs(differences.mean()) > limit * _error(differences)
    return (AS_EXPECTED if differences.mean() > 0 else NOT_AS_EXPECTED) if sure else CHANCE


def by_table(wide: pd.DataFrame) -> pd.DataFrame:
    """F1 of each arm, a column for each table."""
    means = wide.reset_index().pivot_table(F1, "arm", "table", sort=False)
    return means.map(tenths).rename_axis(columns=None).reset_index()


def _over_tables(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.groupby(["table", "arm"], sort=False).mean().groupby("arm", sort=False).mean()


def _axis_text(wide: pd.DataFrame, part: AxisArms) -> str:
    found = [finding(wide, part, claim) for claim in part.axis.claims]
    listed = "\n".join([*found, _highest(wide, part)])
    return (
        f"## {part.axis.name}\n\n**Expected** ({part.axis.source}): {part.axis.expected}.\n\n**Found**:\n\n{listed}\n\n"
        f"{markdown(axis_table(wide, part))}"
    )


def _highest(wide: pd.DataFrame, part: AxisArms) -> str:
    means, told = _over_tables(wide), []
    for name in (F1, AVERAGE_PRECISION):
        found = {value: float(means[name][arm]) for value, arm in part.arms.items()}
        best = max(found, key=found.__getitem__)
        told.append(f"highest {name} with `{best}` ({tenths(found[best])})")
    return f"- {', '.join(told)}"


def _differences(wide: pd.DataFrame, name: str, arm: str, other: str) -> pd.Series[float]:
    """One arm less another on each split on which both have the figure; indexed by table and split."""
    own, against = (wide[name].xs(one, level="arm") for one in (arm, other))
    differences: pd.Series[float] = (own - against).dropna()
    return differences


def _error(differences: pd.Series[float]) -> float:
    return float(differences.std() / np.sqrt(len(differences)))


def _spread(differences: pd.Series[float]) -> str:
    """Mean over the tables, and the standard error over all splits where there are several."""
    if differences.empty:
        return ""
    mean = float(differences.groupby("table", sort=False).mean().mean())
    return signed(mean) + (f" ± {_error(differences):.1f}" if len(differences) > 1 else "")


def _three(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"
