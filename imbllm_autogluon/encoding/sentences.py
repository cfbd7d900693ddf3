"""Rows as clause tokens, and clause tokens in a given order as the sentences a language model reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.encoding.automata import END, AutomatonTables
from imbllm_autogluon.encoding.values import NO_TOKEN, GivenCoding
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables import EncodedTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.encoding.values import ValueCoding


PADDING = 0  # token id that fills the places behind the end of a sentence


@dataclass(frozen=True, eq=False)
class Clauses:
    """Rows as value tokens: feature clauses in column order, clauses of free text, the label clause last."""

    tokens: IntArray  # value tokens, shape (n, n_clauses, longest value), padded with -1
    present: BoolArray  # clauses that the sentence holds, shape (n, n_clauses); an absent clause is not written at all

    weights: FloatArray | None = None
    """How much the label of each row counts in training, shape (n,); None: every one counts 1."""

    def take(self, rows: IntArray) -> Clauses:
        """The given rows, in the given order, repeats allowed."""
        return Clauses(self.tokens[rows], self.present[rows], None if self.weights is None else self.weights[rows])

    def with_present(self, present: BoolArray) -> Clauses:
        """The same rows writing only the given clauses."""
        return Clauses(self.tokens, present, self.weights)

    def with_weights(self, weights: FloatArray) -> Clauses:
        """The same rows with other weights of their labels, shape (n,)."""
        return Clauses(self.tokens, self.present, weights)

    @classmethod
    def side_by_side(cls, columns: Sequence[IntArray]) -> Clauses:
        """Rows of value tokens of each clause, all present."""
        longest = max(tokens.shape[1] for tokens in columns)
        tokens = np.stack([_widen(tokens, longest) for tokens in columns], axis=1)
        return cls(tokens, np.ones(tokens.shape[:2], dtype=bool))

    @classmethod
    def concat(cls, parts: list[Clauses]) -> Clauses:
        """Stack rows of the same encoding."""
        longest = max(part.tokens.shape[2] for part in parts)
        widened = [_widen(part.tokens, longest) for part in parts]
        weights = None
        if any(part.weights is not None for part in parts):
            weights = np.concatenate([np.ones(len(p.tokens)) if p.weights is None else p.weights for p in parts])
        return cls(np.concatenate(widened), np.concatenate([part.present for part in parts]), weights)


@dataclass(frozen=True, eq=False)
class Sentences:
    """Token sequences of one batch, left-justified."""

    ids: IntArray  # token ids, shape (n, length), `PADDING` behind the end
    real: BoolArray  # places that hold a token, shape (n, length)
    states: IntArray  # automaton state that each value token was chosen in, shape (n, length); `END` (-1) elsewhere

    weights: FloatArray | None = None
    """How much the label of each row counts in training, shape (n,); None: every one counts 1."""

    ahead: IntArray | None = None
    """Of a fused encoding: prefix of the clause that the next token belongs to, shape (n, length), `PADDING` where none
    follows; None: prefixes are tokens of their own."""

    def take(self, rows: slice | IntArray) -> Sentences:
        """The given rows, without places that none of them uses."""
        real = self.real[rows]
        width = int(real.sum(axis=1).max(initial=0))
        weights = None if self.weights is None else self.weights[rows]
        ahead = None if self.ahead is None else self.ahead[rows, :width]
        return Sentences(self.ids[rows, :width], real[:, :width], self.states[rows, :width], weights, ahead)

    def before(self, places: IntArray) -> Sentences:
        """Each row up to the place in front of the given one, int64 of shape (n,)."""
        real = self.real & (np.arange(self.real.shape[1]) < places[:, None])
        cut = Sentences(np.where(real, self.ids, PADDING), real, np.where(real, self.states, END), self.weights)
        return cut.take(slice(None))

    def followed_by(self, tokens: tuple[int, ...]) -> Sentences:
        """Each row with the same tokens behind its end; none of them is learned."""
        places = np.arange(self.real.shape[1] + len(tokens)) - self.real.sum(axis=1)[:, None]
        real = places < len(tokens)
        behind = np.array([*tokens, PADDING], dtype=np.int64)[places.clip(0, len(tokens))]
        width = ((0, 0), (0, len(tokens)))
        ids = np.where(places < 0, np.pad(self.ids, width), behind)
        states = np.where(places < 0, np.pad(self.states, width), END)
        return Sentences(ids, real, states, self.weights).take(slice(None))

    def before_last(self) -> Sentences:
        """The same rows without the last place, behind which nothing is predicted."""
        ahead = None if self.ahead is None else self.ahead[:, :-1]
        return Sentences(self.ids[:, :-1], self.real[:, :-1], self.states[:, :-1], self.weights, ahead)


@dataclass(frozen=True, eq=False)
class SentenceEncoding:
    """How the clauses of one table are written as tokens: prefixes, value codings and their automata."""

    token_names: tuple[str, ...]  # what each token id stands for (the first is padding)
    prefixes: tuple[tuple[int, ...], ...]  # forced tokens in front of each clause's value, such as `age is`
    codings: tuple[ValueCoding, ...]  # coding of each clause's value: features, free texts, and the label last

    token_texts: tuple[str, ...]
    """What each token would be in the paper's sentence, such as `` age is``; empty for padding."""

    opening: tuple[int, ...] = ()  # tokens in front of every sentence, such as an instruction; never learned

    fused: bool = False
    """Whether a clause's prefix, one token, shares the place of the token before it (their embeddings are added): half
    as many places. Before the first clause stands the end of the opening, or `PADDING`."""

    @property
    def begin(self) -> tuple[int, ...]:
        """Tokens in front of the first clause: the opening, or what stands there in its place."""
        return self.opening or ((PADDING,) if self.fused else ())

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary."""
        return len(self.token_names)

    @property
    def n_clauses(self) -> int:
        """Number of clauses: features, free texts and label."""
        return len(self.codings)

    @property
    def n_texts(self) -> int:
        """Number of clauses of free text."""
        return sum(isinstance(coding, GivenCoding) for coding in self.codings)

    @cached_property
    def tables(self) -> AutomatonTables:
        """The automata of all clauses as dense tables."""
        return AutomatonTables.build([coding.automaton for coding in self.codings], self.n_tokens)

    @property
    def longest_sentence(self) -> int:
        """Most tokens that any row can take."""
        forced = len(self.begin) + (0 if self.fused else sum(len(prefix) for prefix in self.prefixes))
        budgets = enumerate(self.budgets)
        return forced + sum(_depth(self.tables, j) if budget is None else budget for j, budget in budgets)

    @property
    def budgets(self) -> tuple[int | None, ...]:
        """Most tokens of the text of each clause; None where the automaton alone says how long a value is."""
        return tuple(coding.longest if isinstance(coding, GivenCoding) else None for coding in self.codings)

    def encode(self, cells: EncodedTable, labels: IntArray, texts: Sequence[Sequence[str | None]] = ()) -> Clauses:
        """Value tokens of n rows: of features, label codes, shape (n,), and the n texts of each column of free text.

        Columns of free text are in the order of the vocabulary; what is no string is missing. `InvalidInputError` where
        the texts are not those of these columns, or not as many as rows.
        """
        self._require_texts(texts, len(labels))
        n_features = self.n_clauses - 1 - self.n_texts
        columns = [
            coding.encode(values, cells.missing[:, j])
            for j, (coding, values) in enumerate(zip(self.codings[:n_features], cells.values, strict=True))
        ]
        readers = [coding for coding in self.codings if isinstance(coding, GivenCoding)]
        columns += [reader.encode(column) for reader, column in zip(readers, texts, strict=True)]
        columns.append(self.codings[-1].encode(labels, np.zeros(len(labels), dtype=bool)))
        return Clauses.side_by_side(columns)

    def decode(self, clauses: Clauses, rng: np.random.Generator) -> tuple[EncodedTable, IntArray]:
        """Cells and label codes of n full rows; free texts are left out."""
        cells = self.decode_features(clauses, rng, self.n_clauses - 1 - self.n_texts)
        labels, _ = self.codings[-1].decode(clauses.tokens[:, -1], rng)
        return cells, labels.astype(np.int64)

    def decode_features(self, clauses: Clauses, rng: np.random.Generator, count: int) -> EncodedTable:
        """Cells of the first `count` features of n rows; what stands behind them may be absent."""
        decoded = [self.codings[j].decode(clauses.tokens[:, j], rng) for j in range(count)]
        missing = np.zeros((len(clauses.tokens), count), dtype=bool)
        for j, (_, gone) in enumerate(decoded):
            missing[:, j] = gone
        return EncodedTable(tuple(values for values, _ in decoded), missing)

    def lengths(self, clauses: Clauses) -> IntArray:
        """Tokens of each row's sentence, int64 of shape (n,)."""
        prefixes = 0 if self.fused else np.array([len(prefix) for prefix in self.prefixes])
        tokens = prefixes + (clauses.tokens >= 0).sum(axis=2)
        lengths: IntArray = len(self.begin) + np.where(clauses.present, tokens, 0).sum(axis=1)
        return lengths

    def assemble(self, clauses: Clauses, orders: IntArray) -> Sentences:
        """Write each row's present clauses in the order of its clause indices, int64 of shape (n, n_clauses)."""
        n = len(orders)
        ids, states = clauses.tokens.copy(), self.tables.walk(clauses.tokens)
        prefix = self._prefix_array
        if not self.fused:
            ids = np.concatenate([np.broadcast_to(prefix, (n, *prefix.shape)), ids], axis=2)
            states = np.concatenate([np.full((n, *prefix.shape), END), states], axis=2)
        ids[~clauses.present] = NO_TOKEN
        begin = np.broadcast_to(np.array(self.begin, dtype=np.int64), (n, len(self.begin)))

        def in_order(values: IntArray, front: IntArray) -> IntArray:
            width = values.shape[1] * values.shape[2]
            ordered = np.take_along_axis(values, orders[:, :, None], axis=1).reshape(n, width)
            return np.concatenate([front, ordered], axis=1)

        places = _left(in_order(ids, begin) >= 0)
        ids = np.take_along_axis(in_order(ids, begin), places, axis=1)
        states = np.take_along_axis(in_order(states, np.full_like(begin, END)), places, axis=1)
        real: BoolArray = ids >= 0
        ahead = None
        if self.fused:
            names = in_order(np.broadcast_to(prefix, clauses.tokens.shape), np.full_like(begin, PADDING))
            following = np.where(real, np.take_along_axis(names, places, axis=1), PADDING)[:, 1:]
            ahead = np.pad(following, ((0, 0), (0, 1)), constant_values=PADDING)
        ids = np.where(real, ids, PADDING)
        return Sentences(ids, real, np.where(real, states, END), clauses.weights, ahead)

    def _require_texts(self, texts: Sequence[Sequence[str | None]], n_rows: int) -> None:
        lengths = [len(column) for column in texts]
        if lengths != [n_rows] * self.n_texts:
            raise InvalidInputError(
                f"this table has {self.n_texts} columns of free text and got {n_rows} rows with texts of lengths "
                f"{lengths}; give one text, or None, for each row of each of them."
            )

    @cached_property
    def _prefix_array(self) -> IntArray:
        longest = max(len(prefix) for prefix in self.prefixes)
        return np.array([[*p, *[NO_TOKEN] * (longest - len(p))] for p in self.prefixes], dtype=np.int64)


def _left(real: BoolArray) -> IntArray:
    """Places of each row's tokens in their order, behind them some of those it does not use; no more than any needs."""
    if real.all():
        return np.broadcast_to(np.arange(real.shape[1]), real.shape)
    return np.argsort(~real, axis=1, kind="stable")[:, : int(real.sum(axis=1).max(initial=0))]


def _widen(tokens: IntArray, longest: int) -> IntArray:
    """Pad the last axis with `NO_TOKEN` up to `longest`."""
    widths = [*[(0, 0)] * (tokens.ndim - 1), (0, longest - tokens.shape[-1])]
    return np.pad(tokens, widths, constant_values=NO_TOKEN)


def _depth(tables: AutomatonTables, clause: int) -> int:
    """Length of the longest value of a clause."""
    frontier, depth = {int(tables.starts[clause])}, 0
    while frontier:
        rows = np.fromiter(frontier, dtype=np.int64)
        following = tables.next_state[rows][tables.allowed[rows]]
        frontier, depth = set(following[following != END].tolist()), depth + 1
    return depth
