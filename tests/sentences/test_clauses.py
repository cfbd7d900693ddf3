"""Sentences read as in the paper, and give back every cell whatever the strings in it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imbllm_autogluon.errors import SentenceError, TableError
from imbllm_autogluon.sentences.clauses import ClauseWriter, Reading
from imbllm_autogluon.sentences.orders import ORDERS, Order, draw_orders
from imbllm_autogluon.tables import TableSchema

from .tables import frames

PATIENTS = pd.DataFrame(
    {
        "age": [44, 61, 20],
        "TSH level": [1.5, 0.25, None],
        "sex": ["F", None, "missing"],
        "seen": pd.to_datetime(["2024-02-29", "2023-12-31", "2024-01-01"]),
        "on, drug": [True, False, True],
        "code": pd.Series([1, "1", "a, b"], dtype=object),
        "sick": ["no", "yes", "no"],
    }
)


@pytest.fixture(scope="module")
def writer() -> ClauseWriter:
    return ClauseWriter(TableSchema.from_frame(PATIENTS, label="sick"))


def schema_of(frame: pd.DataFrame) -> TableSchema:
    try:
        schema = TableSchema.from_frame(frame, label="sick")
    except TableError:
        assume(False)
    return schema


def test_an_ordinary_row_reads_as_in_the_paper(writer: ClauseWriter) -> None:
    cells = writer.schema.encode(PATIENTS)
    order = [6, 2, 0, 1, 3]
    assert writer.write(cells, 0, 0, order) == "sick is no, sex is F, age is 44, TSH level is 1.50, seen is 2024-02-29"


def test_what_could_be_syntax_is_written_in_quotes(writer: ClauseWriter) -> None:
    cells = writer.schema.encode(PATIENTS)
    sentences = [writer.write(cells, row, None, [1, 2, 4, 5]) for row in range(3)]
    assert sentences == [
        'TSH level is 1.50, sex is F, "on, drug" is True, code is 1',
        'TSH level is 0.25, sex is missing, "on, drug" is False, code is "1"',
        'TSH level is missing, sex is "missing", "on, drug" is True, code is "a, b"',
    ]


@given(frames(), st.sampled_from(ORDERS), st.integers(0, 9))
def test_reading_what_was_written_gives_the_same_cells(frame: pd.DataFrame, order: Order, seed: int) -> None:
    schema = schema_of(frame)
    writer, cells, labels = ClauseWriter(schema), schema.encode(frame), schema.encode_label(frame["sick"])
    orders = draw_orders(len(frame), len(schema.columns), order, np.random.default_rng(seed))
    sentences = writer.write_rows(cells, labels, orders)
    assert all("\n" not in sentence and sentence.encode("utf-8") for sentence in sentences)
    again, read_labels = writer.read_rows(sentences)
    assert (again.row_keys() == cells.row_keys()).all()
    assert [values.dtype for values in again.values] == [values.dtype for values in cells.values]
    assert read_labels is not None
    assert (read_labels == labels).all()


@given(st.lists(st.booleans(), min_size=7, max_size=7), st.permutations(range(7)))
def test_absent_clauses_are_not_written_and_not_read(present: list[bool], order: list[int]) -> None:
    writer = ClauseWriter(TableSchema.from_frame(PATIENTS, label="sick"))
    cells = writer.schema.encode(PATIENTS)
    reading = writer.read(writer.write(cells, 1, 1, order, present))
    assert set(reading.features) == {clause for clause in range(6) if present[clause]}
    assert reading.label == (1 if present[6] else None)


def test_an_empty_sentence_says_nothing(writer: ClauseWriter) -> None:
    assert writer.read("") == Reading({}, None)


def test_numbers_outside_the_range_and_off_the_lattice_are_read(writer: ClauseWriter) -> None:
    reading = writer.read("age is -7, TSH level is 1e-9, seen is 1969-07-20T20:17:40.000")
    assert reading.features[0] == -7
    assert reading.features[1] == 1e-9
    assert reading.features[3] == pd.Timestamp("1969-07-20 20:17:40").value


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("age", "column name followed by ' is ' was expected, at character 0"),
        ("age is ", "value was expected, at character 7"),
        ("age is 44, ", "column name followed by ' is ' was expected, at character 11"),
        ("age is 44,sex is F", "', ' or the end was expected, at character 9"),
        ("age is 44, age is 44", "age stands here a second time, at character 11"),
        ("agee is 44", r"agee is no column of this table (did you mean 'age'?), at character 0"),
        ("age is 4.5", "4.5 is no value of age, which takes a whole number of 64 bits, at character 7"),
        ("age is 99999999999999999999", "is no value of age"),
        ("TSH level is nan", "nan is no value of TSH level, which takes a finite number"),
        ("TSH level is 1e999", "1e999 is no value"),
        ("TSH level is \u0661", "is no value"),
        ("sex is X", 'X is no value of sex, which takes one of F, "missing"'),
        ('sex is "F"', '"F" is no value of sex'),
        ('sex is "F', "a value was expected"),
        ("seen is 2023-02-29", "2023-02-29 is no value of seen, which takes a date or time like 2023-12-31"),
        ("seen is now", "now is no value"),
        ("seen is 9999-12-31", "9999-12-31 is no value"),
        ("sick is missing", "missing is no value of sick, which takes one of no, yes"),
    ],
)
def test_a_bad_sentence_is_refused_with_reason_and_place(writer: ClauseWriter, sentence: str, reason: str) -> None:
    with pytest.raises(SentenceError, match=re.escape(reason)):
        writer.read(sentence)


@given(
    st.text(st.characters())
    | st.lists(st.sampled_from([*'", #0-:.T', " is ", "age", "sex", "seen", "1", "F", "missing", "2024-01-01"])).map(
        "".join
    )
)
def test_any_text_is_read_or_refused(text: str) -> None:
    read_or_refuse(ClauseWriter(TableSchema.from_frame(PATIENTS, label="sick")), text)


@given(st.integers(0, 2), st.permutations(range(7)), st.data())
def test_any_mutated_sentence_is_read_or_refused(row: int, order: list[int], data: st.DataObject) -> None:
    writer = ClauseWriter(TableSchema.from_frame(PATIENTS, label="sick"))
    sentence = writer.write(writer.schema.encode(PATIENTS), row, 1, order)
    start = data.draw(st.integers(0, len(sentence)))
    stop = data.draw(st.integers(start, min(len(sentence), start + 4)))
    read_or_refuse(writer, sentence[:start] + data.draw(st.text(st.characters(), max_size=3)) + sentence[stop:])


def read_or_refuse(writer: ClauseWriter, text: str) -> None:
    """Whatever is read can be written and read again; the only error is the room's own."""
    try:
        reading = writer.read(text)
    except SentenceError:
        return
    seen = {clause: value for clause, value in reading.features.items() if value is not None}
    clauses = [f"{writer.names[clause]} is {writer.cell_texts[clause].write(value)}" for clause, value in seen.items()]
    assert writer.read(", ".join(clauses)).features == seen


