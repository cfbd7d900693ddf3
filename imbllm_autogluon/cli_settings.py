"""Settings as a command line gives them: ``key=value``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imbllm_autogluon.errors import InvalidInputError

Value = str | int | float | bool | None

WORDS: dict[str, Value] = {"none": None, "true": True, "false": False}
"""Words that are not text."""


def parse_settings(pairs: Iterable[str]) -> dict[str, Value]:
    """Read ``key=value`` pairs; the last one of a key counts.

    Raises
    ------
    InvalidInputError
        A pair has no ``=`` or no key.

    Examples
    --------
    >>> parse_settings(["temperature=1.0", "steps=50", "conditioning=y", "time_limit=none"])
    {'temperature': 1.0, 'steps': 50, 'conditioning': 'y', 'time_limit': None}
    """
    settings: dict[str, Value] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise InvalidInputError(f"a setting must be written as key=value, such as temperature=1.0; got {pair!r}.")
        settings[key.strip()] = _value(value.strip())
    return settings


def split_settings(settings: Mapping[str, Value], prefix: str) -> tuple[dict[str, Value], dict[str, Value]]:
    """Settings whose key begins with a prefix, without it, and the others.

    Examples
    --------
    >>> split_settings({"a.steps": 5, "steps": 3}, "a.")
    ({'steps': 5}, {'steps': 3})
    """
    chosen = {key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)}
    return chosen, {key: value for key, value in settings.items() if not key.startswith(prefix)}


def _value(text: str) -> Value:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return float(text) if any(mark in text for mark in ".eEn") else int(text)
    except ValueError:
        return text
