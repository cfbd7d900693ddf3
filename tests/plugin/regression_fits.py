"""Tiny fits of LatentDiff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.models import LatentDiffModel

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

QUICK: dict[str, Any] = {
    "encoder_folds": 2,
    "encoder_epochs": 3,
    "encoder_width": 16,
    "feature_size": 4,
    "diffusion_steps": 5,
    "denoiser_width": 8,
    "sampling_steps": 2,
    "n_bins": 5,
}
"""Settings of a model that learns next to nothing in next to no time."""

NAME = "LatentDiff"

BAG = f"{NAME}_BAG_L1"


def fit(path: Path, table: pd.DataFrame, settings: dict[str, Any] | None = None, **options: Any) -> TabularPredictor:
    """A fit of LatentDiff alone on ``price``, unless `hyperparameters` says otherwise."""
    about = {key: options.pop(key) for key in ("eval_metric", "sample_weight") if key in options}
    predictor = TabularPredictor("price", path=str(path), verbosity=0, problem_type="regression", **about)
    portfolio = {"LATENT_DIFF": {**QUICK, **(settings or {})}}
    return predictor.fit(table, **{"hyperparameters": portfolio, "num_cpus": 1, **options})


def children(predictor: TabularPredictor, name: str = NAME) -> list[LatentDiffModel]:
    """The models of the folds, or the one model of a fit without folds."""
    model = predictor._trainer.load_model(name)
    return [model.load_child(child) for child in model.models] if hasattr(model, "models") else [model]


def alone(path: Path, **settings: Any) -> LatentDiffModel:
    """A model that belongs to no predictor."""
    return LatentDiffModel(
        path=str(path), name="alone", problem_type="regression", hyperparameters={**QUICK, **settings}
    )
