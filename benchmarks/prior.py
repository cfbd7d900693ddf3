"""Does a decoder copy the class shares of its training set, and what helps against it.

Does a decoder copy the class shares of its training set, and what helps against it.  A decoder trained on rows whose
last clause is the label (`LanguageModelClassifier`), without and with measures against copying the class shares of its
training set. Stratified splits, 30 % test rows; means over the splits.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.protocol import Metric, Option, Protocol, Spec, Task
from benchmarks.report import by_table, markdown
from benchmarks.scores import BALANCED, LOG_LOSS, MACRO_F1, ROC_AUC, of_all_classes
from imbllm_autogluon.classification import RECOMMENDED, LanguageModelClassifier

NONE, NOTED_METHOD = "none", "effective + correction + matched"
RECOMMENDED_METHOD, UNIFORM, TOP_BLOCKS = "recommended", "recommended, uniform", "recommended, top blocks"
GAP, EVEN_GAP = "gap", "gap, equal classes"

METHODS: dict[str, Spec] = {
    NONE: {},
    "effective number": {"weighting": "effective"},
    "inverse frequency": {"weighting": "inverse"},
    "focal": {"focal_gamma": 2.0},
    "oversampling, cap 3": {"oversampling_cap": 3.0},
    "instruction": {"instruction": True},
    "suppression clause": {"suppression": True},
    "two-stage": {"first_stage": "boosting"},
    "correction": {"target_prior": "training"},
    "bias": {"calibration": "bias"},
    "temperature and bias": {"calibration": "temperature"},
    "matched decisions": {"decisions": "matched"},
    NOTED_METHOD: {"weighting": "effective", "instruction": True, "target_prior": "training", "decisions": "matched"},
    RECOMMENDED_METHOD: dict(RECOMMENDED),
    UNIFORM: {**RECOMMENDED, "target_prior": "uniform"},
    TOP_BLOCKS: {**RECOMMENDED, "tuning": "top_blocks"},
}
"""Settings of the classifier: each measure alone, then combinations."""

TEST_SHARE = 0.3

NOTHING_TO_HALVE = 0.5
"""Percentage points: on a few hundred test rows a gap below it is one of two or three rows."""


def measure(task: Task) -> dict[str, float]:
    """Train on one part of the rows and judge on the other."""
    from sklearn.model_selection import train_test_split

    table = task.table
    chosen = {key: task.options[key] for key in ("backbone", "steps") if task.options[key] is not None}
    settings = {**chosen, **task.spec, "random_state": task.split, "threads": task.threads}
    learned, test = train_test_split(table.frame, test_size=TEST_SHARE, stratify=table.labels, random_state=task.split)
    classifier = LanguageModelClassifier(**settings).fit(learned.drop(columns=table.label), learned[table.label])
    truth, features = np.searchsorted(classifier.classes_, test[table.label].to_numpy()), test.drop(columns=table.label)
    answers = np.searchsorted(classifier.classes_, classifier.predict(features))
    figures = of_all_classes(classifier.predict_proba(features), answers, truth)
    return {**figures, "fit s": classifier.model_.seconds}


def verdicts(tidy: pd.DataFrame, _protocol: Protocol) -> str:
    """Whether the combinations halve the gap and keep the ROC AUC, on each table."""
    lines = []
    pairs = ((RECOMMENDED_METHOD, GAP), (NOTED_METHOD, GAP), (UNIFORM, EVEN_GAP))
    for table, part in tidy.groupby("table", sort=False):
        figures = part.pivot_table("value", "split", ["method", "metric"])
        for method, metric in [pair for pair in pairs if {NONE, pair[0]} <= set(part["method"])]:
            before, after = figures[NONE], figures[method]
            line = {"table": table, "method": method, "figure": metric, **_halved(before[metric], after[metric])}
            lines.append({**line, "ROC AUC": _kept(after[ROC_AUC] - before[ROC_AUC])})
    asked = (
        "Asked: the largest gap at most half as large, ROC AUC not lower beyond noise (two standard errors of the "
        "paired difference over the splits)."
    )
    return f"## The combinations against none\n\n{asked}\n\n{markdown(pd.DataFrame(lines))}" if lines else ""


def _halved(before: pd.Series[float], after: pd.Series[float]) -> dict[str, str]:
    halved = "halved" if after.mean() <= before.mean() / 2 else "NOT halved"
    if before.mean() < NOTHING_TO_HALVE and after.mean() < NOTHING_TO_HALVE:
        halved = "nothing to halve"
    return {"points": f"{before.mean():.1f} to {after.mean():.1f}", "verdict": halved}


def _kept(difference: pd.Series[float]) -> str:
    error = float(difference.std() / np.sqrt(len(difference))) if len(difference) > 1 else np.nan
    lost = "lost" if difference.mean() < -2 * (error if np.isfinite(error) else 0.5) else "not lost"
    return f"{difference.mean():+.1f}{f' ± {error:.1f}' if np.isfinite(error) else ''} ({lost})"


PROTOCOL = Protocol(
    name="prior",
    about=__doc__,
    methods=METHODS,
    slow=(TOP_BLOCKS,),
    measure=measure,
    metrics=(
        Metric("rarest, true share", "percent of the test rows of the rarest class", ""),
        Metric("rarest, answered", "percent of the answers that name it", ""),
        Metric(GAP, "largest absolute difference of a class's answered and true share, percentage points", "lower"),
        Metric(EVEN_GAP, "the same, test rows weighted so that every class is equally frequent", "lower"),
        Metric(MACRO_F1, "mean over the classes, percent"),
        Metric(BALANCED, "mean recall of the classes, percent"),
        Metric(ROC_AUC, "of two classes, or the mean of each against the others, percent"),
        Metric(LOG_LOSS, "nats; lower is better", "lower", 3),
        Metric("ECE", "expected calibration error of the most probable class, 15 bins, percentage points", "lower"),
        Metric("fit s", "seconds of a fit", ""),
    ),
    rows=5000,
    options={
        "backbone": Option(str, "compact", "Of the classifier."),
        "steps": Option(int | None, None, "Training steps on the label; default: the classifier's."),
    },
    page=(verdicts, by_table),
)
