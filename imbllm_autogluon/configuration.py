"""How configuration objects are made and checked: frozen dataclasses, literal choices, no unknown keys."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from imbllm_autogluon.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from typing_extensions import Self

T = TypeVar("T")


def known_keys(config_class: type) -> tuple[str, ...]:
    """Names of the fields of a configuration class, in the order of its definition."""
    return tuple(field.name for field in dataclasses.fields(config_class))


def refuse_unknown_keys(given: Iterable[str], allowed: Iterable[str], *, prefix: str = "") -> None:
    """Raise `InvalidInputError` for the first key that is not allowed, suggesting the nearest one."""
    allowed = tuple(allowed)
    for key in given:
        if key not in allowed:
            names = ", ".join(prefix + name for name in sorted(allowed))
            raise InvalidInputError(
                f"unknown setting {prefix + key!r}{nearest(key, allowed)}; the settings are: {names}."
            )


def from_mapping(config_class: type[T], values: Mapping[str, Any], *, prefix: str = "") -> T:
    """Build a configuration object from a mapping; unknown keys are refused by name.

    NumPy's scalars, which searches over settings draw and class labels are, become Python's own, so that JSON can hold
    every setting.

    Raises
    ------
    InvalidInputError
        A key is unknown, or the class refuses a value.
    """
    refuse_unknown_keys(values, known_keys(config_class), prefix=prefix)
    return config_class(**{key: _plain(value) for key, value in values.items()})


def _plain(value: Any) -> Any:
    """A value, or the keys and values of a mapping, without NumPy's scalars."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


class FlatConfig:
    """Base of frozen dataclasses made of parts: read from, and written as, one flat mapping of all settings.

    A part is a field whose type is a dataclass; no name occurs in two parts. Parts may have parts of their own.
    """

    @classmethod
    @functools.cache
    def parts(cls) -> dict[str, type[Any]]:
        """Configuration class of each part, by the name of its field."""
        hints = typing.get_type_hints(cls)
        return {name: hints[name] for name in known_keys(cls) if dataclasses.is_dataclass(hints[name])}

    @classmethod
    def own_keys(cls) -> tuple[str, ...]:
        """Names of the settings that belong to no part."""
        return tuple(name for name in known_keys(cls) if name not in cls.parts())

    @classmethod
    def flat_keys(cls) -> tuple[str, ...]:
        """Names of all settings."""
        return (*cls.own_keys(), *(key for part in cls.parts().values() for key in _keys_of(part)))

    @classmethod
    def from_flat(cls, values: Mapping[str, Any], *, prefix: str = "") -> Self:
        """Build the configuration from one flat mapping.

        Raises
        ------
        InvalidInputError
            A key is unknown (the nearest known one is suggested), or a value is not allowed.
        """
        refuse_unknown_keys(values, cls.flat_keys(), prefix=prefix)
        parts = {
            name: _part_of(part, {key: values[key] for key in _keys_of(part) if key in values})
            for name, part in cls.parts().items()
        }
        return from_mapping(cls, {**{key: values[key] for key in cls.own_keys() if key in values}, **parts})

    def flat(self) -> dict[str, Any]:
        """All settings as one flat mapping; the inverse of :meth:`from_flat`."""
        flat = {key: getattr(self, key) for key in self.own_keys()}
        for name in self.parts():
            part = getattr(self, name)
            flat |= part.flat() if isinstance(part, FlatConfig) else vars(part)
        return flat


def _keys_of(part: type[Any]) -> tuple[str, ...]:
    return part.flat_keys() if issubclass(part, FlatConfig) else known_keys(part)


def _part_of(part: type[Any], values: Mapping[str, Any]) -> Any:
    return part.from_flat(values) if issubclass(part, FlatConfig) else from_mapping(part, values)


