"""Automata of ISO dates and times between two bounds, correct by the calendar."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING, NamedTuple

from imbllm_autogluon.sentences.automaton import Automaton, explore

if TYPE_CHECKING:
    from collections.abc import Mapping


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
_PART_ENDS = {3: "year", 6: "month", 9: "day", 12: "hour", 15: "minute", 18: "second"}
_LIMITS = {"year": (1, 9999), "month": (1, 12), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}


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
