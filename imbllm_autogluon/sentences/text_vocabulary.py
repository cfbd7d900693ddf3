"""The paper's sentence in the tokens of a pretrained tokenizer: the few hundred of them that one table can use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automata import column_characters
from imbllm_autogluon.sentences.cell_texts import CategoryText
from imbllm_autogluon.sentences.clauses import ClauseWriter
from imbllm_autogluon.sentences.encoding import PADDING, SentenceEncoding
from imbllm_autogluon.sentences.free_texts import FreeSubwordCoding, clause_names
from imbllm_autogluon.sentences.text_codings import CategoryTextCoding, NumberTextCoding, require_distinct
from imbllm_autogluon.sentences.texts import MISSING, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.sentences.free_texts import TextColumn
    from imbllm_autogluon.sentences.text_codings import Spelling
    from imbllm_autogluon.sentences.value_codings import ValueCoding
    from imbllm_autogluon.tables import TableSchema

SEPARATOR = ","
"""Stands behind every value, the last one too: it tells where a number ends."""


@dataclass(frozen=True, eq=False)
class TextVocabulary:
    """Writes the clauses of one table as text: `` age is 44, sex is F,``.

    Each clause is made of tokens on its own, with a space in front, so that it is written alike at every place of a
    sentence. Numbers and times are written character by character, names and categories as the tokenizer cuts them;
    free text word by word as it cuts each of them.

    Parameters
    ----------
    schema
        Columns of the table, with a label.
    tokenizer
        Of the pretrained model.
    instruction
        Text in front of every sentence.
    texts
        Columns of free text, which are no columns of the schema; of new words those parts are read that the table uses.
    """

    schema: TableSchema
    tokenizer: Tokenizer
    instruction: str = ""
    texts: tuple[TextColumn, ...] = ()

    @cached_property
    def token_ids(self) -> tuple[int, ...]:
        """The tokenizer's id of each token of :meth:`encoding`; that of padding stands for nothing."""
        return self._built[1]

    def encoding(self) -> SentenceEncoding:
        """The encoding, over the tokens that the table can use, numbered anew.

        Raises
        ------
        InvalidInputError
            The schema has no label, two names or two categories look the same to the tokenizer, or it has no token
            for a digit.
        """
        return self._built[0]

    @cached_property
    def _built(self) -> tuple[SentenceEncoding, tuple[int, ...]]:
        names = clause_names(self.schema, self.texts)
        n_features = len(self.schema.columns)
        used = _UsedTokens(self.tokenizer)
        writer = ClauseWriter(self.schema)
        named = (*names[:n_features], names[-1])
        clauses = [self._clause(j, name, writer, used) for j, name in enumerate(named)]
        require_distinct([used.spell(f" {name} is") for name in names], names, "names of columns")
        opening = used.spell(self.instruction) if self.instruction else ()
        clauses[-1:-1] = self._text_clauses(names[n_features:-1], used)
        prefixes, codings = zip(*clauses, strict=True)
        ids = used.ids
        texts = ("", *(self.tokenizer.decode([token]) for token in ids[1:]))
        token_names = ("padding", *(repr(text) for text in texts[1:]))
        return SentenceEncoding(token_names, tuple(prefixes), tuple(codings), texts, opening), ids

    def _text_clauses(self, names: tuple[str, ...], used: _UsedTokens) -> list[tuple[Spelling, ValueCoding]]:
        """Prefix and coding of each clause of free text; called last, the codings read what all of the table uses."""
        if not names:
            return []
        prefixes = [used.spell(f" {name} is") for name in names]
        spellings = {word: used.spell(word) for text in self.texts for word in text.raw_words}
        separator, missing = used.character(SEPARATOR), used.spell(f" {MISSING}")
        shared = (self.tokenizer, used.numbers, spellings, separator, missing)
        return [(prefix, FreeSubwordCoding(*shared, t.longest)) for prefix, t in zip(prefixes, self.texts, strict=True)]

    def _clause(self, j: int, name: str, writer: ClauseWriter, used: _UsedTokens) -> tuple[Spelling, ValueCoding]:
        """Prefix and coding of one clause."""
        label = self.schema.label
        assert label is not None
        column = (*self.schema.columns, label)[j]
        separator = used.character(SEPARATOR)
        prefix, text = used.spell(f" {name} is"), writer.cell_texts[j]
        missing = (*used.spell(f" {MISSING}"), separator) if column.has_missing else None
        if isinstance(text, CategoryText):
            spellings = [used.spell(f" {category}") for category in text.texts]
            absent = {} if missing is None else {MISSING: missing[:-1]}
            require_distinct([*spellings, *absent.values()], [*text.texts, *absent], f"column {column.name!r}")
            return prefix, CategoryTextCoding(tuple((*s, separator) for s in spellings), missing)
        letters = column_characters(column, missing=False)
        inside = {letter: used.character(letter) for letter in letters}
        first = used.joined_to_a_space(letters)
        if first is None:
            prefix, first = (*prefix, *used.spell(" ")), inside
        # Both begin behind the same prefix: where the space stands in it, "missing" is written without its own.
        if missing is not None and first is inside:
            missing = (*used.spell(MISSING), separator)
        return prefix, NumberTextCoding(column, inside, first, separator, missing)


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
