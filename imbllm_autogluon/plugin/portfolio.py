"""Twins in a portfolio of AutoGluon (its ``hyperparameters``), and the callback that adds them to any fit."""

from __future__ import annotations

import copy
import logging
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.constants import BALANCE_WEIGHT

from imbllm_autogluon._config import list_settings, shows_progress
from imbllm_autogluon.oversampling.methods import GENERATORS
from imbllm_autogluon.plugin.classifier_model import ClassifierModel
from imbllm_autogluon.plugin.clock import FitClock
from imbllm_autogluon.plugin.fit_hooks import GeneratorCallback
from imbllm_autogluon.plugin.models import GeneratorModel, LatentDiffModel
from imbllm_autogluon.plugin.parameters import AUX_PREFIX, SEARCHER, TwinOptions, TwinParameters
from imbllm_autogluon.plugin.stage import RebalancingMixin, plan_for, task_of
from imbllm_autogluon.plugin.twins import TWIN_SUFFIX, has_twin, twin_of
from imbllm_autogluon.rebalancing import RebalanceConfig
from imbllm_autogluon.rebalancing.plan import FEWEST_TO_CONTINUE

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import pandas as pd

    from imbllm_autogluon.tables.labeled import Task

    Portfolio = dict[Any, Any]

_log = logging.getLogger("autogluon.imbllm")

_FORESTS, _FORESTS_METHOD = ("RF_IMB", "XT_IMB"), "smote_nc"
_SHARED_WITH_LATENT_DIFF = ("n_bins", "bins")  # parameters of twins too: which targets are rare is one question


@list_settings(TwinOptions, TwinParameters, where="**options", but="parameters")
def rebalance_hyperparameters(hyperparameters: Mapping[Any, Any] | str, **options: Any) -> Portfolio:
    """Add a twin to every model of a portfolio, or replace every model by its twin.

    The generator joins them as a model of its own, ``IMBLLM``, that is fitted behind the plain models.

    Parameters
    ----------
    hyperparameters
        As for ``TabularPredictor.fit``: the name of a portfolio, or a mapping of keys or classes to configurations,
        by level or not. Never modified.
    **options
        Those of :class:`~imbllm_autogluon.plugin.parameters.TwinOptions`, and parameters of the twins without
        ``ag.imbllm.``, such as ``temperature=1.0``.

    Raises
    ------
    InvalidInputError
        A parameter is unknown or its value not allowed.

    Examples
    --------
    >>> from imbllm_autogluon.plugin import rebalance_hyperparameters
    >>> sorted(rebalance_hyperparameters({"GBM": {}}, temperature=1.0).items())
    [('GBM', {}), ('GBM_IMB', [{'ag.imbllm.temperature': 1.0}]), ('IMBLLM', [{'ag.imbllm.temperature': 1.0}])]
    """
    chosen = TwinOptions.from_keywords(options)
    return _rebalanced(hyperparameters, chosen, _most_of_family(chosen))


def _most_of_family(options: TwinOptions) -> int | None:
    """Twins of a family where no scores choose them; `None`: one for every configuration."""
    return {"all": None, "top": 1}.get(options.twins, options.twins)  # type: ignore[arg-type]


def _rebalanced(
    hyperparameters: Mapping[Any, Any] | str, options: TwinOptions, most: int | None, *, two_classes: bool = False
) -> Portfolio:
    """A portfolio with at most so many twins of each family."""
    if isinstance(hyperparameters, str):
        from autogluon.tabular.configs.hyperparameter_configs import get_hyperparameter_config

        portfolio: Portfolio = get_hyperparameter_config(hyperparameters)
    else:
        portfolio = copy.deepcopy(dict(hyperparameters))
    joining = _joining(options)
    if not portfolio or not all(isinstance(key, int) or key == "default" for key in portfolio):
        return {**joining, **_with_twins(portfolio, options, most, two_classes)}
    first = 1 if 1 in portfolio else "default"
    # Without a stack policy, stacked twins would learn from real rows only, just as their plain models do.
    left_out = options.checked_parameters.stage.reason_when_stacked
    levels = {
        level: models if left_out and level != first else _with_twins(models, options, most, two_classes)
        for level, models in portfolio.items()
    }
    return {**levels, first: {**joining, **levels[first]}} if first in levels else levels


def _joining(options: TwinOptions) -> Portfolio:
    """The models of the first level that are neither plain nor twins."""
    models: Portfolio = {ClassifierModel.ag_key: [_tuned({}, options)]} if options.classifier else {}
    if options.latent_diff:
        bins = {name: value for name, value in options.parameters.items() if name in _SHARED_WITH_LATENT_DIFF}
        models[LatentDiffModel.ag_key] = [_tuned(bins, options)]
    return models


