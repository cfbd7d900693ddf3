"""User strings never act as syntax, and different values never share a text."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.sentences.texts import MISSING, QUOTED_PATTERN, distinct_texts, is_bare, quoted

any_text = st.text(st.characters(), max_size=20) | st.text('", is\\#0un\n\ud83d\ude00', max_size=12)


@pytest.mark.parametrize("text", ["red", "never married", "<=50K", "x=1", "Genève", "日本", "this", "it's", "50%"])
def test_ordinary_words_stand_bare(text: str) -> None:
    assert is_bare(text)


@pytest.mark.parametrize(
    "text", ["", " ", "a,b", 'a"b', "x is y", "is", "a is", "is a", " a", "a ", "a\nb", "\x00", "\ud800", "a\u2028b"]
)
def test_words_that_could_be_syntax_are_quoted(text: str) -> None:
    assert not is_bare(text)


@given(any_text)
def test_a_quoted_text_is_one_printable_encodable_json_string(text: str) -> None:
    written = quoted(text)
    assert re.fullmatch(QUOTED_PATTERN, written)
    assert written.encode("utf-8")
    assert "\n" not in written
    assert json.loads(written) == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_surrogates_that_look_like_a_pair_are_not_the_character_they_would_make() -> None:
    assert quoted("\ud83d" + "\ude00") != quoted("\U0001f600")


values = st.one_of(any_text, st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=3), st.dates())


@given(st.lists(values | st.sampled_from(["1", "True", "missing", "1.0", 1, True, 1.0, "None", None]), max_size=8))
def test_different_values_have_different_texts(drawn: list[object]) -> None:
    different = list({(type(value), value): value for value in drawn}.values())
    assert len(set(distinct_texts(different, {MISSING}))) == len(different)


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
        ([date(2024, 1, 2)], ("2024-01-02",)),
    ],
)
def test_texts_say_what_kind_of_value_they_stand_for_only_where_needed(
    given_values: list[object], texts: tuple[str, ...]
) -> None:
    assert distinct_texts(given_values, {MISSING}) == texts
