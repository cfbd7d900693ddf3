"""The block of ``imbllm bench prior``: what the recommended measures do to copied class shares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.page_text import markdown, tenths
from imbllm_autogluon.bench.prior.page import RECOMMENDED_ARM, UNIFORM
from imbllm_autogluon.bench.readme.words import between, marked, named, paragraph, thousandths_changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.bench.readme.result import Result

NONE, LOG_LOSS, EQUAL = "none", "log-loss", "gap, equal classes"

SHOWN = ("gap", EQUAL, "macro F1", "ROC AUC", LOG_LOSS)

LOWEST = ("gap", EQUAL, LOG_LOSS)
"""Metrics of which the lowest is best."""

TIMES = r"([\d.]+) times as long"
"""How the page tells of label queries one by one; the CSV has no seconds of them."""


def prior(result: Result) -> str:
    """None beside recommended on each table, where it loses, and how fast the label query is."""
    about = (
        f"Means over {result.splits}, {NONE} → {RECOMMENDED_ARM}; gaps and scores in points, {LOG_LOSS} in nats "
        f"(low gaps and {LOG_LOSS} are best):"
    )
    shown = pd.DataFrame({name: _change(result, name) for name in SHOWN})
    return "\n\n".join(
        [
            paragraph(about),
            markdown(result.titled(shown)),
            paragraph(f"{_losses(result)} {_query(result)}"),
            result.origin("each measure alone"),
        ]
    )


def _pair(result: Result, name: str) -> pd.DataFrame:
    """Without and with the measures; the gap among equal classes is that of answers meant for such classes."""
    pair = result.by_arm(name, (NONE, UNIFORM if name == EQUAL else RECOMMENDED_ARM))
    return pair.set_axis([NONE, RECOMMENDED_ARM], axis="columns")


def _change(result: Result, name: str) -> pd.Series[str]:
    texts = _pair(result, name).apply(marked, axis="columns", text=_text(name), lowest=name in LOWEST)
    return texts[NONE] + " → " + texts[RECOMMENDED_ARM]


def _text(name: str) -> Callable[[float], str]:
    return "{:.3f}".format if name == LOG_LOSS else tenths


def _losses(result: Result) -> str:
    """Tables on which the recommended combination is worse."""
    told = []
    for name in SHOWN:
        pair = _pair(result, name)
        change = pair[RECOMMENDED_ARM] - pair[NONE]
        worse = change[change > 0] if name in LOWEST else change[change < 0]
        if len(worse):
            told.append(f"{name} on {named(worse, thousandths_changed if name == LOG_LOSS else None)}")
    return f"The combination is worse in {'; '.join(told)}." if told else "The combination is worse in nothing."


def _query(result: Result) -> str:
    """How many times as fast label queries are in batches."""
    times = pd.Series([float(found) for found in re.findall(TIMES, result.page)])
    if times.empty:
        return ""
    return (
        f"Rows asked for their class one by one take {between(times)} times as long as 1,000 of them in batches, not "
        f"50 times: reading the prompts is nearly all of the work either way."
    )
