"""Tiny fits that several test files look at, each made and reported once for all workers of a run."""

from __future__ import annotations

import functools
import json
import pickle
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.jobs.fit import FitJob
from imbllm_autogluon.jobs.folder import _RECORD
from imbllm_autogluon.jobs.report import report_fit
from imbllm_autogluon.tables.labeled import LabeledTable
from tests.shared import TINY, few_trees, made_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imbllm_autogluon.jobs.fit import FitOutcome

JSON, HTML, MARKDOWN = (f"imbllm_report.{ending}" for ending in ("json", "html", "md"))

CITIES = ["Oslo", "Bergen", "<b>Bod\u00f8</b>"]

QUICK = {
    "encoder_folds": 2,
    "encoder_epochs": 3,
    "encoder_width": 16,
    "feature_size": 4,
    "diffusion_steps": 5,
    "denoiser_width": 8,
    "generation_ratio": 0.5,
}
"""A LatentDiff that learns next to nothing in next to no time."""

SMALL = {"method": "smogn", "n_bins": 8}
"""Rows of rare targets made without a language model."""


def reported_once(make: Callable[[Path], FitOutcome]) -> Callable[[], FitOutcome]:
    """Fit into a folder and report there, once for all workers; each of them reads the outcome from its files."""

    def fit(folder: Path) -> None:
        with few_trees():  # wherever the test is that asks first
            outcome = make(folder / "fit")
            report_fit(outcome).write(outcome.job.out)
        (folder / "outcome.pkl").write_bytes(pickle.dumps(replace(outcome, predictor=None)))

    @functools.cache
    def outcome() -> FitOutcome:
        folder = made_once(make.__name__, fit)
        stored: FitOutcome = pickle.loads((folder / "outcome.pkl").read_bytes())
        return replace(stored, predictor=TabularPredictor.load(str(folder / "fit")))

    return outcome


def copy_of(outcome: FitOutcome, folder: Path) -> FitOutcome:
    """The same outcome in another folder, which a test may change."""
    shutil.copytree(outcome.job.out, folder)
    job = replace(outcome.job, out=folder, force=True)
    return replace(outcome, job=job, predictor=TabularPredictor.load(str(folder)))


def begun(folder: Path, job: FitJob, *, finished: bool = False) -> Path:
    """A folder that says that the fit of a job was begun there."""
    (folder / _RECORD).write_text(json.dumps({"identity": job.identity, "finished": finished}))
    return folder


def facts_of(outcome: FitOutcome) -> dict[str, Any]:
    """What the report of a fit says, as its JSON file keeps it."""
    facts: dict[str, Any] = json.loads((outcome.job.out / JSON).read_text(encoding="utf-8"))
    return facts


def mixed_table(sizes: dict[object, int], seed: int = 0) -> pd.DataFrame:
    """Rows of each class; ``amount`` tells classes apart a little."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.array(list(sizes), dtype=object), list(sizes.values()))
    place = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    table = pd.DataFrame(
        {
            "amount": (rng.normal(size=len(labels)) + place).round(3),
            "visits": rng.integers(0, 9, len(labels)),
            "city": rng.choice(CITIES, len(labels)),
            "label": labels,
        }
    )
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def labelled(sizes: dict[object, int], seed: int = 0, source: str = "rows.csv") -> LabeledTable:
    return LabeledTable.from_frame(mixed_table(sizes, seed), "label", source)


def tiny_job(train: LabeledTable, out: Path, **options: Any) -> FitJob:
    defaults = {
        "families": ("KNN", "LR"),
        "settings": TINY,
        "threads": 1,
        "verbosity": 0,
        "folds": 2,
        "duplicates": False,
    }
    return FitJob(train, out, **{**defaults, **options})


def houses(n: int = 150, seed: int = 0) -> pd.DataFrame:
    """Rows with a skewed price that follows from ``area`` and ``city``."""
    rng = np.random.default_rng(seed)
    area = rng.gamma(2.0, 40.0, n).round(1)
    city = rng.choice(CITIES, n)
    price = 1000 * area * (1 + 0.5 * (city == "Oslo")) + rng.normal(0, 4000, n)
    return pd.DataFrame({"area": area, "city": city, "price": price.round(2)})


def target_table(n: int = 150, seed: int = 0, source: str = "houses.csv") -> LabeledTable:
    return LabeledTable.from_frame(houses(n, seed), "price", source, task="regression")


def tiny_target_job(train: LabeledTable, out: Path, **options: Any) -> FitJob:
    return tiny_job(train, out, **{"families": ("KNN",), "settings": SMALL, "latent_diff": QUICK, **options})


@reported_once
def binary_outcome(out: Path) -> FitOutcome:
    """Two classes, bagged, with a test table; one training and one test row have no label."""
    train = mixed_table({"no": 150, "yes": 30})
    train.loc[3, "label"] = None
    test = mixed_table({"no": 60, "yes": 20}, seed=1)
    test.loc[5, "label"] = None
    known = LabeledTable.known_rows(test, "label", "test.csv")
    return tiny_job(LabeledTable.from_frame(train, "label", "rows.csv"), out, test=known, duplicates=None).run()


@reported_once
def multiclass_outcome(out: Path) -> FitOutcome:
    """Three classes, and a fourth that AutoGluon leaves out because it has three rows; no test table."""
    return tiny_job(labelled({"a": 100, "b": 40, "c": 20, "d": 3}), out).run()


@reported_once
def tuned_outcome(out: Path) -> FitOutcome:
    """Two classes and a twin tuned in four trials."""
    train = labelled({"no": 90, "yes": 20})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imbllm_autogluon.plugin.presets._TUNING", {"num_trials": 4, "top_k": 2})
        return tiny_job(train, out, presets=("imbllm_tuned",), families=("LR",)).run()


@reported_once
def many_kinds(out: Path) -> FitOutcome:
    """Two-valued columns of texts and of bools, dates, gaps and a free text; a holdout instead of bags."""
    table = mixed_table({"no": 260, "yes": 60})
    rng = np.random.default_rng(1)
    n = len(table)
    table["member"] = rng.choice(["ja", "nein"], n)
    table["paid"] = rng.random(n) < 0.5
    table["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    table["amount"] = table["amount"].mask(rng.random(n) < 0.1)
    table["note"] = [" ".join(rng.choice(["paid", "late", "asked", "twice", "for"], 6)) + f" {i}" for i in range(n)]
    return tiny_job(LabeledTable.from_frame(table, "label", "rows.csv"), out, families=("KNN",), folds=0).run()


@reported_once
def target_outcome(out: Path) -> FitOutcome:
    """Numbers, bagged, with a test table; one training and one test row have no target."""
    train, test = houses(), houses(80, seed=1)
    train.loc[3, "price"] = None
    test.loc[5, "price"] = None
    known = LabeledTable.known_rows(test, "price", "test.csv", task="regression")
    return tiny_target_job(
        LabeledTable.from_frame(train, "price", "houses.csv", task="regression"), out, test=known
    ).run()


@reported_once
def unbagged_outcome(out: Path) -> FitOutcome:
    """Numbers without bags, twins and a test table, and few-shot errors for a metric."""
    return tiny_target_job(target_table(), out, folds=0, metric="few_mae", settings={**SMALL, "method": "none"}).run()
