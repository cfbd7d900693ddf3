"""What the estimators of this package share as model classes of AutoGluon: settings as hyperparameters, a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from autogluon.common.space import Space
from autogluon.core.models import AbstractModel

from imbllm_autogluon._config import current_names, refuse_unknown_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon._config import Config


class Reported:
    """Mixin in front of a model class: what its last fit did stands in AutoGluon's information on it.

    Attributes
    ----------
    imbllm_report : dict
        What happened in the last fit.
    """

    imbllm_report: dict[str, Any] | None = None

    def get_info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """AutoGluon's information on the model, and the report under ``imbllm``."""
        return {**super().get_info(*args, **kwargs), "imbllm": self.imbllm_report}  # type: ignore[misc]


class SettingsModel(Reported, AbstractModel):  # type: ignore[misc]
    """A model whose hyperparameters are the settings of a configuration, each a value or a search space.

    It holds rows out of the training rows itself: validation rows have no part in a fit.

    Raises
    ------
    InvalidInputError
        A hyperparameter is unknown (the nearest known one is suggested), or a value is not allowed.
    """

    settings_class: ClassVar[type[Config]]
    _user_params: dict[str, Any] | None
    seed_name = "random_state"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        params: dict[str, Any] = current_names(self._user_params or {}, self.settings_class)
        self._user_params = params
        given = {name: value for name, value in params.items() if name != self.seed_name}
        refuse_unknown_keys(given, (*self.settings_class.flat_keys(), self.seed_name))
        self.settings_class.from_flat(without_spaces(given))

    def _more_tags(self) -> dict[str, Any]:
        """Validation rows have no part in a fit."""
        return {"can_refit_full": True}

    @classmethod
    def settings_among(cls, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of the configuration among hyperparameters."""
        named = current_names(hyperparameters, cls.settings_class)
        return {name: value for name, value in named.items() if name in cls.settings_class.flat_keys()}


def without_spaces(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters with the default of every search space in its place."""
    return {name: value.default if isinstance(value, Space) else value for name, value in hyperparameters.items()}
