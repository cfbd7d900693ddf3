"""Values become legal tokens and come back: exactly, or inside their bin and on the column's lattice."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.sentences.quantile_bins import QuantileBins
from imbllm_autogluon.sentences.value_codings import (
    NO_TOKEN,
    BinCoding,
    CategoryCoding,
    DigitCoding,
    ValueCoding,
    padded,
)
from imbllm_autogluon.tables import Column

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
    assert column.lattice is not None
    units = column.lattice.to_units(column.lattice.snap(values[~missing]))
    bins = QuantileBins.fit(units, np.ones(len(units)), max_bins)
    return BinCoding(FIRST, bins, column.lattice, MISSING if column.has_missing else None)


def digit_coding(column: Column) -> DigitCoding:
    assert column.lattice is not None
    return DigitCoding(column.lattice, SYMBOLS, MISSING if column.has_missing else None)


def round_trip(coding: ValueCoding, values: Any, missing: Any, seed: int = 0) -> tuple[Any, Any]:
    tokens = coding.encode(values, missing)
    assert tokens.dtype == np.int64
    for row in tokens.tolist():
        assert coding.automaton.accepts([token for token in row if token != NO_TOKEN])
    return coding.decode(tokens, np.random.default_rng(seed))


def expect_same(column: Column, series: pd.Series[Any], decoded: tuple[Any, Any]) -> None:
    """The decoded cells are the series' own, on the lattice; 0 stands where a cell is missing."""
    values, missing = column.encode(series)
    assert column.lattice is not None
    assert decoded[0].dtype == values.dtype
    assert decoded[0].tolist() == np.where(missing, 0, column.lattice.snap(values)).tolist()
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
def test_shared_bins_give_values_of_the_bin_on_the_lattice_and_in_range(
    case: tuple[Column, pd.Series[Any]], max_bins: int, seed: int
) -> None:
    column, series = case
    coding, (values, missing) = bin_coding(*case, max_bins), column.encode(series)
    decoded, gone = round_trip(coding, values, missing, seed)
    assert gone.tolist() == missing.tolist()
    assert column.lattice is not None
    known = decoded[~gone]
    assert known.dtype == values.dtype
    assert known.tolist() == column.lattice.snap(known).tolist()
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
    assert column.lattice is not None
    lattice = column.lattice
    legal = list(range(int(lattice.minimum), int(lattice.maximum) + 1, lattice.step))
    assert sorted(decoded[~missing].tolist()) == legal
    assert missing.sum() == holed


def accepted(transitions: Any, accepting: frozenset[int], state: int = 0) -> Any:
    """Every sequence of an automaton."""
    if state in accepting:
        yield []
    for symbol, following in transitions[state].items():
        yield from ([symbol, *rest] for rest in accepted(transitions, accepting, following))


def test_bins_and_categories_are_one_token_each() -> None:
    series = pd.Series([1.5, 2.5, None])
    column = Column.from_series(series, "x")
    coding = bin_coding(column, series, 9)
    assert coding.encode(*column.encode(series)).tolist() == [[FIRST], [FIRST + 1], [MISSING]]
    codes = CategoryCoding(FIRST, 3, None).encode(np.array([2, 0]), np.zeros(2, dtype=bool))
    assert codes.tolist() == [[FIRST + 2], [FIRST]]


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
