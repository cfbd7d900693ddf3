"""The automaton of a column accepts what the writer writes, and nothing that cannot be read back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.sentences.automata import Automaton, characters, column_characters, column_values, spell
from imbllm_autogluon.sentences.cell_texts import cell_text
from imbllm_autogluon.sentences.texts import MISSING
from imbllm_autogluon.tables import Column

from .tables import columns


def automaton_of(column: Column) -> tuple[Automaton, dict[str, int]]:
    symbols = characters([column_characters(column)])
    return column_values(column, symbols), symbols


def accepts(automaton: Automaton, symbols: dict[str, int], text: str) -> bool:
    return all(character in symbols for character in text) and automaton.accepts(spell(text, symbols))


def column_of(series: pd.Series) -> Column:
    try:
        column = Column.from_series(series, "c")
    except TableError:
        assume(False)
    assume(column.lattice is not None or column.categories)
    return column


def seen_texts(column: Column, series: pd.Series) -> list[str]:
    """Text of each cell, snapped to the lattice as the decoder's training rows are."""
    values, missing = column.encode(series)
    snapped = values if column.lattice is None else column.lattice.snap(values)
    write = cell_text(column).write
    return [MISSING if gone else write(value) for value, gone in zip(snapped, missing, strict=True)]


@given(columns(6))
def test_every_text_that_the_writer_writes_is_accepted(series: pd.Series) -> None:
    column = column_of(series)
    automaton, symbols = automaton_of(column)
    assert all(accepts(automaton, symbols, text) for text in seen_texts(column, series))


@given(columns(6), st.data())
def test_a_mutated_text_is_accepted_only_if_it_reads_back(series: pd.Series, data: st.DataObject) -> None:
    column = column_of(series)
    automaton, symbols = automaton_of(column)
    text = data.draw(st.sampled_from(seen_texts(column, series)))
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 2)))
    mutated = text[:start] + data.draw(st.text(sorted(symbols), max_size=2)) + text[stop:]
    if accepts(automaton, symbols, mutated):
        value = cell_text(column).read(mutated)
        assert mutated == MISSING or (value is not None and cell_text(column).write(value) == mutated)
        assert column.lattice is None or value is None or column.lattice.minimum <= value <= column.lattice.maximum


@given(columns(6), st.randoms(use_true_random=False))
def test_random_walks_through_the_tables_end_in_readable_texts(series: pd.Series, random: object) -> None:
    column = column_of(series)
    automaton, symbols = automaton_of(column)
    end = len(symbols)
    allowed, next_state = automaton.ended_by(end).tabulate(end + 1)
    character = {symbol: character for character, symbol in symbols.items()}
    text, state = "", 0
    while state != -1:
        symbol = int(random.choice(np.flatnonzero(allowed[state]).tolist()))  # type: ignore[attr-defined]
        text += character.get(symbol, "")
        state = int(next_state[state, symbol])
    assert text == MISSING if cell_text(column).read(text) is None else text != MISSING


@pytest.mark.parametrize(
    ("series", "legal", "illegal"),
    [
        (pd.Series([18, 65, 20, 21]), ["18", "65", "40"], ["17", "66", "040", "missing", ""]),
        (pd.Series([0.5, None, 1.25]), ["0.50", "1.25", "missing"], ["0.49", "1.26", "1", "1.250", "nan"]),
        (pd.Series(["F", "M", None]), ["F", "M", "missing"], ["f", "FM", '"F"']),
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
def test_legal_values_are_accepted_and_illegal_ones_refused(
    series: pd.Series,
    legal: list[str],
    illegal: list[str],
) -> None:
    automaton, symbols = automaton_of(Column.from_series(series, "c"))
    assert [text for text in legal if not accepts(automaton, symbols, text)] == []
    assert [text for text in illegal if accepts(automaton, symbols, text)] == []


def test_state_counts_stay_small() -> None:
    rng = np.random.default_rng(0)
    numbers = Column.from_series(pd.Series(rng.normal(size=500)), "c")
    times = Column.from_series(pd.Series(rng.integers(0, 2**60, 500).astype("M8[ns]")), "c")
    assert automaton_of(numbers)[0].n_states < 60
    assert automaton_of(times)[0].n_states < 200


def test_free_text_has_no_automaton() -> None:
    column = Column.from_series(pd.Series(["a", "b"]), "note", kind="text")
    with pytest.raises(InvalidInputError, match="column 'note' of kind 'text' cannot be written"):
        column_values(column, {})


def test_a_character_without_symbol_is_refused_by_name() -> None:
    column = Column.from_series(pd.Series(["red", "blue"]), "colour")
    with pytest.raises(InvalidInputError, match=r"needs symbols for \['u'\]"):
        column_values(column, characters(["red", "ble"]))


def test_symbols_are_numbered_by_code_point() -> None:
    symbols = characters(["banana", "cab"])
    assert list(symbols) == sorted(symbols)
    assert all(second - first == 1 for first, second in pairwise(symbols.values()))
    assert spell("cab", symbols) == (symbols["c"], symbols["a"], symbols["b"])
