"""The automaton of a column accepts the texts of its legal values and no other, with few states."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imbllm_autogluon.encoding.numbers import (
    _date_range,
    _decimal_numbers,
    _whole_range,
    column_characters,
    decimal_range,
    fixed_width_range,
    present_values,
)
from imbllm_autogluon.encoding.text import category_texts, number_text, point_text, unit_text
from imbllm_autogluon.encoding.values import NumberTextCoding, _read_number
from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables import Column, NumberGrid
from tests.encoding.tables import columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.encoding.automata import Automaton


SYMBOLS = {character: symbol for symbol, character in enumerate("0123456789-.T:e")}


def accepts(automaton: Automaton, text: str) -> bool:
    return automaton.accepts([SYMBOLS[character] for character in text])


def language(automaton: Automaton) -> list[str]:
    """Every accepted text."""
    character = {symbol: character for character, symbol in SYMBOLS.items()}
    found, waiting = [], [(0, "")]
    while waiting:
        state, text = waiting.pop()
        if state in automaton.accepting:
            found.append(text)
        waiting += [(following, text + character[s]) for s, following in automaton.transitions[state].items()]
    return found


@given(st.integers(-300, 300), st.integers(0, 400), st.integers(0, 3))
def test_small_ranges_hold_exactly_their_numbers(low: int, width: int, decimals: int) -> None:
    automaton = decimal_range(low, low + width, decimals, SYMBOLS)
    assert sorted(language(automaton)) == sorted(unit_text(unit, decimals) for unit in range(low, low + width + 1))


@given(st.integers(-9, 9), st.integers(0, 40), st.sampled_from([10, 100, 1000, 5000, 70]))
def test_whole_numbers_end_in_the_zeros_of_their_step(first: int, count: int, step: int) -> None:
    low, zeros = first * step, 10 ** (len(str(step)) - 1)
    automaton = _whole_range(low, low + count * step, step, SYMBOLS)
    found, tens = set(map(int, language(automaton))), 10
    while low % (10 * tens) == 0 and step % (10 * tens) == 0:
        tens *= 10
    assert found == set(range(low, low + count * step + 1, tens))
    assert tens >= min(zeros, 10)


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**15), st.integers(0, 9), st.data())
def test_large_ranges_end_at_their_bounds(low: int, width: int, decimals: int, data: st.DataObject) -> None:
    high = low + width
    automaton = decimal_range(low, high, decimals, SYMBOLS)
    inside = data.draw(st.integers(low, high))
    assert all(accepts(automaton, unit_text(unit, decimals)) for unit in (low, inside, high))
    assert not any(accepts(automaton, unit_text(unit, decimals)) for unit in (low - 1, high + 1))
    assert automaton.n_states <= 8 * 17


@pytest.mark.parametrize("text", ["", "-", "1", "01.5", "1.", ".5", "1.50", "+1.5", "-0.0", "--1.0", "1.5.0", "1-.5"])
def test_other_spellings_are_refused(text: str) -> None:
    symbols = SYMBOLS | {"+": len(SYMBOLS)}
    numbers = decimal_range(-50, 50, 1, symbols)
    assert not numbers.accepts([symbols[character] for character in text])


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        ([-0.5, 19.99], ["-0.50", "0.00", "19.99"], ["-0.51", "20.00", "7", "7.5"]),
        ([1200.0, 99900.0], ["1200", "99900"], ["1250", "1100", "1200.0", "100000"]),
        ([-3e6, 0.0], ["-3000000", "-1000000", "0"], ["1000000", "-4000000", "-1500000", "-0", "0000000"]),
        ([0.0, 0.0], ["0"], ["1", "00"]),
    ],
)
def test_continuous_numbers_have_the_decimals_of_their_grid(
    values: list[float], inside: list[str], outside: list[str]
) -> None:
    numbers = _decimal_numbers(NumberGrid.of_floats(np.array(values)), SYMBOLS)
    assert all(accepts(numbers, text) for text in inside)
    assert not any(accepts(numbers, text) for text in outside)


@pytest.mark.parametrize(("low", "high"), [(-2.3, 41.0), (0.04, 1.0), (-70.0, -0.1), (0.0, 0.099)])
def test_numbers_of_so_many_digits_have_exactly_the_texts_of_their_points(low: float, high: float) -> None:
    grid = NumberGrid(low, high, decimals=3, digits=2)
    points = range(int(grid.to_units(low)), int(grid.to_units(high)) + 1)
    texts = [point_text(grid, unit) for unit in points]
    assert sorted(language(_decimal_numbers(grid, SYMBOLS))) == sorted(texts)
    assert [float(text) for text in texts] == grid.from_units(points).tolist()


def test_all_of_int64_takes_few_states() -> None:
    numbers = decimal_range(-(2**63), 2**63 - 1, 0, SYMBOLS)
    assert numbers.n_states < 80
    assert accepts(numbers, str(2**63 - 1))
    assert not accepts(numbers, str(2**63))


def test_only_the_needed_characters_need_symbols() -> None:
    digits = {character: SYMBOLS[character] for character in "0123456789"}
    assert accepts(decimal_range(0, 12, 0, digits), "11")
    with pytest.raises(InvalidInputError, match=r"absent: \['-', '\.'\]"):
        decimal_range(-1, 12, 1, digits)


@given(st.integers(-2000, 2000), st.integers(0, 3000))
def test_fixed_width_ranges_hold_exactly_their_numbers_in_one_width(low: int, width: int) -> None:
    texts = language(fixed_width_range(low, low + width, SYMBOLS))
    assert sorted(map(int, texts)) == list(range(low, low + width + 1))
    assert {len(text) for text in texts} == {max(len(str(low)), len(str(low + width)))}


@pytest.mark.parametrize(("low", "high"), [(-(2**63), 2**63 - 1), (-(2**62), -3), (7, 10**18)])
def test_wide_fixed_width_ranges_end_at_their_bounds(low: int, high: int) -> None:
    numbers, width = fixed_width_range(low, high, SYMBOLS), max(len(str(low)), len(str(high)))
    assert numbers.n_states < 120
    inside = [accepts(numbers, str(number).zfill(width)) for number in (low, high, low + 1, high - 1)]
    outside = [accepts(numbers, str(number).zfill(width)) for number in (low - 1, high + 1)]
    assert (inside, outside) == ([True] * 4, [False] * 2)


@pytest.mark.parametrize("make", [lambda: fixed_width_range(2, 1, SYMBOLS), lambda: decimal_range(2, 1, 0, SYMBOLS)])
def test_a_range_from_above_to_below_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidInputError, match="got 2 and 1 units"):
        make()


DAY = datetime.timedelta(days=1)
dates = st.dates(datetime.date(1, 1, 2), datetime.date(9999, 12, 30))


@given(dates, dates, st.data())
def test_exactly_the_days_between_the_bounds_are_accepted(
    one: datetime.date, other: datetime.date, data: st.DataObject
) -> None:
    low, high = sorted([one, other])
    days = _date_range(low.isoformat(), high.isoformat(), SYMBOLS)
    assert all(accepts(days, day.isoformat()) for day in (low, high, data.draw(st.dates(low, high))))
    assert not any(accepts(days, day.isoformat()) for day in (low - DAY, high + DAY))


def test_each_of_1200_days_and_no_other_text_of_that_form_is_accepted() -> None:
    low, high = datetime.date(1899, 1, 15), datetime.date(1902, 4, 28)
    days = _date_range(low.isoformat(), high.isoformat(), SYMBOLS)
    forms = (f"{y}-{m:02}-{d:02}" for y in range(1898, 1904) for m in range(14) for d in range(34))
    accepted = [text for text in forms if accepts(days, text)]
    assert accepted == [(low + i * DAY).isoformat() for i in range((high - low).days + 1)]


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("2000-02-29", True),
        ("1900-02-29", False),
        ("2023-02-29", False),
        ("2024-04-31", False),
        ("2024-00-10", False),
        ("2024-13-10", False),
        ("2024-1-10", False),
        ("0000-01-01", False),
    ],
)
def test_the_calendar_decides(text: str, legal: bool) -> None:
    assert accepts(_date_range("0001-01-01", "9999-12-31", SYMBOLS), text) == legal


moments = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))


@given(moments, moments, moments)
def test_times_are_compared_to_the_microsecond(
    one: datetime.datetime, other: datetime.datetime, third: datetime.datetime
) -> None:
    low, high = sorted([one, other])
    times = _date_range(low.isoformat(timespec="microseconds"), high.isoformat(timespec="microseconds"), SYMBOLS)
    assert accepts(times, third.isoformat(timespec="microseconds")) == (low <= third <= high)
    assert times.n_states < 250


@pytest.mark.parametrize("clock", ["24:00:00", "23:60:00", "23:59:60", "3:10:00"])
def test_hours_that_no_clock_shows_are_refused(clock: str) -> None:
    times = _date_range("2024-01-01T00:00:00", "2024-12-31T23:59:59", SYMBOLS)
    assert accepts(times, "2024-06-01T23:59:59")
    assert not accepts(times, f"2024-06-01T{clock}")


def automaton_of(column: Column) -> tuple[Automaton, dict[str, int]]:
    symbols = {character: symbol for symbol, character in enumerate(column_characters(column))}
    return present_values(column, symbols), symbols


def legal(automaton: Automaton, symbols: dict[str, int], text: str) -> bool:
    return all(c in symbols for c in text) and automaton.accepts([symbols[c] for c in text])


def text_of(column: Column, value: float) -> str:
    if column.is_category:
        return category_texts(column)[int(value)]
    return NumberTextCoding(column, {}, {}, 0, None)._text(value)


def column_of(series: pd.Series) -> Column:
    try:
        column = Column.from_series(series, "c")
    except TableError:
        assume(False)
    assume(column.grid is not None or column.categories)
    return column


def seen_texts(column: Column, series: pd.Series) -> list[str]:
    """Text of each cell that is not missing, snapped to the grid as the decoder's training rows are."""
    values, missing = column.encode(series)
    snapped = values if column.grid is None else column.grid.snap(values)
    return [text_of(column, value) for value in snapped[~missing].tolist()]


