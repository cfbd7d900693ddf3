"""Deterministic finite automata over integer symbols: which value may be written, symbol by symbol.

Every language here is finite, so no automaton has a cycle; that makes the minimal automaton a matter of merging
states with the same future. The automata of all clauses become two dense tables, so that a decoder advances a whole
batch by gathers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt

END = -1  # next state of :meth:`Automaton.tabulate` that says: the value is complete


@dataclass(frozen=True)
class Automaton:
    """A deterministic finite automaton; state 0 is the start.

    >>> colors = one_of([(1, 2), (3, 2)])
    >>> colors.n_states, colors.accepts((3, 2)), colors.accepts((3,))
    (3, True, False)
    """

    transitions: tuple[Mapping[int, int], ...]  # for each state, the next state of every allowed symbol
    accepting: frozenset[int]  # states in which a sequence may stop

    @property
    def n_states(self) -> int:
        """Number of states."""
        return len(self.transitions)

    def accepts(self, symbols: Sequence[int]) -> bool:
        """Say whether the whole sequence is one of the automaton's."""
        state = 0
        for symbol in symbols:
            following = self.transitions[state].get(symbol)
            if following is None:
                return False
            state = following
        return state in self.accepting

    def ended_by(self, end_symbol: int) -> Automaton:
        """Append `end_symbol` to every sequence, so that none is the beginning of another.

        The one accepting state is the last and has no transitions. `InvalidInputError` where the symbol already has a
        meaning inside the sequences.

        >>> ended = one_of([(1,), (1, 1)]).ended_by(0)
        >>> ended.accepts((1, 0)), ended.accepts((1,))
        (True, False)
        """
        if any(end_symbol in following for following in self.transitions):
            raise InvalidInputError(f"the end symbol {end_symbol} is already used inside the values; choose another.")
        end = self.n_states
        transitions = [
            {**following, end_symbol: end} if state in self.accepting else dict(following)
            for state, following in enumerate(self.transitions)
        ]
        return Automaton((*transitions, {}), frozenset({end}))

    def tabulate(self, n_symbols: int) -> tuple[np.ndarray, np.ndarray]:
        """Two dense tables of shape (n_rows, n_symbols): the allowed symbols (bool) and the next states (int64).

        Next is a row, `END` where a sequence is complete, or 0 where a symbol is not allowed. Accepting states without
        transitions need no row, so the others are renumbered (the start stays 0). `InvalidInputError` where a sequence
        is the beginning of another one (call :meth:`ended_by` first) or a symbol does not fit.
        """
        if 0 in self.accepting or any(self.transitions[state] for state in self.accepting):
            raise InvalidInputError(
                "one sequence of this automaton is the beginning of another, or empty: call ended_by(symbol) first."
            )
        kept = [state for state in range(self.n_states) if state not in self.accepting]
        number = dict.fromkeys(self.accepting, END) | {state: row for row, state in enumerate(kept)}
        allowed = np.zeros((len(kept), n_symbols), dtype=bool)
        next_state = np.zeros((len(kept), n_symbols), dtype=np.int64)
        for row, state in enumerate(kept):
            for symbol, following in self.transitions[state].items():
                if not 0 <= symbol < n_symbols:
                    raise InvalidInputError(f"symbol {symbol} does not fit into a table of {n_symbols} symbols.")
                allowed[row, symbol] = True
                next_state[row, symbol] = number[following]
        return allowed, next_state


def one_of(sequences: Iterable[Sequence[int]]) -> Automaton:
    """Smallest automaton of exactly the given sequences; `InvalidInputError` where there is none.

    >>> one_of([(1, 9, 9), (2, 9, 9)]).n_states
    4
    """
    transitions: list[dict[int, int]] = [{}]
    accepting = set()
    for sequence in sequences:
        state = 0
        for symbol in sequence:
            if symbol not in transitions[state]:
                transitions[state][symbol] = len(transitions)
                transitions.append({})
            state = transitions[state][symbol]
        accepting.add(state)
    return _minimized(Automaton(tuple(transitions), frozenset(accepting)))


