"""Does a decoder copy the class shares of its training set, and what helps against it.

A decoder trained on rows whose last clause is the label (`LanguageModelClassifier`), without and with measures against
copying the class shares of its training set. Stratified splits, 30 % test rows; means over the splits.
"""

from __future__ import annotations

import numpy as np

from benchmarks.protocol import Claim, Metric, Protocol, Spec, Task
from benchmarks.report import by_table, claims, compared
from benchmarks.scores import BALANCED, LOG_LOSS, MACRO_F1, ROC_AUC, of_all_classes
from benchmarks.synthesis import BACKBONE
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


PROTOCOL = Protocol(
    name="prior",
    about=__doc__,
    methods=METHODS,
    slow=(TOP_BLOCKS,),
    measure=measure,
    metrics=(
        Metric("rarest, true share", "percent of the test rows of the rarest class", ""),
        Metric("rarest, answered", "percent of the answers that name it", ""),
        Metric(
            GAP,
            "largest absolute difference of a class's answered and true share, points",
            "lower",
            compared=True,
            relative=True,
        ),
        Metric(
            EVEN_GAP,
            "the same, test rows weighted so that every class is equally frequent",
            "lower",
            compared=True,
            relative=True,
        ),
        Metric(MACRO_F1, "mean over the classes, percent"),
        Metric(BALANCED, "mean recall of the classes, percent"),
        Metric(ROC_AUC, "of two classes, or the mean of each against the others, percent", compared=True),
        Metric(LOG_LOSS, "nats; lower is better", "lower", 3),
        Metric("ECE", "expected calibration error of the most probable class, 15 bins, percentage points", "lower"),
        Metric("fit s", "seconds of a fit", ""),
    ),
    rows=5000,
    options=BACKBONE,
    references=(NONE,),
    claims=(
        *(Claim(method, GAP, NONE, mean=0.0) for method in (RECOMMENDED_METHOD, NOTED_METHOD)),
        Claim(UNIFORM, EVEN_GAP, NONE, mean=0.0),
        *(Claim(method, ROC_AUC, NONE, worst=-1.0) for method in (RECOMMENDED_METHOD, NOTED_METHOD)),
    ),
    page=(claims, compared, by_table),
)
