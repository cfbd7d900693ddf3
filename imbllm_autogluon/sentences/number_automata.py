"""Automata of decimal numbers within bounds, digit by digit.

A number is a whole count of units, one unit being ``10 ** -decimals``. Its text has no leading zeros, ``-`` in front
of negative numbers and always the same number of decimals, so each number has exactly one text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automaton import Automaton, explore, one_of, union

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from imbllm_autogluon.tables import NumberLattice

LARGEST_STEP = 1000
"""Largest step that is enforced by residue states (at most this many for each digit)."""

MOST_LISTED = 2000
"""Most numbers that are listed one by one where their step is above `LARGEST_STEP`."""


def unit_text(units: int, decimals: int) -> str:
    """Decimal text of a whole count of units.

    Parameters
    ----------
    units : int
        The number times ``10 ** decimals``.
    decimals : int
        Digits behind the point, 0 or more; with 0 there is no point.

    Examples
    --------
    >>> unit_text(-105, 2), unit_text(7, 0), unit_text(5, 3)
    ('-1.05', '7', '0.005')
    """
    digits = str(abs(units)).zfill(decimals + 1)
    sign = "-" if units < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


def decimal_range(low: int, high: int, decimals: int, symbols: Mapping[str, int], *, step: int = 1) -> Automaton:
    """Automaton of the texts of ``low, low + step, ..., high`` units.

    Parameters
    ----------
    low, high : int
        Smallest and largest number, in units of ``10 ** -decimals``; ``low <= high``.
    decimals : int
        Digits behind the point, 0 or more.
    symbols : mapping
        Symbol of each of ``"0"`` to ``"9"``, and of ``"-"`` and ``"."`` where they are needed.
    step : int, default=1
        Distance of neighbouring numbers in units. Above `LARGEST_STEP`, up to `MOST_LISTED` numbers are listed one
        by one; beyond that only the range is enforced, and the common power of ten of `low` and `step`.

    Raises
    ------
    InvalidInputError
        `low` is above `high`, or a character has no symbol.

    Examples
    --------
    >>> symbols = {character: ord(character) for character in "0123456789-."}
    >>> prices = decimal_range(-50, 1999, 2, symbols)
    >>> [prices.accepts([ord(c) for c in text]) for text in ("-0.50", "19.99", "20.00", "7.5", "07.50")]
    [True, True, False, False, False]
    """
    if low > high:
        raise InvalidInputError(f"a range of numbers needs low <= high; got {low} and {high} units.")
    _require_symbols(low, decimals, symbols)
    if decimals == 0 and _common_zeros(low, step):
        return _ending_in_zeros(low, high, step, symbols)
    if step > LARGEST_STEP and (high - low) // step < MOST_LISTED:
        numbers = range(low, high + 1, step)
        return one_of([[symbols[character] for character in unit_text(unit, decimals)] for unit in numbers])
    every_unit = _unit_range(low, high, decimals, symbols)
    return _every(every_unit, step, low, symbols) if 1 < step <= LARGEST_STEP else every_unit


def fixed_width_range(low: int, high: int, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of the whole numbers from `low` to `high`, filled up with zeros to one width (``str.zfill``).

    No text is the beginning of another one, so none needs an end symbol.

    Parameters
    ----------
    low, high : int
        Smallest and largest number; ``low <= high``.
    symbols : mapping
        Symbol of each of ``"0"`` to ``"9"``, and of ``"-"`` where `low` is negative.

    Raises
    ------
    InvalidInputError
        `low` is above `high`, or a character has no symbol.

    Examples
    --------
    >>> symbols = {character: ord(character) for character in "0123456789-"}
    >>> numbers = fixed_width_range(-20, 105, symbols)
    >>> [numbers.accepts([ord(c) for c in text]) for text in ("105", "007", "-20", "7", "106")]
    [True, True, True, False, False]
    """
    if low > high:
        raise InvalidInputError(f"a range of numbers needs low <= high; got {low} and {high}.")
    _require_symbols(low, 0, symbols)
    width = max(len(str(low)), len(str(high)))
    parts = []
    if low < 0:
        smallest, largest = str(max(1, -high)).zfill(width - 1), str(-low).zfill(width - 1)
        parts.append(_signed(_between(smallest, largest, symbols), symbols["-"]))
    if high >= 0:
        parts.append(_between(str(max(0, low)).zfill(width), str(high).zfill(width), symbols))
    return union(parts)


