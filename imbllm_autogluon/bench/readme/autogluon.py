"""The block of ``imbllm bench autogluon``: what twins change in AutoGluon's ensemble, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.autogluon.arms import ARMS, FIT_SECONDS, IMBLLM, OURS
from imbllm_autogluon.bench.autogluon.page import changes_from
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, BALANCED, F1, LOG_LOSS, MACRO_F1, ROC_AUC
from imbllm_autogluon.bench.one_fit import PLAIN
from imbllm_autogluon.bench.page_text import markdown
from imbllm_autogluon.bench.readme.words import between, counted, named, paragraph, signed_or_zero, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.bench.readme.result import Result

TWO, MORE = "two classes", "more than two"

SHOWN = {TWO: (AVERAGE_PRECISION, ROC_AUC, F1, LOG_LOSS), MORE: (BALANCED, MACRO_F1, LOG_LOSS)}

MAIN = {TWO: AVERAGE_PRECISION, MORE: BALANCED}
"""The metric that AutoGluon optimizes."""


def autogluon(result: Result) -> str:
    """Changes of each arm against the plain ensemble: over the tables, then for each table the main metric."""
    parts = [part for kind, own in _kinds(_means(result, PLAIN)).items() for part in _of_kind(result, kind, own)]
    told = [*map(paragraph, (*_rows_add(result), _cost(result)))]
    return "\n\n".join([paragraph(_about(result)), *parts, *told, result.origin("all figures")])


def _means(result: Result, other: str) -> pd.DataFrame:
    """Changes against an arm by table and arm, means over the splits."""
    return changes_from(result.tidy, other).groupby(["table", "arm"], sort=False).mean()


def _about(result: Result) -> str:
    return (
        f"Changes against AutoGluon's ensemble of plain models on unseen rows, points ({LOG_LOSS}: percent, below 0 is "
        f"better), means over the tables and {result.splits} of each; in brackets on how many tables an arm is better "
        f"and on how many worse."
    )


def _kinds(means: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables of two classes and of more; a kind without tables is left out."""
    two = means[AVERAGE_PRECISION].notna()
    return {kind: own for kind, own in {TWO: means[two], MORE: means[~two]}.items() if len(own)}


def _of_kind(result: Result, kind: str, means: pd.DataFrame) -> list[str]:
    """Both tables of one kind, and where twins lose."""
    name = MAIN[kind]
    arms = [arm for arm in ARMS if arm in means.index.get_level_values("arm")]
    wide = means.pivot_table(name, "table", "arm", sort=False)[arms]
    return [
        markdown(_over_tables(means, arms, SHOWN[kind], f"{kind}: {counted(len(wide), 'table')}")),
        markdown(result.titled(wide.map(signed_or_zero), f"{name}, change")),
        *([paragraph(_losses(means, kind))] if IMBLLM in wide else []),
    ]


def _over_tables(means: pd.DataFrame, arms: Sequence[str], names: Sequence[str], heading: str) -> pd.DataFrame:
    lines = []
    for arm in arms:
        own = means.xs(arm, level="arm")
        lines.append({heading: arm, **{name: _counted(own[name], name) for name in names}})
    return pd.DataFrame(lines)


def _counted(values: pd.Series[Any], name: str) -> str:
    gains = -values if name == LOG_LOSS else values
    return f"{signed_or_zero(values.mean())} ({(gains > 0).sum()} better, {(gains < 0).sum()} worse)"


def _losses(means: pd.DataFrame, kind: str) -> str:
    """Tables on which ImbLLM's twins make the ensemble worse."""
    own = means.xs(IMBLLM, level="arm")
    told = [f"in {name} on {named(own[name][own[name] < 0])}" for name in SHOWN[kind] if name != LOG_LOSS]
    worse = named(own[LOG_LOSS][own[LOG_LOSS] > 0])
    return f"With {kind}, `{IMBLLM}` loses {'; '.join(told)}; in {LOG_LOSS} (percent) on {worse}."


def _rows_add(result: Result) -> list[str]:
    """What ImbLLM's twins change where the ensemble is chosen the same way without them."""
    if not {OURS, IMBLLM} <= set(result.tidy["arm"]):
        return []
    told = []
    for kind, means in _kinds(_means(result, OURS)).items():
        own = means.xs(IMBLLM, level="arm")
        changes = ", ".join(f"{name} {_counted(own[name], name)}" for name in SHOWN[kind])
        told.append(f"With {kind}, `{IMBLLM}` against `{OURS}`: {changes}.")
    return told


def _cost(result: Result) -> str:
    """Seconds of fitting what ImbLLM's twins add beside those of the plain models."""
    seconds = result.by_arm(FIT_SECONDS, (PLAIN, IMBLLM))
    if IMBLLM not in seconds:
        return f"`{IMBLLM}` was not measured."
    return (
        f"Fitting takes {between(seconds[PLAIN], whole)} s for the plain models and "
        f"{between(seconds[IMBLLM], whole)} s more for ImbLLM's twins, generators included."
    )
