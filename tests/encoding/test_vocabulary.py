"""Which tokens a table needs, and what they stand for: its own, or those of a tokenizer, which people can read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from imbllm_autogluon.encoding import PADDING, Clauses, Order, TextColumn, TextVocabulary, draw_orders
from imbllm_autogluon.encoding.text import category_texts
from imbllm_autogluon.encoding.values import BinCoding, CategoryCoding, DigitCoding, Numbers
from imbllm_autogluon.encoding.vocabulary import SchemaVocabulary, _clauses, _require_distinct
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables import TableSchema
from tests.encoding.tables import frames, on_grid
from tests.language.pretrained import SPACES, Spaces, tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator


DIGITS = (*"0123456789", "-")

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
    assert encoding.token_names[7 : 7 + len(DIGITS)] == DIGITS
    assert not any("bin" in name for name in encoding.token_names)
    digits = [coding for coding in encoding.codings if isinstance(coding, DigitCoding)]
    assert len(digits) == 3
    assert all(coding.symbols == digits[0].symbols for coding in digits)
    assert [encoding.token_names[digits[0].symbols[symbol]] for symbol in DIGITS] == list(DIGITS)


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
    assert [digits.token_texts[digits.token_names.index(symbol)] for symbol in DIGITS] == list(DIGITS)


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
    with pytest.raises(InvalidInputError, match="needs a schema with a label"):
        TextVocabulary(schema, TOKENIZERS["joined"]).encoding()


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


TOKENIZERS: dict[Spaces, Any] = {spaces: tokenizer(spaces) for spaces in SPACES}

HOSTILE_NAMES = ("a, b", 'the "x"', "y is z", "missing", "", " blank ", "ends in,")


class Written:
    """A table, its text vocabulary and its clauses."""

    def __init__(self, frame: pd.DataFrame, cutter: Any) -> None:
        self.schema = TableSchema.from_frame(frame, "sick")
        self.cells = self.schema.encode(frame)
        self.labels = self.schema.encode_label(frame["sick"])
        self.cutter = cutter
        self.vocabulary = TextVocabulary(self.schema, cutter)
        self.encoding = self.vocabulary.encoding()
        self.clauses: Clauses = self.encoding.encode(self.cells, self.labels)

    def texts(self, order: Order = "fix_y") -> Iterator[str]:
        """Sentences as the tokenizer decodes them."""
        orders = draw_orders(len(self.labels), len(self.schema.columns), order, np.random.default_rng(0))
        sentences = self.encoding.assemble(self.clauses, orders)
        ids = np.array(self.vocabulary.token_ids)
        for row, real in zip(sentences.ids, sentences.real, strict=True):
            yield self.cutter.decode(ids[row[real]].tolist())


def table(n_rows: int = 30) -> pd.DataFrame:
    """Numbers and texts of many lengths, times, missing cells, and names that look like syntax."""
    rng = np.random.default_rng(4)
    income = pd.Series((rng.normal(0, 1, n_rows) * 10.0 ** rng.integers(-1, 4, n_rows)).round(2))
    cities = ["Oslo", "Tromsø, north", 'the "old" town', "is", "x is y", "missing", "1", "", "A, b", "a, b"]
    return pd.DataFrame(
        {
            "income, net": income.mask(rng.random(n_rows) < 0.2),
            'visits "is"': rng.integers(0, 1200, n_rows),
            "city is": pd.Series(rng.choice(cities, n_rows)).mask(rng.random(n_rows) < 0.2),
            "since": pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D")),
            "seen": pd.Series(pd.Timestamp("2024-02-28") + pd.to_timedelta(rng.integers(0, 99, n_rows), unit="h")),
            "member": rng.random(n_rows) < 0.5,
            "sick": np.where(np.arange(n_rows) % 3, "no", "yes, sick"),
        }
    )


_TEXT = r'"(?:[^"\\]|\\.)*"(?:#[0-9]+)?|[^",]+?'
_CLAUSE = re.compile(rf"({_TEXT}) is ({_TEXT})(?:, |$)")


def expect_read_back(written: Written, order: Order) -> None:
    """The sentences' texts, cut at their syntax alone, hold the names and texts of the cells."""
    columns, names = _clauses(written.schema, ())
    cells = on_grid(written.schema, written.cells)
    codings: Any = written.encoding.codings
    for row, text in enumerate(ends_cut(written.texts(order))):
        values = [*(column[row] for column in cells.values), written.labels[row]]
        gone = [*cells.missing[row], False]
        said = [
            "missing" if is_gone else category_texts(c)[int(v)] if c.is_category else coding._text(v)
            for c, coding, v, is_gone in zip(columns, codings, values, gone, strict=True)
        ]
        clauses = list(_CLAUSE.finditer(text))
        assert "".join(clause.group() for clause in clauses) == text
        assert sorted(clause.groups() for clause in clauses) == sorted(zip(names, said, strict=True))


