"""AutoGluon's own acceptance test of a model class, run on twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from autogluon.tabular.models import KNNModel, LGBModel, LinearModel, RFModel
from autogluon.tabular.testing import FitHelper

from imbllm_autogluon.plugin.twins import twin_of
from tests.plugin.tables import QUICK

if TYPE_CHECKING:
    from pathlib import Path


# On toy tables of 3 to 10 rows metrics warn of constant inputs and classes without a prediction.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("model_class", "hyperparameters"),
    [
        (LGBModel, {"num_boost_round": 20}),
        (RFModel, {"n_estimators": 20}),
        (LinearModel, {}),
        (KNNModel, {"n_neighbors": 1}),
    ],
    ids=["GBM_IMB", "RF_IMB", "LR_IMB", "KNN_IMB"],
)
def test_a_twin_passes_the_acceptance_test_of_autogluon(
    model_class: type, hyperparameters: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    FitHelper.verify_model(
        model_cls=twin_of(model_class),
        model_hyperparameters={
            **hyperparameters,
            "ag.num_cpus": 1,
            **{f"ag.{key}": value for key, value in QUICK.items()},
        },
        extra_metrics=True,
    )
