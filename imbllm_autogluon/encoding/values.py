"""How the value of one clause becomes token ids and back: categories, quantile bins, digits, text, free texts."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

import numpy as np

from imbllm_autogluon.encoding.automata import Automaton, one_of, union
from imbllm_autogluon.encoding.numbers import fixed_width_range, present_values
from imbllm_autogluon.encoding.text import cut_text, grid_of, number_text, point_text, tokens_of
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.encoding.bins import QuantileBins
    from imbllm_autogluon.encoding.text import Tokenizer
    from imbllm_autogluon.tables import Column, NumberGrid

    Values = npt.NDArray[np.float64] | IntArray
    Spelling = tuple[int, ...]

Numbers = Literal["bins", "digits"]

NO_TOKEN = -1  # fills the places behind the end of a value in a token array


class ValueCoding(Protocol):
    """The coding of one column's values."""

    @property
    def automaton(self) -> Automaton:
        """Accepts exactly the token sequences that `decode` understands; no legal sequence is a prefix of another."""

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Token ids, int64 of shape (n, longest value), filled with `NO_TOKEN` behind the end."""

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:
        """Values and missing mask, each of shape (n,); `values` is 0 where missing."""


@dataclass(frozen=True)
class CategoryCoding:
    """One token for each category: code 0 is token `first`; missing has one where training had it."""

    first: int
    n_categories: int
    missing_token: int | None

    @property
    def automaton(self) -> Automaton:
        """One state: any category, or missing."""
        return _single_tokens(range(self.first, self.first + self.n_categories), self.missing_token)

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Category codes of shape (n,) to tokens of shape (n, 1)."""
        return _mark_missing(values.astype(np.int64) + self.first, missing, self.missing_token)

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:  # noqa: ARG002 - protocol
        """Tokens of shape (n, 1) to category codes."""
        missing = _is_missing(tokens, self.missing_token)
        return np.where(missing, 0, tokens[:, 0] - self.first), missing


@dataclass(frozen=True)
class BinCoding:
    """One token for each quantile bin of a number; missing has one where training had it."""

    first: int
    bins: QuantileBins  # bins of the grid's units
    grid: NumberGrid
    missing_token: int | None

    @property
    def automaton(self) -> Automaton:
        """One state: any bin, or missing."""
        return _single_tokens(range(self.first, self.first + self.bins.n_bins), self.missing_token)

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Numbers of shape (n,) to tokens of shape (n, 1), snapped to the grid first."""
        bins = self.bins.encode(self.grid.nearest_units(values))
        return _mark_missing(bins + self.first, missing, self.missing_token)

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:
        """Tokens of shape (n, 1) to numbers on the column's grid, drawn inside the bin."""
        missing = _is_missing(tokens, self.missing_token)
        bins = np.where(missing, 0, tokens[:, 0] - self.first)
        return _zero_where(missing, self.grid.from_units(self.bins.decode(bins, rng)))


