"""The block of ``imbllm bench regression``: treatments of rare targets on one encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.bench.changes import changes_against, wide_figures
from imbllm_autogluon.bench.page_text import markdown
from imbllm_autogluon.bench.readme.words import between, named, paragraph, signed_or_zero, whole
from imbllm_autogluon.bench.regression.page import ALLOWED_ALL, ASKED_FEW, COPIES, LATENT_DIFF, NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.bench.readme.result import Result

FEW, ALL = "few MAE", "all MAE"

SHOWN = (LATENT_DIFF, f"{LATENT_DIFF}, ratio 0.5", COPIES, "LDS", "DenseWeight", "SMOGN rows", "ImbLLM rows")
"""Arms of the table; the page of results has the others."""


def regression(result: Result) -> str:
    """Changes of few-shot and overall errors on each table, and on which of them LatentDiff does what is asked."""
    changes = few_and_all(result, NONE)
    about = (
        f"Change of the mean absolute error against the untreated encoder, percent: few-shot targets / all targets "
        f"(means over {result.splits}; below 0 is better)."
    )
    return "\n\n".join(
        [
            paragraph(about),
            markdown(table_by_table(result, changes, SHOWN)),
            paragraph(f"{_said(changes)} {_trades(changes)} {_seconds(result)}"),
            result.origin("other arms, ablations, splits"),
        ]
    )


def few_and_all(result: Result, base: str) -> pd.DataFrame:
    """Mean changes of the few-shot and the overall MAE, percent, indexed by table and arm; that of `base` left out."""
    changes = changes_against(base, wide_figures(result.tidy, (FEW, ALL))).drop(base, level="arm")
    return changes.groupby(["table", "arm"], sort=False).mean()


def table_by_table(result: Result, changes: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """A row for each table, a column for each arm measured: few-shot / all."""
    cells = (changes[FEW].map(_few_text) + " / " + changes[ALL].map(signed_or_zero)).rename("cell").reset_index()
    wide = cells.pivot_table("cell", "table", "arm", aggfunc="first", sort=False)
    shown = wide[[arm for arm in arms if arm in wide]]
    return result.titled(shown.fillna(""), "few-shot / all, %")


def _few_text(change: float) -> str:
    """A table may have no few-shot rows."""
    return signed_or_zero(change) or "none"


def _said(changes: pd.DataFrame) -> str:
    """LatentDiff: tables on which it gains what is asked of housing, on which it gains less, and on which it loses."""
    own = changes.xs(LATENT_DIFF, level="arm")
    few, every = own[FEW].dropna(), own[ALL]
    return (
        f"Few-shot errors of {LATENT_DIFF} fall by {-ASKED_FEW:g} % or more on "
        f"{named(few[few <= ASKED_FEW])}, by less on {named(few[(few > ASKED_FEW) & (few < 0)])}, and rise on "
        f"{named(few[few >= 0])}; over all targets it costs more than {ALLOWED_ALL:g} % on "
        f"{named(every[every > ALLOWED_ALL])}."
    )


def _trades(changes: pd.DataFrame) -> str:
    """What each arm of the table does in the mean, and the price."""
    means = changes.groupby("arm", sort=False).mean()
    told = [
        f"{arm.removeprefix(f'{LATENT_DIFF}, ')} {signed_or_zero(means[FEW][arm])} / {signed_or_zero(means[ALL][arm])}"
        for arm in SHOWN
        if arm in means.index
    ]
    return f"Means over the tables, few-shot / all: {'; '.join(told)}."


def _seconds(result: Result) -> str:
    seconds = result.by_arm("fit s", (NONE, LATENT_DIFF))
    return (
        f"A fit takes {between(seconds[LATENT_DIFF], whole)} s, the encoder alone {between(seconds[NONE], whole)} s, "
        f"on {result.threads}."
    )
