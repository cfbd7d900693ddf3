"""Fits whose folds AutoGluon fits in Ray workers. Minutes; needs the extra `[ray]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.scorers import shot_scorer
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE
from imbllm_autogluon.regression.bins import TargetBins
from tests.plugin import classifier_fits, regression_fits
from tests.plugin.tables import QUICK, imbalanced_table
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")

FOLDS = 2


def fit(path: Path, strategy: str, **options: Any) -> TabularPredictor:
    predictor = TabularPredictor(
        "paid", eval_metric="average_precision", positive_class="no", path=str(path), verbosity=0
    )
    defaults: dict[str, Any] = {"hyperparameters": {"LR": {}, "GBM": {}}, "presets": "imbllm"}
    return predictor.fit(
        imbalanced_table(),
        num_bag_folds=FOLDS,
        num_cpus=2,
        ag_args_fit=QUICK,
        ag_args_ensemble={"fold_fitting_strategy": strategy},
        **{**defaults, **options},
    )


@pytest.fixture
def two_nodes() -> Iterator[Any]:
    """A cluster of two nodes on this machine, to which AutoGluon's workers go."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_folds_in_workers_of_a_cluster_train_the_generators_that_folds_in_turn_train(
    tmp_path: Path, two_nodes: Any
) -> None:
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    sequential = fit(tmp_path / "sequential", "sequential_local")
    GENERATORS.forget()
    ROWS_CACHE.forget()
    parallel = fit(tmp_path / "parallel", "parallel_local")
    caches = [cache_of(Path(predictor.path)) for predictor in (sequential, parallel)]
    assert len(GENERATORS.keys(caches[0])) == FOLDS
    assert GENERATORS.keys(caches[0]) == GENERATORS.keys(caches[1])
    assert ROWS_CACHE.keys(caches[0]) == ROWS_CACHE.keys(caches[1])
    scores = [predictor.leaderboard().set_index("model")["score_val"] for predictor in (sequential, parallel)]
    assert scores[0]["LinearModelImb_BAG_L1"] == pytest.approx(scores[1]["LinearModelImb_BAG_L1"], abs=1e-6)


def test_trials_of_a_tuned_twin_fit_their_folds_in_workers(tmp_path: Path) -> None:
    tune = {"searcher": "imbllm_optuna", "num_trials": 2, "top_k": 2, "space": {"method": ("random", "imbllm")}}
    predictor = fit(
        tmp_path / "tuned",
        "parallel_local",
        presets=None,
        hyperparameters={"LR_IMB": {"ag_args": {"hyperparameter_tune_kwargs": tune}}},
    )
    ray.shutdown()
    assert {"LinearModelImb_BAG_L1/T1", "LinearModelImb_BAG_L1/T2"} <= set(predictor.leaderboard()["model"])


@pytest.mark.filterwarnings("ignore")
def test_folds_of_the_classifier_in_workers_are_those_of_one_process(tmp_path: Path) -> None:
    found = {}
    for strategy in ("sequential_local", "parallel_local"):
        options = {"num_bag_folds": 2, "num_cpus": 2, "ag_args_ensemble": {"fold_fitting_strategy": strategy}}
        predictor = classifier_fits.fit(
            tmp_path / strategy, classifier_fits.with_notes(), {"ag_args_fit": {"num_cpus": 1}}, **options
        )
        reports = [
            child.imbllm_report for child in classifier_fits.children(predictor, f"{classifier_fits.NAME}_BAG_L1")
        ]
        assert [report["original_columns"] for report in reports] == [True, True]
        found[strategy] = predictor.predict_proba_oof(f"{classifier_fits.NAME}_BAG_L1")
    pd.testing.assert_frame_equal(*found.values(), atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_folds_of_latent_diff_in_workers_are_those_of_one_process(tmp_path: Path) -> None:
    X, y = skewed()
    bins = TargetBins.fit(y, n_bins=8)
    found = {}
    for strategy in ("sequential_local", "parallel_local"):
        options = {"num_bag_folds": 2, "num_cpus": 2, "ag_args_ensemble": {"fold_fitting_strategy": strategy}}
        settings = {"ag_args_fit": {"num_cpus": 1}}
        metric = shot_scorer(bins, bins.counts(y))
        predictor = regression_fits.fit(tmp_path / strategy, X.assign(price=y), settings, eval_metric=metric, **options)
        assert predictor.leaderboard().set_index("model").loc[regression_fits.BAG, "score_val"] < 0
        found[strategy] = predictor.predict_oof(regression_fits.BAG)
    pd.testing.assert_series_equal(*found.values(), rtol=1e-4)
