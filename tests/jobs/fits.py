"""Tiny fits that several test files look at, each made once for all workers of a run."""

from __future__ import annotations

import functools
import pickle
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.jobs.fit_report import write_report
from imbllm_autogluon.jobs.job import FitJob
from imbllm_autogluon.tables.labeled import LabeledTable
from tests.shared import TINY, made_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imbllm_autogluon.jobs.base_job import FitOutcome

FAMILIES = ("KNN", "LR")
OUTCOME = "outcome.pkl"


def reported_once(make: Callable[[Path], FitOutcome]) -> Callable[[], FitOutcome]:
    """Fit into a folder and report there, once for all workers; each of them reads the outcome from its files."""

    def fit(folder: Path) -> None:
        outcome = make(folder / "fit")
        write_report(outcome)
        (folder / OUTCOME).write_bytes(pickle.dumps(replace(outcome, predictor=None)))

    @functools.cache
    def outcome() -> FitOutcome:
        folder = made_once(make.__name__, fit)
        stored: FitOutcome = pickle.loads((folder / OUTCOME).read_bytes())
        return replace(stored, predictor=TabularPredictor.load(str(folder / "fit")))

    return outcome


def copy_of(outcome: FitOutcome, folder: Path) -> FitOutcome:
    """The same outcome in another folder, which a test may change."""
    shutil.copytree(outcome.job.out, folder)
    job = replace(outcome.job, out=folder, force=True)
    return replace(outcome, job=job, predictor=TabularPredictor.load(str(folder)))


def mixed_table(sizes: dict[object, int], seed: int = 0) -> pd.DataFrame:
    """Rows of each class; ``amount`` tells classes apart a little, ``note`` is constant."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.array(list(sizes), dtype=object), list(sizes.values()))
    place = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    table = pd.DataFrame(
        {
            "amount": (rng.normal(size=len(labels)) + place).round(3),
            "visits": rng.integers(0, 9, len(labels)),
            "city": rng.choice(["Oslo", "Bergen", "<b>Bod\u00f8</b>"], len(labels)),
            "label": labels,
        }
    )
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def labelled(sizes: dict[object, int], seed: int = 0, source: str = "rows.csv") -> LabeledTable:
    return LabeledTable.of(mixed_table(sizes, seed), "label", source)


def tiny_job(train: LabeledTable, out: Path, **options: object) -> FitJob:
    settings = {"families": FAMILIES, "settings": TINY, "threads": 1, "verbosity": 0, "folds": 2, **options}
    return FitJob(train, out, **settings)


@reported_once
def binary_outcome(out: Path) -> FitOutcome:
    """Two classes, bagged, with a test table; one training and one test row have no label."""
    train = mixed_table({"no": 150, "yes": 30})
    train.loc[3, "label"] = None
    test = mixed_table({"no": 60, "yes": 20}, seed=1)
    test.loc[5, "label"] = None
    known = LabeledTable.known_rows(test, "label", "test.csv")
    return tiny_job(LabeledTable.of(train, "label", "rows.csv"), out, test=known).run()


@reported_once
def multiclass_outcome(out: Path) -> FitOutcome:
    """Three classes, and a fourth that AutoGluon leaves out because it has three rows; no test table."""
    return tiny_job(labelled({"a": 100, "b": 40, "c": 20, "d": 3}), out).run()


@reported_once
def tuned_outcome(out: Path) -> FitOutcome:
    """Two classes and a twin tuned in four trials."""
    train = labelled({"no": 90, "yes": 20})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imbllm_autogluon.plugin.presets.TUNING", {"num_trials": 4, "top_k": 2})
        return tiny_job(train, out, presets=("imbllm_tuned",), families=("LR",)).run()
