"""The few hundred tokens that one table needs: of its own for the compact backbone, of a pretrained tokenizer for text.

Of its own are one token for each column name (its clause prefix), one for each category, one for each quantile bin of a
number (or ten digits shared by all numbers), one for "missing" in each column that has missing values. Columns of free
text share a token for each word, one for unknown words and one for missing texts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.encoding.bins import QuantileBins
from imbllm_autogluon.encoding.numbers import column_characters
from imbllm_autogluon.encoding.sentences import PADDING, SentenceEncoding
from imbllm_autogluon.encoding.text import (
    MISSING,
    TextColumn,
    category_texts,
    distinct_texts,
    grid_of,
    number_text,
    tokens_of,
)
from imbllm_autogluon.encoding.values import (
    BinCoding,
    CategoryCoding,
    CategoryTextCoding,
    DigitCoding,
    FreeSubwordCoding,
    FreeTextCoding,
    Numbers,
    NumberTextCoding,
    PromptCoding,
    ValueCoding,
    WrittenTextCoding,
)
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.encoding.text import Tokenizer
    from imbllm_autogluon.encoding.values import Spelling
    from imbllm_autogluon.tables import Column, EncodedTable, TableSchema

_DIGITS = (*"0123456789", "-")
_FREQUENT = 16_384  # tokens of a pretrained tokenizer, the first of which are its most frequent ones
_LONGEST_PROMPT = 128  # tokens of what stands in front of a text; what is behind them is cut off
_SEPARATOR = ","  # stands behind every value of a text, the last one too: it tells where a number ends


@dataclass(frozen=True)
class SchemaVocabulary:
    """What has to be known of a table, next to its schema, to write it in tokens of its own."""

    schema: TableSchema
    numbers: Numbers
    bins: Mapping[int, QuantileBins]
    """Quantile bins by index of the numeric column (none when numbers are written as digits)."""

    instruction: str = ""  # text in front of every sentence
    texts: tuple[TextColumn, ...] = ()  # columns of free text, which are no columns of the schema

    @classmethod
    def fit(
        cls,
        schema: TableSchema,
        cells: EncodedTable,
        labels: npt.NDArray[np.int64],
        *,
        numbers: Numbers = "bins",
        max_bins: int = 32,
        instruction: str = "",
        texts: tuple[TextColumn, ...] = (),
    ) -> SchemaVocabulary:
        """Learn the quantile bins, at most `max_bins` of a column, from rows and their label codes, shape (n,).

        Every class has the same total weight. ``"bins"`` writes a number as one token, ``"digits"`` digit by digit on
        the column's grid; each word of the instruction is a token.
        """
        weights = 1.0 / np.bincount(labels)[labels]
        bins = {}
        for j, column in enumerate(schema.columns):
            if column.grid is not None and numbers == "bins":
                seen = ~cells.missing[:, j]
                units = column.grid.nearest_units(cells.values[j][seen])
                bins[j] = QuantileBins.fit(units, weights[seen], max_bins)
        return cls(schema, numbers, bins, instruction, texts)

    def encoding(self, *, fused: bool = False) -> SentenceEncoding:
        """Allocate token ids and return the encoding; for `fused` see :attr:`SentenceEncoding.fused`.

        A schema without a label is an `InvalidInputError`.
        """
        columns, names = _clauses(self.schema, self.texts)
        tokens = _Tokens()
        assert tokens.add("padding", "") == PADDING
        prefixes = tuple((tokens.add(f"{name} is", f" {name} is"),) for name in names)
        digits = {digit: tokens.add(digit, digit) for digit in _DIGITS} if self.numbers == "digits" else {}
        codings = [self._coding(j, column, tokens, digits) for j, column in enumerate(columns)]
        codings[-1:-1] = self._text_codings(tokens)
        words = {word: tokens.add(word, f" {word}") for word in dict.fromkeys(self.instruction.split())}
        opening = tuple(words[word] for word in self.instruction.split())
        return SentenceEncoding(tuple(tokens.names), prefixes, tuple(codings), tuple(tokens.texts), opening, fused)

    def _text_codings(self, tokens: _Tokens) -> list[ValueCoding]:
        """Codings of the columns of free text; all know the words of every one."""
        if not self.texts:
            return []
        missing, unknown = tokens.add("text: missing", f" {MISSING}"), tokens.add("text: unknown word", " unknown")
        distinct = dict.fromkeys(word for text in self.texts for word in text.words)
        words = {word: tokens.add(f"text: {word}", f" {word}") for word in distinct}
        return [FreeTextCoding(words, unknown, missing, text.longest) for text in self.texts]

    def _coding(self, j: int, column: Column, tokens: _Tokens, digits: dict[str, int]) -> ValueCoding:
        """Coding of one column; its new tokens are added to `tokens`."""
        missing_token = None
        if column.has_missing:
            missing_token = tokens.add(f"{column.name}: missing", f" {MISSING}")
        first = len(tokens.names)
        if column.is_category:
            for category, text in zip(column.categories, category_texts(column), strict=True):
                tokens.add(f"{column.name}: {category}", f" {text}")
            return CategoryCoding(first, len(column.categories), missing_token)
        grid = grid_of(column)
        if self.numbers == "digits":
            return DigitCoding(grid, digits, missing_token)
        for i, center in enumerate(grid.from_units(self.bins[j].centers).tolist()):
            tokens.add(f"{column.name}: bin {i}", f" {number_text(column, center)}")
        return BinCoding(first, self.bins[j], grid, missing_token)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, the schema included."""
        return {
            "schema": self.schema.to_dict(),
            "numbers": self.numbers,
            "bins": {str(j): bins.to_dict() for j, bins in self.bins.items()},
            "instruction": self.instruction,
            "texts": [text.to_dict() for text in self.texts],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> SchemaVocabulary:
        """Rebuild the vocabulary from :meth:`to_dict`."""
        from imbllm_autogluon.tables import TableSchema

        bins = {int(j): QuantileBins.from_dict(stored) for j, stored in state["bins"].items()}
        texts = tuple(TextColumn.from_dict(text) for text in state["texts"])
        return cls(TableSchema.from_dict(state["schema"]), state["numbers"], bins, state["instruction"], texts)


class _Tokens:
    """Token names and the texts they stand for, numbered as they are added."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.texts: list[str] = []

    def add(self, name: str, text: str) -> int:
        """Number of a new token."""
        self.names.append(name)
        self.texts.append(text)
        return len(self.names) - 1


def _clauses(schema: TableSchema, texts: Sequence[TextColumn]) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Columns of a schema, the label last, and the name of each clause, all different; free texts before the label."""
    if schema.label is None:
        raise InvalidInputError("a vocabulary needs a schema with a label; make it with a label column.")
    names = [*(column.name for column in schema.columns), *(text.name for text in texts), schema.label.name]
    return (*schema.columns, schema.label), distinct_texts(names)


@dataclass(frozen=True, eq=False)
class TextVocabulary:
    """Writes the clauses of one table in the tokens of a pretrained tokenizer: `` age is 44, sex is F,``.

    Each clause is made of tokens on its own, with a space in front, so that it is written alike at every place of a
    sentence. Numbers and times are written character by character, names and categories as the tokenizer cuts them;
    free text word by word as it cuts each of them, of new words those parts that the table uses.
    """

    schema: TableSchema  # with a label
    tokenizer: Tokenizer
    instruction: str = ""  # text in front of every sentence
    texts: tuple[TextColumn, ...] = ()  # columns of free text, which are no columns of the schema

    @property
    def token_ids(self) -> tuple[int, ...]:
        """The tokenizer's id of each token of :meth:`encoding`; that of padding stands for nothing."""
        return self._built[1]

    def encoding(self) -> SentenceEncoding:
        """The encoding, over the tokens that the table can use, numbered again.

        `InvalidInputError` where the schema has no label, two names or two categories look the same to the tokenizer,
        or it has no token for a digit.
        """
        return self._built[0]

    @cached_property
    def _built(self) -> tuple[SentenceEncoding, tuple[int, ...]]:
        columns, names = _clauses(self.schema, self.texts)
        n_features = len(self.schema.columns)
        used = _UsedTokens(self.tokenizer)
        named = (*names[:n_features], names[-1])
        clauses = [_text_clause(column, name, used) for column, name in zip(columns, named, strict=True)]
        _require_distinct([used.spell(f" {name} is") for name in names], names, "names of columns")
        opening = used.spell(self.instruction) if self.instruction else ()
        clauses[-1:-1] = self._free_clauses(names[n_features:-1], used)
        prefixes, codings = zip(*clauses, strict=True)
        texts = ("", *(self.tokenizer.decode([token]) for token in used.ids[1:]))
        token_names = ("padding", *(repr(text) for text in texts[1:]))
        return SentenceEncoding(token_names, tuple(prefixes), tuple(codings), texts, opening), used.ids

    def _free_clauses(self, names: tuple[str, ...], used: _UsedTokens) -> list[tuple[Spelling, ValueCoding]]:
        """Prefix and coding of each clause of free text; called last, the codings read what all of the table uses."""
        if not names:
            return []
        prefixes = [used.spell(f" {name} is") for name in names]
        spellings = {word: used.spell(word) for text in self.texts for word in text.raw_words}
        separator, missing = used.character(_SEPARATOR), used.spell(f" {MISSING}")
        shared = (self.tokenizer, used.numbers, spellings, separator, missing)
        return [(prefix, FreeSubwordCoding(*shared, t.longest)) for prefix, t in zip(prefixes, self.texts, strict=True)]


@dataclass(frozen=True)
class PromptVocabulary:
    """Writes prompts and the texts behind them, each named by a clause, in the tokens of a pretrained tokenizer.

    Texts may use the tokens of those that were learned, and those of the tokenizer's most frequent words.
    """

    names: tuple[str, ...]  # of the texts of a row, in their order
    longest: tuple[int, ...]  # most tokens of a text of each name, its end included
    can_lack: tuple[bool, ...]  # whether texts of each name may be missing
    longest_prompt: int
    token_ids: tuple[int, ...]  # the tokenizer's, by number: padding, the end of a text, tokens of texts, others
    n_written: int  # how many of them texts may use, the end included

    @classmethod
    def fit(
        cls, tokenizer: Any, prompts: Sequence[str], texts: Mapping[str, Sequence[str | None]], longest: int
    ) -> PromptVocabulary:
        """Learn the tokens; a text has as many as 95 % of those of its name, `longest` at most.

        A tokenizer without an end of text is an `InvalidInputError`.
        """
        end = tokenizer.eos_token_id
        if end is None:
            raise InvalidInputError("texts end by the tokenizer's end of text; this backbone's tokenizer has none.")
        lists = {n: [tokens_of(tokenizer, f" {t.strip()}") for t in own if t and t.strip()] for n, own in texts.items()}
        # A few more are for the mark, and for texts that are a little longer.
        sizes = [int(np.quantile([len(ids) for ids in own] or [1], 0.95)) + 2 for own in lists.values()]
        special = set(tokenizer.all_special_ids)
        frequent = [token for token in range(min(_FREQUENT, len(tokenizer))) if token not in special]
        words = [token for token in frequent if tokenizer.decode([token]).strip(" ").isalpha()]
        used = sorted({token for own in lists.values() for ids in own for token in ids[:longest]} - special)
        written = dict.fromkeys([end, *used, *words])
        told = [token for text in (*prompts, *_behind(tuple(texts))) for token in tokens_of(tokenizer, text)]
        first = tokenizer.bos_token_id
        others = dict.fromkeys([*([] if first is None else [first]), *told, *frequent])
        gone = tuple(any(text is None or not text.strip() for text in own) for own in texts.values())
        own_sizes = tuple(min(longest, size) for size in sizes)
        ids = (0, *dict.fromkeys([*written, *others]))
        return cls(tuple(texts), own_sizes, gone, _LONGEST_PROMPT, ids, len(written))

    def encoding(self, tokenizer: Any) -> SentenceEncoding:
        """The encoding: a clause for the prompt, which is only given, and one for each text."""
        numbers = {token: number for number, token in enumerate(self.token_ids) if number}
        written = range(PADDING + 2, PADDING + 1 + self.n_written)
        codings: list[ValueCoding] = [PromptCoding(tokenizer, numbers, self.longest_prompt)]
        codings += [
            WrittenTextCoding(tokenizer, numbers, longest, PADDING + 1, written, can_lack)
            for longest, can_lack in zip(self.longest, self.can_lack, strict=True)
        ]
        behind = [tuple(numbers[token] for token in tokens_of(tokenizer, text)) for text in _behind(self.names)]
        begin = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        names = ("padding", *(str(token) for token in self.token_ids[1:]))
        return SentenceEncoding(names, ((), *behind), tuple(codings), names, (numbers[begin],))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> PromptVocabulary:
        """Rebuild the vocabulary from :meth:`to_dict`."""
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in state.items()}
        return cls(**read)


