"""Tables and quick settings that the tests of this room share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from imbllm_autogluon.classification import ClassifierConfig, LanguageModelClassifier
from imbllm_autogluon.classification.label_model import LabelModel

QUICK: dict[str, Any] = {"layers": 1, "width": 32, "pretrain": "none", "steps": 6, "learning_rate": 1e-2}

Table = tuple[pd.DataFrame, "pd.Series[Any]"]


def mixed(n_rows: int = 120, rare_every: int = 4, seed: int = 0) -> Table:
    """A number, a category, a boolean that tell the classes apart a little; every fourth row is of the rare class."""
    rng = np.random.default_rng(seed)
    rare = np.arange(n_rows) % rare_every == 0
    columns = {
        "income": (rng.normal(30, 8, n_rows) + 8 * rare).round(2),
        "city": np.where(rng.random(n_rows) < 0.3 + 0.4 * rare, "Oslo", rng.choice(["Bergen", "Narvik"], n_rows)),
        "member": rng.random(n_rows) < np.where(rare, 0.8, 0.4),
    }
    return pd.DataFrame(columns), pd.Series(np.where(rare, "yes", "no"), name="bought")


def noise(n_rows: int = 120, seed: int = 0) -> Table:
    """Two columns that say nothing of the classes, drawn without regard to them."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"a": rng.normal(size=n_rows), "b": rng.normal(size=n_rows)})
    return X, pd.Series(rng.permutation(np.where(np.arange(n_rows) % 3 == 0, "yes", "no")))


def classifier(**settings: Any) -> LanguageModelClassifier:
    return LanguageModelClassifier(random_state=0, threads=1).set_params(**{**QUICK, **settings})


def label_model(
    X: pd.DataFrame, y: pd.Series[Any], weights: Any = None, noisy: Table | None = None, **settings: Any
) -> LabelModel:
    """A fitted label model; `first_stage` may be a classifier."""
    first = settings.pop("first_stage", "none")
    config = ClassifierConfig.from_flat(
        {**QUICK, **settings, "first_stage": first if isinstance(first, str) else "none"}
    )
    own = None if isinstance(first, str) else first
    return LabelModel(config, seed=0, threads=1, first_stage=own).fit(X, y, weights=weights, noisy=noisy)
