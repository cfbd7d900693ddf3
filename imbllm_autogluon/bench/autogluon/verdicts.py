"""Whether twins do what is asked of them in ``imbllm bench autogluon``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imbllm_autogluon.bench.autogluon.arms import IMBLLM, OURS, RANDOM, SMOTE_NC, TUNED, TWICE, WEIGHTS
from imbllm_autogluon.bench.changes import differences_from
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, BALANCED, LOG_LOSS, MACRO_F1, ROC_AUC
from imbllm_autogluon.bench.one_fit import PLAIN
from imbllm_autogluon.bench.page_text import signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

MOST_LOST = 0.5
"""Points of average precision and ROC AUC on any table."""

MOST_LOG_LOSS = 2.0
"""Percent by which the log-loss may rise on any table."""

MULTICLASS_GAIN = 3.0
"""Points of balanced accuracy and macro F1, mean over the tables of more than two classes."""

ASKED = f"""Asked of `{IMBLLM}` against `{PLAIN}` and against `{TWICE}`: {AVERAGE_PRECISION} and {ROC_AUC} higher on \
average over the tables, and on no table lower by more than {MOST_LOST} points; {LOG_LOSS} on no table higher by more \
than {MOST_LOG_LOSS:g} %; with more than two classes {BALANCED} and {MACRO_F1} higher by at least \
{MULTICLASS_GAIN:g} points on average; `{TUNED}` at least as good. Means over the splits. Whether the same holds for \
other arms stands below it, and against `{OURS}`: what the rows add to an ensemble that is chosen the same way."""

OTHERS = (PLAIN, TWICE, OURS)
"""Arms that the others are compared with."""


def verdicts(changes: Mapping[str, pd.DataFrame]) -> str:
    """What is asked, and for each arm whether it holds and on which tables it does not.

    Parameters
    ----------
    changes
        Against each of `OTHERS`: points, of the log-loss percent, by table, split and arm; see
        :func:`imbllm_autogluon.bench.autogluon.page.changes_from`.
    """
    measured = changes[PLAIN].index.get_level_values("arm")
    lines = [ASKED, ""]
    for arm in (arm for arm in (IMBLLM, TUNED, OURS, SMOTE_NC, RANDOM, WEIGHTS) if arm in measured):
        for other in OTHERS:
            if arm != other:
                lines += _of_arm(changes[other], arm, other)
    return "\n".join([*lines, _tuned(changes[PLAIN])])


def _of_arm(changes: pd.DataFrame, arm: str, other: str) -> list[str]:
    """Lines about one arm against another."""
    means = changes.xs(arm, level="arm").groupby("table", sort=False).mean()
    binary, more = means[means[AVERAGE_PRECISION].notna()], means[means[MACRO_F1].notna()]
    lines = [_never_lower(binary[name], name) for name in (AVERAGE_PRECISION, ROC_AUC) if len(binary)]
    lines.append(_log_loss(means[LOG_LOSS]))
    lines += [_higher(more[name], name) for name in (BALANCED, MACRO_F1) if len(more)]
    return [f"- **{arm}** against `{other}`:", *(f"  - {line}" for line in lines)]


def _never_lower(means: pd.Series[Any], name: str) -> str:
    lower = means[means < -MOST_LOST]
    return (
        f"{name}: {_holds(means.mean() > 0 and lower.empty)}: {signed(means.mean())} points on average, "
        f"{_named(lower, f'lower by more than {MOST_LOST}')}; {_counts(means, 1)}"
    )


def _log_loss(means: pd.Series[Any]) -> str:
    higher = means[means > MOST_LOG_LOSS]
    return (
        f"{LOG_LOSS}: {_holds(higher.empty)}: {signed(means.mean())} % on average, "
        f"{_named(higher, f'higher by more than {MOST_LOG_LOSS:g} %')}; {_counts(means, -1)}"
    )


def _higher(means: pd.Series[Any], name: str) -> str:
    return (
        f"{name}, more than two classes: {_holds(means.mean() >= MULTICLASS_GAIN)}: {signed(means.mean())} points on "
        f"average; {_counts(means, 1)}"
    )


def _tuned(changes: pd.DataFrame) -> str:
    """Tuned twins less untuned ones."""
    if TUNED not in changes.index.get_level_values("arm"):
        return f"- `{TUNED}` against `{IMBLLM}`: not measured (`--tuned`)"
    means = differences_from(IMBLLM, changes).xs(TUNED, level="arm").groupby("table", sort=False).mean()
    told = {name: means[name].dropna() for name in (AVERAGE_PRECISION, ROC_AUC, BALANCED, MACRO_F1)}
    lines = [
        f"  - {name}: {_holds(values.mean() >= 0)}: {signed(values.mean())} points on average; {_counts(values, 1)}"
        for name, values in told.items()
        if len(values)
    ]
    return "\n".join([f"- `{TUNED}` against `{IMBLLM}`:", *lines])


def _holds(reached: bool) -> str:
    return "holds" if reached else "does NOT hold"


def _named(tables: pd.Series[Any], what: str) -> str:
    """Tables with their changes."""
    listed = ", ".join(f"{table} ({signed(change)})" for table, change in tables.items())
    return f"{what} on {listed or 'none'}"


def _counts(means: pd.Series[Any], sign: int) -> str:
    gains = sign * means
    return f"better on {(gains > 0).sum()} of {len(means)} tables, worse on {(gains < 0).sum()}"
