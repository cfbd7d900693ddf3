"""The page of ``imbllm bench autogluon``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.autogluon.arms import (
    ARMS,
    COSTS,
    FIT_SECONDS,
    GENERATORS,
    OURS,
    TUNED,
    TWICE,
    WEIGHT,
    WEIGHTS,
)
from imbllm_autogluon.bench.autogluon.judge import BINARY, MCC, MULTICLASS
from imbllm_autogluon.bench.autogluon.split import FEWEST
from imbllm_autogluon.bench.autogluon.verdicts import OTHERS, verdicts
from imbllm_autogluon.bench.changes import changes_against, differences_from, p_value, wide_figures
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, BALANCED, F1, LOG_LOSS, MACRO_F1, ROC_AUC
from imbllm_autogluon.bench.one_fit import PLAIN
from imbllm_autogluon.bench.page_text import markdown, signed, spread, tenths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imbllm_autogluon.bench.autogluon.split import ClassSplit

METRICS = tuple(dict.fromkeys((*BINARY, *MULTICLASS)))

ROUNDING = 1e-9
"""Points, or percent: a smaller change is none."""

ABOUT = f"""What twins add to AutoGluon where a class is rare. Stratified splits, a quarter of the rows is unseen, the \
tables have their own class shares; classes of fewer than {FEWEST} rows are left out. One predictor on each split fits \
all models in {{folds}} bagging folds: {{families}} as they are (`{PLAIN}`), the same once more with another seed, and \
twins whose folds get rows by random oversampling, SMOTE-NC or ImbLLM. Each arm is a weighted ensemble over some of \
these models, weighted by out-of-fold rows; plain models are the same in all arms. `{PLAIN}`, `{TWICE}` and \
`{WEIGHTS}` have AutoGluon's ensemble, the others that of this package's presets; `{OURS}` is it over the plain models \
alone, so that what twins add is the difference from it. AutoGluon's metric is average precision of the rarer class, \
or balanced accuracy where there are more than two. Figures are those of unseen, real rows, means over the splits.

- **{AVERAGE_PRECISION}, {ROC_AUC}**: of the probability of the rarer of two classes; percent
- **{F1}, {BALANCED}, {MCC}**: of the rarer of two classes, each at the limit that AutoGluon tunes for it on the arm's \
out-of-fold rows; percent. With more than two classes that of the highest number in AutoGluon's answer is decided for
- **{MACRO_F1}**: mean of F1 over more than two classes; percent
- **{LOG_LOSS}**: nats; its change is in percent, and below 0 is better; where our ensemble tilts its answers towards \
decisions, that of its calibrated probabilities
- **{WEIGHT}**: percent of the ensemble that what was added makes up
- **{FIT_SECONDS}**: seconds of fitting what was added, generators included, and of `{PLAIN}` and `{WEIGHTS}` those of \
their models
- **{GENERATORS}**: language models trained

`{TWICE}` is a control: what more models of the same sort do. A family that draws nothing, such as LightGBM by \
default, answers the same under every seed. `{WEIGHTS}` is a predictor of its own with \
`sample_weight="balance_weight"`. `{TUNED}` (`--tuned`) are the twins of the preset `imbllm_tuned`: Optuna draws \
method, amount and settings together with what AutoGluon searches about the family; its seconds are those of all \
trials, its generators those beside the untuned ones."""


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and arm: means over the splits, empty where there is no such figure."""
    means = wide_figures(tidy, (*METRICS, *COSTS)).groupby(["table", "arm"], sort=False).mean()
    columns = {name: means[name].map(_digits(name)) for name in (*METRICS, *COSTS)}
    return pd.DataFrame(columns).reset_index()


