"""Automata of the legal values of a column, character by character: decimal numbers within bounds, times, categories.

A number is a whole count of units, one unit being ``10 ** -decimals``. Its text has no leading zeros, ``-`` in front
of negative numbers and always the same number of decimals, so each number has exactly one text. In a column over many
powers of ten it has the same number of digits and an exponent, ``1.234e-9``. Dates and times between two bounds are
correct by the calendar. The step of a grid is enforced where it is a power of ten; decoding puts numbers between other
steps on the grid.
"""

from __future__ import annotations

import calendar
import string
from typing import TYPE_CHECKING, NamedTuple

from imbllm_autogluon.encoding.automata import Automaton, explore, one_of, union
from imbllm_autogluon.encoding.text import category_texts, grid_of, iso_limits, number_text, unit_text
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from imbllm_autogluon.tables import Column, NumberGrid

# Last place of each part in "2024-02-29T23:59:59.999", and what the part is.
_PART_ENDS = {3: "year", 6: "month", 9: "day", 12: "hour", 15: "minute", 18: "second"}
_LIMITS = {"year": (1, 9999), "month": (1, 12), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}


def column_characters(column: Column) -> str:
    """Characters that the legal values of a column are written with, each once, by code point."""
    if column.is_category:
        return _characters(category_texts(column))
    grid = grid_of(column)
    texts = [string.digits, "-" if grid.minimum < 0 else "", "." if grid.decimals > 0 else ""]
    if grid.digits:
        texts = [string.digits, "-.e"]
    if column.kind == "datetime":
        texts += [number_text(column, time) for time in (grid.minimum, grid.maximum, 0)]
    return _characters(texts)


def _characters(texts: Iterable[str]) -> str:
    return "".join(sorted(set().union(*texts)))


