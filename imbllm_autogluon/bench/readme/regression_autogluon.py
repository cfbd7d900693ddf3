"""The block of ``imbllm bench regression-autogluon``: what is left in AutoGluon's ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.bench.page_text import markdown
from imbllm_autogluon.bench.readme.regression import FEW, few_and_all, table_by_table
from imbllm_autogluon.bench.readme.words import between, hundredths_changed, named, paragraph, whole
from imbllm_autogluon.bench.regression_autogluon.page import (
    ALL_THREE,
    ALONE,
    IMBLLM,
    LATENT,
    PLAIN,
    ROUNDING,
    SMOGN,
    TWICE,
)

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.bench.readme.result import Result

SHOWN = (TWICE, LATENT, SMOGN, IMBLLM, ALL_THREE)


def regression_autogluon(result: Result) -> str:
    """Changes against the plain ensemble on each table, and on which of them each arm loses."""
    changes = few_and_all(result, PLAIN)
    # What is equal but for the order of a sum is no loss.
    changes = changes.mask(changes.abs() < ROUNDING, 0.0)
    about = f"Change of the error against the plain ensemble, percent, {result.splits} of each table:"
    return "\n\n".join(
        [
            paragraph(about),
            markdown(table_by_table(result, changes, SHOWN)),
            paragraph(f"Few-shot errors: {_losses(changes)}. {_seconds(result)}"),
            result.origin("all figures"),
        ]
    )


def _losses(changes: pd.DataFrame) -> str:
    """On how many tables each arm lowers few-shot errors, and where it raises them."""
    told = []
    for arm in (arm for arm in SHOWN if arm in changes.index.get_level_values("arm")):
        few = changes[FEW].xs(arm, level="arm").dropna()
        higher = named(few[few > 0], hundredths_changed)
        told.append(f"`{arm}` lower on {(few < 0).sum()} of {len(few)} tables, higher on {higher}")
    return "; ".join(told)


def _seconds(result: Result) -> str:
    """Seconds that LatentDiff takes in one fold."""
    seconds, folds = result.by_arm("fit s", (ALONE,)), int(result.option("folds") or 1)
    if ALONE not in seconds:
        return ""
    return f"LatentDiff costs {between(seconds[ALONE] / folds, whole)} s a fold here."
