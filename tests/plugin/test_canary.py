"""The leak canary: where labels mean nothing, no family may look as if it had learned something.

A stage that lets written rows, or out-of-bag predictions of rows whose children sit in the same tree, into the
validation shows an out-of-fold AUC far above chance (0.97 for a random forest with ``use_child_oof``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from autogluon.tabular import TabularPredictor
from sklearn.metrics import roc_auc_score

from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from pathlib import Path

FAMILIES = {
    "LightGBM": {"GBM_IMB": {"num_boost_round": 50}},
    "CatBoost": {"CAT_IMB": {"iterations": 50}},
    "XGBoost": {"XGB_IMB": {"n_estimators": 50}},
    "RandomForest": {"RF_IMB": {"n_estimators": 50}},
    "ExtraTrees": {"XT_IMB": {"n_estimators": 50}},
    "KNeighbors": {"KNN_IMB": {}},
    "LinearModel": {"LR_IMB": {}},
}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_permuted_labels_no_family_beats_chance_out_of_fold(seed: int, tmp_path: Path) -> None:
    table = imbalanced_table(600, rare=0.25, seed=seed)
    table["paid"] = np.random.default_rng(seed).permutation(table["paid"])
    portfolio = {key: config for models in FAMILIES.values() for key, config in models.items()}
    predictor = TabularPredictor("paid", eval_metric="roc_auc", path=str(tmp_path / "p"), verbosity=0)
    predictor.fit(
        table,
        hyperparameters=portfolio,
        num_bag_folds=3,
        num_cpus=1,
        fit_weighted_ensemble=False,
        ag_args_fit={"imbllm.steps": 10, "imbllm.warmup_steps": 10},
    )
    models = predictor.model_names()
    assert {name.removesuffix("Imb_BAG_L1") for name in models} == set(FAMILIES)
    for name in models:
        report = predictor._trainer.load_model(name)
        assert all(report.load_child(child).imbllm_report["added"] for child in report.models), name
        area = roc_auc_score(table["paid"] == "yes", predictor.predict_proba_oof(name)["yes"])
        assert area == pytest.approx(0.5, abs=0.1), f"{name} reaches an out-of-fold AUC of {area:.3f}"
