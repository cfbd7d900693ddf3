"""AutoGluon's acceptance test on the twin of every family that can run here: ``pytest -m slow tests/plugin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from autogluon.tabular.registry import ag_model_registry
from autogluon.tabular.testing import FitHelper, ModelFitHelper

from imbllm_autogluon.plugin.twins import has_twin, twin_of

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"ag.imbllm.steps": 1, "ag.imbllm.warmup_steps": 1}

SMALL: dict[str, dict[str, Any]] = {
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
        model = model_class(path=str(folder / "plain"), hyperparameters=SMALL.get(model_class.ag_key, {}))
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
        model_hyperparameters={**SMALL.get(model_class.ag_key, {}), **QUICK},
        extra_metrics=True,
    )
