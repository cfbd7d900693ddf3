"""Automata accept exactly what they were made of, and their tables say the same."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.encoding.automata import END, Automaton, AutomatonTables, _minimized, one_of, union
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


SYMBOLS = 3
SEQUENCES = [word for length in range(5) for word in product(range(SYMBOLS), repeat=length)]

words = st.lists(st.integers(0, SYMBOLS - 1), max_size=4).map(tuple)
languages = st.sets(words, min_size=1, max_size=12)


def language(automaton: Automaton) -> set[tuple[int, ...]]:
    return {word for word in SEQUENCES if automaton.accepts(word)}


def follow_tables(automaton: Automaton, n_symbols: int, word: Sequence[int]) -> bool:
    """Walk through the tables as the decoder does."""
    allowed, next_state = automaton.tabulate(n_symbols)
    state = 0
    for symbol in word:
        if state == END or not allowed[state, symbol]:
            return False
        state = int(next_state[state, symbol])
    return state == END


@given(languages)
def test_one_of_accepts_exactly_the_given_sequences(legal: set[tuple[int, ...]]) -> None:
    assert language(one_of(legal)) == legal


@given(languages, languages)
def test_union_accepts_what_either_accepts(first: set[tuple[int, ...]], second: set[tuple[int, ...]]) -> None:
    assert language(union([one_of(first), one_of(second)])) == first | second


@given(languages)
def test_no_two_states_of_one_of_have_the_same_future(legal: set[tuple[int, ...]]) -> None:
    automaton = one_of(legal)
    futures = {
        frozenset(language(Automaton(swapped(automaton, state), marks(automaton, state))))
        for state in range(automaton.n_states)
    }
    assert len(futures) == automaton.n_states
    assert frozenset() not in futures


def swapped(automaton: Automaton, start: int) -> tuple[dict[int, int], ...]:
    """Transitions with states 0 and `start` exchanged."""
    rename = swap(start)
    return tuple(
        {symbol: rename(following) for symbol, following in automaton.transitions[rename(state)].items()}
        for state in range(automaton.n_states)
    )


def marks(automaton: Automaton, start: int) -> frozenset[int]:
    return frozenset(map(swap(start), automaton.accepting))


def swap(start: int) -> Callable[[int], int]:
    return lambda state: {0: start, start: 0}.get(state, state)


def test_common_endings_share_their_states() -> None:
    many = one_of([(first, 7, 7, 7, 7) for first in range(1000)])
    assert many.n_states == 6


@given(languages)
def test_ended_languages_have_no_sequence_that_begins_another(legal: set[tuple[int, ...]]) -> None:
    ended = one_of(legal).ended_by(SYMBOLS)
    (final,) = ended.accepting
    assert ended.transitions[final] == {}
    assert all(ended.accepts((*word, SYMBOLS)) == (word in legal) for word in SEQUENCES)
    assert not any(ended.accepts(word) for word in SEQUENCES)


@given(languages)
def test_tables_accept_what_the_automaton_accepts(legal: set[tuple[int, ...]]) -> None:
    ended = one_of(legal).ended_by(SYMBOLS)
    assert all(follow_tables(ended, SYMBOLS + 1, (*word, SYMBOLS)) == (word in legal) for word in SEQUENCES)


@pytest.mark.parametrize("legal", [[()], [(1,), (1, 2)]])
def test_tables_of_sequences_that_begin_others_are_refused(legal: list[tuple[int, ...]]) -> None:
    with pytest.raises(InvalidInputError, match="call ended_by"):
        one_of(legal).tabulate(3)


def test_a_symbol_beyond_the_table_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="symbol 5 does not fit into a table of 5 symbols"):
        one_of([(5,)]).tabulate(5)


def test_an_end_symbol_that_values_use_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="end symbol 2 is already used"):
        one_of([(1, 2)]).ended_by(2)


def test_an_automaton_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least one legal value"):
        one_of([])


def test_nothing_accepts_nothing_and_tabulates_as_one_state_without_a_way_out() -> None:
    assert not Automaton(({},), frozenset()).accepts(())
    assert not Automaton(({},), frozenset()).accepts((0,))
    allowed, _ = Automaton(({},), frozenset()).tabulate(3)
    assert allowed.tolist() == [[False, False, False]]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        _minimized(Automaton(({0: 1}, {0: 0}), frozenset({1})))


N_TOKENS = 8


@st.composite
def clause_values(draw: st.DrawFn) -> list[list[tuple[int, ...]]]:
    """One to three clauses; the values of each end with a token of their own."""
    value = st.lists(st.integers(0, N_TOKENS - 2), min_size=0, max_size=4).map(lambda v: (*v, N_TOKENS - 1))
    return draw(st.lists(st.lists(value, min_size=1, max_size=6), min_size=1, max_size=3))


def build(clauses: list[list[tuple[int, ...]]]) -> AutomatonTables:
    return AutomatonTables.build([one_of(values) for values in clauses], N_TOKENS)


@given(clause_values(), st.data())
def test_a_walk_passes_the_states_of_the_clause_and_ends_behind_the_last_token(
    clauses: list[list[tuple[int, ...]]], data: st.DataObject
) -> None:
    tables = build(clauses)
    row = [data.draw(st.sampled_from(values)) for values in clauses]
    longest = max(map(len, row)) + 1
    tokens = np.array([[[*value, *[-1] * (longest - len(value))] for value in row]])
    states = tables.walk(tokens)[0]
    for clause, value in enumerate(row):
        state = int(tables.starts[clause])
        for place, token in enumerate(value):
            assert states[clause, place] == state
            assert tables.allowed[state, token]
            state = int(tables.next_state[state, token])
        assert state == END
        assert (states[clause, len(value) :] == END).all()


@given(clause_values())
def test_the_tables_allow_exactly_the_values_of_each_clause(clauses: list[list[tuple[int, ...]]]) -> None:
    tables = build(clauses)
    for clause, values in enumerate(clauses):
        assert legal_values(tables, int(tables.starts[clause])) == set(values)


def legal_values(tables: AutomatonTables, state: int) -> set[tuple[int, ...]]:
    if state == END:
        return {()}
    steps = [(token, int(tables.next_state[state, token])) for token in np.flatnonzero(tables.allowed[state]).tolist()]
    return {(token, *rest) for token, following in steps for rest in legal_values(tables, following)}


def test_rows_are_walked_independently_and_clauses_of_different_length_together() -> None:
    tables = build([[(1,), (2,)], [(3, 4), (5,)]])
    tokens = np.array([[[1, -1], [3, 4]], [[2, -1], [5, -1]]])
    first, second = tables.starts.tolist()
    after_three = int(tables.next_state[second, 3])
    expected = [[[first, END], [second, after_three]], [[first, END], [second, END]]]
    assert tables.walk(tokens).tolist() == expected


def test_a_clause_that_is_not_written_has_no_states() -> None:
    tables = build([[(1,)], [(2,)]])
    assert tables.walk(np.array([[[-1], [2]]])).tolist() == [[[END], [int(tables.starts[1])]]]


def test_a_clause_that_allows_nothing_is_given_only_and_has_no_states() -> None:
    tables = AutomatonTables.build([one_of([(1,), (2,)]), Automaton(({},), frozenset()), one_of([(3, 4)])], N_TOKENS)
    assert tables.is_given.tolist() == [False, True, False]
    assert tables.clause_tokens(1).tolist() == []
    states = tables.walk(np.array([[[1, -1], [5, 6], [3, 4]]]))[0]
    first, _, third = tables.starts.tolist()
    assert states[:2].tolist() == [[first, END], [END, END]]
    assert states[2].tolist() == [third, int(tables.next_state[third, 3])]
