"""Checked configurations, estimators that have them as parameters, their fields in words, and the environment."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import inspect
import itertools
import math
import multiprocessing
import numbers
import os
import re
import sys
import textwrap
import types
import typing
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, TypeVar

import numpy as np

from imbllm_autogluon.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from typing_extensions import Self

_C = TypeVar("_C", bound="Config")
_T = TypeVar("_T")
_WORDS = {"none": None, "true": True, "false": False}  # values of settings that are not text
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_BAR_DELAY = 3.0  # seconds after which a bar is shown: of shorter work there is none
_BAR_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {remaining} left"
_BARS_HIDDEN: ContextVar[bool] = ContextVar("imbllm_bars_hidden", default=False)


def cache_dir(environment: Mapping[str, str] | None = None) -> Path:
    """Folder for what outlives a fit, such as downloaded models (``IMBLLM_CACHE_DIR``).

    Generators are stored in the folder of their predictor instead.
    """
    environment = os.environ if environment is None else environment
    cache_home = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(environment.get("IMBLLM_CACHE_DIR") or cache_home / "imbllm_autogluon")


def shows_progress(environment: Mapping[str, str] | None = None) -> bool:
    """Whether work of more than a few seconds shows progress bars (``IMBLLM_PROGRESS``: 0 or 1).

    By default on a terminal and in a notebook that has ipywidgets, by the main process. Never where ``TQDM_DISABLE`` is
    set, by any but the first of several processes of one launch (``RANK``), or inside :func:`hidden_bars`.
    `InvalidInputError` for another value.
    """
    environment = os.environ if environment is None else environment
    value = environment.get("IMBLLM_PROGRESS", "").lower()
    if value and value not in _SWITCH:
        raise InvalidInputError(f"the environment variable IMBLLM_PROGRESS must be 0 or 1, or not set; got {value!r}.")
    if environment.get("TQDM_DISABLE") or environment.get("RANK", "0") != "0" or _BARS_HIDDEN.get():
        return False
    return _SWITCH[value] if value else multiprocessing.parent_process() is None and _is_watched(sys.stderr)


def _is_watched(stream: Any) -> bool:
    """Whether a stream is a terminal, or a notebook's that can draw a bar in place."""
    in_notebook = type(stream).__module__.startswith("ipykernel") and importlib.util.find_spec("ipywidgets") is not None
    return in_notebook or bool(stream and stream.isatty())


@contextmanager
def hidden_bars(hidden: bool = True) -> Iterator[None]:
    """Show no bars in the block, if so."""
    token = _BARS_HIDDEN.set(hidden or _BARS_HIDDEN.get())
    try:
        yield
    finally:
        _BARS_HIDDEN.reset(token)


def progress_bar(total: int, what: str, steps: Iterable[Any] | None = None, *, delay: float = _BAR_DELAY) -> Any:
    """A tqdm bar of so many steps or rows, a context manager or an iterable of `steps`, with the time that is left.

    It is shown after `delay` seconds, 0 where the first step may take longer, and goes when all is done.
    """
    from tqdm.auto import tqdm

    look: dict[str, Any] = {"leave": False, "miniters": 1, "dynamic_ncols": True, "bar_format": _BAR_FORMAT}
    look |= {"iterable": steps, "disable": not shows_progress()}
    return tqdm(total=total, desc=f"imbllm {what}", delay=delay, **look)


def secret(variable: str) -> str:
    """What an environment variable holds, such as a token, or `InvalidInputError`; only its name is ever shown."""
    value = os.environ.get(variable)
    if not value:
        raise InvalidInputError(f"the environment variable {variable!r} should hold a token, but is not set.")
    return value


