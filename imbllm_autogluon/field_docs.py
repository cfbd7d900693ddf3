"""The parameters of configuration classes in words, for ``help()`` and for the documentation.

Python keeps no docstring of a field. They are read from the source of the class when somebody asks, so that importing
a configuration costs nothing.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import re
import sys
import textwrap
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from imbllm_autogluon.configuration import FlatConfig, field_types, is_whole, known_keys, members_of, range_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

T = TypeVar("T")

WIDTH = 100
"""Characters of a line that ``help()`` shows."""


@dataclass(frozen=True)
class Parameter:
    """A field of a configuration, as a reader needs it."""

    name: str
    """Of the field."""

    allowed: str
    """Types, ranges and choices."""

    default: str
    """As Python writes it."""

    meaning: str
    """The docstring under the field, as one paragraph."""


def parameters_of(config_class: Any) -> tuple[Parameter, ...]:
    """The parameters that a configuration class declares itself, those of its parts left out.

    Examples
    --------
    >>> from imbllm_autogluon.language import LanguageConfig
    >>> layers = next(one for one in parameters_of(LanguageConfig) if one.name == "layers")
    >>> layers.allowed, layers.default, layers.meaning
    ('int (1 to 24)', '2', 'Transformer blocks of the compact backbones.')
    """
    own = config_class.own_keys() if issubclass(config_class, FlatConfig) else known_keys(config_class)
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    meanings = _field_docstrings(config_class)
    return tuple(
        Parameter(name, _allowed(field_types(config_class)[name]), _default(fields[name]), meanings.get(name, ""))
        for name in own
    )


def classes_of(config_class: type[Any]) -> tuple[type[Any], ...]:
    """A configuration class and those of its parts and their parts, where they have parameters of their own."""
    parts = config_class.parts().values() if issubclass(config_class, FlatConfig) else ()
    inner = [found for part in parts for found in classes_of(part)]
    return (config_class, *inner) if parameters_of(config_class) else tuple(inner)


def documented(config_class: type[T]) -> type[T]:
    """Class decorator: the docstring of a configuration lists its parameters and those of its parts."""
    _describe(config_class, lambda text: _with_section(text, _entries(config_class, ())))
    return config_class


def documented_settings(config_class: type[Any]) -> Callable[[type[T]], type[T]]:
    """Class decorator: the docstring of an estimator lists the parameters that stand behind its ``**settings``.

    Those that the docstring describes itself are not repeated.
    """

    def decorate(estimator: type[T]) -> type[T]:
        def write(text: str) -> str:
            described = set(re.findall(r"^ *(\w+) : ", text, flags=re.MULTILINE))
            return _with_entries(text, _entries(config_class, described))

        _describe(estimator, write)
        return estimator

    return decorate


class _LazyDocstring:
    """A ``__doc__`` that is written when it is first read."""

    def __init__(self, write: Callable[[], str]) -> None:
        self._write = functools.cache(write)

    def __get__(self, instance: object, owner: type | None = None) -> str:
        return self._write()


def _describe(documented_class: Any, write: Callable[[str], str]) -> None:
    text = documented_class.__doc__
    if text is None:  # as it is under python -OO
        return
    # help() takes the docstring of a class whose metaclass has one, such as ABCMeta, from the dictionary of the class,
    # where nothing is written on demand.
    hidden = "__doc__" in vars(type(documented_class)) and type(documented_class) is not type
    documented_class.__doc__ = write(text) if hidden else _LazyDocstring(lambda: write(text))


def _with_section(text: str, entries: str) -> str:
    """A docstring with a section of parameters in front of its first section."""
    section = f"\n\n    Parameters\n    ----------\n{entries}"
    first = re.search(r"\n\n    \w+\n    -{3,}\n", text)
    if first is None:
        return f"{text.rstrip()}{section}\n    "
    return text[: first.start()] + section + text[first.start() :]


def _with_entries(text: str, entries: str) -> str:
    """A docstring with entries in place of ``**settings`` and its description."""
    return re.sub(r"    \*\*settings\n(?:        .*\n)+", lambda _: f"{entries}\n", text)


def _entries(config_class: type[Any], described: Container[str]) -> str:
    """The parameters of a configuration and of its parts as numpydoc writes them."""
    found = (one for owner in classes_of(config_class) for one in parameters_of(owner))
    return "\n".join(_entry(one) for one in found if one.name not in described)


def _entry(parameter: Parameter) -> str:
    meaning = textwrap.fill(
        parameter.meaning, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8, break_on_hyphens=False
    )
    return f"    {parameter.name} : {parameter.allowed}, default={parameter.default}\n{meaning}"


def _field_docstrings(config_class: type[Any]) -> dict[str, str]:
    """The string that follows each field in the source of a class; nothing where there is no source."""
    for statement in _module_body(config_class.__module__):
        if isinstance(statement, ast.ClassDef) and statement.name == config_class.__name__:
            return {name: " ".join(text.split()) for name, text in _documented_fields(statement.body)}
    return {}


@functools.cache
def _module_body(name: str) -> list[ast.stmt]:
    try:
        return ast.parse(inspect.getsource(sys.modules[name])).body
    except OSError:
        return []


def _documented_fields(body: list[ast.stmt]) -> Iterable[tuple[str, str]]:
    for statement, following in itertools.pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = following.value if isinstance(following, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield statement.target.id, text.value


def _allowed(hint: Any) -> str:
    """Types, ranges and choices of a type in words."""
    return " or ".join(_one_type(member) for member in members_of(hint))


def _one_type(hint: Any) -> str:
    allowed = range_of(hint)
    if allowed is not None:
        return f"{'int' if is_whole(hint) else 'float'} ({allowed})"
    if typing.get_origin(hint) is typing.Literal:
        return "{" + ", ".join(_as_python(choice) for choice in typing.get_args(hint)) + "}"
    if hint is type(None):
        return "None"
    origin = typing.get_origin(hint)
    inner = [getattr(one, "__name__", "…") for one in typing.get_args(hint)]
    return f"{origin.__name__} of {' to '.join(inner)}" if origin else str(getattr(hint, "__name__", hint))


def _default(field: dataclasses.Field[Any]) -> str:
    made = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return _as_python(made)


def _as_python(value: object) -> str:
    """A value as it is typed, texts in double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)
