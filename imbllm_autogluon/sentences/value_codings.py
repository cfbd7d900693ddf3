"""How the value of one clause becomes token ids and back: categories, quantile bins, digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from imbllm_autogluon.sentences.automaton import Automaton, one_of, union
from imbllm_autogluon.sentences.number_automata import fixed_width_range

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.sentences.quantile_bins import QuantileBins
    from imbllm_autogluon.tables import NumberLattice

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
    """A number written digit by digit, as its place on the column's lattice, with zeros in front up to one width.

    Every number of the column's observed range is legal. The digit tokens are shared by all columns. One width for
    all numbers of a column needs no end token and keeps the rows of a batch in step.
    """

    lattice: NumberLattice
    symbols: dict[str, int]
    """Token ids of "0" to "9" and "-"."""
    missing_token: int | None

    @property
    def _limits(self) -> tuple[int, int]:
        """Smallest and largest unit of the lattice."""
        low, high = self.lattice.to_units(np.array([self.lattice.minimum, self.lattice.maximum])).tolist()
        return low, high

    @property
    def _width(self) -> int:
        return max(len(str(limit)) for limit in self._limits)

    @property
    def automaton(self) -> Automaton:
        """The lattice's units inside the range, or missing where training had it."""
        numbers = fixed_width_range(*self._limits, self.symbols)
        return numbers if self.missing_token is None else union([numbers, one_of([[self.missing_token]])])

    def encode(self, values: Values, missing: BoolArray) -> IntArray:
        """Numbers of shape (n,) to tokens of shape (n, width), snapped to the lattice first."""
        width = self._width
        units = self.lattice.to_units(self.lattice.snap(values))
        texts = [
            [self.missing_token or NO_TOKEN] if gone else [self.symbols[c] for c in str(unit).zfill(width)]
            for unit, gone in zip(units.tolist(), missing.tolist(), strict=True)
        ]
        return padded(texts)

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> tuple[Values, BoolArray]:  # noqa: ARG002 - protocol
        """Tokens of shape (n, width) to numbers on the lattice."""
        missing = _is_missing(tokens, self.missing_token)
        digits = np.zeros(max(self.symbols.values()) + 1, dtype=np.int64)
        digits[[self.symbols[str(digit)] for digit in range(10)]] = np.arange(10)
        places = np.where(missing[:, None] | (tokens < 0), self.symbols["0"], tokens)
        units = np.zeros(len(tokens), dtype=np.int64)
        for place in places[:, : self._width].T:
            units = 10 * units + digits[place]
        units = np.where(places[:, 0] == self.symbols["-"], -units, units)
        values = self.lattice.from_units(units)
        return np.where(missing, np.zeros(1, dtype=values.dtype), values), missing


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
