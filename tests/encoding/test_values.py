"""Values become legal tokens and come back: exactly, or inside their bin and on the grid; free texts are read."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.encoding.bins import QuantileBins
from imbllm_autogluon.encoding.numbers import column_characters
from imbllm_autogluon.encoding.values import (
    NO_TOKEN,
    BinCoding,
    CategoryCoding,
    CategoryTextCoding,
    DigitCoding,
    FreeSubwordCoding,
    FreeTextCoding,
    GivenCoding,
    NumberTextCoding,
    ValueCoding,
    _whole_part,
    padded,
)
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables import Column
from tests.language.pretrained import tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MISSING = 1
SYMBOLS = {symbol: 2 + i for i, symbol in enumerate((*"0123456789", "-"))}
FIRST = 20

NUMBERS: dict[str, tuple[st.SearchStrategy[Any], str]] = {
    "float": (st.floats(-1e6, 1e6, allow_nan=False), "float64"),
    "huge float": (st.floats(allow_nan=False, allow_infinity=False), "float64"),
    "decimal": (st.integers(-(10**5), 10**5).map(lambda units: units / 100), "float64"),
    "round": (st.integers(-99, 99).map(lambda units: units * 100.0), "float64"),
    "short float": (st.integers(-999, 999).map(lambda units: units / 10), "float32"),
    "integer": (st.integers(-20, 20), "Int64"),
    "large integer": (st.integers(-(2**62), 2**62 - 1), "Int64"),
    "even": (st.integers(-50, 50).map(lambda half: 2 * half), "Int64"),
    "moment": (st.integers(-(10**18), 10**18).map(lambda time: np.datetime64(time, "ns")), "M8[ns]"),
    "day": (st.integers(-90000, 90000).map(lambda day: np.datetime64(day, "D").astype("M8[ns]")), "M8[ns]"),
    "duration": (st.integers(-(10**9), 10**9).map(lambda time: np.timedelta64(time, "s")), "m8[s]"),
}


@st.composite
def number_columns(draw: st.DrawFn, may_miss: bool = True) -> tuple[Column, pd.Series[Any]]:
    """A numeric column with at least one known number."""
    cells, dtype = NUMBERS[draw(st.sampled_from(sorted(NUMBERS)))]
    known = draw(st.lists(cells, min_size=1, max_size=12))
    gaps = [None] * draw(st.integers(0, 3)) if may_miss else []
    series = pd.Series(draw(st.permutations([*known, *gaps])), dtype=dtype)
    return Column.from_series(series, "x"), series


def bin_coding(column: Column, series: pd.Series[Any], max_bins: int) -> BinCoding:
    values, missing = column.encode(series)
    assert column.grid is not None
    units = column.grid.to_units(column.grid.snap(values[~missing]))
    bins = QuantileBins.fit(units, np.ones(len(units)), max_bins)
    return BinCoding(FIRST, bins, column.grid, MISSING if column.has_missing else None)


def digit_coding(column: Column) -> DigitCoding:
    assert column.grid is not None
    return DigitCoding(column.grid, SYMBOLS, MISSING if column.has_missing else None)


def round_trip(coding: ValueCoding, values: Any, missing: Any, seed: int = 0) -> tuple[Any, Any]:
    tokens = coding.encode(values, missing)
    assert tokens.dtype == np.int64
    for row in tokens.tolist():
        assert coding.automaton.accepts([token for token in row if token != NO_TOKEN])
    return coding.decode(tokens, np.random.default_rng(seed))


def expect_same(column: Column, series: pd.Series[Any], decoded: tuple[Any, Any]) -> None:
    """The decoded cells are the series' own, on the grid; 0 stands where a cell is missing."""
    values, missing = column.encode(series)
    assert column.grid is not None
    assert decoded[0].dtype == values.dtype
    assert decoded[0].tolist() == np.where(missing, 0, column.grid.snap(values)).tolist()
    assert decoded[1].tolist() == missing.tolist()


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.data())
def test_categories_come_back_exactly(codes: list[int], data: st.DataObject) -> None:
    gaps = np.array(data.draw(st.lists(st.booleans(), min_size=len(codes), max_size=len(codes))))
    values = np.where(gaps, 0, codes)
    decoded, missing = round_trip(CategoryCoding(FIRST, 7, MISSING), values, gaps)
    assert decoded.tolist() == values.tolist()
    assert missing.tolist() == gaps.tolist()


@given(number_columns(), st.integers(0, 99))
def test_bins_give_back_every_value_where_each_has_a_bin_of_its_own(
    case: tuple[Column, pd.Series[Any]], seed: int
) -> None:
    column, series = case
    expect_same(column, series, round_trip(bin_coding(*case, 32), *column.encode(series), seed))