def _behind(names: Sequence[str]) -> list[str]:
    """What stands between a prompt and its texts."""
    return [f", {name} is" for name in names]


def _text_clause(column: Column, name: str, used: _UsedTokens) -> tuple[Spelling, ValueCoding]:
    """Prefix and coding of one clause as text."""
    separator, prefix = used.character(_SEPARATOR), used.spell(f" {name} is")
    missing = (*used.spell(f" {MISSING}"), separator) if column.has_missing else None
    if column.is_category:
        texts = category_texts(column)
        spellings = [used.spell(f" {category}") for category in texts]
        absent = {} if missing is None else {MISSING: missing[:-1]}
        _require_distinct([*spellings, *absent.values()], [*texts, *absent], f"column {column.name!r}")
        return prefix, CategoryTextCoding(tuple((*s, separator) for s in spellings), missing)
    letters = column_characters(column)
    inside = {letter: used.character(letter) for letter in letters}
    first = used.joined_to_a_space(letters)
    if first is None:
        prefix, first = (*prefix, *used.spell(" ")), inside
    # Both begin behind the same prefix: where the space stands in it, "missing" is written without its own.
    if missing is not None and first is inside:
        missing = (*used.spell(MISSING), separator)
    return prefix, NumberTextCoding(column, inside, first, separator, missing)


