"""What can be searched about rebalancing: the method, how far, and how a language model writes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.config import RebalanceConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import optuna

    from imbllm_autogluon.tables.labeled import Task

_HOW_FAR = ("target_ratio", "rows_per_real_row")  # the second is drawn where the first is None


class _RebalanceSpace:
    """Base of the spaces of both tasks, which are frozen dataclasses of choices."""

    task: ClassVar[Task]
    of_method: ClassVar[Mapping[str, tuple[str, ...]]]  # dimensions that mean something under each method
    method: tuple[str, ...]
    fixed: Mapping[str, Any]

    def __post_init__(self) -> None:
        RebalanceConfig.from_flat(self.fixed)
        for name in self.dimensions():
            choices = getattr(self, name)
            for choice in choices if isinstance(choices, tuple) else ():
                RebalanceConfig.from_flat({name: choice}).require_method(self.task)
            if not isinstance(choices, tuple) or not choices or len(set(choices)) < len(choices):
                raise InvalidInputError(f"{name} must be a tuple of at least one choice, each once; got {choices!r}.")
            if name in self.fixed:
                raise InvalidInputError(f"{name} is fixed and searched; leave it out of `fixed`.")

    @classmethod
    def dimensions(cls) -> tuple[str, ...]:
        """Names of what is searched."""
        return tuple(own.name for own in fields(cls) if own.name != "fixed")  # type: ignore[arg-type]

    def suggest(self, trial: optuna.trial.BaseTrial, prefix: str = "") -> dict[str, Any]:
        """Settings of one trial (Optuna's or a ``FixedTrial``), those of `fixed` included; only what is used is drawn.

        The prefix is put in front of each parameter's name in the study.
        """
        return {**self.fixed, **self._chosen(lambda name, some: trial.suggest_categorical(prefix + name, some))}

    def first(self, prefix: str = "") -> dict[str, Any]:
        """Parameters of the trial to begin with."""
        return {prefix + name: value for name, value in self._chosen(lambda _, some: some[0]).items()}

    def _chosen(self, choose: Callable[[str, tuple[Any, ...]], Any]) -> dict[str, Any]:
        chosen = {"method": choose("method", self.method)}
        for name in self.of_method[chosen["method"]]:
            if name != "rows_per_real_row" or chosen["target_ratio"] is None:  # a target ratio rules
                chosen[name] = choose(name, getattr(self, name))
        return chosen


@dataclass(frozen=True)
class SearchSpace(_RebalanceSpace):
    """Choices of each setting for classes, the one to try first in front; a single choice is fixed.

    All are short lists: trials that agree in what a generator learns share the generator, and those that agree in what
    it writes share the rows. Only `method` and `interpolation_ratio` change what is learned.

    Examples
    --------
    >>> space = SearchSpace(method=("imbllm", "none"), fixed={"steps": 100})
    >>> space.first()  # doctest: +NORMALIZE_WHITESPACE
    {'method': 'imbllm', 'target_ratio': None, 'rows_per_real_row': 'auto', 'interpolation_ratio': 1.0,
     'conditioning': 'yx', 'temperature': None}
    """

    task: ClassVar[Task] = "classification"
    of_method: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "imbllm": (*_HOW_FAR, "interpolation_ratio", "conditioning", "temperature"),
        "great": (*_HOW_FAR, "temperature"),
        "pred_llm": (*_HOW_FAR, "temperature"),
        "smote_nc": _HOW_FAR,
        "random": _HOW_FAR,
        "none": (),
    }
    method: tuple[str, ...] = ("imbllm", "none", "smote_nc", "random")
    target_ratio: tuple[float | None, ...] = (None, 0.5, 1.0)
    rows_per_real_row: tuple[float | str, ...] = ("auto", 3.0)
    interpolation_ratio: tuple[float, ...] = (1.0, 0.5)
    conditioning: tuple[str, ...] = ("yx", "y")
    temperature: tuple[float | None, ...] = (None, 0.5, 1.0)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Settings of every trial, as :class:`~imbllm_autogluon.rebalancing.config.RebalanceConfig` knows them."""


@dataclass(frozen=True)
class TargetSearchSpace(_RebalanceSpace):
    """Choices of each setting for targets of a regression; see :class:`SearchSpace`.

    Examples
    --------
    >>> TargetSearchSpace(method=("smogn", "none")).first()
    {'method': 'smogn', 'generation_ratio': 0.5}
    """

    task: ClassVar[Task] = "regression"
    of_method: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "imbllm": ("generation_ratio", "interpolation_ratio", "conditioning", "temperature"),
        "smogn": ("generation_ratio",),
        "random": ("generation_ratio",),
        "none": (),
    }
    method: tuple[str, ...] = ("imbllm", "none", "smogn", "random")
    generation_ratio: tuple[float, ...] = (0.5, 0.25, 1.0)
    interpolation_ratio: tuple[float, ...] = (1.0, 0.5)
    conditioning: tuple[str, ...] = ("yx", "y")
    temperature: tuple[float | None, ...] = (None, 0.5, 1.0)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Settings of every trial, as :class:`~imbllm_autogluon.rebalancing.config.RebalanceConfig` knows them."""


def suggest(trial: optuna.trial.BaseTrial, space: _RebalanceSpace | None = None) -> dict[str, Any]:
    """Settings of rebalancing for one trial of a study of your own.

    They are flat, for :meth:`~imbllm_autogluon.rebalancing.config.RebalanceConfig.from_flat` or, each with
    ``ag.imbllm.`` in front, as hyperparameters of a twin.

    Parameters
    ----------
    trial
        Of Optuna, or a ``FixedTrial``.
    space
        What is searched; default: :class:`SearchSpace`.

    Examples
    --------
    >>> from optuna.trial import FixedTrial
    >>> suggest(FixedTrial({"method": "random", "target_ratio": 0.5}))
    {'method': 'random', 'target_ratio': 0.5}
    """
    return (space or SearchSpace()).suggest(trial)
