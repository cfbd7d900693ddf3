"""``imbllm bench prior``: does a decoder copy the class shares of its training set, and what helps against it.

Each measure alone, then the recommended combination, on the same splits. Twice the answers are counted: on test rows as
they are, and as if every class were equally frequent there, each test row counting by its class.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.answers import judge
from imbllm_autogluon.bench.named_tables import packaged_and_named
from imbllm_autogluon.bench.pieces import measured, pieces_of
from imbllm_autogluon.bench.prior import query_speed
from imbllm_autogluon.bench.prior.page import METRICS, NOTED_ARM, RECOMMENDED_ARM, UNIFORM, page_text, summary
from imbllm_autogluon.bench.results import RESULTS, command_line, versions, write_results
from imbllm_autogluon.classification import RECOMMENDED, LanguageModelClassifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.tables.labelled import LabelledTable

ALONE: dict[str, dict[str, Any]] = {
    "none": {},
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
}
"""Each measure alone."""

NOTED: dict[str, Any] = {
    "weighting": "effective",
    "instruction": True,
    "target_prior": "training",
    "decisions": "matched",
}
"""What :data:`~imbllm_autogluon.bench.prior.page.NOTED_ARM` does."""

ARMS = {
    **ALONE,
    NOTED_ARM: NOTED,
    RECOMMENDED_ARM: dict(RECOMMENDED),
    UNIFORM: {**RECOMMENDED, "target_prior": "uniform"},
}

PRETRAINED_ARMS = {
    "none": {},
    NOTED_ARM: NOTED,
    RECOMMENDED_ARM: dict(RECOMMENDED),
    "recommended, top blocks": {**RECOMMENDED, "tuning": "top_blocks"},
    UNIFORM: {**RECOMMENDED, "target_prior": "uniform"},
}
"""A pretrained backbone takes minutes for each arm."""

TEST_SHARE = 0.3

QUERIED = {"compact": (1000, 50), "pretrained": (100, 20)}
"""Rows asked in batches, and one by one: a pretrained backbone of 135 M weights takes half a second each on a CPU."""


def run(
    backbone: str = "compact",
    tables: Sequence[str] = (),
    rows: int = 5000,
    steps: int | None = None,
    repeats: int = 3,
    threads: int = 1,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``prior.csv`` and ``prior.md``; returns the page.

    Parameters
    ----------
    backbone
        Of the classifier; a pretrained one has fewer arms and its name in the names of the files.
    tables
        ``FILE:LABEL`` of tables beside the packaged one.
    rows
        Most rows of a table.
    steps
        Training steps on the label; None: the default.
    repeats
        Splits of each table.
    threads
        torch threads.
    fresh
        Measure everything anew.
    folder
        Where to write.
    """
    work = pieces_of("prior", fresh=fresh)
    arms = ARMS if backbone == "compact" else PRETRAINED_ARMS
    common = {"backbone": backbone, **({} if steps is None else {"steps": steps})}
    entries = []
    for (name, table), seed, arm in product(packaged_and_named(tables, rows), range(repeats), arms):
        settings = {**common, **arms[arm]}
        title = f"{name} {arm} {seed}"
        identity = [settings, threads, seed, len(table.frame)]
        piece = measured(work, title, identity, partial(measure, table, settings, seed, threads))
        key = {"table": name, "split": seed, "arm": arm}
        entries += [{**key, "metric": metric, "value": piece[metric]} for metric in METRICS]
    tidy = pd.DataFrame(entries)
    named = Path(backbone).name
    command = command_line("prior", tables, backbone=named, rows=rows, repeats=repeats, threads=threads, steps=steps)
    title = "prior" if backbone == "compact" else f"prior_{named}"
    text = page_text(tidy, named, command, _query_speed(work, backbone, threads))
    return write_results(title, tidy.assign(versions=versions()), summary(tidy), text, folder)


def _query_speed(work: Path, backbone: str, threads: int) -> str:
    """Measure the label query against writing labels row by row, and say how it went."""
    rows, one_by_one = QUERIED["compact" if backbone == "compact" else "pretrained"]
    name, identity = f"query speed {Path(backbone).name}", [backbone, rows, one_by_one, threads]
    figures = measured(work, name, identity, partial(query_speed.measure, backbone, rows, one_by_one, threads))
    return query_speed.describe(figures, backbone, threads)


def measure(table: LabelledTable, settings: dict[str, Any], seed: int, threads: int) -> dict[str, float]:
    """Train and judge one arm on one split."""
    from sklearn.model_selection import train_test_split

    learned, unseen = train_test_split(table.frame, test_size=TEST_SHARE, stratify=table.labels, random_state=seed)
    classifier = LanguageModelClassifier(random_state=seed, threads=threads, **settings)
    classifier.fit(learned.drop(columns=table.label), learned[table.label])
    codes = np.searchsorted(classifier.classes_, unseen[table.label].to_numpy())
    features = unseen.drop(columns=table.label)
    answers = np.searchsorted(classifier.classes_, classifier.predict(features))
    figures = judge(classifier.predict_proba(features), answers, codes)
    return {**figures, "fit s": classifier.model_.seconds}
