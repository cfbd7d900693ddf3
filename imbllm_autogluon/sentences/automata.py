"""The automaton of the legal values of a column, character by character; and the tools such automata are made of."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automaton import END, Automaton, one_of, union
from imbllm_autogluon.sentences.cell_texts import FIRST_TIME, LAST_TIME, CategoryText, TimeText, cell_text
from imbllm_autogluon.sentences.date_automata import date_range
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