def ends_cut(texts: Iterator[str]) -> Iterator[str]:
    """Sentences without the space in front and the last comma."""
    for text in texts:
        assert text.startswith(" ")
        assert text.endswith(",")
        yield text[1:-1]


@pytest.mark.parametrize("spaces", SPACES)
@given(frame=frames())
def test_any_table_comes_back_from_its_text_tokens(spaces: Spaces, frame: pd.DataFrame) -> None:
    if not TableSchema.from_frame(frame, "sick").columns:
        return
    written = Written(frame, TOKENIZERS[spaces])
    for clause, coding in enumerate(written.encoding.codings):
        for value in written.clauses.tokens[:, clause].tolist():
            assert coding.automaton.accepts([token for token in value if token >= 0])
    cells, labels = written.encoding.decode(written.clauses, np.random.default_rng(0))
    expected = on_grid(written.schema, written.cells)
    assert cells.row_keys().tolist() == expected.row_keys().tolist()
    assert [column.dtype for column in cells.values] == [column.dtype for column in expected.values]
    assert labels.tolist() == written.labels.tolist()


@pytest.mark.parametrize("spaces", SPACES)
@given(frame=frames())
def test_the_text_of_any_table_reads_back_as_its_rows(spaces: Spaces, frame: pd.DataFrame) -> None:
    if TableSchema.from_frame(frame, "sick").columns:
        expect_read_back(Written(frame, TOKENIZERS[spaces]), "permute_xy")


@pytest.mark.parametrize(("spaces", "order"), [("apart", "fix_y"), ("joined", "permute_x"), ("joined", "permute_xy")])
def test_hostile_names_and_values_read_back_in_every_order(spaces: Spaces, order: Order) -> None:
    expect_read_back(Written(table(), TOKENIZERS[spaces]), order)


@pytest.mark.parametrize("spaces", SPACES)
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_column_name_reads_back(spaces: Spaces, name: str) -> None:
    frame = pd.DataFrame({name: [1.5, None, 3.0], "sick": ["no", "yes", "no"]})
    expect_read_back(Written(frame, TOKENIZERS[spaces]), "permute_x")


@pytest.mark.parametrize("spaces", SPACES)
def test_the_text_is_the_papers_sentence(spaces: Spaces) -> None:
    frame = pd.DataFrame({"age": [44, 61], "sex": ["F", None], "x": [-0.5, 12.25], "sick": ["no", "yes"]})
    written = Written(frame, TOKENIZERS[spaces])
    orders = np.array([[3, 2, 0, 1], [1, 0, 3, 2]])
    sentences, ids = written.encoding.assemble(written.clauses, orders), np.array(written.vocabulary.token_ids)
    texts = [
        written.cutter.decode(ids[row[real]].tolist()) for row, real in zip(sentences.ids, sentences.real, strict=True)
    ]
    assert texts == [
        " sick is no, x is -0.50, age is 44, sex is F,",
        " sex is missing, age is 61, sick is yes, x is 12.25,",
    ]


@pytest.mark.parametrize("spaces", SPACES)
def test_a_clause_is_written_alike_at_every_place(spaces: Spaces) -> None:
    written = Written(table(), TOKENIZERS[spaces])
    whole = [set(text.split(", ")) for text in ends_cut(written.texts("fix_y"))]
    assert whole == [set(text.split(", ")) for text in ends_cut(written.texts("permute_xy"))]


@pytest.mark.parametrize("spaces", SPACES)
def test_numbers_are_written_one_character_a_token(spaces: Spaces) -> None:
    written = Written(table(), TOKENIZERS[spaces])
    visits = [len(str(value)) + 1 for value in table()['visits "is"']]
    assert (written.clauses.tokens[:, 1] >= 0).sum(axis=1).tolist() == visits


def test_the_space_stands_where_the_tokenizer_puts_it() -> None:
    frame = pd.DataFrame({"age": [44, 61], "sick": ["no", "yes"]})
    apart, joined = (Written(frame, TOKENIZERS[spaces]).encoding for spaces in ("apart", "joined"))
    spelled = {
        name: [
            encoding.token_texts[token]
            for token in (*encoding.prefixes[0], *coding.encode(np.array([44]), np.zeros(1, dtype=bool))[0])
        ]
        for name, encoding, coding in (("apart", apart, apart.codings[0]), ("joined", joined, joined.codings[0]))
    }
    assert spelled["apart"][-5:] == [" is", " ", "4", "4", ","]
    assert spelled["joined"][-4:] == [" is", " 4", "4", ","]


