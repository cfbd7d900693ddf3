"""The page of ``imbllm bench prior``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "rarest, true share": "percent of the test rows of the rarest class",
    "rarest, answered": "percent of the answers that name it",
    "gap": "largest absolute difference of answered and true share of a class, percentage points; lower is better",
    "gap, equal classes": "the same with test rows weighed so that every class is equally frequent",
    "macro F1": "mean over the classes, percent",
    "balanced accuracy": "mean recall of the classes, percent",
    "ROC AUC": "of two classes, or the mean of each against the others, percent",
    "log-loss": "nats; lower is better",
    "ECE": "expected calibration error of the most probable class, 15 bins, percentage points; lower is better",
    "fit s": "seconds of a fit",
}

RECOMMENDED_ARM = "recommended"
"""The combination that this package recommends."""

NOTED_ARM = "effective + correction + matched"
"""Effective numbers, instruction and correction, as a practitioner's note recommends, with matched decisions."""

NOTHING_TO_HALVE = 0.5
"""Percentage points: on a few hundred test rows a gap below it is one of two or three rows."""

UNIFORM = "recommended, uniform"
"""The arm that answers as if classes were equally frequent."""


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and arm; means over the splits."""
    wide = tidy.pivot_table("value", ["table", "arm"], "metric", sort=False)[list(METRICS)]
    return wide.round({name: 3 if name == "log-loss" else 1 for name in METRICS}).reset_index()


def page_text(tidy: pd.DataFrame, backbone: str, command: str, query: str = "") -> str:
    """What was measured, what it means, and whether the recommended combination does what it should.

    Parameters
    ----------
    tidy
        One measured value in each row.
    backbone, command
        What was measured, and how to repeat it.
    query
        What is to be said of the speed of the label query; empty: nothing.
    """
    speed = f"## Speed of the label query\n\n{query}\n\n" if query else ""
    meanings = "\n".join(f"- **{name}**: {meaning}" for name, meaning in METRICS.items())
    verdicts = "\n".join(_verdict(part, str(name)) for name, part in tidy.groupby("table", sort=False))
    return (
        f"Classes asked of {backbone}, a decoder trained on rows whose last clause is the label, without and with "
        "measures against copying the class shares of its training set. Stratified splits, 30 % test rows; means over "
        f"the splits.\n\n{meanings}\n\n## The combinations against none\n\n"
        "Asked: the largest gap at most half as large, ROC AUC not lower beyond noise (two standard errors of the "
        f"paired difference over the splits).\n\n{verdicts}\n\n{speed}Command: `{command}`."
    )


def _verdict(part: pd.DataFrame, name: str) -> str:
    """Lines on one table: natural test rows under each combination, and equally frequent classes."""
    figures = part.pivot_table("value", "split", ["arm", "metric"])
    before, lines = figures["none"], [f"- **{name}**"]
    for arm in [arm for arm in (RECOMMENDED_ARM, NOTED_ARM) if arm in figures]:
        ranked = _ranked(figures[arm]["ROC AUC"] - before["ROC AUC"])
        lines.append(f"  - {arm}: gap {_shrunk(before['gap'], figures[arm]['gap'])}; {ranked}")
    if UNIFORM in figures:
        both = before["gap, equal classes"], figures[UNIFORM]["gap, equal classes"]
        lines.append(f"  - equally frequent classes, {UNIFORM}: gap {_shrunk(*both)}")
    return "\n".join(lines)


def _shrunk(before: pd.Series, after: pd.Series) -> str:
    halved = "halved" if after.mean() <= before.mean() / 2 else "NOT halved"
    if before.mean() < NOTHING_TO_HALVE and after.mean() < NOTHING_TO_HALVE:
        halved = "nothing to halve"
    return f"{before.mean():.1f} to {after.mean():.1f} points ({halved})"


def _ranked(difference: pd.Series) -> str:
    error = difference.std() / np.sqrt(len(difference)) if len(difference) > 1 else np.nan
    lost = "lost" if difference.mean() < -2 * (error if np.isfinite(error) else 0.5) else "not lost"
    spread = f" ± {error:.1f}" if np.isfinite(error) else ""
    return f"ROC AUC {difference.mean():+.1f}{spread} ({lost})"