def decimal_numbers(lattice: NumberLattice, symbols: Mapping[str, int]) -> Automaton:
    """Automaton of the texts of a lattice's numbers, all of them and no other.

    Whole numbers have no point, other numbers exactly the lattice's decimals; with negative decimals the digits below
    the lattice are zeros. Steps above `LARGEST_STEP` are enforced as far as :func:`decimal_range` says.

    Parameters
    ----------
    lattice : NumberLattice
        Interval and step of a continuous, integer or duration column.
    symbols : mapping
        Symbol of each of ``"0"`` to ``"9"``, and of ``"-"`` and ``"."`` where they are needed.

    Raises
    ------
    InvalidInputError
        A character has no symbol.

    Examples
    --------
    >>> import numpy as np
    >>> from imbllm_autogluon.tables import NumberLattice
    >>> symbols = {character: ord(character) for character in "0123456789-."}
    >>> even = decimal_numbers(NumberLattice.of_integers(np.array([-4, 0, 10])), symbols)
    >>> [even.accepts([ord(c) for c in text]) for text in ("-2", "10", "3", "12")]
    [True, True, False, False]
    """
    if isinstance(lattice.minimum, int):
        return decimal_range(lattice.minimum, int(lattice.maximum), 0, symbols, step=lattice.step)
    low, high = lattice.to_units([lattice.minimum, lattice.maximum]).tolist()
    if lattice.decimals >= 0:
        return decimal_range(low, high, lattice.decimals, symbols)
    scale = 10**-lattice.decimals
    return decimal_range(low * scale, high * scale, 0, symbols, step=scale)


def _require_symbols(low: int, decimals: int, symbols: Mapping[str, int]) -> None:
    """Refuse a symbol map that lacks a character of the numbers."""
    needed = "0123456789" + ("-" if low < 0 else "") + ("." if decimals else "")
    absent = [character for character in needed if character not in symbols]
    if absent:
        raise InvalidInputError(f"numbers need a symbol for each of {needed!r}; absent: {absent}.")


def _unit_range(low: int, high: int, decimals: int, symbols: Mapping[str, int]) -> Automaton:
    """Texts of every number of units from `low` to `high`."""
    parts = []
    if low < 0:
        parts += [_signed(part, symbols["-"]) for part in _magnitudes(max(1, -high), -low, decimals, symbols)]
    if high >= 0:
        parts += _magnitudes(max(0, low), high, decimals, symbols)
    return union(parts)


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


def _every(numbers: Automaton, step: int, start: int, symbols: Mapping[str, int]) -> Automaton:
    """Keep the numbers that lie whole steps from `start`: each state also remembers the number modulo the step."""
    digits = {symbols[str(digit)]: digit for digit in range(10)}
    wanted = {False: start % step, True: -start % step}
    minus = symbols.get("-")

    def follow(state: tuple[int, int, bool]) -> dict[int, Hashable]:
        place, residue, negative = state
        return {
            symbol: (
                following,
                (10 * residue + digits[symbol]) % step if symbol in digits else residue,
                negative or symbol == minus,
            )
            for symbol, following in numbers.transitions[place].items()
        }

    def stops(state: tuple[int, int, bool]) -> bool:
        place, residue, negative = state
        return place in numbers.accepting and residue == wanted[negative]

    return explore((0, 0, False), follow, stops)


def _common_zeros(low: int, step: int) -> int:
    """Count the zeros in which `low`, and with it every number but 0, ends."""
    zeros = 0
    while step % 10 ** (zeros + 1) == 0 and low % 10 ** (zeros + 1) == 0:
        zeros += 1
    return zeros


def _ending_in_zeros(low: int, high: int, step: int, symbols: Mapping[str, int]) -> Automaton:
    """Texts of multiples of a power of ten: the digits in front, then the zeros; 0 itself is one digit."""
    zeros = _common_zeros(low, step)
    scale = 10**zeros
    above_zero = max(low, low % step or step)
    parts = []
    for first, last in ((low, min(high, -scale)), (above_zero, high)):
        if first <= last:
            front = decimal_range(first // scale, last // scale, 0, symbols, step=step // scale)
            parts.append(_followed_by_zeros(front, zeros, symbols["0"]))
    if low <= 0 <= high and low % step == 0:
        parts.append(one_of([[symbols["0"]]]))
    return union(parts)


def _followed_by_zeros(numbers: Automaton, zeros: int, zero: int) -> Automaton:
    """Append a fixed number of zeros to every sequence."""

    def follow(states: frozenset[tuple[int, int]]) -> dict[int, frozenset[tuple[int, int]]]:
        reached: dict[int, set[tuple[int, int]]] = {}
        for place, left in states:
            if left == zeros:
                for symbol, following in numbers.transitions[place].items():
                    reached.setdefault(symbol, set()).add((following, zeros))
            if 0 < left < zeros or (left == zeros and place in numbers.accepting):
                reached.setdefault(zero, set()).add((0, left - 1))
        return {symbol: frozenset(following) for symbol, following in reached.items()}

    return explore(frozenset({(0, zeros)}), follow, lambda states: any(left == 0 for _, left in states))
