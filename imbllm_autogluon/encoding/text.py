"""Cells and names as text, bare where possible, JSON strings otherwise; numbers on their grid; times; free texts.

Free texts are cut into words: letters, numbers, punctuation, and each character where a script has no blanks.
"""

from __future__ import annotations

import json
import math
import re
import sys
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.texts import NO_BLANKS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from imbllm_autogluon.tables import Column, NumberGrid

MISSING = "missing"  # the bare word for a missing value; the string "missing" is written in quotes
_NANOSECONDS = {"D": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}  # of the units of times

_RESOLUTIONS = {"D": 86_400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, **_NANOSECONDS}
"""Nanoseconds of what ISO texts can end with, the longest first."""

_FIRST_TIME, _LAST_TIME = -62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1
"""Begin of the year 1 and end of the year 9999 in nanoseconds since 1970: ISO texts have four digits for the year."""

_SMALL_FOLD = 50  # rows below which a word counts that one row alone has

_LONGEST = 31  # characters of a word behind its first; what is longer (encoded files, laughter) is cut
_INVISIBLE = frozenset({"Cc", "Cf"})  # categories of characters that are no word: controls, direction marks, joiners


class Tokenizer(Protocol):
    """What is needed of a transformers tokenizer."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text."""

    def decode(self, token_ids: list[int]) -> str:
        """Text of token ids."""


def distinct_texts(values: Sequence[Hashable], reserved: str = "") -> tuple[str, ...]:
    """Write each value as a text of its own.

    A value is written as ``str(value)``, bare where it is no syntax of a sentence, else as a JSON string. Where two
    values share their text, strings are quoted (``1`` and ``"1"``); values that still share one are numbered
    (``"a"#0`` and ``"a"#1``). `reserved` is a bare word that has another meaning.

    >>> distinct_texts(["red", "a, b", 1, "1"])
    ('red', '"a, b"', '1', '"1"')
    """
    texts = [text if _is_bare(text) and text != reserved else _quoted(text) for text in map(str, values)]
    shared = _repeated(texts)
    texts = [_quoted(v) if t in shared and isinstance(v, str) else t for v, t in zip(values, texts, strict=True)]
    shared = _repeated(texts)
    pairs = zip(values, texts, strict=True)
    return tuple(f"{_quoted(str(value))}#{i}" if text in shared else text for i, (value, text) in enumerate(pairs))


def _is_bare(text: str) -> bool:
    """Whether a text can be written as it is: it holds no comma, quote, " is ", control or blanks at its ends."""
    is_syntax = "," in text or '"' in text or " is " in f" {text} "
    return text != "" and text.isprintable() and text == text.strip() and not is_syntax


def _quoted(text: str) -> str:
    """A JSON string of printable characters, surrogates escaped: it can be encoded, and no two texts look the same."""
    return "".join(
        character if character.isprintable() or ord(character) > 0xFFFF else f"\\u{ord(character):04x}"
        for character in json.dumps(text, ensure_ascii=False)
    )


def _repeated(texts: Sequence[str]) -> set[str]:
    return {text for text, count in Counter(texts).items() if count > 1}


def category_texts(column: Column) -> tuple[str, ...]:
    """Text of each category code of a column, all different."""
    return distinct_texts(column.categories, MISSING)


def unit_text(units: int, decimals: int) -> str:
    """Decimal text of a whole count of units of ``10 ** -decimals``; with 0 decimals there is no point.

    >>> unit_text(-105, 2), unit_text(7, 0), unit_text(5, 3)
    ('-1.05', '7', '0.005')
    """
    digits = str(abs(units)).zfill(decimals + 1)
    sign = "-" if units < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else sign + digits


def point_text(grid: NumberGrid, units: int) -> str:
    """Text of a point of a continuous column's grid, of as many decimals, or as many digits, as all others have."""
    if not grid.digits:
        return unit_text(units, grid.decimals) if grid.decimals >= 0 else unit_text(units * 10**-grid.decimals, 0)
    digits, power = map(int, grid.split(units))
    return f"{unit_text(digits, grid.digits - 1)}e{power + grid.digits - 1}"


def grid_of(column: Column) -> NumberGrid:
    """Grid of the numbers or times of a column; `InvalidInputError` where it has neither (free text)."""
    if column.grid is None:
        raise InvalidInputError(
            f"column {column.name!r} of kind {column.kind!r} cannot be written in a sentence: only numbers, times and "
            "categories can; set it aside or make its kind 'categorical'."
        )
    return column.grid


