"""The text of one cell, and the cell of a text: numbers on their lattice, ISO times, categories."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.number_automata import unit_text
from imbllm_autogluon.sentences.texts import MISSING, distinct_texts

if TYPE_CHECKING:
    from imbllm_autogluon.tables import Column, NumberLattice

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_DIGITS = re.compile(r"-?[0-9]+")
_REAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{3}|[0-9]{6}|[0-9]{9}))?)?)?)?"
)

_MOST_UNITS = 10.0**15
"""Numbers of more digits than float64 keeps are written by their shortest text."""

_EXACT_POWER = 22
"""10**22 is the largest power of ten that float64 holds exactly; beyond it a lattice point is not quite its decimal."""

_MOST_DIGITS = 400
"""More than the 308 decimals of the finest lattice with 15 digits in front; `int` refuses some thousand digits."""

_EPOCH = datetime.date(1970, 1, 1).toordinal()
_DAY = 86_400 * 10**9
_NANOSECONDS = {"D": _DAY, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}

FIRST_TIME = (datetime.date.min.toordinal() - _EPOCH) * _DAY
"""Begin of the year 1 in nanoseconds since 1970: ISO texts have four digits for the year."""

LAST_TIME = (datetime.date.max.toordinal() + 1 - _EPOCH) * _DAY - 1
"""End of the year 9999 in nanoseconds since 1970."""


class CellText(Protocol):
    """How the values of one column are written and read."""

    def write(self, value: float) -> str:
        """Text of a value that is not missing (float of a continuous column, int or category code otherwise)."""

    def read(self, text: str) -> float | int | None:
        """Value of a text, or None where the text is no value of the column."""

    @property
    def legal(self) -> str:
        """What may be read, for errors."""


def cell_text(column: Column) -> CellText:
    """How the values of `column` are written.

    Raises
    ------
    InvalidInputError
        The column is neither a number nor a category (free text).
    """
    if column.is_category:
        return CategoryText(distinct_texts(column.categories, {MISSING}))
    if column.lattice is None:
        raise InvalidInputError(
            f"column {column.name!r} of kind {column.kind!r} cannot be written in a sentence: only numbers, times and "
            "categories can; set it aside or make its kind 'categorical'."
        )
    if column.kind == "datetime":
        return TimeText(column.lattice, str(column.unit))
    return WholeText() if isinstance(column.lattice.minimum, int) else RealText(column.lattice)


@dataclass(frozen=True)
class WholeText:
    """Integers and durations, as digits."""

    legal = "a whole number of 64 bits"

    def write(self, value: float) -> str:
        """Digits, with a sign where negative."""
        return str(int(value))

    def read(self, text: str) -> int | None:
        """Whole number within int64, or None."""
        return _if_int64(int(text)) if _WHOLE.fullmatch(text) else None


@dataclass(frozen=True)
class RealText:
    """Continuous numbers: the lattice's decimals where they say the number exactly, else the shortest text."""

    lattice: NumberLattice

    legal = "a finite number"

    def write(self, value: float) -> str:
        """Decimal text that reads back as the same float."""
        number = float(value) + 0.0  # -0.0 is written as 0
        text = self._decimal_text(number)
        return text if text is not None and self.read(text) == number else repr(number)

    def read(self, text: str) -> float | None:
        """Finite number, or None."""
        if not _REAL.fullmatch(text):
            return None
        units = self._units_of(text) if abs(self.lattice.decimals) > _EXACT_POWER else None
        number = float(text) if units is None else float(self.lattice.from_units(units))
        return number if math.isfinite(number) else None

    def _decimal_text(self, number: float) -> str | None:
        """Text with the lattice's decimals that is nearest to the number, or None where it has too many digits."""
        decimals = self.lattice.decimals
        if decimals >= 0:
            return f"{number:.{decimals}f}" if abs(number) * 10.0**decimals <= _MOST_UNITS else None
        units = number / 10.0**-decimals
        return unit_text(round(units) * 10**-decimals, 0) if abs(units) <= _MOST_UNITS else None

    def _units_of(self, text: str) -> int | None:
        """Lattice units of a text with the lattice's decimals, None for other texts."""
        decimals = self.lattice.decimals
        if decimals > 0:
            front, _, behind = text.partition(".")
            digits = front + behind if len(behind) == decimals else ""
        else:
            digits = text[:decimals] if text.endswith("0" * -decimals) else ""
        if len(digits) > _MOST_DIGITS or not _DIGITS.fullmatch(digits):
            return None
        return int(digits) if abs(int(digits)) <= _MOST_UNITS else None


