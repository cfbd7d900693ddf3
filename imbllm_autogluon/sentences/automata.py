"""The automaton of the legal values of a column, character by character; and the tools such automata are made of.

Those of ISO dates and times between two bounds are correct by the calendar.
"""

from __future__ import annotations

import calendar
import string
from typing import TYPE_CHECKING, NamedTuple

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automaton import END, Automaton, explore, one_of, union
from imbllm_autogluon.sentences.cell_texts import FIRST_TIME, LAST_TIME, CategoryText, TimeText, cell_text
from imbllm_autogluon.sentences.number_automata import decimal_numbers, decimal_range
from imbllm_autogluon.sentences.texts import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imbllm_autogluon.tables import Column


__all__ = [
    "END",
    "Automaton",
    "characters",
    "column_characters",
    "column_values",
    "date_range",
    "decimal_numbers",
    "decimal_range",
    "one_of",
    "present_values",
    "spell",
    "union",
]

_PART_ENDS = {3: "year", 6: "month", 9: "day", 12: "hour", 15: "minute", 18: "second"}

_LIMITS = {"year": (1, 9999), "month": (1, 12), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}


def characters(texts: Iterable[str]) -> dict[str, int]:
    """Return a number for each character that occurs in the texts, by code point.

    Examples
    --------
    >>> characters(["no", "on top"])
    {' ': 0, 'n': 1, 'o': 2, 'p': 3, 't': 4}
    """
    return {character: symbol for symbol, character in enumerate(sorted(set().union(*texts)))}


def spell(text: str, symbols: Mapping[str, int]) -> tuple[int, ...]:
    """Symbols of a text's characters.

    Raises
    ------
    InvalidInputError
        A character has no symbol.
    """
    absent = sorted(set(text) - set(symbols))
    if absent:
        raise InvalidInputError(f"the text {text!r} needs symbols for {absent}, which the symbol map lacks.")
    return tuple(symbols[character] for character in text)


def column_values(column: Column, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of the texts that :class:`ClauseWriter` writes for the legal values of a column.

    Legal are the numbers of the column's lattice, the days and times of its range at its resolution, its categories,
    and missing where training had it. Every accepted text can be read back.

    Parameters
    ----------
    column : Column
        A column of a schema, features or label.
    symbols : mapping
        Symbol of each character of :func:`column_characters`.

    Raises
    ------
    InvalidInputError
        A character has no symbol, or the column is free text.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.tables import TableSchema
    >>> column = TableSchema.from_frame(pd.DataFrame({"size": ["M", "L", None], "n": [1, 2, 2]})).columns[0]
    >>> symbols = characters(column_characters(column))
    >>> sizes = column_values(column, symbols)
    >>> [sizes.accepts(spell(text, symbols)) for text in ("M", "missing", "miss")]
    [True, True, False]
    """
    present = present_values(column, symbols)
    return union([present, one_of([spell(MISSING, symbols)])]) if column.has_missing else present


def column_characters(column: Column, *, missing: bool = True) -> str:
    """Characters that the legal values of a column are written with, each once, by code point.

    With ``missing=False`` the word for a missing value is left out.
    """
    texts = [MISSING] if missing and column.has_missing else []
    text = cell_text(column)
    if isinstance(text, CategoryText):
        return "".join(characters([*texts, *text.texts]))
    assert column.lattice is not None  # numbers and times have one, cell_text made sure
    texts += [string.digits, "-" if column.lattice.minimum < 0 else "", "." if column.lattice.decimals > 0 else ""]
    if isinstance(text, TimeText):
        texts += [text.write(time) for time in (column.lattice.minimum, column.lattice.maximum, 0)]
    return "".join(characters(texts))


def present_values(column: Column, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of the texts of the legal values that are not missing; otherwise as :func:`column_values`."""
    spell(column_characters(column, missing=False), symbols)
    text = cell_text(column)
    if isinstance(text, CategoryText):
        return one_of(spell(category, symbols) for category in text.texts)
    assert column.lattice is not None
    return _times(text, symbols) if isinstance(text, TimeText) else decimal_numbers(column.lattice, symbols)


def _times(text: TimeText, symbols: Mapping[str, int]) -> Automaton:
    """ISO texts of the range; outside the years 1 to 9999 the counts of the column's unit."""
    low, high, step = int(text.lattice.minimum), int(text.lattice.maximum), text.lattice.step
    first = max(low, low + -((low - FIRST_TIME // text.nanoseconds) // step) * step)
    last = min(high, LAST_TIME // text.nanoseconds)
    last -= (last - low) % step
    parts = []
    if low < first:
        parts.append(decimal_range(low, min(first - step, high), 0, symbols, step=step))
    if first <= last:
        parts.append(date_range(text.write(first), text.write(last), symbols))
    if last < high:
        parts.append(decimal_range(max(low, last + step), high, 0, symbols, step=step))
    return union(parts)


class _State(NamedTuple):
    place: int
    at_low: bool
    at_high: bool
    digits: str
    """Digits of the unfinished part (year, month, ...)."""
    leap: bool
    days: int
    """Days of the month, once it is known."""


# Last place of each part in "2024-02-29T23:59:59.999", and what the part is.


def date_range(low: str, high: str, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of every date (and time) from `low` to `high`, at their resolution.

    Parameters
    ----------
    low, high : str
        ISO texts of the same form, years 0001 to 9999: from ``2024-02-29`` to ``2024-02-29T23:59:59.999999999``.
    symbols : mapping
        Symbol of each digit and separator.

    Examples
    --------
    >>> symbols = {character: ord(character) for character in "0123456789-"}
    >>> days = date_range("2023-12-30", "2024-03-01", symbols)
    >>> [days.accepts([ord(c) for c in text]) for text in ("2024-02-29", "2023-12-29", "2024-02-30")]
    [True, False, False]
    """

    def follow(state: _State) -> dict[int, _State]:
        if state.place == len(low):
            return {}
        if not low[state.place].isdigit():
            return {symbols[low[state.place]]: state._replace(place=state.place + 1)}
        least = int(low[state.place]) if state.at_low else 0
        most = int(high[state.place]) if state.at_high else 9
        following = {}
        for digit in range(least, most + 1):
            at_bounds = state._replace(at_low=state.at_low and digit == least, at_high=state.at_high and digit == most)
            after = _advance(at_bounds, str(digit))
            if after is not None:
                following[symbols[str(digit)]] = after
        return following

    return explore(_State(0, True, True, "", False, 31), follow, lambda state: state.place == len(low))


def _advance(state: _State, digit: str) -> _State | None:
    """State after a digit, or None where the part it completes is not on the calendar."""
    following = state._replace(place=state.place + 1)
    if state.place > max(_PART_ENDS):
        return following  # digits of the fraction are free
    part, value = _PART_ENDS.get(state.place), state.digits + digit
    if part is None:
        return following._replace(digits=value)
    least, most = (1, state.days) if part == "day" else _LIMITS[part]
    if not least <= int(value) <= most:
        return None
    following = following._replace(digits="")
    if part == "year":
        return following._replace(leap=calendar.isleap(int(value)))
    if part == "month":
        year = 2024 if state.leap else 2023
        return following._replace(days=calendar.monthrange(year, int(value))[1], leap=False)
    return following._replace(days=31)
