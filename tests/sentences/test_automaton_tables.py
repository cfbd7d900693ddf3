"""The automata of all clauses, stacked: the tables walk exactly as the automata do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automata import Automaton, one_of
from imbllm_autogluon.sentences.automaton import END, NOTHING
from imbllm_autogluon.sentences.automaton_tables import AutomatonTables

N_TOKENS = 8


@st.composite
def languages(draw: st.DrawFn) -> list[list[tuple[int, ...]]]:
    """One to three clauses; the values of each end with a token of their own."""
    value = st.lists(st.integers(0, N_TOKENS - 2), min_size=0, max_size=4).map(lambda v: (*v, N_TOKENS - 1))
    return draw(st.lists(st.lists(value, min_size=1, max_size=6), min_size=1, max_size=3))


def build(clauses: list[list[tuple[int, ...]]]) -> AutomatonTables:
    return AutomatonTables.build([one_of(values) for values in clauses], N_TOKENS)


@given(languages(), st.data())
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


@given(languages())
def test_the_tables_allow_exactly_the_values_of_each_clause(clauses: list[list[tuple[int, ...]]]) -> None:
    tables = build(clauses)
    for clause, values in enumerate(clauses):
        assert legal_values(tables, int(tables.starts[clause])) == set(values)


def legal_values(tables: AutomatonTables, state: int) -> set[tuple[int, ...]]:
    if state == END:
        return {()}
    steps = [(token, int(tables.next_state[state, token])) for token in np.flatnonzero(tables.allowed[state]).tolist()]
    return {(token, *rest) for token, following in steps for rest in legal_values(tables, following)}


@given(languages())
def test_clause_tokens_are_all_that_its_values_use(clauses: list[list[tuple[int, ...]]]) -> None:
    tables = build(clauses)
    for clause, values in enumerate(clauses):
        assert tables.clause_tokens(clause).tolist() == sorted(set().union(*values))


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
    tables = AutomatonTables.build([one_of([(1,), (2,)]), NOTHING, one_of([(3, 4)])], N_TOKENS)
    assert tables.is_given.tolist() == [False, True, False]
    assert tables.clause_tokens(1).tolist() == []
    states = tables.walk(np.array([[[1, -1], [5, 6], [3, 4]]]))[0]
    first, _, third = tables.starts.tolist()
    assert states[:2].tolist() == [[first, END], [END, END]]
    assert states[2].tolist() == [third, int(tables.next_state[third, 3])]


def test_an_automaton_with_values_that_begin_others_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="beginning of another"):
        AutomatonTables.build([Automaton(({1: 1}, {2: 1}), frozenset({1}))], N_TOKENS)
