"""Twins where AutoGluon fits its folds in Ray workers. Minutes; needs the extra `[ray]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS, POOLS
from tests.plugin.tables import QUICK, imbalanced_table

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
    POOLS.forget()
    parallel = fit(tmp_path / "parallel", "parallel_local")
    caches = [cache_of(Path(predictor.path)) for predictor in (sequential, parallel)]
    assert len(GENERATORS.keys(caches[0])) == FOLDS
    assert GENERATORS.keys(caches[0]) == GENERATORS.keys(caches[1])
    assert POOLS.keys(caches[0]) == POOLS.keys(caches[1])
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
