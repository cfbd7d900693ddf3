"""Hooks in a fit of AutoGluon: the generator never answers, tiny classes cost nothing, our callbacks stay in force."""

from __future__ import annotations

import functools
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.common.utils.decorators import apply_presets
from autogluon.core.callbacks import AbstractCallback

from imbllm_autogluon.plugin.models import GeneratorModel
from imbllm_autogluon.plugin.parameters import AUX_PREFIX, TwinParameters
from imbllm_autogluon.plugin.stage import RebalancingMixin
from imbllm_autogluon.rebalancing.plan import FEWEST_TO_CONTINUE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    import pandas as pd

_log = logging.getLogger("autogluon.imbllm")

_ASIDE = "imbllm"  # `stack_name` of the generator: ensembles are made of models of the stack "core"
# Parameters of ours that families have too; `temperature` only one
_OF_FAMILIES = frozenset({
    "backbone", "batch_size", "beta", "device", "epochs", "layers", "learning_rate", "max_bins", "n_bins", "patience",
    "precision", "random_state", "steps", "time_limit", "width",
})  # fmt: skip
_OF_FAMILY = {"TABDPT": "temperature"}
_NOT_FITTED = "no time was left, or a callback left it out"


class GeneratorCallback(AbstractCallback):  # type: ignore[misc]
    """Keep the generator out of ensembles, stacks and answers: it writes rows, and its predictions are class shares.

    A fit that trained nothing else ends as AutoGluon ends one without models, and the log names the reason of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[str] = []

    def _before_model_fit(self, trainer: Any, model: Any, **kwargs: Any) -> tuple[bool, bool]:
        del trainer, kwargs
        self._begun.append(model.name)
        return False, False

    def _after_model_fit(self, trainer: Any, model_names: list[str], **kwargs: Any) -> bool:
        """Take the generator out of the very list that the trainer makes ensembles and stacks of."""
        del kwargs
        aside = _set_aside(trainer)
        model_names[:] = [name for name in model_names if name not in aside]
        return False

    def after_trainer_fit(self, trainer: Any) -> None:
        """Leave no model where there is only the generator: AutoGluon then raises its own error."""
        aside = _set_aside(trainer)
        if set(trainer.get_model_names()) <= set(aside):
            if aside:
                trainer.delete_models(models_to_delete=aside, dry_run=False)
            for name in self._begun:
                if name not in (*aside, *trainer._models_failed_to_train_errors):
                    trainer._models_skipped_by_constraint.setdefault(name, _NOT_FITTED)
            _log.error("imbllm: no model was trained that can answer. %s", reasons_without_models(trainer))


def reasons_without_models(trainer: Any) -> str:
    """A sentence for each model that failed or was skipped."""
    failed = trainer._models_failed_to_train_errors.items()
    reasons = {name: f"{error['exc_type']}: {error['exc_str']}" for name, error in failed}
    known = {**reasons, **trainer._models_skipped_by_constraint}.items()
    return " ".join(f"{name}: {(str(reason).splitlines() or ['skipped'])[0].rstrip(' :.')}." for name, reason in known)


def _set_aside(trainer: Any) -> list[str]:
    """Names of the generators of a fit, from now on without a score, so that none is the best model."""
    types = trainer.get_models_attribute_dict("type_inner")
    names = [name for name, kind in types.items() if isinstance(kind, type) and issubclass(kind, GeneratorModel)]
    for name in names:
        trainer._update_model_attr(name, stack_name=_ASIDE, val_score=None)
    return names


def allow_for_tiny_classes(trainer: Any, y: pd.Series, names: Mapping[Any, Hashable]) -> None:
    """Log the classes that some fold cannot be written for, and lay fewer folds where the metric asks for it.

    Some metrics have no score where a fold lacks a class (ROC AUC of two classes), and AutoGluon then loses the model.
    """
    counts, folds = y.value_counts(), getattr(trainer, "k_fold", 0)
    counts = counts[counts > 0]
    if 2 <= counts.min() < folds and not _has_score_without(counts.index[-1], trainer, y):
        rarest, trainer.k_fold = counts.index[-1], int(counts.min())
        _log.warning(
            "imbllm: %d folds instead of %d: the metric %s needs every class in each of them, and %r has %d rows.",
            trainer.k_fold, folds, trainer.eval_metric.name, names.get(rarest, rarest), trainer.k_fold,
        )  # fmt: skip
        folds = trainer.k_fold
    held_out = -(-counts // folds) if folds else 0
    left = counts[counts - held_out < FEWEST_TO_CONTINUE].items()
    if tiny := ", ".join(f"{names.get(label, label)!r} (rows: {n})" for label, n in left):
        _log.log(20, "imbllm: folds with less than %d rows of a class leave it as it is: %s.", FEWEST_TO_CONTINUE, tiny)


def _has_score_without(label: Any, trainer: Any, y: pd.Series) -> bool:
    known, others = trainer.num_classes, y[y != label]
    proba = np.full(len(others), 0.5) if known == 2 else np.full((len(others), known), 1.0 / known)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.score_with_y_pred_proba(y=others, y_pred_proba=proba)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # for which AutoGluon would lose the model
        return False
    return True


def keep_hooks() -> None:
    """Let our callbacks join every ``TabularPredictor.fit`` that asks for them; again is harmless.

    AutoGluon knows no place for an add-on: an argument ``callbacks``, or another preset's, replaces the callbacks of
    our presets, and nothing else that a preset carries meets the trainer before it fits. So ``fit`` itself is wrapped.
    """
    from autogluon.tabular import TabularPredictor
    from autogluon.tabular.configs.presets_configs import tabular_presets_alias, tabular_presets_dict

    if hasattr(TabularPredictor.fit, "imbllm"):
        return
    with_presets = apply_presets(tabular_presets_dict, tabular_presets_alias)
    TabularPredictor.fit = with_presets(_with_callbacks(TabularPredictor.fit.__wrapped__))
    TabularPredictor.fit_extra = _without_generator(TabularPredictor.fit_extra)


def _with_callbacks(fit: Callable[..., Any]) -> Callable[..., Any]:
    """A `fit` whose presets are resolved already, with the callbacks that it is to have."""

    @functools.wraps(fit)
    def fit_with_callbacks(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = kwargs.get("callbacks") or []
        if isinstance(given, list) and not any(map(_is_ours, given)):
            presets = kwargs.get("presets")
            ours = [each for preset in _listed(presets) for each in _callbacks_of(preset) if _is_ours(each)]
            if not ours and _has_generator(kwargs.get("hyperparameters")):
                ours = [GeneratorCallback()]
            kwargs["callbacks"] = [*given, *ours[-1:]] or None
        _warn_of_unprefixed(kwargs.get("hyperparameters"))
        return fit(self, *args, **kwargs)

    fit_with_callbacks.imbllm = True  # type: ignore[attr-defined]
    return fit_with_callbacks


def _without_generator(fit_extra: Callable[..., Any]) -> Callable[..., Any]:
    """A `fit_extra`, which takes no callbacks, without the generator: twins write their rows themselves."""

    @functools.wraps(fit_extra)
    def fit_extra_without_generator(self: Any, hyperparameters: Any, *args: Any, **kwargs: Any) -> Any:
        _warn_of_unprefixed(hyperparameters)
        return fit_extra(self, _stripped(hyperparameters), *args, **kwargs)

    return fit_extra_without_generator


def _listed(presets: Any) -> list[Any]:
    return presets if isinstance(presets, list) else [presets]


def _callbacks_of(preset: Any) -> list[Any]:
    from autogluon.tabular.configs.presets_configs import tabular_presets_dict

    known: Mapping[str, Any] = preset if isinstance(preset, dict) else tabular_presets_dict.get(preset, {})
    return list(known.get("callbacks") or [])


def _is_ours(callback: Any) -> bool:
    """Whether a callback, or its class and arguments, is one of this package."""
    made = callback[0] if isinstance(callback, (list, tuple)) else type(callback)
    return isinstance(made, type) and issubclass(made, GeneratorCallback)


def _is_generator(key: Any) -> bool:
    return key in (GeneratorModel.ag_key, GeneratorModel)


def _has_generator(portfolio: Any) -> bool:
    """Whether a portfolio, by level or not, has the generator."""
    return isinstance(portfolio, dict) and any(
        _is_generator(key) or _has_generator(models) for key, models in portfolio.items()
    )


def _stripped(portfolio: Any) -> Any:
    """A portfolio, by level or not, without the generator."""
    if not isinstance(portfolio, dict):
        return portfolio
    return {key: _stripped(models) for key, models in portfolio.items() if not _is_generator(key)}


def _warn_of_unprefixed(portfolio: Any) -> None:
    """Name hyperparameters of twins that look like parameters of their rebalancing without its prefix."""
    ours = {*TwinParameters.flat_keys()} - _OF_FAMILIES
    for key, config in _configs_of_twins(portfolio):
        own = next((name for family, name in _OF_FAMILY.items() if str(key).startswith(family)), None)
        for name in sorted((ours - {own}) & config.keys()):
            _log.warning(
                "imbllm: %r of %s goes to the model itself; its rebalancing is told with %r.",
                name, key, f"ag.{AUX_PREFIX}{name}",
            )  # fmt: skip


def _configs_of_twins(portfolio: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and configuration of each twin of a portfolio, by level or not."""
    from autogluon.tabular.registry import ag_model_registry

    known = ag_model_registry.key_to_cls_map()
    for key, models in portfolio.items() if isinstance(portfolio, dict) else ():
        made = known.get(key, key)
        if isinstance(made, type) and issubclass(made, RebalancingMixin | GeneratorModel):
            listed = models if isinstance(models, list) else [models]
            yield from ((getattr(made, "ag_key", str(made)), config) for config in listed if isinstance(config, dict))
        else:
            yield from _configs_of_twins(models)