def number_text(column: Column, value: float) -> str:
    """Text of a number or time of a column: whole numbers in digits, times in ISO form, decimals as the grid has.

    Times have the grid's resolution, or a finer one where the value needs it; those before the year 1 or after
    9999 have no ISO text and are written as counts of the column's unit. Other numbers have the grid's decimals or
    digits where these say the number exactly, else their shortest text.
    """
    grid = grid_of(column)
    if column.kind == "datetime":
        return _time_text(int(value), grid.step, str(column.unit))
    if isinstance(grid.minimum, int):
        return str(int(value))
    with np.errstate(all="ignore"):  # a number that has no units has no such text either
        text = point_text(grid, int(grid.to_units(value)))
    return text if float(text) == value else repr(float(value) + 0.0)


def iso_limits(unit: str) -> tuple[int, int]:
    """First and last count of a unit since 1970 that has an ISO text."""
    return _FIRST_TIME // _NANOSECONDS[unit], _LAST_TIME // _NANOSECONDS[unit]


def _time_text(count: int, step: int, unit: str) -> str:
    """ISO text of a count of units since 1970, or the digits of a time that has none."""
    first, last = iso_limits(unit)
    if not first <= count <= last:
        return str(count)
    resolution = math.gcd(step, count) * _NANOSECONDS[unit]
    shown = next(name for name, size in _RESOLUTIONS.items() if resolution % size == 0)
    return str(np.datetime_as_string(np.datetime64(count, unit), unit=shown))  # type: ignore[call-overload]


@dataclass(frozen=True)
class TextColumn:
    """The vocabulary of one column of free text, learned from the rows of a fold.

    >>> TextColumn.fit("note", ["Hot soup", None, "hot, hot!"], longest=3).words
    ('hot', ',', 'soup')
    """

    name: str
    words: tuple[str, ...]  # words in small letters, that of most rows first
    longest: int  # tokens of a text that are read; what comes behind them is cut off

    raw_words: tuple[str, ...] = ()
    """All words in their own letter case, with the blank in front where they have one, that of most rows first; a
    pretrained tokenizer cuts them itself."""

    @classmethod
    def fit(cls, name: str, texts: Sequence[str | None], *, most_words: int = 2000, longest: int = 64) -> TextColumn:
        """Learn the words that two or more rows have; those of a single one too where there are fewer than 50 rows.

        Of the words in small letters at most `most_words` are known, those of most rows, and of a text `longest` tokens
        are read; either below 1 is an `InvalidInputError`. What is no string is missing.
        """
        if most_words < 1 or longest < 1:
            raise InvalidInputError(f"most_words and longest must be 1 or more; got {most_words} and {longest}.")
        rows = [list(islice(cut_text(text), longest)) for text in texts if isinstance(text, str)]
        least = 2 if len(texts) >= _SMALL_FOLD else 1
        words = _by_rows([word.removeprefix(" ").lower() for word in row] for row in rows)
        frequent = [word for word, count in words if count >= least]
        return cls(name, tuple(frequent[:most_words]), longest, tuple(word for word, _ in _by_rows(rows)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TextColumn:
        """Rebuild the column from :meth:`to_dict`."""
        return cls(state["name"], tuple(state["words"]), int(state["longest"]), tuple(state["raw_words"]))


def _by_rows(rows: Iterable[list[str]]) -> list[tuple[str, int]]:
    """Words and the number of rows that have them, most rows first, then by code point."""
    counts = Counter(word for row in rows for word in set(row))
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def cut_text(text: str) -> Iterator[str]:
    """Yield the words of a text in their order and letter case, with a blank in front where the text has one.

    The first word has one too. A word is a run of letters with their combining marks, a run of digits, a single
    Chinese character or kana, or a single other character; controls and other invisible characters are left out.

    >>> list(cut_text("It's  4.5 km"))
    [' It', "'", 's', ' 4', '.', '5', ' km']
    """
    # A lone surrogate cannot be encoded, so no tokenizer takes it; it becomes a question mark.
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    end, blank = 0, True
    for match in _pattern().finditer(clean):
        blank = blank or match.start() > end  # only blanks are no match
        end = match.end()
        if unicodedata.category(match.group()[0]) not in _INVISIBLE:
            yield f" {match.group()}" if blank else match.group()
            blank = False


@cache
def _pattern() -> re.Pattern[str]:
    """Regular expression of a word; `re` knows neither scripts nor combining marks."""
    marks, single = _combining_marks(), f"{NO_BLANKS}\U00020000-\U0003ffff"
    letter, behind = rf"[^\W\d_{single}]", f"{{0,{_LONGEST}}}"
    return re.compile(
        rf"{letter}(?:{letter}|[{marks}]){behind}|\d\d{behind}|[{single}][{marks}]{behind}|(?:[^\w\s]|_)[{marks}]{behind}"
    )


def tokens_of(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a text; lone surrogates, which no tokenizer takes, become question marks."""
    return tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"), add_special_tokens=False)


def _combining_marks() -> str:
    """Ranges of all combining marks, as they stand in a class of a regular expression."""
    marks = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M"))
    runs = [list(run) for _, run in groupby(enumerate(marks), key=lambda item: item[1] - item[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)