@given(columns(6))
def test_every_text_that_is_written_is_accepted(series: pd.Series) -> None:
    column = column_of(series)
    automaton, symbols = automaton_of(column)
    assert all(legal(automaton, symbols, text) for text in seen_texts(column, series))


@given(columns(6), st.data())
def test_a_mutated_text_is_accepted_only_if_it_reads_back(series: pd.Series, data: st.DataObject) -> None:
    column = column_of(series)
    automaton, symbols = automaton_of(column)
    assume(seen_texts(column, series))
    text = data.draw(st.sampled_from(seen_texts(column, series)))
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 2)))
    mutated = text[:start] + data.draw(st.text(sorted(symbols), max_size=2)) + text[stop:]
    if not legal(automaton, symbols, mutated):
        return
    if column.grid is None:
        assert mutated in category_texts(column)
    elif isinstance(column.grid.minimum, int):
        value = _read_number(column, mutated)
        assert column.grid.minimum <= value <= column.grid.maximum
        # Between the steps of a grid of times there are texts that say less than the time has.
        assert column.kind == "datetime" or number_text(column, value) == mutated
    else:
        assert column.grid.minimum <= float(mutated) <= column.grid.maximum


@pytest.mark.parametrize(
    ("series", "accepted", "refused"),
    [
        (pd.Series([18, 65, 20, 21]), ["18", "65", "40"], ["17", "66", "040", "missing", ""]),
        (pd.Series([0.5, None, 1.25]), ["0.50", "1.25"], ["missing", "0.49", "1.26", "1", "1.250", "nan"]),
        (pd.Series(["F", "M", None]), ["F", "M"], ["missing", "f", "FM", '"F"']),
        (pd.Series(["missing", "a, b"]), ['"missing"', '"a, b"'], ["missing", "a, b"]),
        (pd.Series([True, False]), ["True", "False"], ["true", "1"]),
        (
            pd.Series(pd.to_datetime(["2023-02-20", "2024-03-01"])),
            ["2023-02-20", "2024-02-29"],
            ["2023-02-29", "2023-02-19", "2024-02-29T00:00"],
        ),
        (
            pd.Series(pd.to_datetime(["2023-02-20 10:00", "2023-03-01 18:00"])),
            ["2023-02-20T10", "2023-02-28T23"],
            ["2023-02-20T09", "2023-02-20T24", "2023-02-20"],
        ),
        (
            pd.Series(np.array([-62135596801, 0], "M8[s]")),
            ["-62135596801", "1970-01-01T00:00:00"],
            ["0", "-62135596800", "-62135596802"],
        ),
        (
            pd.Series(np.array([0, 253402300800], "M8[s]")),
            ["9999-12-31", "253402300800"],
            ["253402300799", "9999-12-31T00"],
        ),
        (pd.Series(np.array([60, 600], "m8[s]")), ["60", "600"], ["59", "601", "0"]),
    ],
)
def test_legal_values_are_accepted_and_others_refused(
    series: pd.Series, accepted: list[str], refused: list[str]
) -> None:
    automaton, symbols = automaton_of(Column.from_series(series, "c"))
    assert [text for text in accepted if not legal(automaton, symbols, text)] == []
    assert [text for text in refused if legal(automaton, symbols, text)] == []


def test_state_counts_stay_small() -> None:
    rng = np.random.default_rng(0)
    numbers = Column.from_series(pd.Series(rng.normal(size=500)), "c")
    times = Column.from_series(pd.Series(rng.integers(0, 2**60, 500).astype("M8[ns]")), "c")
    assert automaton_of(numbers)[0].n_states < 60
    assert automaton_of(times)[0].n_states < 200


def test_free_text_has_no_automaton() -> None:
    column = Column.from_series(pd.Series(["a", "b"]), "note", kind="text")
    with pytest.raises(InvalidInputError, match="column 'note' of kind 'text' cannot be written"):
        present_values(column, {})


def test_a_character_without_symbol_is_refused_by_name() -> None:
    column = Column.from_series(pd.Series(["red", "blue"]), "colour")
    with pytest.raises(InvalidInputError, match=r"absent: \['u'\]"):
        present_values(column, dict.fromkeys("redbl", 0))