def union(automata: Iterable[Automaton]) -> Automaton:
    """Automaton of the sequences that at least one of the automata accepts.

    >>> either = union([one_of([(1, 2)]), one_of([(1, 3), ()])])
    >>> either.accepts((1, 3)), either.accepts(()), either.accepts((1,))
    (True, True, False)
    """
    members = tuple(automata)

    def follow(states: frozenset[tuple[int, int]]) -> dict[int, frozenset[tuple[int, int]]]:
        reached: dict[int, set[tuple[int, int]]] = {}
        for member, state in states:
            for symbol, following in members[member].transitions[state].items():
                reached.setdefault(symbol, set()).add((member, following))
        return {symbol: frozenset(following) for symbol, following in reached.items()}

    def stops(states: frozenset[tuple[int, int]]) -> bool:
        return any(state in members[member].accepting for member, state in states)

    return explore(frozenset((member, 0) for member in range(len(members))), follow, stops)


def explore(start: Hashable, follow: Callable[..., Mapping[int, Hashable]], stops: Callable[..., bool]) -> Automaton:
    """Build the smallest automaton from states given by rule, the first of them `start`.

    `follow` gives a state's transitions, ``{symbol: next state}``, without cycles; `stops` says whether a sequence may
    stop in a state. `InvalidInputError` where no sequence is accepted.
    """
    number: dict[Hashable, int] = {start: 0}
    waiting = deque([start])
    transitions: list[dict[int, int]] = []
    accepting = set()
    while waiting:
        state = waiting.popleft()
        if stops(state):
            accepting.add(number[state])
        row = {}
        for symbol, following in follow(state).items():
            if following not in number:
                number[following] = len(number)
                waiting.append(following)
            row[symbol] = number[following]
        transitions.append(row)
    return _minimized(Automaton(tuple(transitions), frozenset(accepting)))


def _minimized(automaton: Automaton) -> Automaton:
    """Smallest automaton of the same sequences: states with the same future are one, states without a future go."""
    merged: dict[int, int | None] = {}
    futures: dict[tuple[bool, frozenset[tuple[int, int]]], int] = {}
    followers = {state: row.values() for state, row in enumerate(automaton.transitions)}
    for state in TopologicalSorter(followers).static_order():  # each after all that follow it, the start last
        live = ((symbol, merged[following]) for symbol, following in automaton.transitions[state].items())
        row = frozenset((symbol, following) for symbol, following in live if following is not None)
        stops = state in automaton.accepting
        merged[state] = futures.setdefault((stops, row), len(futures)) if row or stops else None
    if merged[0] is None:
        raise InvalidInputError("this automaton accepts nothing: there must be at least one legal value.")
    # Futures were numbered from the ends; turned round, the start, found last, is state 0.
    last = len(futures) - 1
    rows = tuple({symbol: last - following for symbol, following in sorted(row)} for _, row in futures)[::-1]
    return Automaton(rows, frozenset(last - number for (stops, _), number in futures.items() if stops))


@dataclass(frozen=True, eq=False)
class AutomatonTables:
    """States of every clause's automaton, numbered through, over the token ids of the vocabulary."""

    allowed: npt.NDArray[np.bool_]  # legal next tokens, shape (n_states, n_tokens)

    next_state: npt.NDArray[np.int64]  # state after a legal token, shape (n_states, n_tokens); `END` behind a value
    starts: npt.NDArray[np.int64]  # first state of each clause, shape (n_clauses,)

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
        """State before each value token of (n, n_clauses, longest), `END` where there is none or it is only given."""
        states = np.full(tokens.shape, END, dtype=np.int64)
        current = np.broadcast_to(np.where(self.is_given, END, self.starts), tokens.shape[:2]).copy()
        for position in range(tokens.shape[2]):
            token = tokens[:, :, position]
            alive = (token >= 0) & (current != END)
            states[:, :, position] = np.where(alive, current, END)
            current = np.where(alive, self.next_state[current, token], END)
        return states