@dataclass(frozen=True)
class DigitCoding:
    """A number written digit by digit, as its place on the column's grid, with zeros in front up to one width.

    Every number of the column's observed range is legal. The digit tokens are shared by all columns. One width for
    all numbers of a column needs no end token and keeps the rows of a batch in step.
    """

    grid: NumberGrid
    symbols: dict[str, int]  # token ids of "0" to "9" and "-"
    missing_token: int | None

    @property
    def _limits(self) -> tuple[int, int]:
        """Smallest and largest unit of the grid."""
        low, high = self.grid.to_units(np.array([self.grid.minimum, self.grid.maximum])).tolist()
        return low, high

    @property
    def _width(self) -> int:
        return max(len(str(limit)) for limit in self._limits)

    @property
    def automaton(self) -> Automaton:
        """The grid's units inside the range, or missing."""
        numbers = fixed_width_range(*self._limits, self.symbols)
        return numbers if self.missing_token is None else union([numbers, one_of([[self.missing_token]])])

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Numbers of shape (n,) to tokens of shape (n, width), snapped to the grid first."""
        width = self._width
        units = self.grid.nearest_units(values)
        texts = [
            [self.missing_token or NO_TOKEN] if gone else [self.symbols[c] for c in str(unit).zfill(width)]
            for unit, gone in zip(units.tolist(), missing.tolist(), strict=True)
        ]
        return padded(texts)

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:  # noqa: ARG002 - protocol
        """Tokens of shape (n, width) to numbers on the grid."""
        missing = _is_missing(tokens, self.missing_token)
        digits = np.zeros(max(self.symbols.values()) + 1, dtype=np.int64)
        digits[[self.symbols[str(digit)] for digit in range(10)]] = np.arange(10)
        places = np.where(missing[:, None] | (tokens < 0), self.symbols["0"], tokens)
        units = np.zeros(len(tokens), dtype=np.int64)
        for place in places[:, : self._width].T:
            units = 10 * units + digits[place]
        units = np.where(places[:, 0] == self.symbols["-"], -units, units)
        return _zero_where(missing, self.grid.from_units(units))


@dataclass(frozen=True, eq=False)
class CategoryTextCoding:
    """Categories as the tokens that a pretrained tokenizer makes of their text, each closed by the separator."""

    spellings: tuple[Spelling, ...]  # tokens of each category code, the separator last
    missing: Spelling | None  # tokens of a missing value, or None where training had none

    @property
    def _all(self) -> list[Spelling]:
        """Every legal spelling, that of a missing value last."""
        return [*self.spellings, *([] if self.missing is None else [self.missing])]

    @cached_property
    def automaton(self) -> Automaton:
        """The spellings, with shared beginnings and endings."""
        return one_of(self._all)

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Category codes of shape (n,) to tokens of shape (n, longest spelling)."""
        table = padded([list(spelling) for spelling in self._all])
        encoded: IntArray = table[np.where(missing, len(table) - 1, values.astype(np.int64))]
        return encoded

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:  # noqa: ARG002 - protocol
        """Tokens of shape (n, longest) to category codes."""
        places = {spelling: place for place, spelling in enumerate(self._all)}
        distinct, inverse = np.unique(tokens, axis=0, return_inverse=True)
        found = np.array([places[_bare(row)] for row in distinct.tolist()], dtype=np.int64)
        codes = found[inverse.reshape(-1)] if len(tokens) else np.empty(0, dtype=np.int64)
        missing = codes == len(self.spellings)
        return np.where(missing, 0, codes), missing


