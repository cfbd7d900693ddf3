"""The leak canary of a regression: where targets mean nothing, no family may look as if it had learned something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from imbllm_autogluon.plugin.stage import RebalancingMixin
from tests.plugin.target_fits import fit, priced, reports

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from autogluon.tabular import TabularPredictor

FAMILIES = {
    "GBM_IMB": {"num_boost_round": 25},
    "RF_IMB": {"n_estimators": 50},
    "XT_IMB": {"n_estimators": 50},
    "KNN_IMB": {},
    "LR_IMB": {},
}


def null_table(seed: int) -> pd.DataFrame:
    table = priced(400, seed=seed)
    return table.assign(price=np.random.default_rng(seed).permutation(table["price"]))


def correlations(predictor: TabularPredictor, table: pd.DataFrame) -> dict[str, float]:
    """Rank correlation of out-of-fold predictions with the targets."""
    names = predictor.model_names()
    return {name: predictor.predict_oof(name).corr(table["price"], method="spearman") for name in names}


@pytest.mark.parametrize("method", ["smogn", "random", "imbllm"])
def test_with_permuted_targets_no_family_beats_chance_out_of_fold(method: str, tmp_path: Path) -> None:
    table = null_table(1)
    predictor = fit(
        tmp_path / "p",
        table,
        presets=None,
        hyperparameters=FAMILIES,
        fit_weighted_ensemble=False,
        settings={"imbllm.method": method},
    )
    found = correlations(predictor, table)
    assert len(found) == len(FAMILIES)
    for name, value in found.items():
        assert all(sum(report["added"].values()) == 100 for report in reports(predictor, name)), name
        assert abs(value) < 0.2, f"{name} reaches an out-of-fold correlation of {value:.2f}"


def test_the_canary_sees_the_leak_of_a_stage_that_keeps_out_of_bag_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(RebalancingMixin, "_get_default_ag_args_ensemble")
    monkeypatch.delattr(RebalancingMixin, "_more_tags")
    table = null_table(1)
    predictor = fit(
        tmp_path / "p",
        table,
        presets=None,
        hyperparameters={"RF_IMB": FAMILIES["RF_IMB"]},
        fit_weighted_ensemble=False,
        settings={"imbllm.method": "random", "imbllm.generation_ratio": 1.0},
    )
    (value,) = correlations(predictor, table).values()
    assert value > 0.3
