"""Names, cells and free texts as text: hostile strings are never syntax, values read back, words in every script."""

from __future__ import annotations

import datetime
import json
import unicodedata
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.encoding.text import (
    MISSING,
    TextColumn,
    _is_bare,
    _quoted,
    category_texts,
    cut_text,
    distinct_texts,
    number_text,
)
from imbllm_autogluon.encoding.values import _read_number
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables import Column

any_text = st.text(st.characters(), max_size=20) | st.text('", is\\#0un\n\ud83d\ude00', max_size=12)


@pytest.mark.parametrize("text", ["red", "never married", "<=50K", "x=1", "Genève", "日本", "this", "it's", "50%"])
def test_ordinary_words_stand_bare(text: str) -> None:
    assert _is_bare(text)


@pytest.mark.parametrize(
    "text", ["", " ", "a,b", 'a"b', "x is y", "is", "a is", "is a", " a", "a ", "a\nb", "\x00", "\ud800", "a\u2028b"]
)
def test_words_that_could_be_syntax_are_quoted(text: str) -> None:
    assert not _is_bare(text)


@given(any_text)
def test_a_quoted_text_is_one_printable_encodable_json_string(text: str) -> None:
    written = _quoted(text)
    assert written.isprintable() or any(ord(c) > 0xFFFF for c in written)
    assert written.encode("utf-8")
    assert "\n" not in written
    assert json.loads(written) == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_surrogates_that_look_like_a_pair_are_not_the_character_they_would_make() -> None:
    assert _quoted("\ud83d" + "\ude00") != _quoted("\U0001f600")


values = st.one_of(any_text, st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=3), st.dates())


@given(st.lists(values | st.sampled_from(["1", "True", "missing", "1.0", 1, True, 1.0, "None", None]), max_size=8))
def test_different_values_have_different_texts(drawn: list[object]) -> None:
    different = list({(type(value), value): value for value in drawn}.values())
    assert len(set(distinct_texts(different, MISSING))) == len(different)


