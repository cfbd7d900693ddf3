"""How values become the tokens of a pretrained tokenizer and back: the paper's text, one automaton for each column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automata import present_values
from imbllm_autogluon.sentences.automaton import Automaton, one_of, union
from imbllm_autogluon.sentences.cell_texts import RealText, cell_text
from imbllm_autogluon.sentences.number_automata import unit_text
from imbllm_autogluon.sentences.value_codings import NO_TOKEN, padded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.sentences.value_codings import Values
    from imbllm_autogluon.tables import Column, NumberLattice

    Spelling = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CategoryTextCoding:
    """Categories as the tokens of their text, each closed by the separator."""

    spellings: tuple[Spelling, ...]
    """Tokens of each category code, the separator last."""

    missing: Spelling | None
    """Tokens of a missing value, or None where training had none."""

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
    characters: Mapping[str, int]
    """Token of each character inside a number."""

    first_characters: Mapping[str, int]
    """Token of each character at the beginning of a number; the same tokens where the space stands in the prefix."""

    separator: int
    missing: Spelling | None
    """Tokens of a missing value, or None where training had none."""

    @property
    def _lattice(self) -> NumberLattice:
        assert self.column.lattice is not None
        return self.column.lattice

    @cached_property
    def automaton(self) -> Automaton:
        """Texts of the lattice's numbers, or the times of the range, and missing where training had it."""
        inside = present_values(self.column, self.characters).ended_by(self.separator)
        numbers = _beginning_with(inside, self.characters, self.first_characters)
        return numbers if self.missing is None else union([numbers, one_of([self.missing])])

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Values of shape (n,) to tokens of shape (n, longest text), snapped to the lattice first."""
        distinct, inverse = np.unique(self._lattice.snap(values), return_inverse=True)
        spellings = [self._spell(self._text(value)) for value in distinct.tolist()]
        spellings.append(list(self.missing or ()))
        encoded: IntArray = padded(spellings)[np.where(missing, len(distinct), inverse)]
        return encoded

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:  # noqa: ARG002 - protocol
        """Tokens of shape (n, longest) to values on the lattice; 0 where missing.

        Some large steps are not enforced by the automaton (:func:`decimal_range`): the nearest lattice point is taken.
        """
        rows = [_bare(row) for row in tokens.tolist()]
        missing = np.array([row == self.missing for row in rows], dtype=bool)
        read = [0 if gone else self._value(row) for row, gone in zip(rows, missing, strict=True)]
        values = self._lattice.snap(np.array(read, dtype=type(self._lattice.minimum)))
        return np.where(missing, np.zeros(1, dtype=values.dtype), values), missing

    def _text(self, value: float) -> str:
        """Text of a lattice point."""
        lattice, text = self._lattice, cell_text(self.column)
        if not isinstance(text, RealText):
            return text.write(value)
        units = int(lattice.to_units(value))
        if lattice.decimals >= 0:
            return unit_text(units, lattice.decimals)
        return unit_text(units * 10**-lattice.decimals, 0)

    def _spell(self, text: str) -> list[int]:
        return [self.first_characters[text[0]], *(self.characters[c] for c in text[1:]), self.separator]

    @cached_property
    def _names(self) -> dict[int, str]:
        pairs = (*self.characters.items(), *self.first_characters.items())
        return {token: character for character, token in pairs}

    def _value(self, spelling: Spelling) -> float:
        """Value of the tokens of a number or time."""
        text, lattice = "".join(self._names[token] for token in spelling[:-1]), self._lattice
        if isinstance(lattice.minimum, int):
            value = cell_text(self.column).read(text)
            assert value is not None  # the automaton accepts nothing else
            return value
        units = int(text.replace(".", ""))
        return float(lattice.from_units(units if lattice.decimals >= 0 else units // 10**-lattice.decimals))


def require_distinct(spellings: list[Spelling], texts: Sequence[str], where: str) -> None:
    """Refuse names or values that a tokenizer writes alike or as nothing; `where` they stand begins the error.

    Raises
    ------
    InvalidInputError
        Two texts have the same tokens (unknown characters, letter case), or one has none.
    """
    seen: dict[Spelling, str] = {}
    for spelling, text in zip(spellings, texts, strict=True):
        if spelling in seen or not spelling:
            alike = f"{seen[spelling]!r} and {text!r} alike" if spelling in seen else f"{text!r} as nothing"
            raise InvalidInputError(
                f"{where}: the backbone's tokenizer writes {alike}; use clauses='tokens', which gives every column and "
                "every category a token of its own."
            )
        seen[spelling] = text


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