def present_values(column: Column, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of the texts of the legal values of a column that are not missing.

    `InvalidInputError` where a character of :func:`column_characters` has no symbol, or the column is free text.

    >>> import pandas as pd
    >>> from imbllm_autogluon.tables import TableSchema
    >>> column = TableSchema.from_frame(pd.DataFrame({"size": ["M", "L", None], "n": [1, 2, 2]})).columns[0]
    >>> sizes = present_values(column, {"L": 0, "M": 1})
    >>> sizes.accepts([1]), sizes.accepts([1, 1])
    (True, False)
    """
    _require_symbols(column_characters(column), symbols)
    if column.is_category:
        return one_of([symbols[character] for character in text] for text in category_texts(column))
    grid = grid_of(column)
    return _times(column, grid, symbols) if column.kind == "datetime" else _decimal_numbers(grid, symbols)


def _decimal_numbers(grid: NumberGrid, symbols: Mapping[str, int]) -> Automaton:
    """Texts of the numbers in the range of a grid, with the zeros that all of them but 0 end in."""
    if isinstance(grid.minimum, int):
        return _whole_range(grid.minimum, int(grid.maximum), grid.step, symbols)
    low, high = grid.to_units([grid.minimum, grid.maximum]).tolist()
    if grid.digits:
        return union(_by_powers(grid, low, high, symbols))
    if grid.decimals >= 0:
        return decimal_range(low, high, grid.decimals, symbols)
    return _followed_by_zeros(low, high, -grid.decimals, symbols)


def _by_powers(grid: NumberGrid, low: int, high: int, symbols: Mapping[str, int]) -> Iterator[Automaton]:
    """Texts such as ``1.234e-9`` from `low` to `high` units, one automaton for each power of ten and sign."""
    decade, least, most = grid.decade, grid.decade // 9, grid.decade // 9 * 10 - 1
    for power in range(max(abs(low), abs(high)) // decade + 1):
        shift = power * decade
        ending = [symbols[character] for character in f"e{power - grid.decimals + grid.digits - 1}"]
        first = least if power else 0
        ranges = (
            (max(low + shift, -most), min(high + shift, -max(first, 1))),
            (max(low - shift, first), min(high - shift, most)),
        )
        for start, stop in ranges:
            if start <= stop:
                yield _appended(decimal_range(start, stop, grid.digits - 1, symbols), ending)


def decimal_range(low: int, high: int, decimals: int, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of the texts of all numbers from `low` to `high`, in units of ``10 ** -decimals``.

    `symbols` are those of ``"0"`` to ``"9"``, and of ``"-"`` and ``"."`` where they are needed. `InvalidInputError`
    where one is absent, or `low` is above `high`.

    >>> symbols = {character: ord(character) for character in "0123456789-."}
    >>> prices = decimal_range(-50, 1999, 2, symbols)
    >>> [prices.accepts([ord(c) for c in text]) for text in ("-0.50", "19.99", "20.00", "7.5", "07.50")]
    [True, True, False, False, False]
    """
    _require_range(low, high, decimals, symbols)
    parts = []
    if low < 0:
        parts += [_signed(part, symbols["-"]) for part in _magnitudes(max(1, -high), -low, decimals, symbols)]
    if high >= 0:
        parts += _magnitudes(max(0, low), high, decimals, symbols)
    return union(parts)


def fixed_width_range(low: int, high: int, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of the whole numbers from `low` to `high`, filled up with zeros to one width (``str.zfill``).

    No text is the beginning of another one, so none needs an end symbol.

    >>> symbols = {character: ord(character) for character in "0123456789-"}
    >>> numbers = fixed_width_range(-20, 105, symbols)
    >>> [numbers.accepts([ord(c) for c in text]) for text in ("105", "007", "-20", "7", "106")]
    [True, True, True, False, False]
    """
    _require_range(low, high, 0, symbols)
    width = max(len(str(low)), len(str(high)))
    parts = []
    if low < 0:
        smallest, largest = str(max(1, -high)).zfill(width - 1), str(-low).zfill(width - 1)
        parts.append(_signed(_between(smallest, largest, symbols), symbols["-"]))
    if high >= 0:
        parts.append(_between(str(max(0, low)).zfill(width), str(high).zfill(width), symbols))
    return union(parts)


def _require_range(low: int, high: int, decimals: int, symbols: Mapping[str, int]) -> None:
    if low > high:
        raise InvalidInputError(f"a range of numbers needs low <= high; got {low} and {high} units.")
    _require_symbols(string.digits + ("-" if low < 0 else "") + ("." if decimals else ""), symbols)


def _require_symbols(characters: str, symbols: Mapping[str, int]) -> None:
    absent = [character for character in characters if character not in symbols]
    if absent:
        raise InvalidInputError(f"the values need a symbol for each of {characters!r}; absent: {absent}.")


def _whole_range(low: int, high: int, step: int, symbols: Mapping[str, int]) -> Automaton:
    """Texts of whole numbers from `low` to `high`, which end in the zeros that `low` and `step` end in."""
    zeros = 0
    while step % 10 ** (zeros + 1) == 0 and low % 10 ** (zeros + 1) == 0:
        zeros += 1
    return _followed_by_zeros(low // 10**zeros, high // 10**zeros, zeros, symbols)


def _followed_by_zeros(low: int, high: int, zeros: int, symbols: Mapping[str, int]) -> Automaton:
    """Texts of the multiples of ``10 ** zeros`` by the counts `low` to `high`; 0 itself is one digit."""
    if not zeros:
        return decimal_range(low, high, 0, symbols)
    ranges = ((low, min(high, -1)), (max(low, 1), high))
    fronts = [decimal_range(first, last, 0, symbols) for first, last in ranges if first <= last]
    parts = [_appended(front, [symbols["0"]] * zeros) for front in fronts]
    if low <= 0 <= high:
        parts.append(one_of([[symbols["0"]]]))
    return union(parts)


def _appended(numbers: Automaton, ending: Sequence[int]) -> Automaton:
    """Append the same symbols to every sequence."""
    whole = len(ending)

    def follow(states: frozenset[tuple[int, int]]) -> dict[int, frozenset[tuple[int, int]]]:
        reached: dict[int, set[tuple[int, int]]] = {}
        for place, left in states:
            if left == whole:
                for symbol, following in numbers.transitions[place].items():
                    reached.setdefault(symbol, set()).add((following, whole))
            if 0 < left < whole or (left == whole and place in numbers.accepting):
                reached.setdefault(ending[-left], set()).add((0, left - 1))
        return {symbol: frozenset(following) for symbol, following in reached.items()}

    return explore(frozenset({(0, whole)}), follow, lambda states: any(left == 0 for _, left in states))


def _magnitudes(low: int, high: int, decimals: int, symbols: Mapping[str, int]) -> Iterator[Automaton]:
    """Texts of the numbers from `low` to `high` without sign, one automaton for each length."""
    shortest = decimals + 1
    for length in range(max(shortest, len(str(low))), max(shortest, len(str(high))) + 1):
        least = max(low, 10 ** (length - 1) if length > shortest else 0)
        most = min(high, 10**length - 1)
        yield _between(unit_text(least, decimals), unit_text(most, decimals), symbols)


def _between(low: str, high: str, symbols: Mapping[str, int]) -> Automaton:
    """Texts from `low` to `high`, which have the same length and point."""

    def follow(state: tuple[int, bool, bool]) -> dict[int, tuple[int, bool, bool]]:
        place, at_low, at_high = state
        if place == len(low):
            return {}
        if low[place] == ".":
            return {symbols["."]: (place + 1, at_low, at_high)}
        least, most = int(low[place]) if at_low else 0, int(high[place]) if at_high else 9
        return {
            symbols[str(digit)]: (place + 1, at_low and digit == least, at_high and digit == most)
            for digit in range(least, most + 1)
        }

    return explore((0, True, True), follow, lambda state: state[0] == len(low))


def _signed(automaton: Automaton, sign: int) -> Automaton:
    """Put a sign in front of every sequence."""
    shifted = ({symbol: following + 1 for symbol, following in row.items()} for row in automaton.transitions)
    return Automaton(({sign: 1}, *shifted), frozenset(state + 1 for state in automaton.accepting))


def _times(column: Column, grid: NumberGrid, symbols: Mapping[str, int]) -> Automaton:
    """ISO texts of the range; outside the years 1 to 9999 the counts of the column's unit."""
    low, high, step = int(grid.minimum), int(grid.maximum), grid.step
    first, last = iso_limits(str(column.unit))
    first = max(low, low + -((low - first) // step) * step)
    last = min(high, last)
    last -= (last - low) % step
    parts = []
    if low < first:
        parts.append(_whole_range(low, min(first - step, high), step, symbols))
    if first <= last:
        parts.append(_date_range(number_text(column, first), number_text(column, last), symbols))
    if last < high:
        parts.append(_whole_range(max(low, last + step), high, step, symbols))
    return union(parts)


def _date_range(low: str, high: str, symbols: Mapping[str, int]) -> Automaton:
    """Every date (and time) between two ISO texts of the same form, such as ``2024-02-29T23``."""

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


class _State(NamedTuple):
    place: int
    at_low: bool
    at_high: bool
    digits: str  # digits of the unfinished part (year, month, ...)
    leap: bool
    days: int  # days of the month, once it is known


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
