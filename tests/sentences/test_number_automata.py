"""Number automata accept the texts of a lattice's numbers, no other text, with few states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.number_automata import decimal_numbers, decimal_range, fixed_width_range, unit_text
from imbllm_autogluon.tables import NumberLattice

if TYPE_CHECKING:
    from imbllm_autogluon.sentences.automaton import Automaton

SYMBOLS = {character: symbol for symbol, character in enumerate("0123456789-.")}


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


@given(st.integers(-300, 300), st.integers(0, 400), st.integers(0, 3), st.sampled_from([1, 2, 7, 10, 20, 100, 250]))
def test_small_ranges_hold_exactly_their_numbers(low: int, width: int, decimals: int, step: int) -> None:
    automaton = decimal_range(low, low + width, decimals, SYMBOLS, step=step)
    expected = [unit_text(unit, decimals) for unit in range(low, low + width + 1, step)]
    assert sorted(language(automaton)) == sorted(expected)


@given(st.integers(-9, 9), st.integers(0, 40), st.sampled_from([10, 30, 100, 700, 5000]))
def test_round_numbers_hold_exactly_their_zeros(first: int, count: int, step: int) -> None:
    low = first * step
    automaton = decimal_range(low, low + count * step, 0, SYMBOLS, step=step)
    assert sorted(language(automaton)) == sorted(str(low + i * step) for i in range(count + 1))


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**15), st.integers(0, 9), st.data())
def test_large_ranges_end_at_their_bounds(low: int, width: int, decimals: int, data: st.DataObject) -> None:
    high = low + width
    automaton = decimal_range(low, high, decimals, SYMBOLS)
    inside = data.draw(st.integers(low, high))
    assert all(accepts(automaton, unit_text(unit, decimals)) for unit in (low, inside, high))
    assert not any(accepts(automaton, unit_text(unit, decimals)) for unit in (low - 1, high + 1))
    assert automaton.n_states <= 8 * 17


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6), st.integers(2, 60), st.data())
def test_numbers_between_the_steps_are_refused(low: int, count: int, step: int, data: st.DataObject) -> None:
    automaton = decimal_range(low, low + count * step, 0, SYMBOLS, step=step)
    on_step = low + data.draw(st.integers(0, count - 1)) * step
    assert accepts(automaton, str(on_step))
    assert not accepts(automaton, str(on_step + data.draw(st.integers(1, step - 1))))


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
def test_continuous_numbers_have_the_decimals_of_their_lattice(
    values: list[float], inside: list[str], outside: list[str]
) -> None:
    numbers = decimal_numbers(NumberLattice.of_floats(np.array(values)), SYMBOLS)
    assert all(accepts(numbers, text) for text in inside)
    assert not any(accepts(numbers, text) for text in outside)


def test_integers_keep_the_step_and_offset_of_their_lattice() -> None:
    lattice = NumberLattice.of_integers(np.array([-7, -2, 13]))
    assert sorted(language(decimal_numbers(lattice, SYMBOLS)), key=int) == ["-7", "-2", "3", "8", "13"]


def test_all_of_int64_takes_few_states() -> None:
    numbers = decimal_range(-(2**63), 2**63 - 1, 0, SYMBOLS)
    assert numbers.n_states < 80
    assert accepts(numbers, str(2**63 - 1))
    assert not accepts(numbers, str(2**63))


def test_large_steps_are_listed_where_few_and_bounded_by_the_range_where_many() -> None:
    listed = decimal_range(1, 10 * 12345 + 1, 0, SYMBOLS, step=12345)
    assert len(language(listed)) == 11
    ranged = decimal_range(1, 10**6 * 12345 + 1, 0, SYMBOLS, step=12345)
    assert accepts(ranged, "2")
    assert not accepts(ranged, str(10**6 * 12345 + 2))


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


def test_a_fixed_width_range_from_above_to_below_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="got 2 and 1"):
        fixed_width_range(2, 1, SYMBOLS)


def test_a_range_from_above_to_below_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="got 2 and 1 units"):
        decimal_range(2, 1, 0, SYMBOLS)
