"""The schema vocabulary: which tokens a table needs, and what they stand for."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences import PADDING, TextColumn
from imbllm_autogluon.sentences.value_codings import BinCoding, CategoryCoding, DigitCoding, Numbers
from imbllm_autogluon.sentences.vocabulary import DIGIT_SYMBOLS, SchemaVocabulary
from imbllm_autogluon.tables import TableSchema

FRAME = pd.DataFrame(
    {
        "age": [61, 35, 48, 35],
        "city": ["Oslo", None, "Bergen", "Oslo"],
        "income": [1.5, 2.25, None, 9.0],
        "member": [True, False, False, True],
        "since": pd.to_datetime(["2020-01-01", "2021-05-03", "2020-01-01", "2022-02-02"]),
        "sick": ["no", "yes", "no", "no"],
    }
)
NOTES = ["Hot soup, is it?", None, "hot", '"never"']


def vocabulary(numbers: Numbers = "bins", frame: pd.DataFrame = FRAME, max_bins: int = 32) -> SchemaVocabulary:
    schema = TableSchema.from_frame(frame, "sick")
    labels = schema.encode_label(frame["sick"])
    return SchemaVocabulary.fit(schema, schema.encode(frame), labels, numbers=numbers, max_bins=max_bins)


def test_a_token_for_each_column_category_bin_and_missing_value() -> None:
    assert vocabulary().encoding().token_names == (
        *("padding", "age is", "city is", "income is", "member is", "since is", "sick is"),
        *("age: bin 0", "age: bin 1", "age: bin 2"),
        *("city: missing", "city: Oslo", "city: Bergen"),
        *("income: missing", "income: bin 0", "income: bin 1", "income: bin 2"),
        *("member: True", "member: False"),
        *("since: bin 0", "since: bin 1", "since: bin 2"),
        *("sick: no", "sick: yes"),
    )


def test_digits_are_shared_by_all_numbers() -> None:
    encoding = vocabulary("digits").encoding()
    assert encoding.token_names[7 : 7 + len(DIGIT_SYMBOLS)] == DIGIT_SYMBOLS
    assert not any("bin" in name for name in encoding.token_names)
    digits = [coding for coding in encoding.codings if isinstance(coding, DigitCoding)]
    assert len(digits) == 3
    assert all(coding.symbols == digits[0].symbols for coding in digits)
    assert [encoding.token_names[digits[0].symbols[symbol]] for symbol in DIGIT_SYMBOLS] == list(DIGIT_SYMBOLS)


@pytest.mark.parametrize("numbers", ["bins", "digits"])
def test_every_clause_has_its_own_prefix_and_no_value_uses_the_padding(numbers: Numbers) -> None:
    encoding = vocabulary(numbers).encoding()
    assert encoding.prefixes == ((1,), (2,), (3,), (4,), (5,), (6,))
    assert encoding.token_names[PADDING] == "padding"
    used = [set(encoding.tables.clause_tokens(clause).tolist()) for clause in range(encoding.n_clauses)]
    assert min(set().union(*used)) > 6
    assert max(set().union(*used)) == encoding.n_tokens - 1


def test_tokens_say_what_they_would_be_in_a_sentence() -> None:
    encoding = vocabulary().encoding()
    said = dict(zip(encoding.token_names, encoding.token_texts, strict=True))
    assert said["padding"] == ""
    assert said["age is"] == " age is"
    assert said["city: missing"] == said["income: missing"] == " missing"
    assert said["city: Oslo"] == " Oslo"
    assert [said[f"age: bin {i}"] for i in range(3)] == [" 35", " 48", " 61"]
    assert [said["income: bin 0"], said["since: bin 1"]] == [" 1.50", " 2021-05-03"]
    digits = vocabulary("digits").encoding()
    assert [digits.token_texts[digits.token_names.index(symbol)] for symbol in DIGIT_SYMBOLS] == list(DIGIT_SYMBOLS)


def test_the_columns_of_the_bins_encoding_share_no_value_token() -> None:
    encoding = vocabulary().encoding()
    used = [token for clause in range(encoding.n_clauses) for token in encoding.tables.clause_tokens(clause).tolist()]
    assert sorted(used) == list(range(7, encoding.n_tokens))


def test_codings_follow_the_kinds_of_the_columns() -> None:
    kinds = [type(coding) for coding in vocabulary().encoding().codings]
    assert kinds == [BinCoding, CategoryCoding, BinCoding, CategoryCoding, BinCoding, CategoryCoding]


def test_a_rare_class_gets_as_many_bins_as_a_frequent_one() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.permutation(5000)[:980], 10_000 + np.arange(20) * 37])
    frame = pd.DataFrame({"x": values, "sick": ["no"] * 980 + ["yes"] * 20})
    bins = vocabulary(frame=frame, max_bins=16).bins[0]
    borders = bins.knots[bins.starts[:-1]]
    rare = int((borders >= 5000).sum())
    assert bins.n_bins <= 16
    assert 6 <= rare <= 9


def test_max_bins_limits_the_bins_of_every_column() -> None:
    assert max(bins.n_bins for bins in vocabulary(max_bins=2).bins.values()) == 2


def test_a_vocabulary_of_digits_learns_no_bins() -> None:
    assert vocabulary("digits").bins == {}


@pytest.mark.parametrize("numbers", ["bins", "digits"])
def test_a_stored_vocabulary_writes_the_same_tokens(numbers: Numbers) -> None:
    before = vocabulary(numbers)
    after = SchemaVocabulary.from_dict(json.loads(json.dumps(before.to_dict())))
    assert after.schema == before.schema
    assert after.encoding().token_names == before.encoding().token_names
    cells, labels = before.schema.encode(FRAME), before.schema.encode_label(FRAME["sick"])
    assert (
        after.encoding().encode(cells, labels).tokens.tolist()
        == before.encoding().encode(cells, labels).tokens.tolist()
    )
    rows = [
        v.encoding().decode(v.encoding().encode(cells, labels), np.random.default_rng(0))[0] for v in (before, after)
    ]
    assert rows[0].row_keys().tolist() == rows[1].row_keys().tolist()


def test_a_schema_without_label_is_refused() -> None:
    schema = TableSchema.from_frame(FRAME.drop(columns="sick"))
    with pytest.raises(InvalidInputError, match="needs a schema with a label"):
        dataclasses.replace(vocabulary(), schema=schema).encoding()


@pytest.mark.parametrize("name", ["a is", "", ", ", "x: missing", "label"])
def test_names_are_never_syntax(name: str) -> None:
    frame = FRAME.rename(columns={"age": name, "city": name + " is"})
    encoding = vocabulary(frame=frame).encoding()
    assert encoding.n_tokens == vocabulary().encoding().n_tokens
    assert encoding.prefixes[:2] == ((1,), (2,))


def test_an_instruction_adds_a_token_for_each_of_its_words_and_opens_every_sentence() -> None:
    plain = vocabulary().encoding()
    encoding = dataclasses.replace(vocabulary(), instruction="Is this  one this ill?").encoding()
    assert encoding.token_names == (*plain.token_names, "Is", "this", "one", "ill?")
    assert encoding.token_texts[plain.n_tokens :] == (" Is", " this", " one", " ill?")
    first = plain.n_tokens
    assert encoding.opening == (first, first + 1, first + 2, first + 1, first + 3)
    assert plain.opening == ()
    assert encoding.prefixes == plain.prefixes


def test_instruction_and_texts_are_learned_and_stored_with_the_vocabulary() -> None:
    schema = TableSchema.from_frame(FRAME, "sick")
    cells, labels = schema.encode(FRAME), schema.encode_label(FRAME["sick"])
    texts = (TextColumn.fit("note", NOTES),)
    fitted = SchemaVocabulary.fit(schema, cells, labels, instruction="Tell.", texts=texts)
    after = SchemaVocabulary.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert (after.instruction, after.texts) == ("Tell.", texts)
    rows = [v.encoding().encode(cells, labels, [NOTES]).tokens.tolist() for v in (fitted, after)]
    assert rows[0] == rows[1]
    assert fitted.encoding().token_names == after.encoding().token_names


@pytest.mark.parametrize("numbers", ["bins", "digits"])
def test_columns_of_text_share_a_token_for_each_word(numbers: Numbers) -> None:
    plain = vocabulary(numbers)
    texts = (TextColumn.fit("note", NOTES), TextColumn.fit("city", ["hot", "dog"], longest=3))
    encoding = dataclasses.replace(plain, texts=texts).encoding()
    before = plain.encoding()
    said = dict(zip(encoding.token_names, encoding.token_texts, strict=True))
    assert len(said) == encoding.n_tokens
    new = set(encoding.token_names) - set(before.token_names)
    assert {name for name in new if name.startswith("text: ")} == {
        *("text: missing", "text: unknown word"),
        *(f"text: {word}" for word in ("hot", "soup", ",", "is", "it", "?", '"', "never", "dog")),
    }
    assert (said["text: hot"], said["text: missing"], said["text: unknown word"]) == (" hot", " missing", " unknown")
    codings: list[Any] = list(encoding.codings)
    note, city = codings[5:7]
    assert note.encode(NOTES).shape == (4, 6)
    assert note.encode(["dog"]).tolist() == city.encode(["DOG"]).tolist()
    assert [encoding.token_names[p] for (p,) in encoding.prefixes[4:]] == [
        "since is",
        "note is",
        '"city"#6 is',
        "sick is",
    ]


def test_a_column_of_text_with_the_name_of_a_feature_has_a_prefix_of_its_own() -> None:
    encoding = dataclasses.replace(vocabulary(), texts=(TextColumn("city", ("a",), 4),)).encoding()
    names = [encoding.token_names[prefix] for (prefix,) in encoding.prefixes]
    assert names == ["age is", '"city"#1 is', "income is", "member is", "since is", '"city"#5 is', "sick is"]


@pytest.mark.parametrize("numbers", ["bins", "digits"])
def test_a_vocabulary_without_texts_writes_the_tokens_it_wrote_before_texts_were_read(numbers: Numbers) -> None:
    encoding = vocabulary(numbers).encoding()
    schema = vocabulary().schema
    tokens = encoding.encode(schema.encode(FRAME), schema.encode_label(FRAME["sick"])).tokens
    assert tokens.dtype == np.int64
    written = repr((encoding.token_names, encoding.token_texts, tokens.tolist())).encode()
    # Stored weights are numbered by these tokens.
    known = {"bins": "9b933045a4b02762", "digits": "cd2a343c41022288"}
    assert hashlib.sha256(written).hexdigest()[:16] == known[numbers]


def test_a_vocabulary_stored_before_texts_were_read_has_none() -> None:
    state = vocabulary().to_dict()
    del state["texts"]
    assert SchemaVocabulary.from_dict(state).texts == ()
