"""Tiny tuned fits, and what their studies and folders say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.presets import make_preset
from imbllm_autogluon.plugin.stage import RebalancingMixin
from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.search import journal_storage
from tests.plugin.tables import QUICK, imbalanced_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.trial import FrozenTrial

GBM = {"num_boost_round": 8, "learning_rate": 0.2, "feature_fraction": 1.0, "min_data_in_leaf": 5, "num_leaves": 8}
"""All that AutoGluon would search about LightGBM by itself is fixed."""

TUNE = {"num_trials": 4, "top_k": 2}
EACH_SEARCH = pytest.mark.parametrize(
    ("searcher", "folds"),
    [
        ("random", 0),
        ("imbllm_optuna", 2),
        pytest.param("random", 2, marks=pytest.mark.exhaustive),
        pytest.param("imbllm_optuna", 0, marks=pytest.mark.exhaustive),
    ],
)
"""Without bags and with them, by AutoGluon's searcher and by ours."""

SEARCH = {"searcher": "imbllm_optuna", "scheduler": "local", **TUNE}


def tuned(path: Path, *, tune: dict[str, Any] | None = None, **options: Any) -> TabularPredictor:
    """A fit with the callback of ``imbllm_tuned``."""
    return fit(path, presets=[make_preset({}, tune=tune or TUNE)], hyperparameters={"GBM": GBM}, **options)


def fit(path: Path, **options: Any) -> TabularPredictor:
    predictor = TabularPredictor(
        "paid",
        eval_metric="average_precision",
        positive_class="no",
        path=str(path),
        verbosity=options.pop("verbosity", 0),
    )
    settings = {**QUICK, **options.pop("settings", {})}
    return predictor.fit(
        imbalanced_table(120, rare=0.15),
        num_cpus=1,
        num_gpus=0,
        ag_args_fit=settings,
        **{"num_bag_folds": 0, **options},
    )


def study_trials(path: str | Path, model: str) -> list[FrozenTrial]:
    """Trials of the one study of a model."""
    storage = journal_storage(cache_of(Path(path)) / STUDIES)
    (name,) = [name for name in optuna.get_all_study_names(storage) if name.rpartition("-")[0] == model]
    return optuna.load_study(study_name=name, storage=storage).trials


def trial_models(predictor: TabularPredictor, twin: str) -> list[str]:
    """Models of the leaderboard that are trials of a twin."""
    return sorted(name for name in predictor.leaderboard()["model"] if name.startswith(f"{twin}/"))


def watch_fits(patch: pytest.MonkeyPatch, at: Callable[[str], None] = lambda path: None) -> list[str]:
    """Paths of the models of twins in the order of their fits; `at` is called with each before its fit."""
    seen: list[str] = []
    real_fit = RebalancingMixin._fit

    def watched(self: Any, **kwargs: Any) -> Any:
        seen.append(Path(self.path).as_posix())
        at(seen[-1])
        return real_fit(self, **kwargs)

    patch.setattr(RebalancingMixin, "_fit", watched)
    return seen


def trials_of(paths: list[str]) -> list[str]:
    """``T1`` … of the paths of models, in order, each once."""
    return list(
        dict.fromkeys(part for path in paths for part in path.split("/") if part[0:1] == "T" and part[1:].isdigit())
    )


def fail_at(part: str, error: BaseException) -> Callable[[str], None]:
    """For `watch_fits`: raise an error in models below a folder whose path has this part."""

    def at(path: str) -> None:
        if f"{part}/" in f"{path}/":
            raise error

    return at