def _with_twins(models: Portfolio, options: TwinOptions, most: int | None, two_classes: bool) -> Portfolio:
    """One level with twins behind or instead of the plain models, and the generator."""
    from autogluon.tabular.registry import ag_model_registry

    known, any_twin = ag_model_registry.key_to_cls_map(), False
    result: Portfolio = {}
    for key, configs in models.items():
        plain = key if isinstance(key, type) else known.get(key)
        if plain is None or not has_twin(plain):
            result[key] = configs
            continue
        if options.mode == "both":
            result[key] = configs
        twin_key = twin_of(plain).ag_key if isinstance(key, str) else twin_of(plain)
        if twin_key not in models:
            listed = configs if isinstance(configs, list) else [configs]
            own = _of_family(options, twin_of(plain).ag_key) if two_classes else options
            result[twin_key] = [_as_twin(config, own) for config in listed[:most]]
            any_twin = True
    generator = _of_generator(options)
    if any_twin and generator is not None and GeneratorModel.ag_key not in models:
        result[GeneratorModel.ag_key] = [generator]
    return result


def _of_family(options: TwinOptions, key: str) -> TwinOptions:
    """The options for one twin: written rows help boosted trees, not forests (docs/decisions/rebalancing.md)."""
    if key not in _FORESTS or options.tune is not None or "method" in options.parameters:
        return options
    return replace(options, parameters={**options.parameters, "method": _FORESTS_METHOD})


def _as_twin(config: Any, options: TwinOptions) -> Any:
    """Configuration of a twin: the plain one's, without its out-of-bag shortcut, fitted behind all plain ones."""
    if not isinstance(config, dict):
        return config
    config = copy.deepcopy(config)
    config.pop("ag.ens.use_child_oof", None)
    for name in ("ag_args_ensemble", "ag_args"):
        if isinstance(config.get(name), dict):
            config[name].pop("use_child_oof", None)
    if isinstance(config.get("ag_args"), dict) and "priority" in config["ag_args"]:
        config["ag_args"]["priority"] -= RebalancingMixin.behind_plain
    return {**_tuned(config, options), **_as_hyperparameters(options.parameters)}


def _tuned(config: dict[str, Any], options: TwinOptions) -> dict[str, Any]:
    """Configuration of a model with a search of its own, if there is to be one."""
    if options.tune is None:
        return config
    tuning = {"searcher": SEARCHER, "scheduler": "local", **options.tune}
    return {**config, "ag_args": {**config.get("ag_args", {}), "hyperparameter_tune_kwargs": tuning}}


def _of_generator(options: TwinOptions) -> dict[str, Any] | None:
    """Hyperparameters of the generator, by the first of the methods that trains one; None where none does."""
    tuning, own = options.tuning, options.checked_parameters.rebalancing.method
    methods = (own,) if tuning is None else tuning.any_space(options.parameters).method
    method = next((method for method in methods if method in GENERATORS), None)
    if method is None:
        return None
    named = {} if method == RebalanceConfig().method else {"method": method}
    return _as_hyperparameters({**options.parameters, **named})


def _as_hyperparameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {f"ag.{AUX_PREFIX}{name}": value for name, value in parameters.items()}