@dataclass(frozen=True)
class Range:
    """Numbers that a field of a configuration allows: ``width: Annotated[int, Range(16, 1024)]``.

    Whole numbers alone where the annotated type is ``int``; with `above`, or `below`, not the limit itself.

    >>> str(Range(0.0, 0.5)), str(Range(0.0, 1.0, above=True)), str(Range(1, 10**6))
    ('0 to 0.5', 'above 0, up to 1', '1 to 1,000,000')
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: object) -> bool:
        number: Any = value if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
        excluded = (self.above and number == self.low) or (self.below and number == self.high)
        return bool(self.low <= number <= self.high and not excluded)

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
    return f"{number:,}" if isinstance(number, int) else f"{number:,g}".replace("e-0", "e-")


def require_number(name: str, value: object, low: float, high: float = math.inf, *, whole: bool = False) -> None:
    """Raise `InvalidInputError` unless `value` is a number (whole, if asked) within ``[low, high]``."""
    Range(low, high).require(name, value, whole=whole)


def require_threads(threads: int | None) -> None:
    """Raise `InvalidInputError` unless a number of threads, where one is given, is 1 to 1024."""
    if threads is not None:
        require_number("threads", threads, 1, 1024, whole=True)


def require_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Raise `InvalidInputError` unless `value` is one of `choices`."""
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise InvalidInputError(
            f"{name} must be one of {allowed}; got {value!r}{nearest(str(value), map(str, choices))}."
        )


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``key=value`` pairs, the last one of a key; `InvalidInputError` for a pair without ``=`` or key.

    >>> parse_settings(["temperature=1.0", "steps=50", "conditioning=y", "time_limit=none"])
    {'temperature': 1.0, 'steps': 50, 'conditioning': 'y', 'time_limit': None}
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise InvalidInputError(f"a setting must be written as key=value, such as temperature=1.0; got {pair!r}.")
        settings[key.strip()] = _value(value.strip())
    return settings


def _value(text: str) -> str | float | bool | None:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return float(text) if any(mark in text for mark in ".eEn") else int(text)
    except ValueError:
        return text


def refuse_unknown_keys(given: Iterable[str], allowed: Iterable[str], *, prefix: str = "") -> None:
    """Raise `InvalidInputError` for the first key that is not allowed, suggesting the nearest one."""
    allowed = tuple(allowed)
    for key in given:
        if key not in allowed:
            names = ", ".join(prefix + name for name in sorted(allowed))
            raise InvalidInputError(
                f"unknown setting {f'{prefix}{key}'!r}{nearest(str(key), allowed)}; the settings are: {names}."
            )


class Config:
    """Base of frozen dataclasses whose fields are checked by their types when an object is made.

    Checked are ``Literal`` fields, fields annotated with a :class:`Range`, and either next to ``None`` or next to each
    other. A field whose type is another configuration is a part; no name occurs in two parts, so that all settings are
    read from, and written as, one flat mapping.
    """

    renamed: ClassVar[Mapping[str, str]] = {}  # present name of a field by its former one, accepted with a warning

    def __post_init__(self) -> None:
        for name, hint in self.field_types().items():
            _require_field(name, getattr(self, name), hint)

    @classmethod
    @functools.cache
    def field_types(cls) -> dict[str, Any]:
        """Types of the fields, with their ranges."""
        hints = typing.get_type_hints(cls, include_extras=True)
        return {field.name: hints[field.name] for field in dataclasses.fields(typing.cast("Any", cls))}

    @classmethod
    @functools.cache
    def parts(cls) -> dict[str, type[Config]]:
        """Configuration class of each part, by the name of its field."""
        hints = cls.field_types()
        return {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Config)}

    @classmethod
    def own_keys(cls) -> tuple[str, ...]:
        """Names of the settings that belong to no part."""
        return tuple(name for name in cls.field_types() if name not in cls.parts())

    @classmethod
    def flat_keys(cls) -> tuple[str, ...]:
        """Names of all settings."""
        return (*cls.own_keys(), *(key for part in cls.parts().values() for key in part.flat_keys()))

    @classmethod
    def former_keys(cls) -> dict[str, str]:
        """Present names of all settings that had another one, by the former names."""
        inner = [item for part in cls.parts().values() for item in part.former_keys().items()]
        return {**cls.renamed, **dict(inner)}

    @classmethod
    def from_flat(cls, values: Mapping[str, Any], *, prefix: str = "") -> Self:
        """Build the configuration from one flat mapping of settings.

        NumPy's scalars, which searches over settings draw and class labels are, become Python's own, so that JSON can
        hold every setting. `InvalidInputError` where a key is unknown (the nearest known one is suggested) or given
        under two names, or a value is not allowed.
        """
        values = current_names(values, cls, prefix=prefix)
        refuse_unknown_keys(values, cls.flat_keys(), prefix=prefix)
        parts = {
            name: part.from_flat({key: values[key] for key in part.flat_keys() if key in values})
            for name, part in cls.parts().items()
        }
        return cls(**{key: _plain(values[key]) for key in cls.own_keys() if key in values}, **parts)

    def flat(self) -> dict[str, Any]:
        """All settings as one flat mapping; the inverse of :meth:`from_flat`."""
        flat = {key: getattr(self, key) for key in self.own_keys()}
        for name in self.parts():
            flat |= getattr(self, name).flat()
        return flat


