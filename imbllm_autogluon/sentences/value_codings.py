"""How the value of one clause becomes token ids and back: categories, quantile bins, digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from imbllm_autogluon.sentences.automata import Automaton, decimal_numbers, one_of, union
from imbllm_autogluon.tables import NumberLattice

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.sentences.quantile_bins import QuantileBins

    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]
    Values = npt.NDArray[np.float64] | IntArray

Numbers = Literal["bins", "digits"]

NO_TOKEN = -1
"""Fills the places behind the end of a value in a token array."""


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
    """One token for each category: code 0 is token `first`."""

    first: int
    n_categories: int
    missing_token: int | None

    @property
    def automaton(self) -> Automaton:
        """One state: any category, or missing where training had it."""
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
    """One token for each quantile bin of a number."""

    first: int
    bins: QuantileBins
    """Bins of the lattice's units."""
    lattice: NumberLattice
    missing_token: int | None

    @property
    def automaton(self) -> Automaton:
        """One state: any bin, or missing where training had it."""
        return _single_tokens(range(self.first, self.first + self.bins.n_bins), self.missing_token)

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Numbers of shape (n,) to tokens of shape (n, 1), snapped to the lattice first."""
        bins = self.bins.encode(self.lattice.to_units(self.lattice.snap(values)))
        return _mark_missing(bins + self.first, missing, self.missing_token)

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:
        """Tokens of shape (n, 1) to numbers on the column's lattice, drawn inside the bin."""
        missing = _is_missing(tokens, self.missing_token)
        bins = np.where(missing, 0, tokens[:, 0] - self.first)
        values = self.lattice.from_units(self.bins.decode(bins, rng))
        return np.where(missing, np.zeros(1, dtype=values.dtype), values), missing


@dataclass(frozen=True)
class DigitCoding:
    """A number written digit by digit, as its place on the column's lattice, followed by an end token.

    Every number of the column's observed range is legal. The digit tokens are shared by all columns.
    """

    lattice: NumberLattice
    symbols: dict[str, int]
    """Token ids of "0" to "9", "-", and "end"."""
    missing_token: int | None

    @property
    def automaton(self) -> Automaton:
        """The decimal texts of the lattice's units inside the range, each closed by the end token."""
        low, high = self.lattice.to_units(np.array([self.lattice.minimum, self.lattice.maximum]))
        units = NumberLattice(minimum=int(low), maximum=int(high), decimals=0, step=1, exact=True)
        numbers = decimal_numbers(units, self.symbols).ended_by(self.symbols["end"])
        return numbers if self.missing_token is None else union([numbers, one_of([[self.missing_token]])])

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Numbers of shape (n,) to tokens of shape (n, longest), snapped to the lattice first."""
        units = self.lattice.to_units(self.lattice.snap(values))
        texts = [
            [self.missing_token or NO_TOKEN] if gone else [*(self.symbols[c] for c in str(unit)), self.symbols["end"]]
            for unit, gone in zip(units.tolist(), missing.tolist(), strict=True)
        ]
        return padded(texts)

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:  # noqa: ARG002 - protocol
        """Tokens of shape (n, longest) to numbers on the lattice."""
        missing = _is_missing(tokens, self.missing_token)
        names = {token: name for name, token in self.symbols.items() if name != "end"}
        units = [
            0 if gone else int("".join(names.get(t, "") for t in row))
            for row, gone in zip(tokens.tolist(), missing, strict=True)
        ]
        values = self.lattice.from_units(np.array(units, dtype=np.int64))
        return np.where(missing, np.zeros(1, dtype=values.dtype), values), missing


def padded(sequences: list[list[int]]) -> IntArray:
    """Stack token lists of different lengths, filled with `NO_TOKEN` behind the end."""
    longest = max((len(sequence) for sequence in sequences), default=1)
    return np.array([s + [NO_TOKEN] * (longest - len(s)) for s in sequences], dtype=np.int64).reshape(-1, longest)


def _single_tokens(tokens: range, missing_token: int | None) -> Automaton:
    return one_of([[token] for token in [*tokens, *([] if missing_token is None else [missing_token])]])


def _mark_missing(tokens: IntArray, missing: BoolArray, missing_token: int | None) -> IntArray:
    return np.where(missing, NO_TOKEN if missing_token is None else missing_token, tokens)[:, None]


def _is_missing(tokens: IntArray, missing_token: int | None) -> BoolArray:
    return tokens[:, 0] == missing_token if missing_token is not None else np.zeros(len(tokens), dtype=bool)