@given(number_columns())
def test_digits_always_give_back_the_value(case: tuple[Column, pd.Series[Any]]) -> None:
    column, series = case
    expect_same(column, series, round_trip(digit_coding(column), *column.encode(series)))


@given(number_columns(), st.integers(2, 4), st.integers(0, 99))
def test_shared_bins_give_values_of_the_bin_on_the_grid_and_in_range(
    case: tuple[Column, pd.Series[Any]], max_bins: int, seed: int
) -> None:
    column, series = case
    coding, (values, missing) = bin_coding(*case, max_bins), column.encode(series)
    decoded, gone = round_trip(coding, values, missing, seed)
    assert gone.tolist() == missing.tolist()
    assert column.grid is not None
    known = decoded[~gone]
    assert known.dtype == values.dtype
    assert known.tolist() == column.grid.snap(known).tolist()
    assert coding.encode(decoded, gone).tolist() == coding.encode(values, missing).tolist()


def test_large_integers_in_shared_bins_stay_integers_of_their_bin() -> None:
    series = pd.Series([2**62 + 1 + 2 * i for i in range(40)])
    column = Column.from_series(series, "x")
    coding = bin_coding(column, series, 4)
    values, missing = column.encode(series)
    drawn = np.concatenate([round_trip(coding, values, missing, seed)[0] for seed in range(20)])
    assert set(drawn.tolist()) == set(series)


@pytest.mark.parametrize("kind", ["bins", "digits", "categories"])
@given(case=number_columns(may_miss=False))
def test_missing_is_legal_only_where_training_had_it(kind: str, case: tuple[Column, pd.Series[Any]]) -> None:
    column, series = case
    coding: ValueCoding = CategoryCoding(FIRST, 3, None)
    if kind != "categories":
        coding = bin_coding(*case, 4) if kind == "bins" else digit_coding(column)
    assert not coding.automaton.accepts([MISSING])
    assert not any(MISSING in row for row in coding.automaton.transitions)
    values, missing = column.encode(series) if kind != "categories" else (np.array([0, 2]), np.zeros(2, dtype=bool))
    assert not coding.decode(coding.encode(values, missing), np.random.default_rng(0))[1].any()


@pytest.mark.parametrize("values", [[-3, 0, 12], [0, 5, 100], [-200, -100], [7, 7]])
@pytest.mark.parametrize("holed", [False, True])
def test_digits_spell_every_number_of_the_range_and_no_other(values: list[int], holed: bool) -> None:
    column = Column.from_series(pd.Series([*values, *([None] if holed else [])], dtype="Int64"), "x")
    coding = digit_coding(column)
    texts = list(accepted(coding.automaton.transitions, coding.automaton.accepting))
    decoded, missing = coding.decode(padded(texts), np.random.default_rng(0))
    assert column.grid is not None
    grid = column.grid
    legal = list(range(int(grid.minimum), int(grid.maximum) + 1, grid.step))
    assert sorted(decoded[~missing].tolist()) == legal
    assert missing.sum() == holed


def accepted(transitions: Any, accepting: frozenset[int], state: int = 0) -> Any:
    """Every sequence of an automaton."""
    if state in accepting:
        yield []
    for symbol, following in transitions[state].items():
        yield from ([symbol, *rest] for rest in accepted(transitions, accepting, following))


def test_a_missing_cell_of_a_column_without_missing_has_no_tokens() -> None:
    assert CategoryCoding(FIRST, 3, None).encode(np.array([0]), np.ones(1, dtype=bool)).tolist() == [[NO_TOKEN]]


@pytest.mark.parametrize(
    ("sequences", "stacked"),
    [([[1], [2, 3]], [[1, -1], [2, 3]]), ([], []), ([[4, 5]], [[4, 5]]), ([[]], [[-1]])],
)
def test_token_lists_are_stacked_to_the_longest(sequences: list[list[int]], stacked: list[list[int]]) -> None:
    assert padded(sequences).tolist() == stacked
    assert padded(sequences).shape == (len(sequences), max(map(len, stacked), default=1))


def test_no_legal_value_is_the_beginning_of_another() -> None:
    column = Column.from_series(pd.Series([1, 30, None], dtype="Int64"), "x")
    automaton = digit_coding(column).automaton
    texts = [tuple(text) for text in accepted(automaton.transitions, automaton.accepting)]
    assert not any(b[: len(a)] == a for a, b in itertools.permutations(texts, 2))


INSIDE = {character: 10 + i for i, character in enumerate("0123456789-.T:e")}
SPACED = {character: 40 + i for i, character in enumerate("0123456789-.T:e")}
SEPARATOR = 1
GONE = (2, 3, SEPARATOR)

