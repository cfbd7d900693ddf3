"""What ``hyperparameter_tune_kwargs`` may say where its searcher is ``imbllm_optuna``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from imbllm_autogluon._config import Config, Range, current_names, documented, refuse_unknown_keys
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.search.space import SPACES, RebalanceSpace

if TYPE_CHECKING:
    from imbllm_autogluon.tables.labeled import Task

SEARCHER = "imbllm_optuna"

IGNORED = ("searcher", "scheduler")
"""Keys that AutoGluon wants; trials run one after the other, as with its scheduler ``local``."""


@documented
@dataclass(frozen=True)
class TuningOptions(Config):
    """How many trials, of what, and how many of them AutoGluon gets."""

    num_trials: Annotated[int, Range(1, 10_000)] = 10
    """Trials of each model, those of an interrupted fit included."""

    top_k: Annotated[int, Range(1, 100)] = 3
    """Best trials that stay as models. More would let the ensemble choose among near-equal scores on few rare rows,
    which over-fits them."""

    prune: bool = True
    """Whether a bagged trial ends after its first fold where that is below the median of earlier trials."""

    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    """Of the sampler."""

    space: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Choices that replace those of :class:`~imbllm_autogluon.search.space.SearchSpace`, for regression of
    :class:`~imbllm_autogluon.search.space.TargetSearchSpace`, by name; a setting with one choice is fixed. A setting
    that the twin's own hyperparameters name is not searched."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.any_space({})

    @classmethod
    def of(cls, tune_kwargs: object) -> TuningOptions | None:
        """The options, or `None` where another searcher is asked for.

        Raises
        ------
        InvalidInputError
            A key is unknown or a value not allowed.
        """
        if tune_kwargs == SEARCHER:
            return cls()
        if not isinstance(tune_kwargs, Mapping) or tune_kwargs.get("searcher") != SEARCHER:
            return None
        return cls.from_flat({key: value for key, value in tune_kwargs.items() if key not in IGNORED})

    def search_space(self, fixed: Mapping[str, Any], task: Task = "classification") -> RebalanceSpace:
        """What is searched about rebalancing, but for settings that are fixed.

        Raises
        ------
        InvalidInputError
            A setting of `space` is unknown, not searched for this task, or has a choice that is not allowed.
        """
        space = SPACES[task]
        chosen = current_names(self.space, RebalanceConfig, prefix="space.")
        refuse_unknown_keys(chosen, space.dimensions(), prefix="space.")
        choices = {name: tuple(values) if isinstance(values, list) else values for name, values in chosen.items()}
        one = {name: (value,) for name, value in fixed.items() if name in space.dimensions()}
        made: dict[str, Any] = {**choices, **one}
        return space(**made)

    def any_space(self, fixed: Mapping[str, Any]) -> RebalanceSpace:
        """The space of the first task that these choices go with: before a fit its task is not known.

        Raises
        ------
        InvalidInputError
            They go with none.
        """
        try:
            return self.search_space(fixed)
        except InvalidInputError as error:
            try:
                return self.search_space(fixed, "regression")
            except InvalidInputError:
                raise error from None