@pytest.mark.parametrize("spaces", SPACES)
def test_only_tokens_that_the_table_can_use_are_numbered_and_padding_is_first(spaces: Spaces) -> None:
    written = Written(table(), TOKENIZERS[spaces])
    encoding = written.encoding
    used = {token for prefix in encoding.prefixes for token in prefix}
    used |= {token for clause in range(encoding.n_clauses) for token in encoding.tables.clause_tokens(clause).tolist()}
    assert PADDING not in used
    # A column without point or sign leaves "space and character" of some characters unused; nothing else is.
    assert used <= set(range(1, encoding.n_tokens))
    assert (
        len(encoding.token_names) == len(encoding.token_texts) == len(written.vocabulary.token_ids) == encoding.n_tokens
    )
    assert len(set(written.vocabulary.token_ids[1:])) == encoding.n_tokens - 1
    assert encoding.token_names[PADDING] == "padding"
    assert encoding.token_texts[PADDING] == ""
    assert encoding.n_tokens < len(written.cutter)


def test_lengths_are_those_of_the_sentences() -> None:
    written = Written(table(), TOKENIZERS["apart"])
    present = np.random.default_rng(0).random(written.clauses.present.shape) < 0.6
    for clauses in (written.clauses, written.clauses.with_present(present)):
        orders = draw_orders(30, 6, "permute_xy", np.random.default_rng(0))
        assert (
            written.encoding.lengths(clauses).tolist()
            == written.encoding.assemble(clauses, orders).real.sum(axis=1).tolist()
        )


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"city": ["Oslo", "oslo", "x"]}, r"column 'city': the backbone's tokenizer writes 'Oslo' and 'oslo' alike"),
        ({"city": ["Missing", "x", None]}, r"column 'city': .* writes 'Missing' and 'missing' alike"),
        ({"city": [1, 2, 3], "City": [3, 2, 1]}, r"names of columns: .* writes 'city' and 'City' alike"),
    ],
)
def test_what_a_tokenizer_cannot_tell_apart_is_refused_with_the_remedy(frame: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        Written(pd.DataFrame({**frame, "sick": ["no", "yes", "no"]}), tokenizer(lower_case=True))
    assert "clauses='tokens'" in str(caught.value)


def test_labels_that_a_tokenizer_cannot_tell_apart_are_refused_too() -> None:
    with pytest.raises(InvalidInputError, match=r"column 'sick': .* 'No' and 'no' alike; use clauses='tokens'"):
        Written(pd.DataFrame({"x": [1, 2, 3], "sick": ["No", "no", "No"]}), tokenizer(lower_case=True))


def words(*known: str) -> Any:
    """A tokenizer that knows whole words alone."""
    inner = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(("[UNK]", *known))}, unk_token="[UNK]")
    )
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")


def test_unknown_words_are_refused_where_they_hide_a_category() -> None:
    frame = pd.DataFrame({"city": ["Oslo", "Bergen"], "sick": ["no", "yes"]})
    with pytest.raises(InvalidInputError, match=r"writes 'Oslo' and 'Bergen' alike"):
        Written(frame, words("city", "is", "sick", "no", "yes", ","))


@pytest.mark.parametrize("absent", ["7", ","])
def test_a_tokenizer_without_a_character_of_its_own_is_refused_by_it(absent: str) -> None:
    frame = pd.DataFrame({"age": [44, 61], "sick": ["no", "yes"]})
    known = [word for word in (*"0123456789,", "age", "is", "sick", "no", "yes") if word != absent]
    with pytest.raises(InvalidInputError, match=f"has no token for '{absent}' alone; use clauses='tokens'"):
        Written(frame, words(*known))


def decoded(vocabulary: TextVocabulary, ids: Any) -> str:
    return vocabulary.tokenizer.decode(np.array(vocabulary.token_ids)[ids].tolist())


@pytest.mark.parametrize("spaces", SPACES)
def test_an_instruction_opens_every_sentence_in_the_tokenizers_own_tokens(spaces: Spaces) -> None:
    instruction = "Say whether a person is sick:"
    plain = Written(table(), TOKENIZERS[spaces])
    vocabulary = TextVocabulary(plain.schema, plain.cutter, instruction)
    encoding = vocabulary.encoding()
    assert plain.encoding.opening == ()
    assert encoding.prefixes == plain.encoding.prefixes
    assert encoding.token_texts[: plain.encoding.n_tokens] == plain.encoding.token_texts
    orders = np.tile(np.arange(7), (30, 1))
    sentences = encoding.assemble(plain.clauses, orders)
    after = decoded(vocabulary, sentences.ids[0, sentences.real[0]])
    before = plain.encoding.assemble(plain.clauses, orders)
    assert after == instruction + decoded(plain.vocabulary, before.ids[0, before.real[0]])


LINES: list[str | None] = [
    "Hot soup, it's 4.5 km",
    None,
    'he said "never"  twice',
    "\u05e9\u05dc\u05d5\u05dd, \U0001f469",
    "",
]


