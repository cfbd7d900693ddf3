"""Quick fits of twins on a regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autogluon.tabular import TabularPredictor

from tests.plugin.tuned_fits import GBM
from tests.regression.frames import skewed
from tests.shared import TINY

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

SMALL = {f"imbllm.{key}": value for key, value in {**TINY, "n_bins": 6}.items()}
"""Settings of a generator that learns next to nothing in next to no time."""


def priced(n_rows: int = 150, seed: int = 0) -> pd.DataFrame:
    """A table with the target ``price``, of which high ones are rare."""
    X, y = skewed(n_rows, seed)
    return X.assign(price=y)


def fit(path: Path, table: pd.DataFrame | None = None, **options: Any) -> TabularPredictor:
    """A fit with twins by the preset ``imbllm``, unless `presets` says otherwise."""
    about = {key: options.pop(key) for key in ("eval_metric", "sample_weight") if key in options}
    settings = {**SMALL, **options.pop("settings", {})}
    predictor = TabularPredictor("price", path=str(path), verbosity=0, problem_type="regression", **about)
    defaults: dict[str, Any] = {"presets": "imbllm", "hyperparameters": {"GBM": GBM}, "num_bag_folds": 2}
    table = priced() if table is None else table
    return predictor.fit(table, num_cpus=1, num_gpus=0, ag_args_fit=settings, **{**defaults, **options})


def reports(predictor: TabularPredictor, name: str) -> list[dict[str, Any]]:
    """What happened in each fold of a bag, or in the one fit of a model without folds."""
    model = predictor._trainer.load_model(name)
    children = [model.load_child(child) for child in model.models] if hasattr(model, "models") else [model]
    return [child.imbllm_report for child in children]
