"""Columns of free text in a sentence: read by the model, never learned and never written by it.

Texts are cut into words: letters, numbers, punctuation, and each character where a script has no blanks.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, NoReturn

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.automaton import NOTHING, Automaton
from imbllm_autogluon.sentences.texts import distinct_texts
from imbllm_autogluon.sentences.value_codings import padded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.sentences.text_codings import Spelling
    from imbllm_autogluon.sentences.texts import Tokenizer
    from imbllm_autogluon.tables import TableSchema

    Texts = Sequence[str | None] | npt.NDArray[Any]
    from collections.abc import Iterator


SMALL_FOLD = 50
"""Rows below which a word counts that one row alone has."""

_NO_BLANKS = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Chinese characters and Japanese kana of the first plane; those of the planes 2 and 3 follow in the pattern."""

_LONGEST = 31
"""Characters of a word behind its first; what is longer (encoded files, laughter) is cut."""

_INVISIBLE = frozenset({"Cc", "Cf"})
"""Categories of characters that are no word: controls, direction marks, joiners."""


@dataclass(frozen=True)
class TextColumn:
    """The vocabulary of one column of free text, learned from the rows of a fold.

    Examples
    --------
    >>> TextColumn.fit("note", ["Hot soup", None, "hot, hot!"], longest=3).words
    ('hot', ',', 'soup')
    """

    name: str

    words: tuple[str, ...]
    """Words in small letters, that of most rows first."""

    longest: int
    """Tokens of a text that are read; what comes behind them is cut off."""

    raw_words: tuple[str, ...] = ()
    """All words in their own letter case, with the blank in front where they have one, that of most rows first; a
    pretrained tokenizer cuts them itself."""

    @classmethod
    def fit(cls, name: str, texts: Sequence[str | None], *, most_words: int = 2000, longest: int = 64) -> TextColumn:
        """Learn the words that two or more rows have; those of a single one too where there are fewer than 50 rows.

        Parameters
        ----------
        name
            Name of the column.
        texts
            Texts of the rows; what is no string is missing.
        most_words
            Most of the words in small letters, those of most rows.
        longest
            Tokens of a text that are read, 1 or more.

        Raises
        ------
        InvalidInputError
            `most_words` or `longest` is below 1.
        """
        if most_words < 1 or longest < 1:
            raise InvalidInputError(f"most_words and longest must be 1 or more; got {most_words} and {longest}.")
        rows = [list(islice(cut_text(text), longest)) for text in texts if isinstance(text, str)]
        least = 2 if len(texts) >= SMALL_FOLD else 1
        words = _by_rows([_small(word) for word in row] for row in rows)
        frequent = [word for word, count in words if count >= least]
        return cls(name, tuple(frequent[:most_words]), longest, tuple(word for word, _ in _by_rows(rows)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "name": self.name,
            "words": list(self.words),
            "longest": self.longest,
            "raw_words": list(self.raw_words),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TextColumn:
        """Rebuild the column from :meth:`to_dict`."""
        return cls(state["name"], tuple(state["words"]), int(state["longest"]), tuple(state["raw_words"]))


class GivenCoding(ABC):
    """Coding of a clause that prompts can only give: its automaton allows nothing, nothing is learned there."""

    longest: int
    """Most tokens of a value."""

    @property
    def automaton(self) -> Automaton:
        """Accepts nothing."""
        return NOTHING

    def encode(self, values: Texts, missing: BoolArray | None = None) -> IntArray:
        """Token ids of n texts, int64 of shape (n, longest of them), padded with -1.

        Missing are those that `missing` marks, those that are no string, and those without a word.
        """
        gone = [False] * len(values) if missing is None else missing.tolist()
        rows = [
            list(islice(cut_text(text), self.longest)) if isinstance(text, str) and not absent else []
            for text, absent in zip(values, gone, strict=True)
        ]
        return padded([self._tokens(words) for words in rows])

    def decode(self, tokens: IntArray, rng: np.random.Generator) -> NoReturn:  # noqa: ARG002 - protocol
        """Refuse.

        Raises
        ------
        InvalidInputError
            Always.
        """
        raise InvalidInputError("the tokens of free text cannot be decoded: texts are read and never written.")

    @abstractmethod
    def _tokens(self, words: list[str]) -> list[int]:
        """One to `longest` tokens of a text's words; without words those of a missing text."""


@dataclass(frozen=True, eq=False)
class FreeTextCoding(GivenCoding):
    """Texts word by word, in tokens of the table's own."""

    words: Mapping[str, int]
    """Token of each known word in small letters."""

    unknown: int
    """Token of every other word."""

    missing: int
    """Token of a missing text."""

    longest: int

    def _tokens(self, words: list[str]) -> list[int]:
        return [self.words.get(_small(word), self.unknown) for word in words] or [self.missing]


@dataclass(frozen=True, eq=False)
class FreeSubwordCoding(GivenCoding):
    """Texts as a pretrained tokenizer cuts them, each closed by the separator."""

    tokenizer: Tokenizer

    numbers: Mapping[int, int]
    """Token of each of the tokenizer's ids that the table uses; others are left out."""

    spellings: Mapping[str, Spelling]
    """Tokens of the words of the fold."""

    separator: int
    missing: Spelling
    """Tokens of a missing text, without the separator."""

    longest: int

    def _tokens(self, words: list[str]) -> list[int]:
        tokens = [token for word in words for token in self._spell(word)] if words else self.missing
        return [*tokens[: self.longest - 1], self.separator]

    def _spell(self, word: str) -> Spelling:
        """Tokens of a word; a new one is cut as well."""
        if word in self.spellings:
            return self.spellings[word]
        ids = self.tokenizer.encode(word, add_special_tokens=False)
        return tuple(self.numbers[token] for token in ids if token in self.numbers)


def clause_names(schema: TableSchema, texts: Iterable[TextColumn]) -> tuple[str, ...]:
    """Name of each clause as it is written, all different: feature columns, text columns, and the label last.

    Raises
    ------
    InvalidInputError
        The schema has no label.
    """
    if schema.label is None:
        raise InvalidInputError("a vocabulary needs a schema with a label; make it with a label column.")
    features = [column.name for column in schema.columns]
    return distinct_texts([*features, *(text.name for text in texts), schema.label.name])


def _small(word: str) -> str:
    return word.removeprefix(" ").lower()


def _by_rows(rows: Iterable[list[str]]) -> list[tuple[str, int]]:
    """Words and the number of rows that have them, most rows first, then by code point."""
    counts = Counter(word for row in rows for word in set(row))
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def cut_text(text: str) -> Iterator[str]:
    """Yield the words of a text in their order and letter case, with a blank in front where the text has one.

    The first word has one too. A word is a run of letters with their combining marks, a run of digits, a single
    Chinese character or kana, or a single other character; controls and other invisible characters are left out.

    Examples
    --------
    >>> list(cut_text("It's  4.5 km"))
    [' It', "'", 's', ' 4', '.', '5', ' km']
    """
    # A lone surrogate cannot be encoded, so no tokenizer takes it; it becomes a question mark.
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    end, blank = 0, True
    for match in _pattern().finditer(clean):
        blank = blank or match.start() > end  # only blanks are no match
        end = match.end()
        if unicodedata.category(match.group()[0]) not in _INVISIBLE:
            yield f" {match.group()}" if blank else match.group()
            blank = False


@cache
def _pattern() -> re.Pattern[str]:
    """Regular expression of a word; `re` knows neither scripts nor combining marks."""
    marks, single = _combining_marks(), f"{_NO_BLANKS}\U00020000-\U0003ffff"
    letter, behind = rf"[^\W\d_{single}]", f"{{0,{_LONGEST}}}"
    return re.compile(
        rf"{letter}(?:{letter}|[{marks}]){behind}|\d\d{behind}|[{single}][{marks}]{behind}|(?:[^\w\s]|_)[{marks}]{behind}"
    )


def _combining_marks() -> str:
    """Ranges of all combining marks, as they stand in a class of a regular expression."""
    marks = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M"))
    runs = [list(run) for _, run in groupby(enumerate(marks), key=lambda item: item[1] - item[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)
