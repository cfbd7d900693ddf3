"""Hooks in a fit of AutoGluon: the generator never answers, and our callbacks stay in force."""

from __future__ import annotations

import functools
import logging
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from autogluon.common.utils.decorators import apply_presets
from autogluon.core.callbacks import AbstractCallback

from imbllm_autogluon.plugin.models import GeneratorModel

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("autogluon.imbllm")

_ASIDE = "imbllm"  # `stack_name` of the generator: ensembles are made of models of the stack "core"
_LONGEST = 200  # characters of a reason; AutoGluon's log has the whole
_NOT_FITTED = "no time was left, or a callback left it out"


class GeneratorCallback(AbstractCallback):  # type: ignore[misc]
    """Keep the generator out of ensembles, stacks and answers: it writes rows, and its predictions are class shares.

    A fit that trained nothing else ends as AutoGluon ends one without models, and the log names the reason of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[str] = []

    def _before_model_fit(self, trainer: Any, model: Any, **kwargs: Any) -> tuple[bool, bool]:
        del kwargs
        self._begun.append(model.name)
        model.default_random_seed = trainer.random_state  # AutoGluon tells it to bags only, by `model_random_seed`
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
            _log.error("imbllm: no model was trained that can answer. %s", self.reasons(trainer))

    @staticmethod
    def reasons(trainer: Any) -> str:
        """A sentence for each model that failed or was skipped."""
        failed = trainer._models_failed_to_train_errors.items()
        known = {name: f"{error['exc_type']}: {error['exc_str']}" for name, error in failed}
        known |= trainer._models_skipped_by_constraint
        return " ".join(f"{name}: {shorten(str(why), _LONGEST).rstrip(' :.')}." for name, why in known.items())


def _set_aside(trainer: Any) -> list[str]:
    """Names of the generators of a fit, from now on without scores on any rows, so that none is the best model."""
    types = trainer.get_models_attribute_dict("type_inner")
    names = [name for name, kind in types.items() if isinstance(kind, type) and issubclass(kind, GeneratorModel)]
    for name in names:
        trainer._update_model_attr(name, stack_name=_ASIDE, val_score=None, can_infer=False)
    return names


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
    TabularPredictor.fit_extra = _with_twins_alone(TabularPredictor.fit_extra)


def _with_callbacks(fit: Callable[..., Any]) -> Callable[..., Any]:
    """A `fit` whose presets are resolved already, with the callbacks that it is to have."""

    @functools.wraps(fit)
    def fit_with_callbacks(self: Any, *args: Any, **kwargs: Any) -> Any:
        given, portfolio = kwargs.get("callbacks") or [], kwargs.get("hyperparameters")
        if isinstance(given, list) and not any(map(_is_ours, given)):
            ours = [GeneratorCallback()] if _without_generator(portfolio) != portfolio else []
            ours = [*ours, *filter(_is_ours, _callbacks_of(kwargs.get("presets")))][-1:]
            kwargs["callbacks"] = [*given, *ours] or None
        return fit(self, *args, **kwargs)

    fit_with_callbacks.imbllm = True  # type: ignore[attr-defined]
    return fit_with_callbacks


def _with_twins_alone(fit_extra: Callable[..., Any]) -> Callable[..., Any]:
    """A `fit_extra`, which takes no callbacks, without the generator: twins write their rows themselves."""

    @functools.wraps(fit_extra)
    def fit_extra_without_generator(self: Any, hyperparameters: Any, *args: Any, **kwargs: Any) -> Any:
        return fit_extra(self, _without_generator(hyperparameters), *args, **kwargs)

    return fit_extra_without_generator


def _callbacks_of(presets: Any) -> list[Any]:
    """Callbacks of all presets of an argument, named or given as mappings."""
    from autogluon.tabular.configs.presets_configs import tabular_presets_dict

    listed = presets if isinstance(presets, list) else [presets]
    known = [each if isinstance(each, dict) else tabular_presets_dict.get(each, {}) for each in listed]
    return [callback for preset in known for callback in preset.get("callbacks") or ()]


def _is_ours(callback: Any) -> bool:
    """Whether a callback, or its class and arguments, is one of this package."""
    made = callback[0] if isinstance(callback, (list, tuple)) else type(callback)
    return isinstance(made, type) and issubclass(made, GeneratorCallback)


def _without_generator(portfolio: Any) -> Any:
    """A portfolio, by level or not, without the generator."""
    if not isinstance(portfolio, dict):
        return portfolio
    kept = {key: models for key, models in portfolio.items() if key not in (GeneratorModel.ag_key, GeneratorModel)}
    return {key: _without_generator(models) for key, models in kept.items()}