def with_notes(spaces: Spaces, learned: list[str | None], longest: int = 64) -> tuple[TextVocabulary, pd.DataFrame]:
    frame = pd.DataFrame({"age": [44, 61, 3, 4, 5], "sick": ["no", "yes", "no", "no", "no"]})
    schema = TableSchema.from_frame(frame, "sick")
    note = TextColumn.fit("the note", learned, longest=longest)
    return TextVocabulary(schema, TOKENIZERS[spaces], texts=(note,)), frame


def sentences_of(vocabulary: TextVocabulary, frame: pd.DataFrame, notes: list[str | None]) -> list[str]:
    schema, encoding = vocabulary.schema, vocabulary.encoding()
    clauses = encoding.encode(schema.encode(frame), schema.encode_label(frame["sick"]), [notes])
    sentences = encoding.assemble(clauses, np.tile([1, 0, 2], (len(frame), 1)))
    return [decoded(vocabulary, ids[real]) for ids, real in zip(sentences.ids, sentences.real, strict=True)]


@pytest.mark.parametrize("spaces", SPACES)
def test_free_texts_stand_in_the_sentence_as_they_are(spaces: Spaces) -> None:
    texts = sentences_of(*with_notes(spaces, LINES), LINES)
    assert texts[0] == " the note is Hot soup, it's 4.5 km, age is 44, sick is no,"
    assert texts[1].startswith(" the note is missing, age is 61")
    assert texts[2].startswith(' the note is he said "never" twice, age')
    assert texts[3].startswith(f" the note is {LINES[3]}, age")
    assert texts[4].startswith(" the note is missing, age is 5")


@pytest.mark.parametrize("spaces", SPACES)
def test_of_new_texts_the_parts_that_the_table_uses_are_read(spaces: Spaces) -> None:
    vocabulary, frame = with_notes(spaces, ["visits Oslo"] * 5)
    texts = sentences_of(vocabulary, frame, ["Oslo \U0001f469 visits", *["Oslo"] * 4])
    # The blank in front of the unknown character is a token that the table uses.
    assert " ".join(texts[0].split()) == "the note is Oslo visits, age is 44, sick is no,"


@pytest.mark.parametrize("spaces", SPACES)
def test_long_texts_are_cut_in_tokens_and_closed(spaces: Spaces) -> None:
    long: list[str | None] = ["visits " * 500] * 5
    vocabulary, frame = with_notes(spaces, long, longest=4)
    assert vocabulary.encoding().codings[1].encode(np.array(long), np.zeros(5, dtype=bool)).shape == (5, 4)
    assert sentences_of(vocabulary, frame, long)[0].startswith(" the note is visits visits visits, age")


@pytest.mark.parametrize("spaces", SPACES)
def test_texts_leave_the_tokens_of_legal_values_alone(spaces: Spaces) -> None:
    vocabulary, _ = with_notes(spaces, LINES)
    plain = TextVocabulary(vocabulary.schema, TOKENIZERS[spaces])
    for clause, before in ((0, 0), (2, 1)):
        assert legal_texts(vocabulary, clause) == legal_texts(plain, before)


def legal_texts(vocabulary: TextVocabulary, clause: int) -> set[str]:
    encoding = vocabulary.encoding()
    return {encoding.token_texts[token] for token in encoding.tables.clause_tokens(clause).tolist()}


def test_a_text_column_that_the_tokenizer_names_like_a_feature_is_refused() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"Note": [44, 61], "sick": ["no", "yes"]}), "sick")
    vocabulary = TextVocabulary(schema, tokenizer(lower_case=True), texts=(TextColumn("note", (), 4),))
    with pytest.raises(InvalidInputError, match="writes 'Note' and 'note' alike"):
        vocabulary.encoding()


def test_names_of_texts_stand_between_features_and_label_and_differ_from_them() -> None:
    schema = TableSchema.from_frame(pd.DataFrame({"age": [1, 2], "note": [3, 4], "sick": ["no", "yes"]}), "sick")
    texts = [TextColumn(name, (), 4) for name in ("note", "a, b", "note", "sick")]
    names = _clauses(schema, texts)[1]
    assert len(set(names)) == 7
    assert (names[0], names[3]) == ("age", '"a, b"')
    assert _clauses(schema, [TextColumn("text", (), 4)])[1] == ("age", "note", "text", "sick")


@pytest.mark.parametrize(
    ("spellings", "said"), [([(1,), (2,), (1,)], "writes 'a' and 'c' alike"), ([(1,), ()], "writes 'b' as nothing")]
)
def test_equal_and_empty_spellings_are_refused_with_the_remedy(spellings: list[tuple[int, ...]], said: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"column 'x': .* {said}; use clauses='tokens'"):
        _require_distinct(spellings, ["a", "b", "c"][: len(spellings)], "column 'x'")
