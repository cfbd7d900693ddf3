"""Corrected twins of boosted trees are calibrated as well as their plain models, on the packaged table. Minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.datasets import load_hypothyroid

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("family", "name"), [("GBM", "LightGBM"), ("XGB", "XGBoost")])
def test_the_log_loss_of_a_corrected_twin_is_near_that_of_its_plain_model(
    family: str, name: str, tmp_path: Path
) -> None:
    X, y = load_hypothyroid()
    predictor = TabularPredictor(
        "diagnosis", eval_metric="log_loss", positive_class="hypothyroid", path=str(tmp_path / "p"), verbosity=0
    )
    predictor.fit(
        X.assign(diagnosis=y), presets="imbllm", hyperparameters={family: {}}, num_bag_folds=4, num_cpus=1, num_gpus=0
    )
    scores = predictor.leaderboard().set_index("model")["score_val"]
    assert scores[f"{name}Imb_BAG_L1"] >= 1.05 * scores[f"{name}_BAG_L1"]