@dataclass(frozen=True, eq=False)
class NumberTextCoding:
    """Numbers and times character by character, each closed by the separator."""

    column: Column
    characters: Mapping[str, int]  # token of each character inside a number

    first_characters: Mapping[str, int]
    """Token of each character at the beginning of a number; the same tokens where the space stands in the prefix."""

    separator: int
    missing: Spelling | None  # tokens of a missing value, or None where training had none

    @property
    def _grid(self) -> NumberGrid:
        return grid_of(self.column)

    @cached_property
    def automaton(self) -> Automaton:
        """Texts of the grid's numbers, or the times of the range, and missing where training had it."""
        inside = present_values(self.column, self.characters).ended_by(self.separator)
        numbers = _beginning_with(inside, self.characters, self.first_characters)
        return numbers if self.missing is None else union([numbers, one_of([self.missing])])

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Values of shape (n,) to tokens of shape (n, longest text), snapped to the grid first."""
        distinct, inverse = np.unique(self._grid.snap(values), return_inverse=True)
        spellings = [self._spell(self._text(value)) for value in distinct.tolist()]
        spellings.append(list(self.missing or ()))
        encoded: IntArray = padded(spellings)[np.where(missing, len(distinct), inverse)]
        return encoded

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:  # noqa: ARG002 - protocol
        """Tokens of shape (n, longest) to values; of numbers between the steps the nearest grid point is taken."""
        rows = [_bare(row) for row in tokens.tolist()]
        missing = np.array([row == self.missing for row in rows], dtype=bool)
        read = [0 if gone else self._value(row) for row, gone in zip(rows, missing, strict=True)]
        return _zero_where(missing, self._grid.snap(np.array(read, dtype=type(self._grid.minimum))))

    def _text(self, value: float) -> str:
        """Text of a grid point."""
        grid = self._grid
        if isinstance(grid.minimum, int):
            return number_text(self.column, value)
        return point_text(grid, int(grid.to_units(value)))

    def _spell(self, text: str) -> list[int]:
        return [self.first_characters[text[0]], *(self.characters[c] for c in text[1:]), self.separator]

    @cached_property
    def _names(self) -> dict[int, str]:
        pairs = (*self.characters.items(), *self.first_characters.items())
        return {token: character for character, token in pairs}

    def _value(self, spelling: Spelling) -> float:
        """Value of the tokens of a number or time."""
        text, grid = "".join(self._names[token] for token in spelling[:-1]), self._grid
        if isinstance(grid.minimum, int):
            return _read_number(self.column, text)
        if grid.digits:
            return float(text)
        units = int(text.replace(".", ""))
        return float(grid.from_units(units if grid.decimals >= 0 else units // 10**-grid.decimals))


class GivenCoding(ABC):
    """Coding of a clause that prompts can only give: its automaton allows nothing, nothing is learned there."""

    longest: int  # most tokens of a value

    @property
    def automaton(self) -> Automaton:
        """Accepts nothing."""
        return Automaton(({},), frozenset())

    def encode(self, values: Sequence[str | None] | npt.NDArray[Any], missing: BoolArray | None = None) -> IntArray:
        """Token ids of n texts, int64 of shape (n, longest of them), padded with -1.

        Missing are those that `missing` marks, those that are no string, and those without a word.
        """
        gone = [False] * len(values) if missing is None else missing.tolist()
        pairs = zip(values, gone, strict=True)
        return padded([self._tokens(text if isinstance(text, str) and not absent else "") for text, absent in pairs])

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> NoReturn:  # noqa: ARG002 - protocol
        """Refuse: texts are no values."""
        raise InvalidInputError("the tokens of free text cannot be decoded into values.")

    @abstractmethod
    def _tokens(self, text: str) -> list[int]:
        """At most `longest` tokens of a text; of one without a word those of a missing text."""


@dataclass(frozen=True, eq=False)
class FreeTextCoding(GivenCoding):
    """Texts word by word, in tokens of the table's own."""

    words: Mapping[str, int]  # token of each known word in small letters
    unknown: int
    missing: int  # tokens of every other word and of a missing text
    longest: int

    def _tokens(self, text: str) -> list[int]:
        words = islice(cut_text(text), self.longest)
        return [self.words.get(word.removeprefix(" ").lower(), self.unknown) for word in words] or [self.missing]


@dataclass(frozen=True, eq=False)
class FreeSubwordCoding(GivenCoding):
    """Texts as a pretrained tokenizer cuts them, each closed by the separator."""

    tokenizer: Tokenizer
    numbers: Mapping[int, int]  # token of each of the tokenizer's ids that the table uses; others are left out
    spellings: Mapping[str, Spelling]  # tokens of the words of the fold
    separator: int
    missing: Spelling  # tokens of a missing text, without the separator
    longest: int

    def _tokens(self, text: str) -> list[int]:
        words = list(islice(cut_text(text), self.longest))
        tokens = [token for word in words for token in self._spell(word)] if words else self.missing
        return [*tokens[: self.longest - 1], self.separator]

    def _spell(self, word: str) -> Spelling:
        """Tokens of a word; a new one is cut as well."""
        if word in self.spellings:
            return self.spellings[word]
        ids = self.tokenizer.encode(word, add_special_tokens=False)
        return tuple(self.numbers[token] for token in ids if token in self.numbers)


@dataclass(frozen=True, eq=False)
class PromptCoding(GivenCoding):
    """Texts whole, with every blank, as a pretrained tokenizer cuts them; of tokens, those that are known."""

    tokenizer: Tokenizer
    numbers: Mapping[int, int]  # of the tokenizer's ids
    longest: int

    def _tokens(self, text: str) -> list[int]:
        return [self.numbers[token] for token in tokens_of(self.tokenizer, text) if token in self.numbers][
            : self.longest
        ]


