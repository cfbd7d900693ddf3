"""Search rebalancing and model together with Optuna: four processes, one study in one file.

Run it again and the study goes on. Watch it with `optuna-dashboard imbllm-study/study.journal`
(`pip install 'imbllm-autogluon[dashboard]'`).
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.datasets import load_hypothyroid
from imbllm_autogluon.search import RebalanceObjective, SearchSpace, journal_storage, open_study

if TYPE_CHECKING:
    import optuna

FOLDER = Path("imbllm-study")
WORKERS, TRIALS_EACH = 4, 3


def trees(trial: optuna.trial.BaseTrial) -> dict[str, Any]:
    """Hyperparameters of XGBoost that are searched together with those of rebalancing."""
    return {
        "max_depth": trial.suggest_int("max_depth", 2, 8),
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.3, log=True),
    }


def objective() -> RebalanceObjective:
    """Average precision over four folds; generators and written rows are shared by all processes."""
    X, y = load_hypothyroid()
    quick = SearchSpace(fixed={"pretrain_steps": 100, "steps": 50})
    return RebalanceObjective(
        X.assign(diagnosis=y), "diagnosis", model_space=trees, space=quick, cache_dir=FOLDER / "cache"
    )


def work(worker: int) -> None:
    """Run some trials of the common study."""
    own = objective()
    study = open_study(own.study_name, journal_storage(FOLDER / "study.journal"), seed=worker, first=[own.first()])
    study.optimize(own, n_trials=TRIALS_EACH)


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        pool.map(work, range(WORKERS))
    best = open_study(objective().study_name, journal_storage(FOLDER / "study.journal")).best_trial
    print(f"best average precision {best.value:.4f} with {best.params}")
