"""Quick fits of twins on classes, and one of eight families that several files look at."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.portfolio import RebalanceCallback
from tests.plugin.tables import QUICK, imbalanced_table
from tests.shared import made_once

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FOLDS = 3

FAMILIES: dict[str, dict[str, Any]] = {
    "GBM": {"num_boost_round": 5},
    "CAT": {"iterations": 5},
    "XGB": {"n_estimators": 5},
    "RF": {"n_estimators": 20},
    "XT": {"n_estimators": 20},
    "KNN": {},
    "LR": {},
    "NN_TORCH": {"num_epochs": 1},
}


def fit(path: Path, table: pd.DataFrame, **options: Any) -> TabularPredictor:
    """A fit with twins by the preset ``imbllm``, unless `presets` says otherwise."""
    about = {key: options.pop(key) for key in ("eval_metric", "sample_weight", "positive_class") if key in options}
    about = {"eval_metric": "average_precision", "positive_class": "no", **about}
    predictor = TabularPredictor("paid", path=str(path), verbosity=options.pop("verbosity", 0), **about)
    portfolio = {key: FAMILIES[key] for key in ("GBM", "LR")}
    defaults: dict[str, Any] = {"presets": "imbllm", "hyperparameters": portfolio, "num_bag_folds": 2}
    return predictor.fit(table, num_cpus=1, **{**defaults, "ag_args_fit": QUICK, **options})


@functools.cache
def eight_families() -> TabularPredictor:
    """Fitted on `imbalanced_table()` once for all workers; a test clones what it changes."""

    def make(folder: Path) -> None:
        every_twin = [[RebalanceCallback, {"twins": "all"}]]
        options = {"hyperparameters": FAMILIES, "num_bag_folds": FOLDS}
        fit(folder / "p", imbalanced_table(), callbacks=every_twin, **options)

    return TabularPredictor.load(str(made_once("eight-families", make) / "p"))


def reports(predictor: TabularPredictor, name: str) -> list[dict[str, Any]]:
    """What happened in each fold of a bag."""
    bag = predictor._trainer.load_model(name)
    return [bag.load_child(child).imbllm_report for child in bag.models]
