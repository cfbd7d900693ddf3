"""The schema vocabulary: the few hundred tokens that the compact backbone needs for one table.

One token for each column name (its clause prefix), one for each category, one for each quantile bin of a number
(or ten digits shared by all numbers), one for "missing" in each column that has missing values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences.encoding import SentenceEncoding
from imbllm_autogluon.sentences.quantile_bins import QuantileBins
from imbllm_autogluon.sentences.value_codings import BinCoding, CategoryCoding, DigitCoding, Numbers, ValueCoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.tables import Cells, Column, TableSchema

PADDING = 0
DIGIT_SYMBOLS = (*"0123456789", "-", "end")


@dataclass(frozen=True)
class SchemaVocabulary:
    """What has to be known of a table, beside its schema, to write it as tokens."""

    schema: TableSchema
    numbers: Numbers
    bins: Mapping[int, QuantileBins]
    """Quantile bins by index of the numeric column (none when numbers are written as digits)."""

    @classmethod
    def fit(
        cls,
        schema: TableSchema,
        cells: Cells,
        labels: npt.NDArray[np.int64],
        *,
        numbers: Numbers = "bins",
        max_bins: int = 32,
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
        """
        weights = 1.0 / np.bincount(labels)[labels]
        bins = {}
        for j, column in enumerate(schema.columns):
            if column.lattice is not None and numbers == "bins":
                seen = ~cells.missing[:, j]
                units = column.lattice.to_units(column.lattice.snap(cells.values[j][seen]))
                bins[j] = QuantileBins.fit(units, weights[seen], max_bins)
        return cls(schema, numbers, bins)

    def encoding(self) -> SentenceEncoding:
        """Allocate token ids and return the encoding that the language room works with."""
        clauses = [*self.schema.columns, self.schema.label]
        names = ["padding", *(f"{c.name} is" if c else "label is" for c in clauses)]
        prefixes = [(1 + j,) for j in range(len(clauses))]
        digits: dict[str, int] = {}
        if self.numbers == "digits":
            digits = {symbol: len(names) + i for i, symbol in enumerate(DIGIT_SYMBOLS)}
            names += DIGIT_SYMBOLS
        codings: list[ValueCoding] = []
        for j, column in enumerate(clauses):
            if column is None:
                raise InvalidInputError("a vocabulary needs a schema with a label; make it with a label column.")
            codings.append(self._coding(j, column, names, digits))
        return SentenceEncoding(tuple(names), tuple(prefixes), tuple(codings))

    def _coding(self, j: int, column: Column, names: list[str], digits: dict[str, int]) -> ValueCoding:
        """Coding of one column; its new tokens are appended to `names`."""
        missing_token = None
        if column.has_missing:
            missing_token = len(names)
            names.append(f"{column.name}: missing")
        first = len(names)
        if column.is_category:
            names += [f"{column.name}: {category}" for category in column.categories]
            return CategoryCoding(first, len(column.categories), missing_token)
        assert column.lattice is not None
        if self.numbers == "digits":
            return DigitCoding(column.lattice, digits, missing_token)
        names += [f"{column.name}: bin {i}" for i in range(self.bins[j].n_bins)]
        return BinCoding(first, self.bins[j], column.lattice, missing_token)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, the schema included."""
        bins = {str(j): b.to_dict() for j, b in self.bins.items()}
        return {"schema": self.schema.to_dict(), "numbers": self.numbers, "bins": bins}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> SchemaVocabulary:
        """Rebuild the vocabulary from :meth:`to_dict`."""
        from imbllm_autogluon.tables import TableSchema

        bins = {int(j): QuantileBins.from_dict(b) for j, b in state["bins"].items()}
        return cls(TableSchema.from_dict(state["schema"]), state["numbers"], bins)
