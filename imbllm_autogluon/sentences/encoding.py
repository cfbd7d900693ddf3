"""Rows as clause tokens, and clause tokens in a given order as the sentences a language model reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.sentences.automaton import END
from imbllm_autogluon.sentences.automaton_tables import AutomatonTables
from imbllm_autogluon.sentences.value_codings import NO_TOKEN
from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.sentences.value_codings import ValueCoding

    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.float64]


PADDING = 0
"""Token id that fills the places behind the end of a sentence."""


@dataclass(frozen=True, eq=False)
class Clauses:
    """Rows as value tokens: feature clauses in column order, the label clause last."""

    tokens: IntArray
    """Value tokens, shape (n, n_clauses, longest value), padded with -1."""

    present: BoolArray
    """Clauses that the sentence holds, shape (n, n_clauses); an absent clause is not written at all."""

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

    ids: IntArray
    """Token ids, shape (n, length), `PADDING` behind the end."""

    real: BoolArray
    """Places that hold a token, shape (n, length)."""

    states: IntArray
    """Automaton state that each value token was chosen in, shape (n, length); `END` (-1) elsewhere."""

    weights: FloatArray | None = None
    """How much the label of each row counts in training, shape (n,); None: every one counts 1."""

    def take(self, rows: slice | IntArray) -> Sentences:
        """The given rows, without places that none of them uses."""
        real = self.real[rows]
        width = int(real.sum(axis=1).max(initial=0))
        weights = None if self.weights is None else self.weights[rows]
        return Sentences(self.ids[rows, :width], real[:, :width], self.states[rows, :width], weights)


@dataclass(frozen=True, eq=False)
class SentenceEncoding:
    """How the clauses of one table are written as tokens: prefixes, value codings and their automata."""

    token_names: tuple[str, ...]
    """What each token id stands for (the first is padding)."""

    prefixes: tuple[tuple[int, ...], ...]
    """Forced tokens in front of each clause's value, such as ``age is``."""

    codings: tuple[ValueCoding, ...]
    """Coding of each clause's value; the label is the last clause."""

    token_texts: tuple[str, ...]
    """What each token would be in the paper's sentence, such as `` age is``; empty for padding."""

    opening: tuple[int, ...] = ()
    """Tokens in front of every sentence, such as an instruction; never learned."""

    @property
    def n_tokens(self) -> int:
        """Size of the vocabulary."""
        return len(self.token_names)

    @property
    def n_clauses(self) -> int:
        """Number of clauses: features and label."""
        return len(self.codings)

    @cached_property
    def tables(self) -> AutomatonTables:
        """The automata of all clauses as dense tables."""
        return AutomatonTables.build([coding.automaton for coding in self.codings], self.n_tokens)

    @property
    def longest_sentence(self) -> int:
        """Most tokens that any row can take."""
        forced = len(self.opening) + sum(len(prefix) for prefix in self.prefixes)
        return forced + sum(_depth(self.tables, j) for j in range(self.n_clauses))

    def encode(self, cells: Cells, labels: IntArray) -> Clauses:
        """Value tokens of n rows; `labels` are codes of the label's categories, shape (n,)."""
        columns = [
            coding.encode(values, cells.missing[:, j])
            for j, (coding, values) in enumerate(zip(self.codings[:-1], cells.values, strict=True))
        ]
        columns.append(self.codings[-1].encode(labels, np.zeros(len(labels), dtype=bool)))
        longest = max(tokens.shape[1] for tokens in columns)
        tokens = np.stack([_widen(tokens, longest) for tokens in columns], axis=1)
        return Clauses(tokens, np.ones(tokens.shape[:2], dtype=bool))

    def decode(self, clauses: Clauses, rng: np.random.Generator) -> tuple[Cells, IntArray]:
        """Cells and label codes of n full rows."""
        decoded = [coding.decode(clauses.tokens[:, j], rng) for j, coding in enumerate(self.codings)]
        values = tuple(values for values, _ in decoded[:-1])
        missing = np.stack([gone for _, gone in decoded[:-1]], axis=1)
        return Cells(values, missing), decoded[-1][0].astype(np.int64)

    def lengths(self, clauses: Clauses) -> IntArray:
        """Tokens of each row's sentence, int64 of shape (n,)."""
        prefixes = np.array([len(prefix) for prefix in self.prefixes])
        tokens = prefixes + (clauses.tokens >= 0).sum(axis=2)
        lengths: IntArray = len(self.opening) + np.where(clauses.present, tokens, 0).sum(axis=1)
        return lengths

    def assemble(self, clauses: Clauses, orders: IntArray) -> Sentences:
        """Write each row's present clauses in its order.

        Parameters
        ----------
        clauses
            n rows.
        orders
            Clause indices in the order of writing, int64 of shape (n, n_clauses).
        """
        n = len(orders)
        states = self.tables.walk(clauses.tokens)
        prefix = self._prefix_array
        ids = np.concatenate([np.broadcast_to(prefix, (n, *prefix.shape)), clauses.tokens], axis=2)
        states = np.concatenate([np.full((n, *prefix.shape), END), states], axis=2)
        ids[~clauses.present] = NO_TOKEN
        width = ids.shape[1] * ids.shape[2]
        ids = np.take_along_axis(ids, orders[:, :, None], axis=1).reshape(n, width)
        states = np.take_along_axis(states, orders[:, :, None], axis=1).reshape(n, width)
        if self.opening:
            ids = np.concatenate([np.broadcast_to(np.array(self.opening), (n, len(self.opening))), ids], axis=1)
            states = np.concatenate([np.full((n, len(self.opening)), END), states], axis=1)
        return _left_justified(ids, states, clauses.weights)

    @cached_property
    def _prefix_array(self) -> IntArray:
        longest = max(len(prefix) for prefix in self.prefixes)
        return np.array([[*p, *[NO_TOKEN] * (longest - len(p))] for p in self.prefixes], dtype=np.int64)


def _left_justified(ids: IntArray, states: IntArray, weights: FloatArray | None) -> Sentences:
    """Move the tokens of each row to its left end and cut what no row uses."""
    real: BoolArray = ids >= 0
    if not real.all():
        front = np.argsort(~real, axis=1, kind="stable")[:, : int(real.sum(axis=1).max(initial=0))]
        ids, states = np.take_along_axis(ids, front, axis=1), np.take_along_axis(states, front, axis=1)
        real = ids >= 0
    return Sentences(np.where(real, ids, PADDING), real, np.where(real, states, END), weights)


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