@dataclass(frozen=True)
class Range:
    """Numbers that a field of a configuration allows: ``width: Annotated[int, Range(16, 1024)]``.

    Whole numbers alone where the annotated type is ``int``.

    Parameters
    ----------
    low, high
        The limits.
    above, below
        Whether the lower, or the upper, limit itself is not allowed.

    Examples
    --------
    >>> str(Range(0.0, 0.5)), str(Range(0.0, 1.0, above=True)), str(Range(1, 10**6))
    ('0 to 0.5', 'above 0, up to 1', '1 to 1,000,000')
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: object) -> bool:
        number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
        excluded = (self.above and number == self.low) or (self.below and number == self.high)
        return self.low <= number <= self.high and not excluded

    def __str__(self) -> str:
        low, high = _short(self.low), _short(self.high)
        if self.high == math.inf:
            return f"above {low}" if self.above else f"at least {low}"
        if self.below:
            return f"{low} up to but not {high}"
        return f"above {low}, up to {high}" if self.above else f"{low} to {high}"

    def wanted(self, *, whole: bool = False) -> str:
        """What a value must be, for an error."""
        sort = "a whole number" if whole else "a number"
        if self.high == math.inf:
            return f"{sort} {'above' if self.above else 'at least'} {self.low}"
        if self.above:
            return f"{sort} above {self.low} and at most {self.high}"
        if self.below:
            return f"{sort} of at least {self.low} and below {self.high}"
        return f"{sort} between {self.low} and {self.high}"

    def require(self, name: str, value: object, *, whole: bool = False) -> None:
        """Raise `InvalidInputError` unless `value` is a number (whole, if asked) of this range."""
        # The remainder of infinity is NaN: it is not whole either.
        if value not in self or (whole and value % 1 != 0):  # type: ignore[operator]
            raise InvalidInputError(f"{name} must be {self.wanted(whole=whole)}; got {value!r}.")


def _short(number: float) -> str:
    """A limit as people write it."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,g}".replace("e-0", "e-")


def require_allowed(config: object) -> None:
    """Check every field of a dataclass instance by its type, from its ``__post_init__``.

    What is checked are ``Literal`` fields, fields annotated with a :class:`Range`, and either of them beside ``None``
    or beside each other.
    """
    config_class: Any = type(config)
    for name, hint in field_types(config_class).items():
        _require_field(name, getattr(config, name), hint)


@functools.cache
def field_types(config_class: Any) -> dict[str, Any]:
    """Types of the fields of a configuration class, with their ranges."""
    hints = typing.get_type_hints(config_class, include_extras=True)
    return {name: hints[name] for name in known_keys(config_class)}


def members_of(hint: Any) -> tuple[Any, ...]:
    """The types that a type consists of: those of a union, else itself."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def range_of(hint: Any) -> Range | None:
    """The range that a type is annotated with."""
    annotations = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
    return next((item for item in annotations if isinstance(item, Range)), None)


def is_whole(hint: Any) -> bool:
    """Whether an annotated type is that of whole numbers."""
    return typing.get_args(hint)[:1] == (int,)


def _require_field(name: str, value: object, hint: Any) -> None:
    members = members_of(hint)
    numbers = [(allowed, is_whole(member)) for member in members if (allowed := range_of(member)) is not None]
    words = [word for member in members if typing.get_origin(member) is typing.Literal for word in member.__args__]
    choices = (*words, None) if type(None) in members else tuple(words)
    if value in choices or not (words or numbers):
        return
    for allowed, whole in numbers:
        if words and isinstance(value, str):
            either = " or ".join(repr(word) for word in words)
            raise InvalidInputError(f"{name} must be {either} or {allowed.wanted(whole=whole)}; got {value!r}.")
        allowed.require(name, value, whole=whole)
    if not numbers:
        require_choice(name, value, choices)


def require_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Raise `InvalidInputError` unless `value` is one of `choices`."""
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise InvalidInputError(
            f"{name} must be one of {allowed}; got {value!r}{nearest(str(value), map(str, choices))}."
        )


def require_number(name: str, value: object, low: float, high: float = math.inf, *, whole: bool = False) -> None:
    """Raise `InvalidInputError` unless `value` is a number (whole, if asked) within ``[low, high]``."""
    Range(low, high).require(name, value, whole=whole)


def settings_as_parameters(config_class: type[Any]) -> Callable[[type[T]], type[T]]:
    """Class decorator: the settings of a flat configuration become keyword parameters of a scikit-learn estimator.

    Its ``__init__`` takes ``**settings`` and hands them to :func:`set_parameters`; what ``inspect`` and scikit-learn
    see are all settings by name, with their defaults.

    Parameters
    ----------
    config_class
        Has ``flat()``.
    """

    def decorate(estimator: type[T]) -> type[T]:
        init: Any = estimator.__init__
        own = [p for p in inspect.signature(init).parameters.values() if p.kind is not p.VAR_KEYWORD]
        names = {parameter.name for parameter in own}
        settings = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in config_class().flat().items()
            if name not in names
        ]
        init.__signature__ = inspect.Signature([*own, *settings])
        return estimator

    return decorate


def set_parameters(estimator: object, settings: Mapping[str, Any]) -> None:
    """Set every setting of :func:`settings_as_parameters` as an attribute, given or by default.

    Raises
    ------
    TypeError
        A setting is unknown.
    """
    parameters: Any = inspect.signature(type(estimator).__init__).parameters
    known = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY and name != "self"}
    for name in settings:
        if name not in known:
            raise TypeError(f"{type(estimator).__name__} has no parameter {name!r}{nearest(name, known)}.")
    for name, default in known.items():
        if not hasattr(estimator, name):
            setattr(estimator, name, settings.get(name, default))
