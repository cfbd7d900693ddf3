"""Tiny fits of the language model as a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.classifier_model import ClassifierModel
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"pretrain_steps": 2, "steps": 2, "layers": 1, "width": 16}
"""Settings of a model that learns next to nothing in next to no time."""

NAME = "ImbLLMClassifier"


def fit(path: Path, table: pd.DataFrame, settings: dict[str, Any] | None = None, **options: Any) -> TabularPredictor:
    """A fit of the classifier alone, unless `hyperparameters` says otherwise."""
    about = {key: options.pop(key) for key in ("eval_metric", "sample_weight") if key in options}
    predictor = TabularPredictor("paid", path=str(path), verbosity=0, **{"eval_metric": "roc_auc", **about})
    portfolio = {"IMBLLM_CLF": {**QUICK, **(settings or {})}}
    return predictor.fit(table, **{"hyperparameters": portfolio, "num_cpus": 1, **options})


def children(predictor: TabularPredictor, name: str = NAME) -> list[ClassifierModel]:
    """The models of the folds, or the one model of a fit without folds."""
    model = predictor._trainer.load_model(name)
    return [model.load_child(child) for child in model.models] if hasattr(model, "models") else [model]


def alone(path: Path, problem_type: str, eval_metric: str, **settings: Any) -> ClassifierModel:
    """A model that belongs to no predictor."""
    return ClassifierModel(
        path=str(path),
        name="alone",
        problem_type=problem_type,
        eval_metric=eval_metric,
        hyperparameters={**QUICK, **settings},
    )


def codes(n_rows: int, classes: int) -> tuple[pd.DataFrame, pd.Series]:
    """Rows as AutoGluon hands them over, and codes of classes, the last one rarest."""
    rng = np.random.default_rng(4)
    y = pd.Series(np.minimum(rng.geometric(0.6, n_rows) - 1, classes - 1), dtype="uint8", name="target")
    X = pd.DataFrame(
        {
            "amount": (rng.normal(size=n_rows) + 2 * y).round(2),
            "city": pd.Categorical(rng.integers(0, 3, n_rows), categories=[0, 1, 2, 3]),
        }
    )
    return X, y


def with_notes(n_rows: int = 160) -> pd.DataFrame:
    """A table whose free text alone tells the classes apart."""
    rng = np.random.default_rng(2)
    table = imbalanced_table(n_rows, rare=0.25, signal=0.0)
    words = [" ".join(rng.choice(["call", "bill", "client", "letter", "desk", "office"], 5)) for _ in range(n_rows)]
    told = ["overdue again" if paid == "no" else "fine so far" for paid in table["paid"]]
    return table.assign(note=[f"{some} {sure}" for some, sure in zip(words, told, strict=True)])