@list_settings(TwinOptions, TwinParameters, where="**options", but="parameters")
class RebalanceCallback(GeneratorCallback):
    """Add twins to the models of the fit, unless the classes are balanced; for regression LatentDiff too.

    Parameters
    ----------
    **options
        As for :func:`~imbllm_autogluon.plugin.portfolio.rebalance_hyperparameters`, which refuses the same. Without a
        word on `latent_diff` it joins every regression.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        shows_progress()  # refuses a wrong word before anything is fitted
        self.options = TwinOptions.from_keywords(options)
        self.clock: FitClock | None = None  # while models are fitted with twins

    def before_trainer_fit(
        self,
        trainer: Any,
        y: pd.Series | None = None,
        hyperparameters: dict[Any, Any] | None = None,
        level_start: int = 1,
        core_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Edit the portfolio in place: the trainer uses this very mapping next."""
        del kwargs  # everything else that AutoGluon hands over
        self.clock = None  # a callback may see several fits
        problem_type = getattr(trainer, "problem_type", None)
        reason = self._reason_to_stay_away(problem_type, y, level_start)
        if reason or hyperparameters is None:
            _log.log(20, "imbllm: no twins are added: %s.", reason or "the fit has no portfolio")
            return
        options = self._options_for(task_of(problem_type))
        scored = options.mode == "both" and options.tune is None
        most = None if scored else _most_of_family(options)
        rebalanced = _rebalanced(hyperparameters, options, most, two_classes=problem_type == "binary")
        hyperparameters.clear()
        hyperparameters.update(rebalanced)
        if getattr(trainer, "sample_weight", None) == BALANCE_WEIGHT:
            _log.warning(
                "imbllm: sample_weight='balance_weight' and written rows both balance the classes, so rare classes "
                "count twice in every twin; leave one of them out."
            )
        if task_of(problem_type) == "classification" and y is not None:
            cleaner = (core_kwargs or {}).get("label_cleaner")
            _allow_for_tiny_classes(trainer, y, getattr(cleaner, "cat_mappings_dependent_var", {}))
        _let_twins_follow({} if core_kwargs is None else core_kwargs)
        self.clock = FitClock(options)
        self.clock.hide_ours(trainer.callbacks)
        words = "imbllm: models of this fit also compete as twins fitted on rebalanced folds (twins=%r)."
        _log.log(20, words, options.twins)

    def _before_model_fit(self, trainer: Any, model: Any, stack_name: str = "core", **kwargs: Any) -> tuple[bool, bool]:
        """Leave a model out, or give it its share of the time."""
        if self.clock is not None and stack_name == "core" and self.clock.begins(trainer, model, **kwargs):
            return False, True
        return super()._before_model_fit(trainer, model)

    def _after_model_fit(self, trainer: Any, model_names: list[str], stack_name: str = "core", **kwargs: Any) -> bool:
        if self.clock is not None and stack_name == "core":
            self.clock.ended(trainer, model_names)
        return super()._after_model_fit(trainer, model_names, **kwargs)

    def after_trainer_fit(self, trainer: Any) -> None:
        """Leave with the trainer what the clock saw, and log what it left out."""
        if self.clock is not None:
            trainer._models_skipped_by_constraint |= self.clock.left_out
            trainer.imbllm_clock = self.clock.facts()
            for note in trainer.imbllm_clock["notes"]:
                _log.log(20, "imbllm: %s", note)
        super().after_trainer_fit(trainer)

    def _reason_to_stay_away(self, problem_type: Any, y: pd.Series | None, level_start: int) -> str:
        task, twins, tuning = task_of(problem_type), self.options.checked_parameters, self.options.tuning
        if task is None:
            return f"problem type {problem_type} is not rebalanced"
        if level_start > 1 and twins.stage.reason_when_stacked:
            return twins.stage.reason_when_stacked
        if y is None:
            return "the fit has no labels"
        if tuning is None:
            return plan_for(problem_type, y, twins.rebalancing).reason
        # A target ratio below the share that a class has already leaves nothing to do, and so does the method "none";
        # a search over both still needs its twins, whatever the default ratio is.
        tuning.search_space(self.options.parameters, task)  # refuses choices of the other task before the fit
        return plan_for(problem_type, y, RebalanceConfig(target_ratio=1.0)).reason

    def _options_for(self, task: Task | None) -> TwinOptions:
        """The options for a fit: models that are no twins join where they can answer."""
        given = self.options
        classifier = given.classifier and task == "classification"
        latent_diff = given.latent_diff is not False and task == "regression"
        if given.classifier > classifier or bool(given.latent_diff) > latent_diff:
            _log.log(20, "imbllm: the classifier is for classes and LatentDiff for regression; the other is left out.")
        return replace(given, classifier=classifier, latent_diff=latent_diff)


def _let_twins_follow(core_kwargs: dict[str, Any]) -> None:
    """Let a list of model types to include or exclude speak of their twins too, unless it names some itself."""
    for name, generators in (("included_model_types", [GeneratorModel.ag_key]), ("excluded_model_types", [])):
        types = core_kwargs.get(name) or []
        twins = [f"{each}{TWIN_SUFFIX}" for each in types]
        if types and not any(str(each).endswith(TWIN_SUFFIX) for each in types):
            core_kwargs[name] = [*types, *twins, *generators]


def _allow_for_tiny_classes(trainer: Any, y: pd.Series, names: Mapping[Any, Hashable]) -> None:
    """Log the classes that some fold cannot be written for, and lay fewer folds where the metric asks for it.

    Some metrics have no score where a fold lacks a class (ROC AUC of two classes), and AutoGluon then loses the model.
    """
    counts, folds = y.value_counts(), getattr(trainer, "k_fold", 0)
    others = y[y != counts.index[-1]]
    counts = counts.rename(index=lambda label: names.get(label, label))
    if 2 <= counts.min() < folds and not _has_score(trainer, others):
        asked, trainer.k_fold = folds, (folds := int(counts.min()))
        words = "imbllm: %d folds instead of %d: the metric %s needs every class in each, and %r has %d rows."
        _log.warning(words, folds, asked, trainer.eval_metric.name, counts.index[-1], folds)
    left = counts[counts - (-(-counts // folds) if folds else 0) < FEWEST_TO_CONTINUE].items()
    if tiny := ", ".join(f"{label!r} (rows: {n})" for label, n in left):
        _log.log(20, "imbllm: folds with less than %d rows of a class leave it as it is: %s.", FEWEST_TO_CONTINUE, tiny)


def _has_score(trainer: Any, y: pd.Series) -> bool:
    """Whether the metric of a fit has a score on rows of these labels."""
    n_classes = trainer.num_classes
    probabilities = np.full((len(y), n_classes), 1.0 / n_classes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.score_with_y_pred_proba(y=y, y_pred_proba=probabilities[:, 1] if n_classes == 2 else probabilities)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # for which AutoGluon would lose the model
        return False
    return True
