"""The callback behind the preset ``imbllm``: adds twins to whatever portfolio a fit is about to use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from autogluon.core.callbacks import AbstractCallback, EarlyStoppingCountCallback
from autogluon.core.constants import BALANCE_WEIGHT

from imbllm_autogluon.plugin.fold_writer import NOT_STACKED
from imbllm_autogluon.plugin.generator_model import GeneratorModel
from imbllm_autogluon.plugin.hyperparameters import Mode, rebalance_hyperparameters
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.plugin.tasks import plan_for, task_of
from imbllm_autogluon.plugin.tuning_options import SEARCHER, TuningOptions
from imbllm_autogluon.rebalancing import RebalanceConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from imbllm_autogluon.tables.labeled import Task

log = logging.getLogger("autogluon.imbllm")

WEIGHED_TWICE = (
    "imbllm: sample_weight='balance_weight' and written rows both balance the classes, so rare classes count twice in "
    "every twin; leave one of them out."
)


class RebalanceCallback(AbstractCallback):  # type: ignore[misc]
    """Add a twin to every model of the fit, unless the classes are balanced; for regression LatentDiff too.

    Parameters
    ----------
    mode, max_per_family, tune, classifier, latent_diff, **parameters
        As for :func:`~imbllm_autogluon.plugin.hyperparameters.rebalance_hyperparameters`. Without a word on
        `latent_diff` it joins every regression.
    """

    def __init__(
        self,
        mode: Mode = "both",
        max_per_family: int | None = None,
        tune: Mapping[str, Any] | None = None,
        classifier: bool = False,
        latent_diff: bool | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__()
        self.parameters = TwinParameters.from_flat(parameters)
        self.own = parameters
        self.options: dict[str, Any] = {
            "mode": mode,
            "max_per_family": max_per_family,
            "tune": tune,
            "classifier": classifier,
            "latent_diff": latent_diff,
            **parameters,
        }
        rebalance_hyperparameters({}, **self.options)  # refuses bad options before the fit

    def before_trainer_fit(
        self,
        trainer: Any,
        y: pd.Series | None = None,
        hyperparameters: dict[Any, Any] | None = None,
        level_start: int = 1,
        **kwargs: Any,
    ) -> None:
        """Edit the portfolio in place: the trainer uses this very mapping next."""
        del kwargs  # everything else that AutoGluon hands over
        reason = self._reason_to_stay_away(trainer, y, level_start)
        if reason or hyperparameters is None:
            log.log(20, "imbllm: no twins are added: %s.", reason or "the fit has no portfolio")
            return
        joining = self._joining(task_of(getattr(trainer, "problem_type", None)))
        rebalanced = rebalance_hyperparameters(hyperparameters, **{**self.options, **joining})
        hyperparameters.clear()
        hyperparameters.update(rebalanced)
        if getattr(trainer, "sample_weight", None) == BALANCE_WEIGHT:
            log.warning(WEIGHED_TWICE)
        own = int(self.parameters.rebalancing.writes_with_a_language_model) + sum(joining.values())
        _allow_for_twins(trainer, both=self.options["mode"] == "both", own=own)
        log.log(20, "imbllm: every model of this fit also competes as a twin fitted on rebalanced folds.")

    def _before_model_fit(self, trainer: Any, model: Any, **kwargs: Any) -> tuple[bool, bool]:
        """Keep the generator out of ensembles and stacks: its constant predictions win ties of class metrics."""
        del trainer, kwargs
        types = getattr(model, "_base_model_types_inner_dict", None) or {}
        others = [name for name in getattr(model, "base_model_names", []) if not _is_generator(types.get(name))]
        if others:
            model.base_model_names = others
        return False, False

    def _reason_to_stay_away(self, trainer: Any, y: pd.Series | None, level_start: int) -> str:
        problem_type = getattr(trainer, "problem_type", None)
        task = task_of(problem_type)
        if task is None:
            return f"problem type {problem_type} is not rebalanced"
        if level_start > 1 and self.parameters.stage.stack == "off":
            return NOT_STACKED
        if y is None:
            return "the fit has no labels"
        if self.options["tune"] is None:
            return plan_for(problem_type, y, self.parameters.rebalancing).reason
        # A target ratio below the share that a class has already leaves nothing to do, and so does the method "none";
        # a search over both still needs its twins, whatever the default ratio is.
        options = TuningOptions.of({**self.options["tune"], "searcher": SEARCHER})
        if options is not None:
            options.search_space(self.own, task)  # refuses choices of the other task before the fit
        return plan_for(problem_type, y, RebalanceConfig(target_ratio=1.0)).reason

    def _joining(self, task: Task | None) -> dict[str, bool]:
        """Which models join that are no twins, each where it can answer."""
        classifier, latent_diff = self.options["classifier"], self.options["latent_diff"]
        joining = {
            "classifier": classifier and task == "classification",
            "latent_diff": latent_diff is not False and task == "regression",
        }
        if bool(classifier) > joining["classifier"] or bool(latent_diff) > joining["latent_diff"]:
            log.log(20, "imbllm: the classifier is for classes and LatentDiff for regression; the other is left out.")
        return joining


def _is_generator(model_class: object) -> bool:
    return isinstance(model_class, type) and issubclass(model_class, GeneratorModel)


def _allow_for_twins(trainer: Any, *, both: bool, own: int) -> None:
    """Let a limit on the number of models count plain models only: some presets fit just one on a small table.

    Parameters
    ----------
    trainer
        Has the callbacks of the fit.
    both
        Whether every plain model is joined by a twin.
    own
        Models that are neither, the generator and the classifier.
    """
    for callback in getattr(trainer, "callbacks", []):
        if isinstance(callback, EarlyStoppingCountCallback) and isinstance(callback.patience, int):
            most = callback.patience * (2 if both else 1) + own
            log.log(20, "imbllm: up to %d models are fitted instead of %d, twins included.", most, callback.patience)
            callback.patience = most
