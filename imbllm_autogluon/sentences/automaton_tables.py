"""The automata of all clauses as two dense tables, so that a decoder advances a whole batch by gathers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.sentences.automaton import END

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from imbllm_autogluon.sentences.automata import Automaton


@dataclass(frozen=True, eq=False)
class AutomatonTables:
    """States of every clause's automaton, numbered through, over the token ids of the vocabulary."""

    allowed: npt.NDArray[np.bool_]
    """Legal next tokens, shape (n_states, n_tokens)."""

    next_state: npt.NDArray[np.int64]
    """State after a legal token, shape (n_states, n_tokens); `END` behind the last token of a value."""

    starts: npt.NDArray[np.int64]
    """First state of each clause, shape (n_clauses,)."""

    @classmethod
    def build(cls, automata: Sequence[Automaton], n_tokens: int) -> AutomatonTables:
        """Stack the automata's tables; clause j begins in ``starts[j]``."""
        tables = [automaton.tabulate(n_tokens) for automaton in automata]
        sizes = np.array([len(allowed) for allowed, _ in tables])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        following = [np.where(step == END, END, step + start) for (_, step), start in zip(tables, starts, strict=True)]
        return cls(np.concatenate([allowed for allowed, _ in tables]), np.concatenate(following), starts)

    def clause_tokens(self, clause: int) -> npt.NDArray[np.int64]:
        """Every token that the values of a clause can use, ascending."""
        stop = self.starts[clause + 1] if clause + 1 < len(self.starts) else len(self.allowed)
        return np.flatnonzero(self.allowed[self.starts[clause] : stop].any(axis=0))

    @cached_property
    def is_given(self) -> npt.NDArray[np.bool_]:
        """Clauses whose automaton allows nothing, shape (n_clauses,): values are given, never learned or written."""
        return np.logical_not(self.allowed[self.starts].any(axis=1))

    def walk(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """State before each value token, `END` where there is none and in clauses that are only given.

        Parameters
        ----------
        tokens
            Value tokens of shape (n, n_clauses, longest), padded with -1.
        """
        states = np.full(tokens.shape, END, dtype=np.int64)
        current = np.broadcast_to(np.where(self.is_given, END, self.starts), tokens.shape[:2]).copy()
        for position in range(tokens.shape[2]):
            token = tokens[:, :, position]
            alive = (token >= 0) & (current != END)
            states[:, :, position] = np.where(alive, current, END)
            current = np.where(alive, self.next_state[current, token], END)
        return states