@dataclass(frozen=True)
class TimeText:
    """Times of a datetime column: ISO text at the lattice's resolution, or finer where a value needs it.

    Times before the year 1 or after 9999 have no ISO text; they are written as counts of the column's unit.
    """

    lattice: NumberLattice
    unit: str
    """Unit of the values, counted since 1970-01-01: "D", "s", "ms", "us" or "ns"."""

    @property
    def legal(self) -> str:
        """What may be read, for errors."""
        return f"a date or time like {self.write(self.lattice.minimum)}"

    @property
    def nanoseconds(self) -> int:
        """Nanoseconds of one unit."""
        return _NANOSECONDS[self.unit]

    def write(self, value: float) -> str:
        """ISO text, or the digits of a time that has none."""
        time = int(value) * self.nanoseconds
        if not FIRST_TIME <= time <= LAST_TIME:
            return str(int(value))
        return _iso_text(time, math.gcd(self.lattice.step * self.nanoseconds, time))

    def read(self, text: str) -> int | None:
        """Count of the column's unit, or None where there is no such time or the unit is too coarse for it."""
        match = _TIME.fullmatch(text)
        if match is None:
            return self._read_count(text)
        time = _nanoseconds_of(match)
        if time is None or time % self.nanoseconds:
            return None
        return _if_int64(time // self.nanoseconds)

    def _read_count(self, text: str) -> int | None:
        count = WholeText().read(text)
        has_iso = count is not None and FIRST_TIME <= count * self.nanoseconds <= LAST_TIME
        return None if has_iso else count


def _if_int64(number: int) -> int | None:
    """Return the number if it fits into 64 bits."""
    return number if -(2**63) <= number < 2**63 else None


def _iso_text(time: int, resolution: int) -> str:
    """ISO text of nanoseconds since 1970, cut where everything finer than `resolution` is zero."""
    days, rest = divmod(time, _DAY)
    text = datetime.date.fromordinal(days + _EPOCH).isoformat()
    if resolution % _DAY == 0:
        return text
    seconds, fraction = divmod(rest, 10**9)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    clock = f"{text}T{hours:02}:{minutes:02}"
    if resolution % (60 * 10**9) == 0:
        return clock if resolution % (3600 * 10**9) else clock[:-3]
    clock += f":{seconds % 60:02}"
    places = next(places for places in (0, 3, 6, 9) if resolution % 10 ** (9 - places) == 0)
    return f"{clock}.{fraction:09}"[: len(clock) + places + 1] if places else clock


def _nanoseconds_of(match: re.Match[str]) -> int | None:
    """Nanoseconds since 1970 of a matched ISO text, or None where there is no such day or hour."""
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    clock = (moment.hour * 60 + moment.minute) * 60 + moment.second
    fraction = int((match.group(7) or "").ljust(9, "0"))
    return (moment.toordinal() - _EPOCH) * _DAY + clock * 10**9 + fraction


@dataclass(frozen=True)
class CategoryText:
    """Category codes, as the text of their category."""

    texts: tuple[str, ...]
    """Text of each code, all different."""

    @property
    def legal(self) -> str:
        """What may be read, for errors."""
        shown = ", ".join(self.texts[:10])
        return f"one of {shown}" + (f" and {len(self.texts) - 10} more" if len(self.texts) > 10 else "")

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {text: code for code, text in enumerate(self.texts)}

    def write(self, value: float) -> str:
        """Text of a category code."""
        return self.texts[int(value)]

    def read(self, text: str) -> int | None:
        """Category code, or None."""
        return self._codes.get(text)