@dataclass(frozen=True, eq=False)
class WrittenTextCoding(PromptCoding):
    """Texts that are written: each ends by a mark, unless it has more than `longest` tokens and is cut."""

    end: int
    written: range  # tokens that texts may hold
    can_lack: bool  # whether a text may be missing: it then is the mark alone

    @property
    def automaton(self) -> Automaton:
        """Any tokens of texts, one at least unless a text may be missing, and the mark."""
        text = dict.fromkeys(self.written, 1)
        ended = {**text, self.end: 2}
        return Automaton((ended if self.can_lack else text, ended, {}), frozenset({2}))

    def texts(self, tokens: IntArray) -> list[str | None]:
        """Texts of tokens, shape (n, any); one without the mark is cut behind a sentence or a word, None is missing."""
        ids = {number: token for token, number in self.numbers.items()}
        rows = [[token for token in row if token != NO_TOKEN] for row in tokens.tolist()]
        read = [self.tokenizer.decode([ids[t] for t in row if t != self.end]).replace("\ufffd", "") for row in rows]
        return [
            (text if self.end in row else _whole_part(text)).strip() or None
            for text, row in zip(read, rows, strict=True)
        ]

    def _tokens(self, text: str) -> list[int]:
        ids = tokens_of(self.tokenizer, f" {text.strip()}") if text.strip() else []
        tokens = [token for token in map(self.numbers.get, ids) if token is not None and token in self.written]
        return [*tokens, self.end][: self.longest]


def _whole_part(text: str) -> str:
    """A text that breaks off, up to the end of its last sentence, or else of its last whole word.

    >>> _whole_part("It helped me. I slept"), _whole_part("It helped my sle")
    ('It helped me.', 'It helped my')
    """
    sentences = [match.end() for match in re.finditer(r"[.!?]+(?=\s|$)|[\u3002\uff01\uff1f]", text)]
    if sentences and sentences[-1] > len(text) // 2:
        return text[: sentences[-1]]
    return text.rstrip().rpartition(" ")[0] or text


def padded(sequences: list[list[int]]) -> IntArray:
    """Stack token lists of different lengths, filled with `NO_TOKEN` behind the end."""
    longest = max([1, *map(len, sequences)])
    return np.array([s + [NO_TOKEN] * (longest - len(s)) for s in sequences], dtype=np.int64).reshape(-1, longest)


def _single_tokens(tokens: range, missing_token: int | None) -> Automaton:
    return one_of([[token] for token in [*tokens, *([] if missing_token is None else [missing_token])]])


def _mark_missing(tokens: IntArray, missing: BoolArray, missing_token: int | None) -> IntArray:
    return np.where(missing, NO_TOKEN if missing_token is None else missing_token, tokens)[:, None]


def _is_missing(tokens: IntArray, missing_token: int | None) -> BoolArray:
    return tokens[:, 0] == missing_token if missing_token is not None else np.zeros(len(tokens), dtype=bool)


def _zero_where(missing: BoolArray, values: Values) -> tuple[Values, BoolArray]:
    """Values, 0 where they are missing, and the mask."""
    return np.where(missing, np.zeros(1, dtype=values.dtype), values), missing


def _beginning_with(numbers: Automaton, inside: Mapping[str, int], first: Mapping[str, int]) -> Automaton:
    """Replace the first symbol of every sequence."""
    if inside == first:
        return numbers
    names = {token: character for character, token in inside.items()}
    # The start has no way back to it in a finite language, so its own transitions can be renamed alone.
    start = {first[names[token]]: following for token, following in numbers.transitions[0].items()}
    return Automaton((start, *numbers.transitions[1:]), numbers.accepting)


def _bare(row: list[int]) -> Spelling:
    return tuple(token for token in row if token != NO_TOKEN)


def _read_number(column: Column, text: str) -> int:
    """Whole number or time of a text that :func:`number_text` could have written."""
    is_count = column.kind != "datetime" or re.fullmatch("-?[0-9]+", text)
    unit: Any = column.unit
    return int(text) if is_count else int(np.datetime64(text, unit).astype(np.int64))
