"""Rows become sentences that can be read back, in any order, with or without some clauses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from imbllm_autogluon.encoding import (
    END,
    Clauses,
    Order,
    SchemaVocabulary,
    SentenceEncoding,
    Sentences,
    TextColumn,
    TextVocabulary,
    draw_orders,
)
from imbllm_autogluon.encoding.orders import _ORDERS
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables import TableSchema
from tests.encoding.tables import frames, on_grid
from tests.language.pretrained import tokenizer

if TYPE_CHECKING:
    from imbllm_autogluon.encoding.values import Numbers

NUMBERS: tuple[Numbers, ...] = ("bins", "digits")


class Written:
    """A table, its encoding and its clauses."""

    def __init__(self, frame: pd.DataFrame, numbers: Numbers) -> None:
        self.schema = TableSchema.from_frame(frame, "sick")
        self.cells = self.schema.encode(frame)
        self.labels = self.schema.encode_label(frame["sick"])
        vocabulary = SchemaVocabulary.fit(self.schema, self.cells, self.labels, numbers=numbers)
        self.encoding: SentenceEncoding = vocabulary.encoding()
        self.clauses: Clauses = self.encoding.encode(self.cells, self.labels)


def mixed(n_rows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    income = pd.Series(rng.normal(100, 40, n_rows).round(2))
    return pd.DataFrame(
        {
            "income": income.mask(rng.random(n_rows) < 0.2),
            "age": rng.integers(-3, 120, n_rows),
            "city": rng.choice(["Oslo", "Bergen"], n_rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D"),
            "sick": np.where(np.arange(n_rows) < 8, "yes", "no"),
        }
    )


def read_back(encoding: SentenceEncoding, sentences: Sentences) -> list[dict[int, list[int]]]:
    """Value tokens of each row by clause, read from left to right with nothing but prefixes and automata."""
    owner = {prefix: clause for clause, prefix in enumerate(encoding.prefixes)}
    rows = []
    for ids, real, states in zip(sentences.ids, sentences.real, sentences.states, strict=True):
        waiting, row = list(zip(ids[real].tolist(), states[real].tolist(), strict=True)), {}
        assert (ids[~real] == 0).all()
        assert (states[~real] == END).all()
        while waiting:
            prefix, mark = waiting.pop(0)
            clause = owner[(prefix,)]
            assert mark == END
            assert clause not in row
            row[clause] = value_of(encoding, clause, waiting)
        rows.append(row)
    return rows


def value_of(encoding: SentenceEncoding, clause: int, waiting: list[tuple[int, int]]) -> list[int]:
    state, value = int(encoding.tables.starts[clause]), []
    while state != END:
        token, mark = waiting.pop(0)
        assert mark == state
        assert encoding.tables.allowed[state, token]
        value.append(token)
        state = int(encoding.tables.next_state[state, token])
    assert encoding.codings[clause].automaton.accepts(value)
    return value


def values_of(clauses: Clauses, row: int) -> dict[int, list[int]]:
    """Value tokens of the present clauses of one row."""
    tokens = clauses.tokens[row].tolist()
    present = np.flatnonzero(clauses.present[row]).tolist()
    return {clause: [token for token in tokens[clause] if token >= 0] for clause in present}


@pytest.mark.parametrize("numbers", NUMBERS)
@given(frame=frames())
def test_any_table_comes_back_from_its_tokens(numbers: Numbers, frame: pd.DataFrame) -> None:
    if not TableSchema.from_frame(frame, "sick").columns:
        return
    written = Written(frame, numbers)
    cells, labels = written.encoding.decode(written.clauses, np.random.default_rng(0))
    expected = on_grid(written.schema, written.cells)
    assert cells.row_keys().tolist() == expected.row_keys().tolist()
    assert [column.dtype for column in cells.values] == [column.dtype for column in expected.values]
    assert labels.tolist() == written.labels.tolist()


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("order", _ORDERS)
def test_sentences_read_back_as_the_clauses_they_were_written_from(numbers: Numbers, order: Order) -> None:
    written = Written(mixed(), numbers)
    orders = draw_orders(40, 4, order, np.random.default_rng(0))
    rows = read_back(written.encoding, written.encoding.assemble(written.clauses, orders))
    for row, found in enumerate(rows):
        assert list(found) == orders[row].tolist()
        assert found == values_of(written.clauses, row)


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize(("order", "places"), [("fix_y", {0}), ("permute_x", {4}), ("permute_xy", {0, 1, 2, 3, 4})])
def test_the_label_is_written_first_last_or_anywhere(numbers: Numbers, order: Order, places: set[int]) -> None:
    written = Written(mixed(), numbers)
    orders = draw_orders(40, 4, order, np.random.default_rng(0))
    rows = read_back(written.encoding, written.encoding.assemble(written.clauses, orders))
    assert {list(row).index(4) for row in rows} == places


@pytest.mark.parametrize("numbers", NUMBERS)
def test_absent_clauses_are_not_written_at_all(numbers: Numbers) -> None:
    written = Written(mixed(), numbers)
    present = np.random.default_rng(3).random((40, 5)) < 0.5
    present[:, 4] = True
    clauses = written.clauses.with_present(present)
    sentences = written.encoding.assemble(clauses, draw_orders(40, 4, "fix_y", np.random.default_rng(0)))
    rows = read_back(written.encoding, sentences)
    for row, found in enumerate(rows):
        assert found == values_of(clauses, row)
        assert set(found) == set(np.flatnonzero(present[row]).tolist())


def test_sentences_are_left_justified_and_no_longer_than_the_longest_row() -> None:
    written = Written(mixed(), "digits")
    present = np.ones((40, 5), dtype=bool)
    present[::2, :3] = False
    sentences = written.encoding.assemble(written.clauses.with_present(present), np.tile(np.arange(5), (40, 1)))
    lengths = sentences.real.sum(axis=1)
    assert (sentences.real == (np.arange(sentences.ids.shape[1]) < lengths[:, None])).all()
    assert sentences.ids.shape[1] == lengths.max()


@pytest.mark.parametrize("numbers", NUMBERS)
def test_no_row_is_longer_than_the_longest_sentence_and_one_can_be_as_long(numbers: Numbers) -> None:
    written = Written(mixed(), numbers)
    encoding = written.encoding
    longest = sum(1 + longest_value(encoding, clause, int(encoding.tables.starts[clause])) for clause in range(5))
    assert encoding.longest_sentence == longest
    sentences = encoding.assemble(written.clauses, np.tile(np.arange(5), (40, 1)))
    assert sentences.ids.shape[1] <= longest


def longest_value(encoding: SentenceEncoding, clause: int, state: int) -> int:
    if state == END:
        return 0
    tables = encoding.tables
    following = set(tables.next_state[state][tables.allowed[state]].tolist())
    return 1 + max(longest_value(encoding, clause, after) for after in following)


def test_rows_can_be_taken_repeated_and_stacked() -> None:
    narrow, wide = Written(mixed(), "digits"), Written(mixed(), "digits")
    taken = narrow.clauses.take(np.array([3, 3, 0]))
    assert taken.tokens.tolist() == narrow.clauses.tokens[[3, 3, 0]].tolist()
    short = Clauses(taken.tokens[:, :, :1], np.zeros((3, 5), dtype=bool))
    stacked = Clauses.concat([short, wide.clauses])
    assert stacked.tokens[:3, :, 1:].max() == -1
    assert stacked.tokens[3:].tolist() == wide.clauses.tokens.tolist()
    assert stacked.present.tolist() == [[False] * 5] * 3 + [[True] * 5] * 40


@pytest.mark.parametrize("rows", [slice(3, 9), slice(0, 0), np.array([7, 7, 0, 2])])
def test_taken_sentences_are_those_that_the_taken_rows_make(rows: Any) -> None:
    written = Written(mixed(), "digits")
    present = np.random.default_rng(3).random((40, 5)) < 0.5
    clauses, orders = written.clauses.with_present(present), np.tile(np.arange(5), (40, 1))
    taken = written.encoding.assemble(clauses, orders).take(rows)
    picked = np.arange(40)[rows]
    alone = written.encoding.assemble(clauses.take(picked), orders[picked])
    assert taken.real.shape[1] == int(taken.real.sum(axis=1).max(initial=0))
    for name in ("ids", "real", "states"):
        assert getattr(taken, name).tolist() == getattr(alone, name)[:, : taken.real.shape[1]].tolist()


@pytest.mark.parametrize("numbers", NUMBERS)
def test_lengths_are_those_of_the_sentences(numbers: Numbers) -> None:
    written = Written(mixed(), numbers)
    present = np.random.default_rng(3).random((40, 5)) < 0.5
    for clauses in (written.clauses, written.clauses.with_present(present)):
        lengths = written.encoding.lengths(clauses)
        sentences = written.encoding.assemble(clauses, draw_orders(40, 4, "permute_xy", np.random.default_rng(0)))
        assert lengths.dtype == np.int64
        assert lengths.tolist() == sentences.real.sum(axis=1).tolist()


def test_weights_of_labels_go_with_their_rows() -> None:
    written = Written(mixed(), "digits")
    weights = np.arange(40) / 10
    clauses = written.clauses.with_weights(weights)
    rows, orders = np.array([7, 7, 0, 39]), np.tile(np.arange(5), (4, 1))
    taken = clauses.take(rows).with_present(np.ones((4, 5), dtype=bool))
    sentences = written.encoding.assemble(taken, orders)
    assert taken.weights is not None
    assert sentences.weights is not None
    assert taken.weights.tolist() == sentences.weights.tolist() == [0.7, 0.7, 0.0, 3.9]
    for part in (slice(1, 3), np.array([1, 2])):
        some = sentences.take(part).weights
        assert some is not None
        assert some.tolist() == [0.7, 0.0]


def test_rows_without_weights_count_one_beside_those_with_weights() -> None:
    written = Written(mixed(), "bins")
    plain = written.clauses.take(np.arange(2))
    stacked = Clauses.concat([plain, plain.with_weights(np.array([3.0, 0.5]))])
    assert stacked.weights is not None
    assert stacked.weights.tolist() == [1.0, 1.0, 3.0, 0.5]
    assert Clauses.concat([plain, plain]).weights is None
    assert written.encoding.assemble(plain, np.tile(np.arange(5), (2, 1))).weights is None


@pytest.mark.parametrize("numbers", NUMBERS)
def test_an_opening_stands_once_in_front_of_every_sentence_and_is_never_learned(numbers: Numbers) -> None:
    written, opening = Written(mixed(), numbers), (3, 1, 4)
    opened = dataclasses.replace(written.encoding, opening=opening)
    clauses = written.clauses.with_present(np.random.default_rng(3).random((40, 5)) < 0.5)
    orders = draw_orders(40, 4, "permute_xy", np.random.default_rng(0))
    before, after = written.encoding.assemble(clauses, orders), opened.assemble(clauses, orders)
    assert after.ids[:, :3].tolist() == [list(opening)] * 40
    assert after.real[:, :3].all()
    assert (after.states[:, :3] == END).all()
    for name in ("ids", "real", "states"):
        assert getattr(after, name)[:, 3:].tolist() == getattr(before, name).tolist()
    assert opened.longest_sentence == written.encoding.longest_sentence + 3
    assert opened.lengths(clauses).tolist() == after.real.sum(axis=1).tolist()


NOTES = (
    "Hot soup, please",
    None,
    "soup is cold",
    "",
    'it\'s "never" cold \U0001f35c',
    "\u05e9\u05dc\u05d5\u05dd",
    "a " * 200,
)
"""Free texts; a missing one and an empty one among them."""


class WithTexts:
    """A table with two columns of free text, in tokens of its own or of a tokenizer."""

    def __init__(self, as_text: bool) -> None:
        frame = mixed(28)
        self.schema = TableSchema.from_frame(frame, "sick")
        self.cells, self.labels = self.schema.encode(frame), self.schema.encode_label(frame["sick"])
        self.texts: list[list[str | None]] = [list(NOTES * 4), [None, "sick is yes, cold soup"] * 14]
        learned = (TextColumn.fit("note", self.texts[0], longest=6), TextColumn.fit("a is b", self.texts[1]))
        own = SchemaVocabulary.fit(self.schema, self.cells, self.labels, texts=learned)
        text = TextVocabulary(self.schema, tokenizer("joined"), texts=learned)
        self.encoding = (text if as_text else own).encoding()
        self.clauses = self.encoding.encode(self.cells, self.labels, self.texts)


@pytest.fixture(scope="module", params=[False, True], ids=["own tokens", "a tokenizer's"])
def texted(request: pytest.FixtureRequest) -> WithTexts:
    return WithTexts(request.param)


def test_texts_stand_between_the_features_and_the_label(texted: WithTexts) -> None:
    encoding = texted.encoding
    assert (encoding.n_clauses, encoding.n_texts) == (7, 2)
    assert encoding.tables.is_given.tolist() == [False] * 4 + [True, True, False]
    assert [coding.automaton.n_states for coding in encoding.codings[4:6]] == [1, 1]


@pytest.mark.parametrize("order", _ORDERS)
def test_sentences_with_texts_assemble_in_any_order_and_learn_all_but_the_texts(
    texted: WithTexts, order: Order
) -> None:
    encoding, clauses = texted.encoding, texted.clauses
    orders = draw_orders(28, 6, order, np.random.default_rng(0))
    sentences = encoding.assemble(clauses, orders)
    for row in range(28):
        ids, learned = [], []
        for clause in orders[row].tolist():
            value = [token for token in clauses.tokens[row, clause].tolist() if token >= 0]
            ids += [*encoding.prefixes[clause], *value]
            learned += [False] * len(encoding.prefixes[clause]) + [clause not in (4, 5)] * len(value)
        length = len(ids)
        assert sentences.ids[row, :length].tolist() == ids
        assert (sentences.states[row, :length] != END).tolist() == learned
        assert not sentences.real[row, length:].any()


def test_texts_are_cut_and_the_longest_sentence_counts_them(texted: WithTexts) -> None:
    encoding = texted.encoding
    assert (texted.clauses.tokens[:, 4] >= 0).sum(axis=1).max() == 6
    without = [longest_value(encoding, clause, int(encoding.tables.starts[clause])) for clause in (0, 1, 2, 3, 6)]
    forced = sum(len(prefix) for prefix in encoding.prefixes)
    assert encoding.longest_sentence == forced + sum(without) + 6 + 64
    assert encoding.lengths(texted.clauses).max() <= encoding.longest_sentence


def test_texts_that_are_absent_are_not_written(texted: WithTexts) -> None:
    present = np.tile([True, True, True, True, False, False, True], (28, 1))
    sentences = texted.encoding.assemble(texted.clauses.with_present(present), np.tile(np.arange(7), (28, 1)))
    prefixes = {texted.encoding.prefixes[clause] for clause in (4, 5)}
    rows = [tuple(row) for row in sentences.ids.tolist()]
    assert not any(row[i : i + len(p)] == p for row in rows for p in prefixes for i in range(len(row)))


def test_decoding_gives_the_cells_and_the_label_and_leaves_texts_out(texted: WithTexts) -> None:
    cells, labels = texted.encoding.decode(texted.clauses, np.random.default_rng(0))
    assert cells.row_keys().tolist() == on_grid(texted.schema, texted.cells).row_keys().tolist()
    assert labels.tolist() == texted.labels.tolist()


@pytest.mark.parametrize("texts", [(), [["a"] * 28], [["a"] * 28, ["a"] * 27], [["a"] * 28] * 3])
def test_texts_that_do_not_fit_the_columns_or_rows_are_refused(texted: WithTexts, texts: Any) -> None:
    with pytest.raises(InvalidInputError, match="2 columns of free text and got 28 rows with texts of lengths"):
        texted.encoding.encode(texted.cells, texted.labels, texts)


def test_texts_of_a_table_without_text_columns_are_refused() -> None:
    written = Written(mixed(), "bins")
    with pytest.raises(InvalidInputError, match="0 columns of free text"):
        written.encoding.encode(written.cells, written.labels, [["a"] * 40])
