"""Tiny fits that several test files look at, each made once per process."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.jobs.job import FitJob
from imbllm_autogluon.tables.labelled import LabelledTable

if TYPE_CHECKING:
    from imbllm_autogluon.jobs.base_job import FitOutcome

TINY = {"steps": 2, "warmup_steps": 2}
FAMILIES = ("GBM", "LR")


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


def labelled(sizes: dict[object, int], seed: int = 0, source: str = "rows.csv") -> LabelledTable:
    return LabelledTable.of(mixed_table(sizes, seed), "label", source)


def tiny_job(train: LabelledTable, out: Path, **options: object) -> FitJob:
    settings = {"families": FAMILIES, "settings": TINY, "threads": 1, "verbosity": 0, "folds": 2, **options}
    return FitJob(train, out, **settings)


def new_folder() -> Path:
    """A folder of this process, removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="imbllm-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def binary_outcome() -> FitOutcome:
    """Two classes, bagged, with a test table; one training and one test row have no label."""
    train = mixed_table({"no": 150, "yes": 30})
    train.loc[3, "label"] = None
    test = mixed_table({"no": 60, "yes": 20}, seed=1)
    test.loc[5, "label"] = None
    known = LabelledTable.known_rows(test, "label", "test.csv")
    return tiny_job(LabelledTable.of(train, "label", "rows.csv"), new_folder() / "fit", test=known).run()


@functools.cache
def multiclass_outcome() -> FitOutcome:
    """Three classes, and a fourth that AutoGluon leaves out because it has three rows; no test table."""
    train = labelled({"a": 100, "b": 40, "c": 20, "d": 3})
    return tiny_job(train, new_folder() / "fit").run()


@functools.cache
def tuned_outcome() -> FitOutcome:
    """Two classes and a twin tuned in five trials."""
    train = labelled({"no": 90, "yes": 20})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imbllm_autogluon.plugin.presets.TUNING", {"num_trials": 5, "top_k": 2})
        return tiny_job(train, new_folder() / "fit", presets=("imbllm_tuned",), families=("LR",)).run()
