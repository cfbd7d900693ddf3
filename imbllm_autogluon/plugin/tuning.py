"""Optuna behind AutoGluon's hyperparameter tuning, where the searcher is ``imbllm_optuna``: every trial is a candidate.

The study lies in the predictor's folder: a fit that was killed and is started again on the same data goes on with it.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autogluon.core.hpo.executors import CustomHpoExecutor, HpoExecutorFactory

from imbllm_autogluon.plugin.parameters import SEARCHER, TuningOptions
from imbllm_autogluon.search.studies import quiet_optuna

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.plugin.trials import Trials

_log = logging.getLogger("autogluon.imbllm")

_REGISTRY = "_HpoExecutorFactory__type_to_executor"  # private: its absence is reported and nothing else breaks
_LEAST_SHARE = 0.5  # of a usual trial's time that must be left for a further one to be begun


class OptunaHpoExecutor(CustomHpoExecutor):  # type: ignore[misc]
    """AutoGluon's sequential executor, with Optuna for the searcher ``imbllm_optuna``."""

    def __init__(self) -> None:
        super().__init__()
        self.options: TuningOptions | None = None
        self.trials: Trials | None = None

    def initialize(
        self, hyperparameter_tune_kwargs: Any, default_num_trials: int | None = None, time_limit: float | None = None
    ) -> None:
        """Read the options; other searchers are AutoGluon's."""
        self.options = TuningOptions.of(hyperparameter_tune_kwargs)
        if self.options is None:
            super().initialize(hyperparameter_tune_kwargs, default_num_trials=default_num_trials, time_limit=time_limit)
            return
        self.hyperparameter_tune_kwargs = {"num_trials": self.options.num_trials}
        self.scheduler_options: Any = (None, {"resource": {}})
        self.time_limit = time_limit

    def validate_search_space(self, search_space: dict[str, Any], model_name: str) -> None:
        """Nothing to search is no error here: a twin has its rebalancing, and a plain model is fitted once."""
        if self.options is None:
            super().validate_search_space(search_space, model_name)
        else:
            self.search_space = search_space

    def execute(self, model_trial: Callable[..., Any], train_fn_kwargs: dict[str, Any], **kwargs: Any) -> None:
        """Run the trials that are still missing."""
        if self.options is None:
            super().execute(model_trial, train_fn_kwargs, **kwargs)
            return
        from imbllm_autogluon.plugin.trials import Trials

        train_fn_kwargs["fit_kwargs"].update(self.scheduler_options[1]["resource"])
        self.trials = Trials(self.options, self.search_space, train_fn_kwargs)
        with quiet_optuna():
            self.trials.run(self._has_time)

    def get_hpo_results(
        self, model_name: str, model_path_root: str, time_start: float, **kwargs: Any
    ) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """The best trials as models, in the form of AutoGluon; the folders of all others are deleted."""
        if self.options is None:
            results: tuple[dict[str, dict[str, Any]], dict[str, Any]] = super().get_hpo_results(
                model_name, model_path_root, time_start, **kwargs
            )
            return results
        assert self.trials is not None
        best = self.trials.best(self.options.top_k)
        self.trials.delete_all_but(best)
        for name in ("dataset_train.pkl", "dataset_val.pkl"):
            (Path(model_path_root) / model_name / name).unlink(missing_ok=True)
        models = {
            f"{model_name}/{self.trials.folder(trial).name}": {
                "path": str(self.trials.folder(trial)),
                "val_score": trial.value,
                "trial": trial.number,
                "hyperparameters": trial.params,
            }
            for trial in best
        }
        performances = {name: model["val_score"] for name, model in models.items()}
        return models, {"total_time": time.time() - time_start, "hpo_model_performances": performances}

    def _has_time(self, spent: float, usual: float) -> bool:
        """Whether another trial is worth beginning after `spent` seconds, of which a trial takes `usual`."""
        return self.time_limit is None or self.time_limit - spent > _LEAST_SHARE * usual

    @classmethod
    def register(cls) -> None:
        """Let AutoGluon use the executor; harmless if repeated."""
        registry = getattr(HpoExecutorFactory, _REGISTRY, None)
        if isinstance(registry, dict) and "custom" in registry:
            registry["custom"] = cls
        else:
            _log.warning("This AutoGluon keeps its executors elsewhere; the searcher %s is unknown.", SEARCHER)
