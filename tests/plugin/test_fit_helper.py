"""AutoGluon's own acceptance test of a model class, run on twins; all families: ``pytest -m slow tests/plugin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from autogluon.tabular.models import KNNModel, LGBModel, LinearModel, RFModel
from autogluon.tabular.registry import ag_model_registry
from autogluon.tabular.testing import FitHelper, ModelFitHelper
from autogluon.tabular.testing.fit_helper import DatasetLoaderHelper

from imbllm_autogluon.plugin.stage import OversamplingMixin
from imbllm_autogluon.plugin.twins import has_twin, twin_of
from tests.plugin.tables import QUICK
from tests.plugin.target_fits import SMALL
from tests.plugin.test_latent_diff import enough_rows

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


QUICKEST = {"ag.imbllm.steps": 1, "ag.imbllm.pretrain_steps": 1}

OF_FAMILY: dict[str, dict[str, Any]] = {
    "RF": {"n_estimators": 20},
    "XT": {"n_estimators": 20},
    "KNN": {"n_neighbors": 1},
    "CAT": {"iterations": 20},
    "NN_TORCH": {"num_epochs": 2},
}
"""Hyperparameters that make a family quick, or possible on a table of few rows."""

FAMILIES = [cls for cls in ag_model_registry.model_cls_list if has_twin(cls)]


def skip_unless_fitted(model_class: type, folder: Path) -> None:
    """Skip a family whose plain model cannot be fitted here: its library or its weights are absent."""
    try:
        model = model_class(path=str(folder / "plain"), hyperparameters=OF_FAMILY.get(model_class.ag_key, {}))
        ModelFitHelper.fit_and_validate_dataset("toy_binary", model=model, fit_args={})
    except (ImportError, OSError, RuntimeError) as error:  # such as a torchvision built for another torch
        pytest.skip(f"{model_class.ag_key}: {type(error).__name__}: {str(error).splitlines()[0]}")


@pytest.mark.slow
@pytest.mark.timeout(900)
# On toy tables of 3 to 10 rows metrics warn of constant inputs and classes without a prediction.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model_class", FAMILIES, ids=lambda cls: cls.ag_key)
def test_the_twin_of_every_family_passes_the_acceptance_test_of_autogluon(
    model_class: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    skip_unless_fitted(model_class, tmp_path)
    FitHelper.verify_model(
        model_cls=twin_of(model_class),
        model_hyperparameters={**OF_FAMILY.get(model_class.ag_key, {}), **QUICKEST},
        extra_metrics=True,
    )


@pytest.mark.filterwarnings("ignore")  # on toy tables of 4 rows metrics warn of constant inputs
@pytest.mark.parametrize(
    ("rows", "model_class", "hyperparameters"),
    [
        ("enough", twin_of(LGBModel), {"num_boost_round": 20}),
        ("toy", twin_of(RFModel), {"n_estimators": 20}),
        pytest.param("toy", twin_of(LGBModel), {}, marks=pytest.mark.exhaustive),
        pytest.param("enough", twin_of(RFModel), {"n_estimators": 20}, marks=pytest.mark.exhaustive),
    ],
)
def test_a_model_of_a_regression_passes_the_acceptance_test_of_autogluon(
    rows: str,
    model_class: type,
    hyperparameters: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    if rows == "enough":
        monkeypatch.setitem(DatasetLoaderHelper.toy_map, "toy_regression", enough_rows)
    seen: list[int] = []
    rows_of = OversamplingMixin.write_rows

    def watch(model: Any, *rest: Any) -> Any:
        seen.append(1)
        return rows_of(model, *rest)

    monkeypatch.setattr(OversamplingMixin, "write_rows", watch)
    FitHelper.verify_model(
        model_cls=model_class,
        model_hyperparameters={
            **hyperparameters,
            "ag.num_cpus": 1,
            **{f"ag.{key}": value for key, value in SMALL.items()},
        },
        problem_types=["regression"],
        extra_metrics=True,
    )
    assert bool(seen) == (rows == "enough")
