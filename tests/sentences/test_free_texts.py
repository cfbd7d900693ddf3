"""Columns of free text: which words they know, how texts become tokens, and that nothing is written there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.free_texts import (
    FreeSubwordCoding,
    FreeTextCoding,
    GivenCoding,
    TextColumn,
    clause_names,
)
from imbllm_autogluon.tables import TableSchema
from tests.language.pretrained import tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

CUTTER: Any = tokenizer("joined")
ANY_TEXT = st.none() | st.text(st.characters(), max_size=40) | st.sampled_from(["", "a is b, c", '"', "\ud800", "👩"])
UNKNOWN, MISSING, SEPARATOR = 1, 2, 3


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


def test_the_words_of_most_rows_come_first_in_small_letters() -> None:
    column = TextColumn.fit("note", ["Soup soup soup", "hot soup", "Hot, hot!", None, ""])
    assert column.words == ("hot", "soup", "!", ",")
    assert column.raw_words == (" hot", " soup", " Hot", " Soup", "!", ",")


@pytest.mark.parametrize(("n_rows", "words"), [(49, ("common", "once")), (50, ("common",))])
def test_a_word_of_one_row_counts_in_small_folds_alone(n_rows: int, words: tuple[str, ...]) -> None:
    texts = ["common", "common once", *[None] * (n_rows - 2)]
    assert TextColumn.fit("note", texts).words == words


def test_a_word_twice_in_one_row_is_still_of_one_row() -> None:
    assert TextColumn.fit("note", ["twice twice", *["often"] * 60]).words == ("often",)


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


@given(st.lists(ANY_TEXT, max_size=5))
def test_a_stored_column_is_the_same(texts: list[str | None]) -> None:
    column = TextColumn.fit("a, b", texts)
    assert TextColumn.from_dict(json.loads(json.dumps(column.to_dict()))) == column


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


def test_texts_of_different_lengths_are_padded_to_the_longest_of_them() -> None:
    encoded = words().encode(["hot", "hot soup", None])
    assert encoded.dtype == np.int64
    assert encoded.tolist() == [[5, -1], [5, 6], [MISSING, -1]]


def test_a_mask_makes_texts_missing() -> None:
    texts = np.array(["hot", "soup"], dtype=object)
    assert words().encode(texts, np.array([True, False])).tolist() == [[MISSING], [6]]


def test_no_texts_are_no_tokens() -> None:
    assert words().encode([]).shape == (0, 1)


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
    with pytest.raises(InvalidInputError, match="read and never written"):
        coding.decode(coding.encode(["hot"]), np.random.default_rng(0))
    assert not coding.automaton.accepts([])
    assert not coding.automaton.accepts(coding.encode(["hot"])[0].tolist())


def test_names_of_texts_stand_between_features_and_label_and_differ_from_them() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"age": [1, 2], "note": [3, 4], "sick": ["no", "yes"]}), "sick")
    texts = [TextColumn(name, (), 4) for name in ("note", "a, b", "note", "sick")]
    names = clause_names(schema, texts)
    assert len(set(names)) == 7
    assert (names[0], names[3]) == ("age", '"a, b"')
    assert clause_names(schema, [TextColumn("text", (), 4)]) == ("age", "note", "text", "sick")
