"""Settings as a command line gives them: ``key=value``."""

from __future__ import annotations

from collections.abc import Iterable

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


def _value(text: str) -> Value:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return float(text) if any(mark in text for mark in ".eEn") else int(text)
    except ValueError:
        return text
