"""Rows as the paper's sentences, "Y is y, X_3 is v_3, X_1 is v_1", and sentences as rows.

Names and values are never syntax: one that holds a comma, a quote, " is ", a control character or blanks at its ends,
or that is empty or the word "missing", is written as a JSON string; everything else stands bare.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import SentenceError, nearest
from imbllm_autogluon.sentences.cell_texts import CellText, cell_text
from imbllm_autogluon.sentences.texts import MISSING, QUOTED_PATTERN, distinct_texts
from imbllm_autogluon.tables import Cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.tables import Column, TableSchema


_QUOTED = f"{QUOTED_PATTERN}(?:#[0-9]+)?"
_NAME = re.compile(f'({_QUOTED}|[^",]+?) is ')
_VALUE = re.compile(f'{_QUOTED}|[^",]+')
_SEPARATOR = ", "
_SHOWN = 60
"""Characters of a sentence that an error shows."""


@dataclass(frozen=True)
class Reading:
    """What a sentence says of a row."""

    features: Mapping[int, float | int | None]
    """Value of each feature clause, by column number: float, int or category code, or None where missing."""

    label: int | None
    """Code of the label, or None without a label clause."""


@dataclass(frozen=True, eq=False)
class ClauseWriter:
    """Writes rows of one table as sentences and reads them back: reading what was written gives the same cells.

    Clause ``j`` is feature column ``j`` of the schema; the clause after the last feature is the label. Columns that
    the schema has set aside are not written.

    Examples
    --------
    >>> import pandas as pd
    >>> from imbllm_autogluon.tables import TableSchema
    >>> table = pd.DataFrame({"age": [44, 61], "sex": ["F", None], "sick": ["no", "yes"]})
    >>> schema = TableSchema.from_frame(table, label="sick")
    >>> writer = ClauseWriter(schema)
    >>> writer.write(schema.encode(table), 1, 1, [2, 1, 0])
    'sick is yes, sex is missing, age is 61'
    >>> writer.read("age is 61, sex is missing")
    Reading(features={0: 61, 1: None}, label=None)
    """

    schema: TableSchema

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each clause as it is written, the label's last."""
        return distinct_texts([column.name for column in self._columns])

    @cached_property
    def cell_texts(self) -> tuple[CellText, ...]:
        """How the values of each clause are written, the label's last."""
        return tuple(cell_text(column) for column in self._columns)

    @property
    def _columns(self) -> tuple[Column, ...]:
        label = self.schema.label
        return self.schema.columns if label is None else (*self.schema.columns, label)

    @cached_property
    def _clause_of(self) -> dict[str, int]:
        return {name: clause for clause, name in enumerate(self.names)}

    @property
    def _n_features(self) -> int:
        return len(self.schema.columns)

    def write(
        self,
        cells: Cells,
        row: int,
        label_code: int | None,
        order: Sequence[int] | IntArray,
        present: Sequence[bool] | BoolArray | None = None,
    ) -> str:
        """Write one row.

        Parameters
        ----------
        cells : Cells
            Cells of the schema's columns.
        row : int
            Row to write.
        label_code : int or None
            Code of the label; with None the label clause is left out.
        order : sequence of int
            Clauses in the order of writing, such as a row of :func:`draw_orders`.
        present : sequence of bool, optional
            By clause number: whether the clause is written (default: all).

        Returns
        -------
        str
            One line; empty if no clause is written.
        """
        return _SEPARATOR.join(
            f"{self.names[clause]} is {self._value(cells, row, label_code, clause)}"
            for clause in (int(clause) for clause in order)
            if (present is None or present[clause]) and (clause < self._n_features or label_code is not None)
        )

    def write_rows(
        self,
        cells: Cells,
        label_codes: Sequence[int] | IntArray | None,
        orders: IntArray,
        present: BoolArray | None = None,
    ) -> list[str]:
        """Write every row.

        Parameters
        ----------
        cells : Cells
            n rows.
        label_codes : sequence of int of shape (n,) or None
            Codes of the labels; with None no label clause is written.
        orders : numpy.ndarray of shape (n, n_clauses), int64
            Order of the clauses of each row, from :func:`draw_orders`.
        present : numpy.ndarray of shape (n, n_clauses), bool, optional
            Clauses to write (default: all).
        """
        return [
            self.write(
                cells,
                row,
                None if label_codes is None else int(label_codes[row]),
                order,
                None if present is None else present[row],
            )
            for row, order in enumerate(orders.tolist())
        ]

    def read(self, sentence: str) -> Reading:
        """Read a sentence whose clauses stand in any order; clauses may be absent.

        Numbers outside the column's range are read, unknown categories are not.

        Raises
        ------
        SentenceError
            The sentence breaks off, or holds an unknown column, a column twice or a value that the column cannot have;
            the message holds the reason and the place. No other error is raised, whatever the text.
        """
        values: dict[int, float | int | None] = {}
        for name, value in _scan(sentence):
            clause = self._known(name, sentence)
            if clause in values:
                raise _refusal(sentence, name.start(), f"{self.names[clause]} stands here a second time")
            values[clause] = self._cell(clause, value, sentence)
        label = values.pop(self._n_features, None)
        return Reading(values, None if label is None else int(label))

    def read_rows(self, sentences: Iterable[str]) -> tuple[Cells, IntArray | None]:
        """Read sentences that each hold every feature.

        Returns
        -------
        cells : Cells
            n rows.
        label_codes : numpy.ndarray of shape (n,), int64, or None
            None if no sentence has a label clause.

        Raises
        ------
        SentenceError
            A sentence cannot be read, lacks a feature, or lacks the label that others have.
        """
        readings = []
        for number, sentence in enumerate(sentences):
            reading = self.read(sentence)
            absent = [self.names[j] for j in range(self._n_features) if j not in reading.features]
            if absent:
                raise SentenceError(f"sentence {number} has no clause for {', '.join(absent)}; full rows have all.")
            readings.append(reading)
        return self._cells(readings), _labels(readings)

    def _value(self, cells: Cells, row: int, label_code: int | None, clause: int) -> str:
        """Text of the value of one clause."""
        if clause == self._n_features:
            assert label_code is not None
            return self.cell_texts[clause].write(label_code)
        return MISSING if cells.missing[row, clause] else self.cell_texts[clause].write(cells.values[clause][row])

    def _known(self, name: re.Match[str], sentence: str) -> int:
        """Clause of a scanned name."""
        clause = self._clause_of.get(name.group(1))
        if clause is None:
            hint = nearest(name.group(1)[:_SHOWN], self.names)
            raise _refusal(sentence, name.start(), f"{_cut(name.group(1))} is no column of this table{hint}")
        return clause

    def _cell(self, clause: int, value: re.Match[str], sentence: str) -> float | int | None:
        """Value of a scanned text, None where missing."""
        text = value.group()
        is_missing = text == MISSING and clause < self._n_features
        cell = None if is_missing else self.cell_texts[clause].read(text)
        if cell is None and not is_missing:
            reason = f"{_cut(text)} is no value of {self.names[clause]}, which takes {self.cell_texts[clause].legal}"
            raise _refusal(sentence, value.start(), reason)
        return cell

    def _cells(self, readings: Sequence[Reading]) -> Cells:
        """Turn readings of full rows into arrays."""
        values, missing = [], np.zeros((len(readings), self._n_features), dtype=bool)
        for j, column in enumerate(self.schema.columns):
            read = [reading.features[j] for reading in readings]
            missing[:, j] = [value is None for value in read]
            dtype = np.float64 if column.kind == "continuous" else np.int64
            values.append(np.array([0 if value is None else value for value in read], dtype=dtype))
        return Cells(tuple(values), missing)


def _scan(sentence: str) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """Name and value of each clause, in their order."""
    place = 0
    while sentence:
        name = _NAME.match(sentence, place)
        if name is None:
            raise _refusal(sentence, place, "a column name followed by ' is ' was expected")
        value = _VALUE.match(sentence, name.end())
        if value is None:
            raise _refusal(sentence, name.end(), "a value was expected")
        yield name, value
        place = value.end()
        if place == len(sentence):
            return
        if not sentence.startswith(_SEPARATOR, place):
            raise _refusal(sentence, place, "', ' or the end was expected")
        place += len(_SEPARATOR)


def _labels(readings: Sequence[Reading]) -> IntArray | None:
    """Label codes of all readings, or None if none has one."""
    labels = [reading.label for reading in readings]
    if all(label is None for label in labels):
        return None
    if None in labels:
        raise SentenceError(f"sentence {labels.index(None)} has no label clause, others have; write it in all or none.")
    return np.array(labels, dtype=np.int64)


def _refusal(sentence: str, place: int, reason: str) -> SentenceError:
    """Error with the reason, the place and what stands there."""
    return SentenceError(f"{reason}, at character {place} of {len(sentence)}: {_cut(sentence[place:])!r}.")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
