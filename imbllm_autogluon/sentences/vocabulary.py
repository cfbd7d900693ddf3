"""The schema vocabulary: the few hundred tokens that the compact backbone needs for one table.

One token for each column name (its clause prefix), one for each category, one for each quantile bin of a number
(or ten digits shared by all numbers), one for "missing" in each column that has missing values. Columns of free text
share a token for each word, one for unknown words and one for missing texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.sentences.clauses import ClauseWriter
from imbllm_autogluon.sentences.encoding import PADDING, SentenceEncoding
from imbllm_autogluon.sentences.free_texts import FreeTextCoding, TextColumn, clause_names
from imbllm_autogluon.sentences.quantile_bins import QuantileBins
from imbllm_autogluon.sentences.texts import MISSING
from imbllm_autogluon.sentences.value_codings import BinCoding, CategoryCoding, DigitCoding, Numbers, ValueCoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.tables import Cells, Column, TableSchema

DIGIT_SYMBOLS = (*"0123456789", "-")


@dataclass(frozen=True)
class SchemaVocabulary:
    """What has to be known of a table, beside its schema, to write it as tokens."""

    schema: TableSchema
    numbers: Numbers
    bins: Mapping[int, QuantileBins]
    """Quantile bins by index of the numeric column (none when numbers are written as digits)."""

    instruction: str = ""
    """Text in front of every sentence."""

    texts: tuple[TextColumn, ...] = ()
    """Columns of free text, which are no columns of the schema."""

    @classmethod
    def fit(
        cls,
        schema: TableSchema,
        cells: Cells,
        labels: npt.NDArray[np.int64],
        *,
        numbers: Numbers = "bins",
        max_bins: int = 32,
        instruction: str = "",
        texts: tuple[TextColumn, ...] = (),
    ) -> SchemaVocabulary:
        """Learn the quantile bins from the rows of a fold, every class having the same total weight.

        Parameters
        ----------
        cells, labels
            The rows to learn from: n rows and their label codes, int64 of shape (n,).
        numbers
            ``"bins"`` writes a number as one token, ``"digits"`` digit by digit on the column's lattice.
        max_bins
            Most bins of a column.
        instruction
            Text in front of every sentence; each of its words is a token.
        texts
            Columns of free text that sentences hold beside the features, see :meth:`TextColumn.fit`.
        """
        weights = 1.0 / np.bincount(labels)[labels]
        bins = {}
        for j, column in enumerate(schema.columns):
            if column.lattice is not None and numbers == "bins":
                seen = ~cells.missing[:, j]
                units = column.lattice.to_units(column.lattice.snap(cells.values[j][seen]))
                bins[j] = QuantileBins.fit(units, weights[seen], max_bins)
        return cls(schema, numbers, bins, instruction, texts)

    def encoding(self, *, fused: bool = False) -> SentenceEncoding:
        """Allocate token ids and return the encoding that the language room works with.

        Parameters
        ----------
        fused
            See :attr:`SentenceEncoding.fused`.

        Raises
        ------
        InvalidInputError
            The schema has no label.
        """
        names = clause_names(self.schema, self.texts)
        assert self.schema.label is not None  # clause_names made sure
        writer, tokens = ClauseWriter(self.schema), _Tokens()
        assert tokens.add("padding", "") == PADDING
        prefixes = [(tokens.add(f"{name} is", f" {name} is"),) for name in names]
        digits: dict[str, int] = {}
        if self.numbers == "digits":
            digits = {symbol: tokens.add(symbol, symbol) for symbol in DIGIT_SYMBOLS}
        columns = (*self.schema.columns, self.schema.label)
        codings = [self._coding(j, column, writer, tokens, digits) for j, column in enumerate(columns)]
        codings[-1:-1] = self._text_codings(tokens)
        words = {word: tokens.add(word, f" {word}") for word in dict.fromkeys(self.instruction.split())}
        opening = tuple(words[word] for word in self.instruction.split())
        return SentenceEncoding(
            tuple(tokens.names), tuple(prefixes), tuple(codings), tuple(tokens.texts), opening, fused
        )

    def _text_codings(self, tokens: _Tokens) -> list[ValueCoding]:
        """Codings of the columns of free text; all know the words of every one."""
        if not self.texts:
            return []
        missing, unknown = tokens.add("text: missing", f" {MISSING}"), tokens.add("text: unknown word", " unknown")
        distinct = dict.fromkeys(word for text in self.texts for word in text.words)
        words = {word: tokens.add(f"text: {word}", f" {word}") for word in distinct}
        return [FreeTextCoding(words, unknown, missing, text.longest) for text in self.texts]

    def _coding(
        self, j: int, column: Column, writer: ClauseWriter, tokens: _Tokens, digits: dict[str, int]
    ) -> ValueCoding:
        """Coding of one column; its new tokens are added to `tokens`."""
        text, missing_token = writer.cell_texts[j], None
        if column.has_missing:
            missing_token = tokens.add(f"{column.name}: missing", f" {MISSING}")
        first = len(tokens.names)
        if column.is_category:
            for code, category in enumerate(column.categories):
                tokens.add(f"{column.name}: {category}", f" {text.write(code)}")
            return CategoryCoding(first, len(column.categories), missing_token)
        assert column.lattice is not None
        if self.numbers == "digits":
            return DigitCoding(column.lattice, digits, missing_token)
        for i, centre in enumerate(column.lattice.from_units(self.bins[j].centres).tolist()):
            tokens.add(f"{column.name}: bin {i}", f" {text.write(centre)}")
        return BinCoding(first, self.bins[j], column.lattice, missing_token)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, the schema included."""
        bins = {str(j): b.to_dict() for j, b in self.bins.items()}
        return {
            "schema": self.schema.to_dict(),
            "numbers": self.numbers,
            "bins": bins,
            "instruction": self.instruction,
            "texts": [text.to_dict() for text in self.texts],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> SchemaVocabulary:
        """Rebuild the vocabulary from :meth:`to_dict`."""
        from imbllm_autogluon.tables import TableSchema

        bins = {int(j): QuantileBins.from_dict(b) for j, b in state["bins"].items()}
        texts = tuple(TextColumn.from_dict(text) for text in state.get("texts", ()))
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