RNG = np.random.default_rng(0)


def number_coding(column: Column, first: Mapping[str, int] = INSIDE) -> NumberTextCoding:
    """As the vocabulary makes it: with the characters of the column alone."""
    letters = column_characters(column)
    inside, beginning = ({letter: tokens[letter] for letter in letters} for tokens in (INSIDE, first))
    return NumberTextCoding(column, inside, beginning, SEPARATOR, GONE if column.has_missing else None)


def texts(coding: NumberTextCoding) -> list[str]:
    """Every legal text, missing left out."""
    names = {token: character for tokens in (INSIDE, SPACED) for character, token in tokens.items()}
    legal = accepted(coding.automaton.transitions, coding.automaton.accepting)
    return ["".join(names[token] for token in value[:-1]) for value in legal if tuple(value) != GONE]


@pytest.mark.parametrize("first", [INSIDE, SPACED])
@given(case=number_columns())
def test_numbers_and_times_come_back_exactly(first: dict[str, int], case: tuple[Column, pd.Series[Any]]) -> None:
    column, series = case
    expect_same(column, series, round_trip(number_coding(column, first), *column.encode(series)))


@pytest.mark.parametrize("first", [INSIDE, SPACED])
@given(case=number_columns(may_miss=False))
def test_the_text_of_missing_is_legal_only_where_training_had_it(
    first: dict[str, int], case: tuple[Column, pd.Series[Any]]
) -> None:
    column, series = case
    coding = number_coding(column, first)
    assert not coding.automaton.accepts(GONE)
    assert not any(GONE[0] in row for row in coding.automaton.transitions)
    assert not coding.decode(coding.encode(*column.encode(series)), RNG)[1].any()


@pytest.mark.parametrize(
    ("values", "legal"),
    [
        ([-3, 0, 5], [str(number) for number in range(-3, 6)]),
        ([98, 102], ["98", "99", "100", "101", "102"]),
        ([0.5, -0.25], [f"{units / 100:.2f}" for units in range(-25, 51)]),
        ([1200.0, 900.0, None], ["900", "1000", "1100", "1200"]),
        (
            pd.to_datetime(["2024-02-28", "2024-02-29", "2024-03-02"]),
            ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"],
        ),
    ],
)
@pytest.mark.parametrize("first", [INSIDE, SPACED])
def test_every_text_of_the_range_is_legal_and_no_other(first: dict[str, int], values: Any, legal: list[str]) -> None:
    coding = number_coding(Column.from_series(pd.Series(values), "x"), first)
    assert sorted(texts(coding)) == sorted(legal)


def test_only_the_first_character_is_written_with_its_space() -> None:
    coding = number_coding(Column.from_series(pd.Series([-3, -2, 55]), "x"), SPACED)
    encoded = coding.encode(np.array([55, -2]), np.zeros(2, dtype=bool))
    assert encoded.tolist() == [[SPACED["5"], INSIDE["5"], SEPARATOR], [SPACED["-"], INSIDE["2"], SEPARATOR]]
    for row in coding.automaton.transitions[1:]:
        assert not set(row) & set(SPACED.values())
    assert not set(coding.automaton.transitions[0]) & set(INSIDE.values())


def test_numbers_between_steps_become_the_nearest_value_of_the_column() -> None:
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


@pytest.mark.parametrize("missing", [GONE, None])
def test_categories_of_several_tokens_come_back(missing: tuple[int, ...] | None) -> None:
    coding = CategoryTextCoding(CITIES, missing)
    codes, gaps = np.array([3, 0, 0, 1, 2]), np.array([False, missing is not None, False, False, False])
    decoded, gone = round_trip(coding, np.where(gaps, 0, codes), gaps)
    assert decoded.tolist() == np.where(gaps, 0, codes).tolist()
    assert gone.tolist() == gaps.tolist()


@pytest.mark.parametrize("missing", [GONE, None])
def test_the_spellings_of_categories_are_legal_and_no_other(missing: tuple[int, ...] | None) -> None:
    automaton = CategoryTextCoding(CITIES, missing).automaton
    legal = {tuple(value) for value in accepted(automaton.transitions, automaton.accepting)}
    assert legal == {*CITIES, *([] if missing is None else [missing])}


@pytest.mark.parametrize(
    "coding", [CategoryTextCoding(CITIES, GONE), number_coding(Column.from_series(pd.Series([1, 7]), "x"))]
)
def test_no_rows_make_no_values(coding: Any) -> None:
    none = np.empty(0, dtype=np.int64)
    tokens = coding.encode(none, none.astype(bool))
    assert tokens.shape[0] == 0
    assert [len(part) for part in coding.decode(tokens, RNG)] == [0, 0]


