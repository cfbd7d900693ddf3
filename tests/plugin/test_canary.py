from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from autogluon.tabular import TabularPredictor
from sklearn.metrics import roc_auc_score

from imbllm_autogluon.plugin.stage import RebalancingMixin
from tests.plugin.tables import QUICK, imbalanced_table
from tests.plugin.target_fits import fit as fit_targets
from tests.plugin.target_fits import priced, reports

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


FAMILIES = {
    "LightGBM": {"GBM_IMB": {"num_boost_round": 25}},
    "CatBoost": {"CAT_IMB": {"iterations": 25}},
    "XGBoost": {"XGB_IMB": {"n_estimators": 25}},
    "RandomForest": {"RF_IMB": {"n_estimators": 25}},
    "ExtraTrees": {"XT_IMB": {"n_estimators": 25}},
    "KNeighbors": {"KNN_IMB": {}},
    "LinearModel": {"LR_IMB": {}},
}


CLOSE_ROWS = {
    **QUICK,
    "imbllm.pretrain": "none",
    "imbllm.interpolation_ratio": 0,
    "imbllm.condition_pairs": 7,
}


def null_table(seed: int) -> pd.DataFrame:
    table = imbalanced_table(600, rare=0.25, seed=seed)
    table["paid"] = np.random.default_rng(seed).permutation(table["paid"])
    return table


def fit(table: pd.DataFrame, portfolio: dict[str, dict[str, int]], path: Path) -> TabularPredictor:
    predictor = TabularPredictor("paid", eval_metric="roc_auc", path=str(path), verbosity=0)
    return predictor.fit(
        table,
        hyperparameters=portfolio,
        num_bag_folds=3,
        num_cpus=1,
        fit_weighted_ensemble=False,
        ag_args_fit=CLOSE_ROWS,
    )


def out_of_fold_areas(predictor: TabularPredictor, table: pd.DataFrame) -> dict[str, float]:
    models = predictor.model_names()
    return {name: roc_auc_score(table["paid"] == "yes", predictor.predict_proba_oof(name)["yes"]) for name in models}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_permuted_labels_no_family_beats_chance_out_of_fold(seed: int, tmp_path: Path) -> None:
    table = null_table(seed)
    predictor = fit(table, {key: config for models in FAMILIES.values() for key, config in models.items()}, tmp_path)
    areas = out_of_fold_areas(predictor, table)
    assert {name.removesuffix("Imb_BAG_L1") for name in areas} == set(FAMILIES)
    for name, area in areas.items():
        bag = predictor._trainer.load_model(name)
        assert all(bag.load_child(child).imbllm_report["added"] for child in bag.models), name
        assert area == pytest.approx(0.5, abs=0.1), f"{name} reaches an out-of-fold AUC of {area:.3f}"


def test_the_canary_sees_the_leak_of_a_stage_that_keeps_out_of_bag_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(RebalancingMixin, "_get_default_ag_args_ensemble")
    monkeypatch.delattr(RebalancingMixin, "_more_tags")
    table = null_table(0)
    (area,) = out_of_fold_areas(fit(table, FAMILIES["RandomForest"], tmp_path), table).values()
    assert area > 0.65


TARGET_FAMILIES = {
    "GBM_IMB": {"num_boost_round": 25},
    "RF_IMB": {"n_estimators": 50},
    "XT_IMB": {"n_estimators": 50},
    "KNN_IMB": {},
    "LR_IMB": {},
}


def null_targets(seed: int) -> pd.DataFrame:
    table = priced(400, seed=seed)
    return table.assign(price=np.random.default_rng(seed).permutation(table["price"]))


def correlations(predictor: TabularPredictor, table: pd.DataFrame) -> dict[str, float]:
    """Rank correlation of out-of-fold predictions with the targets."""
    names = predictor.model_names()
    return {name: predictor.predict_oof(name).corr(table["price"], method="spearman") for name in names}


@pytest.mark.parametrize("method", ["smogn", "random", "imbllm"])
def test_with_permuted_targets_no_family_beats_chance_out_of_fold(method: str, tmp_path: Path) -> None:
    table = null_targets(1)
    predictor = fit_targets(
        tmp_path / "p",
        table,
        presets=None,
        hyperparameters=TARGET_FAMILIES,
        fit_weighted_ensemble=False,
        settings={"imbllm.method": method},
    )
    found = correlations(predictor, table)
    assert len(found) == len(TARGET_FAMILIES)
    for name, value in found.items():
        assert all(sum(report["added"].values()) == 100 for report in reports(predictor, name)), name
        assert abs(value) < 0.2, f"{name} reaches an out-of-fold correlation of {value:.2f}"


def test_the_canary_of_targets_sees_the_leak_of_out_of_bag_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(RebalancingMixin, "_get_default_ag_args_ensemble")
    monkeypatch.delattr(RebalancingMixin, "_more_tags")
    table = null_targets(1)
    predictor = fit_targets(
        tmp_path / "p",
        table,
        presets=None,
        hyperparameters={"RF_IMB": TARGET_FAMILIES["RF_IMB"]},
        fit_weighted_ensemble=False,
        settings={"imbllm.method": "random", "imbllm.generation_ratio": 1.0},
    )
    (value,) = correlations(predictor, table).values()
    assert value > 0.3
