"""Whole fits under a time limit, generators at their default settings."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.datasets import load_hypothyroid

if TYPE_CHECKING:
    from pathlib import Path

OVERRUN = 1.15
"""Seconds of a fit over its time limit, at most."""


def timed_fit(folder: Path, seconds: float) -> tuple[TabularPredictor, float]:
    """A fit of the packaged table, and how long it took."""
    X, y = load_hypothyroid()
    predictor = TabularPredictor(
        str(y.name), eval_metric="average_precision", positive_class="hypothyroid", path=str(folder), verbosity=0
    )
    started = time.perf_counter()
    predictor.fit(
        X.assign(**{str(y.name): y}),
        presets="imbllm",
        hyperparameters={"GBM": {}, "LR": {}, "RF": {}},
        num_bag_folds=2,
        time_limit=seconds,
        num_cpus=1,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
    )
    return predictor, time.perf_counter() - started


def names_fitted(folder: Path, seconds: float) -> list[str]:
    """Models of a fit, for a process in which nothing is loaded yet."""
    return list(timed_fit(folder, seconds)[0].model_names())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of libraries that are stopped early
def test_a_minute_is_exceeded_by_a_seventh_at_most_and_every_family_has_its_twin(tmp_path: Path) -> None:
    predictor, seconds = timed_fit(tmp_path / "p", 60.0)
    assert seconds < 60.0 * OVERRUN
    names = {f"{family}{twin}_BAG_L1" for family in ("LightGBM", "LinearModel", "RandomForest") for twin in ("", "Imb")}
    assert names <= set(predictor.model_names())
    assert predictor.model_failures().empty


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ten_seconds_are_enough_for_a_plain_model(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        names = pool.submit(names_fitted, tmp_path / "p", 10.0).result()
    assert "LightGBM_BAG_L1" in names