class Loud(str):
    """A kind of string: the table tells it apart from a plain string of the same text."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("given_values", "texts"),
    [
        (["red", "blue"], ("red", "blue")),
        ([1, 2.5, True], ("1", "2.5", "True")),
        ([1, "1"], ("1", '"1"')),
        ([True, "True", "true"], ("True", '"True"', "true")),
        (["missing", "Missing"], ('"missing"', "Missing")),
        ([(1, 2), "(1, 2)"], ('"(1, 2)"#0', '"(1, 2)"#1')),
        (["a", Loud("a")], ('"a"#0', '"a"#1')),
        ([datetime.date(2024, 1, 2)], ("2024-01-02",)),
    ],
)
def test_texts_say_what_kind_of_value_they_stand_for_only_where_needed(
    given_values: list[object], texts: tuple[str, ...]
) -> None:
    assert distinct_texts(given_values, MISSING) == texts


def column_of(cells: Any) -> Column:
    return Column.from_series(pd.Series(cells), "c")


@pytest.mark.parametrize(
    ("cells", "value", "text"),
    [
        ([0.5, 1.25], 1.0, "1.00"),
        ([0.5, 1.25], 0.123, "0.123"),
        ([0.5, 1.25], -0.0, "0.00"),
        ([0.5, 1.25], -0.001, "-0.001"),
        ([0.5, 1.25], 1e300, "1e+300"),
        ([200.0, 1200.0], 300.0, "300"),
        ([200.0, 1200.0], 310.0, "310.0"),
        ([1, 2], 2**63 - 1, "9223372036854775807"),
        (np.array([0, 86400], "M8[s]"), 3 * 86400, "1970-01-04"),
        (np.array([0, 86400], "M8[s]"), 86400 + 3600, "1970-01-02T01"),
        (np.array([0, 86400], "M8[s]"), -1, "1969-12-31T23:59:59"),
        (np.array([60, 86400], "M8[s]"), 0, "1970-01-01T00:00"),
        (np.array([1, 86400], "M8[ms]"), 5, "1970-01-01T00:00:00.005"),
        (np.array([0, 1], "M8[ns]"), 2**62, "2116-02-20T23:53:38.427387904"),
        ([datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)], 0, "1970-01-01"),
        (np.array([0, 86400], "M8[s]"), 10**12, "1000000000000"),
        (np.array([1, 3], "m8[h]").astype("m8[s]"), 7200, "7200"),
    ],
)
def test_a_value_has_the_text_of_its_column_and_reads_back(cells: Any, value: float, text: str) -> None:
    column = column_of(cells)
    assert number_text(column, value) == text
    read = float(text) if column.kind == "continuous" else _read_number(column, text)
    assert read == value


def test_categories_have_texts_of_their_own_which_are_not_the_word_for_missing() -> None:
    assert category_texts(column_of([False, True, True])) == ("True", "False")
    assert category_texts(column_of(["missing", "a"])) == ('"missing"', "a")


@pytest.mark.parametrize("size", [1e-305, 1e-40, 1e-12, 1.0, 1e12, 1e40, 1e300])
def test_every_grid_point_of_numbers_of_any_size_has_a_text_of_its_own(size: float) -> None:
    values = np.random.default_rng(0).normal(size=50) * size
    column = column_of(values)
    assert column.grid is not None
    for point in column.grid.snap(values).tolist():
        assert float(number_text(column, point)) == point
        assert "e" not in number_text(column, point) or abs(column.grid.decimals) > 22 or column.grid.digits


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1e-200, 0.01, 1.0, 100.0, 1e200]))
def test_every_float_reads_back_whatever_the_grid(number: float, size: float) -> None:
    assert float(number_text(column_of([size, 3 * size]), number)) == number


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["s", "ms", "us", "ns"]))
def test_every_time_reads_back_whatever_the_unit(time: int, unit: str) -> None:
    column = column_of(np.array([0, 86400 * 1000], f"M8[{unit}]"))
    assert _read_number(column, number_text(column, time)) == time


CASES = {
    "punctuation and numbers are words": ("It's  4.5 km", [" It", "'", "s", " 4", ".", "5", " km"]),
    "quotes and syntax are words like others": (
        'say "hi", x is y',
        [" say", ' "', "hi", '"', ",", " x", " is", " y"],
    ),
    "letters and digits are apart": ("covid19 snake_case", [" covid", "19", " snake", "_", "case"]),
    "accents are composed": ("cafe\u0301 naïve", [" café", " naïve"]),
    "marks stay with their letters": ("हिन्दी भाषा", [" हिन्दी", " भाषा"]),
    "right to left, with vowel points": ("שָׁלוֹם עולם!", [f" {unicodedata.normalize('NFC', 'שָׁלוֹם')}", " עולם", "!"]),
    "Arabic behind a mark of direction": ("\u200fعيد سعيد", [" عيد", " سعيد"]),
    "Chinese and Japanese character by character": ("东京は ラーメン", [" 东", "京", "は", " ラ", "ー", "メ", "ン"]),
    "beyond the first plane": ("𠀋好", [" 𠀋", "好"]),
    "emoji are words, joiners are not": ("👨\u200d👩 ❤\ufe0f", [" 👨", "👩", " ❤\ufe0f"]),
    "controls are left out": ("a\x00b\x1b", [" a", "b"]),
    "a lone surrogate is a question mark": ("\ud800", [" ?"]),
    "any blank parts words": ("a\tb\u00a0c\u3000d\ne", [" a", " b", " c", " d", " e"]),
    "nothing": ("", []),
    "only blanks and marks of direction": (" \u200f\n\t ", []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_text_is_cut_into(case: str) -> None:
    text, words = CASES[case]
    assert list(cut_text(text)) == words


def test_words_without_end_are_cut() -> None:
    assert [len(word) for word in cut_text("a" * 70)] == [33, 32, 6]
    assert [len(word) for word in cut_text("7" * 70)] == [33, 32, 6]
    assert max(len(word) for word in cut_text("a" + "\u0301" * 100)) <= 33


def test_only_as_much_is_cut_as_is_read() -> None:
    assert list(islice(cut_text("x, " * 10**6), 3)) == [" x", ",", " x"]


@given(st.text())
def test_every_visible_character_of_a_text_is_kept_in_its_order(text: str) -> None:
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    visible = [c for c in clean if not c.isspace()]
    kept = [c for word in cut_text(text) for c in word.removeprefix(" ")]
    dropped = [c for c in visible if c not in kept]
    assert all(unicodedata.category(c) in {"Cc", "Cf"} for c in dropped)
    assert kept == [c for c in visible if c in kept]


@given(st.text())
def test_words_hold_no_blanks_and_can_be_encoded(text: str) -> None:
    for place, word in enumerate(cut_text(text)):
        bare = word.removeprefix(" ")
        assert bare
        assert not any(c.isspace() for c in bare)
        assert word.startswith(" ") or place > 0
        word.encode("utf-8")


def test_the_words_of_most_rows_come_first_in_small_letters() -> None:
    column = TextColumn.fit("note", ["Soup soup soup", "hot soup", "Hot, hot!", None, ""])
    assert column.words == ("hot", "soup", "!", ",")
    assert column.raw_words == (" hot", " soup", " Hot", " Soup", "!", ",")


@pytest.mark.parametrize(("n_rows", "words"), [(49, ("common", "once")), (50, ("common",))])
def test_a_word_of_one_row_counts_in_small_folds_alone(n_rows: int, words: tuple[str, ...]) -> None:
    texts = ["common", "common once", *[None] * (n_rows - 2)]
    assert TextColumn.fit("note", texts).words == words


def test_most_words_are_those_of_most_rows() -> None:
    assert TextColumn.fit("note", ["a b c", "b c", "c"], most_words=2).words == ("c", "b")


def test_words_behind_the_cut_are_not_learned() -> None:
    column = TextColumn.fit("note", ["one two three"], longest=2)
    assert column.words == ("one", "two")
    assert column.raw_words == (" one", " two")


@pytest.mark.parametrize("settings", [{"most_words": 0}, {"longest": 0}, {"longest": -3}])
def test_settings_below_one_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match="must be 1 or more; got"):
        TextColumn.fit("note", ["a"], **settings)


@pytest.mark.parametrize("texts", [[], [None, None], ["", " "]])
def test_a_column_without_words_knows_none(texts: list[str | None]) -> None:
    column = TextColumn.fit("note", texts)
    assert column.words == column.raw_words == ()


@given(st.lists(st.none() | st.text(st.characters(), max_size=40), max_size=5))
def test_a_stored_column_is_the_same(texts: list[str | None]) -> None:
    column = TextColumn.fit("a, b", texts)
    assert TextColumn.from_dict(json.loads(json.dumps(column.to_dict()))) == column