def page_text(tidy: pd.DataFrame, classes: str, families: Sequence[str], folds: int, command: str) -> str:
    """What was measured, what it means, and whether twins do what they should.

    Parameters
    ----------
    tidy
        One measured value in each row: columns table, split, arm, metric and value.
    classes
        Rows of each table, see :func:`classes_text`.
    families
        Keys of the plain models.
    folds
        Bagging folds.
    command
        How to repeat it.
    """
    against = {other: changes_from(tidy, other) for other in OTHERS}
    changes = against[PLAIN]
    about = ABOUT.format(folds=folds, families=", ".join(families))
    by_kind = "\n\n".join(
        f"### {title}\n\n{markdown(_table_by_table(part, names))}" for title, part, names in _kinds(changes)
    )
    return (
        f"{about}\n\n## Rows\n\nOf the first split.\n\n{classes}\n\n## Verdict\n\n"
        f"{verdicts(against)}\n\n"
        f"## Over all tables\n\nMeans over the tables of the changes against `{PLAIN}`, points ({LOG_LOSS}: percent); "
        f"in brackets on how many tables an arm is better, and on how many worse, and p of Wilcoxon's signed-rank test "
        "over the tables, two-sided (below 0.05 only with six tables or more).\n\n"
        + "\n\n".join(f"### {title}\n\n{markdown(_over_tables(part, names))}" for title, part, names in _kinds(changes))
        + f"\n\n## Table by table\n\nChange against `{PLAIN}`, points ({LOG_LOSS}: percent); ± is the standard error "
        f"over the splits.\n\n{by_kind}\n\nCommand: `{command}`.\n\n## Figures"
    )


def changes_from(tidy: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Changes against one arm, split by split: points, of the log-loss percent.

    A row for each table, split and other arm, a column for each metric; NaN where a table has no such figure.
    """
    wide = wide_figures(tidy, METRICS)
    changes = differences_from(arm, wide)
    changes[LOG_LOSS] = changes_against(arm, wide)[LOG_LOSS]
    # What is equal but for the order of a sum is no loss.
    return changes.mask(changes.abs() < ROUNDING, 0.0).drop(arm, level="arm")


def classes_text(name: str, split: ClassSplit) -> str:
    """Rows of each class of one table, learned and judged on."""
    learned, test = (part[split.label].value_counts().to_dict() for part in (split.train, split.test))
    parts = [f"`{label}` {learned[label]} learned, {test[label]} to judge on" for label in split.classes]
    return f"- **{name}**: {'; '.join(parts)}"


def _kinds(changes: pd.DataFrame) -> list[tuple[str, pd.DataFrame, tuple[str, ...]]]:
    """Tables of two classes and of more, each with its metrics; a kind without a table is left out."""
    binary = changes[AVERAGE_PRECISION].notna()
    kinds = [("Two classes", changes[binary], BINARY), ("More classes", changes[~binary], MULTICLASS)]
    return [kind for kind in kinds if len(kind[1])]


def _over_tables(changes: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Each arm: mean change of each metric, and the tables on which it is better and worse."""
    means = changes[list(names)].groupby(["table", "arm"], sort=False).mean()
    lines = []
    for arm in _arms(changes):
        own = means.xs(arm, level="arm")
        lines.append({"arm": arm, **{name: _counted(own[name], name) for name in names}})
    return pd.DataFrame(lines)


def _counted(means: pd.Series[Any], name: str) -> str:
    gains = -means if name == LOG_LOSS else means
    return f"{signed(means.mean())} ({(gains > 0).sum()} better, {(gains < 0).sum()} worse{_p_text(means)})"


def _p_text(means: pd.Series[Any]) -> str:
    return f", p {p_value(means)}" if (means != 0).sum() > 1 else ""


def _table_by_table(changes: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A row for each table and arm."""
    groups = changes.groupby(["table", "arm"], sort=False)
    columns = {name: groups[name].agg(spread, unit=" %" if name == LOG_LOSS else "") for name in names}
    return pd.DataFrame(columns).reset_index()


def _arms(changes: pd.DataFrame) -> list[str]:
    """In the order in which they stand everywhere."""
    measured = set(changes.index.get_level_values("arm"))
    return [arm for arm in ARMS if arm in measured]


def _digits(name: str) -> Callable[[float], str]:
    """Three decimals for nats, one for everything else."""
    return (lambda value: "" if pd.isna(value) else f"{value:.3f}") if name == LOG_LOSS else tenths