def _require_distinct(spellings: Sequence[Spelling], texts: Sequence[str], where: str) -> None:
    """Refuse names or values that a tokenizer writes alike or as nothing; `where` they stand begins the error."""
    seen: dict[Spelling, str] = {}
    for spelling, text in zip(spellings, texts, strict=True):
        if spelling in seen or not spelling:
            alike = f"{seen[spelling]!r} and {text!r} alike" if spelling in seen else f"{text!r} as nothing"
            raise InvalidInputError(
                f"{where}: the backbone's tokenizer writes {alike}; use clauses='tokens', which gives every column and "
                "every category a token of its own."
            )
        seen[spelling] = text


class _UsedTokens:
    """Numbers the tokenizer's tokens in the order in which a table needs them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._numbers: dict[int, int] = {}

    @property
    def ids(self) -> tuple[int, ...]:
        """The tokenizer's ids by number; padding comes first."""
        return (0, *self._numbers)

    @property
    def numbers(self) -> Mapping[int, int]:
        """Number of each of the tokenizer's ids so far."""
        return dict(self._numbers)

    def spell(self, text: str) -> Spelling:
        """Numbers of a text's tokens."""
        return tuple(map(self._number, self._tokenizer.encode(text, add_special_tokens=False)))

    def character(self, character: str) -> int:
        """Number of the token that is exactly this character."""
        token = self._single(character)
        if token is None:
            raise InvalidInputError(
                f"the backbone's tokenizer has no token for {character!r} alone; use clauses='tokens'."
            )
        return self._number(token)

    def joined_to_a_space(self, characters: str) -> dict[str, int] | None:
        """Numbers of the tokens "space and character", or None where the tokenizer writes the space apart."""
        tokens = {character: self._single(f" {character}") for character in characters}
        if None in tokens.values():
            return None
        return {character: self._number(token) for character, token in tokens.items() if token is not None}

    def _single(self, text: str) -> int | None:
        """The one token of a text, if it has one and reads back."""
        ids = self._tokenizer.encode(text, add_special_tokens=False)
        return ids[0] if len(ids) == 1 and self._tokenizer.decode(ids) == text else None

    def _number(self, token: int) -> int:
        return self._numbers.setdefault(token, PADDING + 1 + len(self._numbers))