def current_names(values: Mapping[str, Any], *config_classes: type[Config], prefix: str = "") -> dict[str, Any]:
    """Settings under their present names; each former one is told by a ``FutureWarning``.

    `InvalidInputError` where a setting is given under two names.
    """
    renamed = {old: new for one in config_classes for old, new in one.former_keys().items()}
    current: dict[str, Any] = {}
    for key, value in values.items():
        name = renamed.get(key, key)
        if name in current or (name != key and name in values):
            raise InvalidInputError(f"{prefix}{key} and {prefix}{name} are two names of one setting; give one of them.")
        if name != key:
            message = f"{prefix}{key} is called {prefix}{name} now; the next version will refuse the former name."
            warnings.warn(message, FutureWarning, stacklevel=3)
        current[name] = value
    return current


def _plain(value: Any) -> Any:
    """A value, or the keys and values of a mapping, without NumPy's scalars."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _members_of(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _range_of(hint: Any) -> Range | None:
    annotations = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
    return next((item for item in annotations if isinstance(item, Range)), None)


def _is_whole(hint: Any) -> bool:
    return typing.get_args(hint)[:1] == (int,)


def _require_field(name: str, value: object, hint: Any) -> None:
    members = _members_of(hint)
    numbers = [(allowed, _is_whole(member)) for member in members if (allowed := _range_of(member)) is not None]
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


class SettingsMixin:
    """In front of scikit-learn's base class: parameters are the settings of a configuration, a few of them shown.

    All others are given by name in one parameter `settings`, or, with a ``FutureWarning``, as keywords. ``get_params``
    lists them, ``set_params`` sets them by name, and the docstring of the class describes them. An estimator is written
    as ``class Sampler(SettingsMixin, BaseEstimator, config=SamplerConfig, shown=("k",))``; its ``__init__(self, *,
    seed=None, settings=None, **parameters)`` sets its own attributes, then calls ``_set_parameters(settings,
    parameters)``. Its own parameters may be settings, too.
    """

    settings: Mapping[str, object] | None
    _config_class: ClassVar[type[Config]]
    _shown: ClassVar[dict[str, Any]]  # settings that are parameters, with their defaults
    _hidden: ClassVar[dict[str, Any]]  # all other settings, with theirs

    def __init_subclass__(cls, *, config: type[Config] | None = None, shown: tuple[str, ...] = (), **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if config is None:
            return
        defaults = config().flat()
        own = [p for p in inspect.signature(cls.__init__).parameters.values() if p.kind is not p.VAR_KEYWORD]
        names = (*(p.name for p in own if p.name in defaults), *shown)
        cls._config_class = config
        cls._shown = {name: defaults.pop(name) for name in names}
        cls._hidden = defaults
        # Before `settings`, the last one.
        own[-1:-1] = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=cls._shown[n]) for n in shown]
        cls.__init__.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
        _describe(cls, lambda text: _with_settings(text, [config], cls._hidden))

    def __setattr__(self, name: str, value: object) -> None:
        if name in self._hidden:
            raise AttributeError(f"{name} is a setting of {type(self).__name__}: use set_params({name}={value!r}).")
        super().__setattr__(name, value)

    def _set_parameters(self, settings: Mapping[str, object] | None, parameters: Mapping[str, Any]) -> None:
        """Set the shown settings and `settings` as attributes; keywords of others, once parameters, join `settings`."""
        known = (*inspect.signature(type(self)).parameters, *self._shown, *self._hidden)
        given = current_names(parameters, self._config_class)
        unknown = next((name for name in given if name not in known), None)
        if unknown is not None:
            raise TypeError(f"{type(self).__name__} has no parameter {unknown!r}{nearest(unknown, known)}.")
        for name, default in self._shown.items():
            if name in given or not hasattr(self, name):
                setattr(self, name, given.pop(name, default))
        self.settings = self._with_keywords(settings, given) if given else settings

    def _with_keywords(self, settings: Mapping[str, object] | None, keywords: dict[str, Any]) -> dict[str, object]:
        for name in keywords.keys() & self._present(settings).keys():
            raise InvalidInputError(f"{name} is given as a keyword and in `settings`; give it there alone.")
        message = f"{type(self).__name__}: write settings={keywords!r}; the next version will refuse such keywords."
        warnings.warn(message, FutureWarning, stacklevel=4)
        return {**(settings or {}), **keywords}

    def _present(self, settings: object) -> dict[str, Any]:
        """Given settings by their present names; none where they are no mapping, which fitting will refuse."""
        given: Mapping[str, Any] = settings if isinstance(settings, Mapping) else {}
        former = self._config_class.former_keys()
        return {former.get(key, key): value for key, value in given.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; with `deep` also every setting by its name, given or by default."""
        parameters: dict[str, Any] = super().get_params(deep)  # type: ignore[misc]
        given = self._present(self.settings) if deep else {}
        return {**parameters, **{name: given.get(name, value) for name, value in self._hidden.items() if deep}}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, and settings by their names, which gives the estimator a new mapping of settings."""
        params = current_names(params, self._config_class)
        settings = {name: params.pop(name) for name in tuple(params) if name in self._hidden}
        super().set_params(**params)  # type: ignore[misc]
        if settings:
            self.settings = {**self._present(self.settings), **settings}
        return self

    def flat_settings(self) -> dict[str, Any]:
        """The shown settings and the given ones, for :meth:`Config.from_flat`, which checks their values.

        `InvalidInputError` where `settings` is no mapping, or has a name that is unknown, given twice or a parameter's.
        """
        settings = {} if self.settings is None else self.settings
        if not isinstance(settings, Mapping):
            raise InvalidInputError(f"settings must map names to values, such as {{'steps': 50}}; got {settings!r}.")
        given = current_names(settings, self._config_class)
        misplaced = next((name for name in given if name in inspect.signature(type(self)).parameters), None)
        if misplaced is not None:
            raise InvalidInputError(f"{misplaced!r} is a parameter of {type(self).__name__}; pass it as parameter.")
        refuse_unknown_keys(given, self._hidden)
        return {**{name: getattr(self, name) for name in self._shown}, **given}


# Fields in words. Python keeps no docstring of a field: they are read from the source of the class when somebody asks,
# so that importing a configuration costs nothing.


@dataclass(frozen=True)
class Parameter:
    """A field of a configuration, as a reader needs it: its docstring is one paragraph."""

    name: str
    allowed: str  # types, ranges and choices
    default: str  # as Python writes it
    meaning: str


def parameters_of(config_class: type[Config]) -> tuple[Parameter, ...]:
    """The parameters that a configuration class declares itself, those of its parts left out."""
    hints, meanings, defaults = config_class.field_types(), _field_docstrings(config_class), vars(config_class())
    return tuple(
        Parameter(name, _allowed(hints[name]), _as_python(defaults[name]), meanings.get(name, ""))
        for name in config_class.own_keys()
    )


def classes_of(config_class: type[Config]) -> tuple[type[Config], ...]:
    """A configuration class and those of its parts and their parts, where they have parameters of their own."""
    inner = [found for part in config_class.parts().values() for found in classes_of(part)]
    return (config_class, *inner) if config_class.own_keys() else tuple(inner)


def documented(config_class: type[_C]) -> type[_C]:
    """Class decorator: the docstring of a configuration lists its parameters and those of its parts."""
    _describe(config_class, lambda text: _with_section(text, "Parameters", _entries(_all_parameters(config_class))))
    return config_class


class _LazyText(str):
    """A docstring of which ``help()``, which expands the tabs of any, shows what is written when it is first read."""

    write: Callable[[], str]
    __slots__ = ("write",)

    def __str__(self) -> str:
        return self.write()

    def expandtabs(self, tabsize: SupportsIndex = 8) -> str:
        return str(self).expandtabs(tabsize)


def _describe(described: Any, write: Callable[[str], str]) -> None:
    text = vars(described).get("__doc__") if isinstance(described, type) else described.__doc__
    if text is None:  # as it is under python -OO
        return
    described.__doc__ = _LazyText(text)
    described.__doc__.write = functools.cache(lambda: write(inspect.cleandoc(text)))


def list_settings(*configs: type[Config], where: str = "settings : ", but: str = "") -> Callable[[_T], _T]:
    """Describe, behind the entry of the docstring that begins so, the fields of the configurations that it takes."""

    def describe(described: _T) -> _T:
        keys = {name for config in configs for name in config.flat_keys()}
        _describe(described, lambda text: _with_settings(text, configs, keys, where, but))
        return described

    return describe


def _with_settings(
    text: str, configs: Iterable[type[Config]], hidden: Container[str], where: str = "settings : ", but: str = ""
) -> str:
    """The docstring of an estimator with the parameters and settings that it does not describe itself."""
    described = {*re.findall(r"^(\w+) : ", text, flags=re.MULTILINE), but}
    every = itertools.chain.from_iterable(map(_all_parameters, configs))
    found = [one for one in every if one.name not in described]
    shown = _entries(one for one in found if one.name not in hidden)
    before, heading, after = text.partition(f"\n{where}")
    others = _entries(one for one in found if one.name in hidden)
    return before + "\n" + shown + _with_section((heading + after)[1:], "Other Parameters", others)


def _with_section(text: str, title: str, entries: str) -> str:
    section = f"\n\n{title}\n{'-' * len(title)}\n{entries}" if entries else ""
    first = re.search(r"\n\n\w+\n-{3,}\n", text)
    if first is None:
        return f"{text.rstrip()}{section}"
    return text[: first.start()] + section.rstrip("\n") + text[first.start() :]


def _all_parameters(config_class: type[Config]) -> Iterable[Parameter]:
    return itertools.chain.from_iterable(map(parameters_of, classes_of(config_class)))


def _entries(parameters: Iterable[Parameter]) -> str:
    fill = functools.partial(textwrap.fill, width=96, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return "".join(
        f"{one.name} : {one.allowed}, default={one.default}\n{fill(one.meaning, break_on_hyphens=False)}\n"
        for one in parameters
    )


def _field_docstrings(config_class: type[Any]) -> dict[str, str]:
    """The string that follows each field in the source of a class; nothing where there is no source."""
    classes = (one for one in _module_body(config_class.__module__) if isinstance(one, ast.ClassDef))
    body = next((one.body for one in classes if one.name == config_class.__name__), [])
    found = {}
    for pair in itertools.pairwise(body):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


@functools.cache
def _module_body(name: str) -> list[ast.stmt]:
    try:
        return ast.parse(inspect.getsource(sys.modules[name])).body
    except OSError:
        return []


def _allowed(hint: Any) -> str:
    return " or ".join(map(_one_type, _members_of(hint)))


def _one_type(hint: Any) -> str:
    allowed = _range_of(hint)
    if allowed is not None:
        return f"{'int' if _is_whole(hint) else 'float'} ({allowed})"
    if typing.get_origin(hint) is typing.Literal:
        return "{" + ", ".join(_as_python(choice) for choice in typing.get_args(hint)) + "}"
    if hint is type(None):
        return "None"
    origin = typing.get_origin(hint)
    inner = [getattr(one, "__name__", "…") for one in typing.get_args(hint)]
    return f"{origin.__name__} of {' to '.join(inner)}" if origin else str(getattr(hint, "__name__", hint))


def _as_python(value: object) -> str:
    """A value as it is typed, texts in double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)
