"""Values become tokens of text and come back, and nothing but the column's values is legal."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automata import column_characters
from imbllm_autogluon.sentences.text_codings import CategoryTextCoding, NumberTextCoding, require_distinct
from imbllm_autogluon.sentences.value_codings import padded
from imbllm_autogluon.tables import Column
from tests.sentences.test_value_codings import accepted, expect_same, number_columns, round_trip

if TYPE_CHECKING:
    from collections.abc import Mapping

INSIDE = {character: 10 + i for i, character in enumerate("0123456789-.T:")}
FIRST = {character: 30 + i for i, character in enumerate("0123456789-.T:")}
SEPARATOR = 1
MISSING = (2, 3, SEPARATOR)

RNG = np.random.default_rng(0)


def number_coding(column: Column, first: Mapping[str, int] = INSIDE) -> NumberTextCoding:
    """As the vocabulary makes it: with the characters of the column alone."""
    letters = column_characters(column, missing=False)
    inside, beginning = ({letter: tokens[letter] for letter in letters} for tokens in (INSIDE, first))
    return NumberTextCoding(column, inside, beginning, SEPARATOR, MISSING if column.has_missing else None)


def texts(coding: NumberTextCoding) -> list[str]:
    """Every legal text, missing left out."""
    names = {token: character for tokens in (INSIDE, FIRST) for character, token in tokens.items()}
    legal = accepted(coding.automaton.transitions, coding.automaton.accepting)
    return ["".join(names[token] for token in value[:-1]) for value in legal if tuple(value) != MISSING]


@pytest.mark.parametrize("first", [INSIDE, FIRST])
@given(case=number_columns())
def test_numbers_and_times_come_back_exactly(first: dict[str, int], case: tuple[Column, pd.Series[Any]]) -> None:
    column, series = case
    expect_same(column, series, round_trip(number_coding(column, first), *column.encode(series)))


@pytest.mark.parametrize("first", [INSIDE, FIRST])
@given(case=number_columns(may_miss=False))
def test_missing_is_legal_only_where_training_had_it(
    first: dict[str, int], case: tuple[Column, pd.Series[Any]]
) -> None:
    column, series = case
    coding = number_coding(column, first)
    assert not coding.automaton.accepts(MISSING)
    assert not any(MISSING[0] in row for row in coding.automaton.transitions)
    assert not coding.decode(coding.encode(*column.encode(series)), RNG)[1].any()


@pytest.mark.parametrize(
    ("values", "legal"),
    [
        ([-3, 0, 5], [str(number) for number in range(-3, 6)]),
        ([98, 102], ["98", "102"]),
        ([0.5, -0.25], [f"{units / 100:.2f}" for units in range(-25, 51)]),
        ([1200.0, 900.0, None], ["900", "1000", "1100", "1200"]),
        (
            pd.to_datetime(["2024-02-28", "2024-02-29", "2024-03-02"]),
            ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"],
        ),
    ],
)
@pytest.mark.parametrize("first", [INSIDE, FIRST])
def test_every_text_of_the_range_is_legal_and_no_other(first: dict[str, int], values: Any, legal: list[str]) -> None:
    coding = number_coding(Column.from_series(pd.Series(values), "x"), first)
    assert sorted(texts(coding)) == sorted(legal)


def test_only_the_first_character_is_written_with_its_space() -> None:
    coding = number_coding(Column.from_series(pd.Series([-3, -2, 55]), "x"), FIRST)
    encoded = coding.encode(np.array([55, -2]), np.zeros(2, dtype=bool))
    assert encoded.tolist() == [[FIRST["5"], INSIDE["5"], SEPARATOR], [FIRST["-"], INSIDE["2"], SEPARATOR]]
    for row in coding.automaton.transitions[1:]:
        assert not set(row) & set(FIRST.values())
    assert not set(coding.automaton.transitions[0]) & set(INSIDE.values())


def test_numbers_between_large_steps_become_the_nearest_value_of_the_column() -> None:
    column = Column.from_series(pd.Series([0, 12347, 10**5 * 12347]), "x")
    coding = number_coding(column)
    spelled = [[*(INSIDE[c] for c in text), SEPARATOR] for text in ("12347", "12350", "24000")]
    assert all(coding.automaton.accepts(value) for value in spelled)
    assert coding.decode(padded(spelled), RNG)[0].tolist() == [12347, 12347, 2 * 12347]


def test_no_legal_text_is_the_beginning_of_another() -> None:
    column = Column.from_series(pd.Series([1, 2, 130, None], dtype="Int64"), "x")
    automaton = number_coding(column).automaton
    values = [tuple(value) for value in accepted(automaton.transitions, automaton.accepting)]
    assert len(values) == 131
    assert not any(b[: len(a)] == a for a, b in itertools.permutations(values, 2))


CITIES = ((5, SEPARATOR), (5, 6, SEPARATOR), (7, 8, 9, SEPARATOR), (7, 8, 6, SEPARATOR))


@pytest.mark.parametrize("missing", [MISSING, None])
def test_categories_of_several_tokens_come_back(missing: tuple[int, ...] | None) -> None:
    coding = CategoryTextCoding(CITIES, missing)
    codes, gaps = np.array([3, 0, 0, 1, 2]), np.array([False, missing is not None, False, False, False])
    decoded, gone = round_trip(coding, np.where(gaps, 0, codes), gaps)
    assert decoded.tolist() == np.where(gaps, 0, codes).tolist()
    assert gone.tolist() == gaps.tolist()


@pytest.mark.parametrize("missing", [MISSING, None])
def test_the_spellings_of_categories_are_legal_and_no_other(missing: tuple[int, ...] | None) -> None:
    automaton = CategoryTextCoding(CITIES, missing).automaton
    legal = {tuple(value) for value in accepted(automaton.transitions, automaton.accepting)}
    assert legal == {*CITIES, *([] if missing is None else [missing])}


@pytest.mark.parametrize(
    "coding", [CategoryTextCoding(CITIES, MISSING), number_coding(Column.from_series(pd.Series([1, 7]), "x"))]
)
def test_no_rows_make_no_values(coding: Any) -> None:
    none = np.empty(0, dtype=np.int64)
    tokens = coding.encode(none, none.astype(bool))
    assert tokens.shape[0] == 0
    assert [len(part) for part in coding.decode(tokens, RNG)] == [0, 0]


def test_different_texts_pass() -> None:
    require_distinct([(1,), (1, 2), (2,)], ["a", "b", "c"], "column 'x'")


@pytest.mark.parametrize(
    ("spellings", "said"), [([(1,), (2,), (1,)], "writes 'a' and 'c' alike"), ([(1,), ()], "writes 'b' as nothing")]
)
def test_equal_and_empty_spellings_are_refused_with_the_remedy(spellings: list[tuple[int, ...]], said: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"column 'x': .* {said}; use clauses='tokens'"):
        require_distinct(spellings, ["a", "b", "c"][: len(spellings)], "column 'x'")