CUTTER: Any = tokenizer("joined")
ANY_TEXT = st.none() | st.text(st.characters(), max_size=40) | st.sampled_from(["", "a is b, c", '"', "\ud800", "👩"])
UNKNOWN = 4


def words(longest: int = 4) -> FreeTextCoding:
    return FreeTextCoding({"hot": 5, "soup": 6, ",": 7}, UNKNOWN, MISSING, longest)


def subwords(known: str, longest: int = 12) -> FreeSubwordCoding:
    """A coding of a table that uses the tokens of one text."""
    numbers = {token: 10 + i for i, token in enumerate(CUTTER.encode(known, add_special_tokens=False))}
    return FreeSubwordCoding(CUTTER, numbers, {}, SEPARATOR, (MISSING,), longest)


def said(coding: FreeSubwordCoding, tokens: list[int]) -> str:
    back = {number: token for token, number in coding.numbers.items()}
    text: str = CUTTER.decode([back[token] for token in tokens if token in back])
    return text


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hot soup", [5, 6]),
        ("hot borscht , SOUP", [5, UNKNOWN, 7, 6]),
        ("hot " * 1000, [5] * 4),
        ("👩 שלום", [UNKNOWN, UNKNOWN]),
        ("", [MISSING]),
        (" \n", [MISSING]),
        (None, [MISSING]),
        (float("nan"), [MISSING]),
        (pd.NA, [MISSING]),
    ],
)
def test_a_text_becomes_the_tokens_of_its_words(text: Any, tokens: list[int]) -> None:
    assert words().encode([text]).tolist() == [tokens]


def test_a_mask_makes_texts_missing() -> None:
    texts = np.array(["hot", "soup"], dtype=object)
    assert words().encode(texts, np.array([True, False])).tolist() == [[MISSING], [6]]


@pytest.mark.parametrize("texts", [pd.Series(["hot", None]), pd.Series(["hot", None], dtype="string"), ("hot", None)])
def test_columns_of_pandas_are_texts(texts: Any) -> None:
    assert words().encode(texts).tolist() == [[5], [MISSING]]


def test_a_tokenizer_cuts_words_itself_and_the_separator_ends_each_text() -> None:
    coding = subwords(" visits is Oslo")
    tokens = coding.encode(["visits is  Oslo"])[0].tolist()
    assert tokens[-1] == SEPARATOR
    assert said(coding, tokens) == " visits is Oslo"


def test_parts_of_words_that_the_table_does_not_use_are_left_out() -> None:
    coding = subwords(" Oslo")
    assert said(coding, coding.encode(["Oslo 👩 Narvik"])[0].tolist()) == " Oslo"
    assert subwords("").encode(["👩"]).tolist() == [[SEPARATOR]]


@pytest.mark.parametrize("text", ["", " ", None, "\x00"])
def test_a_missing_text_has_tokens_of_its_own(text: str | None) -> None:
    assert subwords(" Oslo").encode([text]).tolist() == [[MISSING, SEPARATOR]]


def test_known_words_are_not_cut_again() -> None:
    coding = FreeSubwordCoding(CUTTER, {}, {" Oslo": (8, 9)}, SEPARATOR, (MISSING,), 12)
    assert coding.encode(["Oslo Oslo"]).tolist() == [[8, 9, 8, 9, SEPARATOR]]


@given(st.lists(ANY_TEXT, min_size=1, max_size=4), st.integers(1, 9))
def test_any_text_takes_one_token_or_more_and_never_more_than_the_longest(
    texts: Sequence[str | None], longest: int
) -> None:
    for coding in (words(longest), subwords(" Oslo, a is b 👩", longest)):
        tokens = coding.encode(texts)
        assert tokens.shape[1] <= longest
        assert (tokens[:, 0] >= 0).all()
        for row in (tokens >= 0).tolist():
            assert row == sorted(row, reverse=True)


@pytest.mark.parametrize("coding", [words(), subwords(" Oslo")])
def test_texts_are_never_decoded_and_no_value_is_legal(coding: GivenCoding) -> None:
    with pytest.raises(InvalidInputError, match="cannot be decoded into values"):
        coding.decode(coding.encode(["hot"]), np.random.default_rng(0))
    assert not coding.automaton.accepts([])
    assert not coding.automaton.accepts(coding.encode(["hot"])[0].tolist())


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("One. Two thr", "One. Two"),
        ("One, two. Thr", "One, two."),
        ("One two", "One"),
        ("Onetw", "Onetw"),
        ("薬は効く。と", "薬は効く。"),
    ],
)
def test_a_text_that_breaks_off_ends_behind_a_sentence_or_a_word(text: str, whole: str) -> None:
    assert _whole_part(text) == whole
