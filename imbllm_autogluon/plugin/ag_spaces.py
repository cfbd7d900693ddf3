"""AutoGluon's search spaces as Optuna draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autogluon.common.space import Bool, Categorical, Int, Real, Space

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import optuna

PLAIN = (str, int, float, bool, type(None))
"""What Optuna stores as a choice; of anything else its place in the list is stored."""


def suggest_all(trial: optuna.trial.BaseTrial, spaces: Mapping[str, Any]) -> dict[str, Any]:
    """Draw every space of a mapping; other values are left out."""
    return {name: suggest(trial, name, space) for name, space in spaces.items() if isinstance(space, Space)}


def suggest(trial: optuna.trial.BaseTrial, name: str, space: Space) -> Any:
    """Draw one value.

    Raises
    ------
    InvalidInputError
        The space is none that AutoGluon 1.6 knows.
    """
    if isinstance(space, Bool):  # before Int, which it is
        return trial.suggest_categorical(name, [False, True])
    if isinstance(space, Int):
        return trial.suggest_int(name, space.lower, space.upper)
    if isinstance(space, Real):
        return trial.suggest_float(name, space.lower, space.upper, log=space.log)
    if isinstance(space, Categorical):
        if all(isinstance(choice, PLAIN) for choice in space.data):
            return trial.suggest_categorical(name, space.data)
        place = trial.suggest_categorical(name, list(range(len(space.data))))
        chosen = space.data[place]
        return suggest(trial, f"{name}.{place}", chosen) if isinstance(chosen, Space) else chosen
    raise InvalidInputError(
        f"{name} has a search space of type {type(space).__name__}; Categorical, Real, Int and Bool are known."
    )


def first_all(spaces: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that lead to the default of every space: AutoGluon tries defaults first."""
    found: dict[str, Any] = {}
    for name, space in spaces.items():
        if isinstance(space, Space):
            found |= _first(name, space)
    return found


def _first(name: str, space: Space) -> dict[str, Any]:
    default = space.default
    if isinstance(space, Bool):
        return {name: bool(default)}
    if isinstance(space, Categorical) and not all(isinstance(choice, PLAIN) for choice in space.data):
        place = next(place for place, choice in enumerate(space.data) if choice is default)
        nested = _first(f"{name}.{place}", default) if isinstance(default, Space) else {}
        return {name: place, **nested}
    return {name: default}