@pytest.mark.parametrize("length", [10_000, 100_000])
def test_long_garbage_is_refused_quickly(writer: ClauseWriter, length: int) -> None:
    for text in ("a" * length, '"' * length, '"' + "\\" * length, "age is " + "1" * length, "x" * length + " is 1"):
        with pytest.raises(SentenceError, match="at character"):
            writer.read(text)


@pytest.mark.parametrize("numbers", [[1e-300, 2.5e-300], [1e300, 3e300], [0.5, 7e250]])
@pytest.mark.parametrize("text", ["0" * 9000, "1" + "0" * 9000, "0." + "0" * 9000, "1" * 200 + "." + "0" * 303, "-0"])
def test_numbers_of_any_length_are_read_or_refused_in_columns_of_any_size(numbers: list[float], text: str) -> None:
    read_or_refuse(ClauseWriter(TableSchema.from_frame(pd.DataFrame({"x": numbers}))), f"x is {text}")


def test_full_rows_need_every_feature(writer: ClauseWriter) -> None:
    with pytest.raises(SentenceError, match="sentence 0 has no clause for TSH level, sex, seen"):
        writer.read_rows(["age is 44"])


def test_labels_are_in_all_sentences_or_in_none() -> None:
    writer = ClauseWriter(TableSchema.from_frame(PATIENTS[["age", "sick"]], label="sick"))
    cells, labels = writer.read_rows(["age is 4", "age is 5"])
    assert (cells.values[0].tolist(), labels) == ([4, 5], None)
    with pytest.raises(SentenceError, match="sentence 1 has no label clause"):
        writer.read_rows(["age is 4, sick is no", "age is 5"])


def test_a_table_without_label_is_written_too() -> None:
    schema = TableSchema.from_frame(PATIENTS[["age", "sex"]])
    assert ClauseWriter(schema).write(schema.encode(PATIENTS), 0, None, [1, 0, 2]) == "sex is F, age is 44"


def test_set_aside_columns_are_not_written() -> None:
    schema = TableSchema.from_frame(PATIENTS.assign(site="here"), label="sick")
    assert [part.name for part in schema.set_aside] == ["site"]
    assert "site" not in ClauseWriter(schema).names


def test_names_that_share_their_text_are_told_apart() -> None:
    frame = pd.DataFrame([[1, "a"], [2, "b"]], columns=pd.Index([1, "1"], dtype=object))
    schema = TableSchema.from_frame(frame)
    writer = ClauseWriter(schema)
    assert writer.write(schema.encode(frame), 0, None, [0, 1]) == '1 is 1, "1" is a'
