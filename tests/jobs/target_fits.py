"""Tiny fits of a continuous target that several test files look at, each made once for all workers of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.jobs.target_job import TargetJob
from imbllm_autogluon.tables.labeled import LabeledTable
from tests.jobs.fits import reported_once

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.jobs.base_job import FitOutcome

FAMILIES = ("KNN",)
QUICK = {
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


def houses(n: int = 150, seed: int = 0) -> pd.DataFrame:
    """Rows with a skewed price that follows from ``area`` and ``city``."""
    rng = np.random.default_rng(seed)
    area = rng.gamma(2.0, 40.0, n).round(1)
    city = rng.choice(["Oslo", "Bergen", "<b>Bod\u00f8</b>"], n)
    price = 1000 * area * (1 + 0.5 * (city == "Oslo")) + rng.normal(0, 4000, n)
    return pd.DataFrame({"area": area, "city": city, "price": price.round(2)})


def target_table(n: int = 150, seed: int = 0, source: str = "houses.csv") -> LabeledTable:
    return LabeledTable.of(houses(n, seed), "price", source, task="regression")


def tiny_target_job(train: LabeledTable, out: Path, **options: object) -> TargetJob:
    settings = {
        "families": FAMILIES,
        "settings": SMALL,
        "latent_diff": QUICK,
        "threads": 1,
        "verbosity": 0,
        "folds": 2,
        **options,
    }
    return TargetJob(train, out, **settings)


@reported_once
def target_outcome(out: Path) -> FitOutcome:
    """Bagged, with a test table; one training and one test row have no target."""
    train, test = houses(), houses(80, seed=1)
    train.loc[3, "price"] = None
    test.loc[5, "price"] = None
    known = LabeledTable.known_rows(test, "price", "test.csv", task="regression")
    return tiny_target_job(LabeledTable.of(train, "price", "houses.csv", task="regression"), out, test=known).run()


@reported_once
def unbagged_outcome(out: Path) -> FitOutcome:
    """Neither bags, twins nor a test table, and few-shot errors for a metric."""
    return tiny_target_job(target_table(), out, folds=0, metric="few_mae", settings={**SMALL, "method": "none"}).run()
