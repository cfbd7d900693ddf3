"""Rows of a user's table as the clauses that a label model reads: own columns, hints beside them, free texts.

Hints are the guess of a first stage, and the control clause of prior suppression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.classification.first_stage import CONFIDENCE, GUESS, FirstStage
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.sentences import SchemaVocabulary, TextColumn
from imbllm_autogluon.tables import Cells, TableSchema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.classification.config import ClassifierConfig, MeasuresConfig
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.sentences import Clauses, SentenceEncoding
    from imbllm_autogluon.tables import ColumnName, Kind


INSTRUCTION = "Name the class that fits these values best, regardless of how frequent it is:"
"""In front of every sentence where the instruction is switched on."""

FIRST_STAGE = "first_stage.skops"
"""File of a fitted classifier of scikit-learn; it holds no weights of a language model."""

CONTROL = "class frequencies"
"""Name of the control clause."""

NATURAL, IGNORED = "as they are", "ignored"
"""Its values: under the table's class shares, and under equal ones."""

KINDS: dict[ColumnName, Kind] = {GUESS: "categorical", CONFIDENCE: "continuous", CONTROL: "categorical"}


class RowReader:
    """Reads rows of one table.

    Parameters
    ----------
    config
        Which hints, instruction and how much of a text.
    first_stage
        A classifier in place of the built-in first stages; None: as the configuration says.
    seed
        Of the first stage.

    Attributes
    ----------
    plain : TableSchema
        The table's own columns.
    schema : TableSchema
        The same with the hints behind them.
    """

    plain: TableSchema
    schema: TableSchema

    def __init__(self, config: ClassifierConfig, first_stage: Any, seed: int) -> None:
        self._config = config
        self._hints = Hints(config.measures, first_stage, seed)
        self._text_names: list[ColumnName] = []

    def read_columns(self, X: pd.DataFrame, y: pd.Series, kinds: Mapping[ColumnName, Kind] | None) -> IntArray:
        """Learn the table's own columns; returns the label codes, shape (n,)."""
        self.plain = TableSchema.of_labelled(X, y, kinds)
        self._text_names = [aside.name for aside in self.plain.set_aside if aside.holds_text]
        return self.plain.encode_label(y)

    def fit_hints(self, X: pd.DataFrame, codes: IntArray, kept: BoolArray) -> pd.DataFrame:
        """Hints of the rows to learn from; those `kept` from learning are guessed as new rows are.

        Raises
        ------
        InvalidInputError
            A column of the table has the name of a hint.
        """
        hints = self._hints.fit(X, self.plain, codes, kept)
        self.schema = self._with_hints(X, hints)
        return hints

    def hints_of(self, X: pd.DataFrame) -> pd.DataFrame:
        """Hints of rows that are asked about."""
        return self._hints.of(X, self.plain.encode(X, unknown="missing") if self._hints.stage else None)

    def balanced(self, hints: pd.DataFrame) -> pd.DataFrame:
        """The same hints with the control clause of equal class shares, where there is one."""
        return self._hints.balanced(hints)

    def vocabulary(
        self, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray, language: LanguageConfig
    ) -> SchemaVocabulary:
        """Vocabulary of rows to learn from."""
        assert language.numbers is not None
        longest = self._config.text_words
        texts = zip(self._text_names, self._texts(X), strict=True)
        return SchemaVocabulary.fit(
            self.schema,
            self.schema.encode(_beside(X, hints)),
            codes,
            numbers=language.numbers,
            max_bins=language.max_bins,
            instruction=self._instruction(),
            texts=tuple(TextColumn.fit(str(name), column, longest=longest) for name, column in texts),
        )

    def clauses(self, encoding: SentenceEncoding, X: pd.DataFrame, hints: pd.DataFrame, codes: IntArray) -> Clauses:
        """Rows as clauses; what a row does not have, and training never lacked, is not written."""
        cells = self.schema.encode(_beside(X, hints), unknown="missing")
        return self._clauses(encoding, cells, codes, X)

    def cell_clauses(self, encoding: SentenceEncoding, cells: Cells) -> Clauses:
        """Rows without free texts that are asked about, as cells of the table's own columns, as clauses."""
        frame = pd.DataFrame(index=pd.RangeIndex(cells.n_rows))  # only a user's own first stage reads more of it
        hints = self._hints.of(frame, cells)
        added = [
            column.encode(hints[column.name], unknown="missing") for column in self.schema.columns[cells.n_columns :]
        ]
        gone = np.column_stack([cells.missing, *(missing for _, missing in added)])
        whole = Cells((*cells.values, *(values for values, _ in added)), gone)
        return self._clauses(encoding, whole, np.zeros(cells.n_rows, dtype=np.int64), frame)

    def _clauses(self, encoding: SentenceEncoding, cells: Cells, codes: IntArray, X: pd.DataFrame) -> Clauses:
        """Cells of all columns and the free texts of a frame as clauses."""
        clauses = encoding.encode(cells, codes, self._texts(X))
        never_missing = np.array([not column.has_missing for column in self.schema.columns], dtype=bool)
        absent = np.zeros_like(clauses.present)
        absent[:, : cells.n_columns] = cells.missing & never_missing
        absent[:, cells.n_columns : -1] = [name not in X.columns for name in self._text_names]
        clauses.tokens[absent] = -1
        return clauses.with_present(~absent)

    def feature_clauses(self, encoding: SentenceEncoding, cells: Cells) -> Clauses:
        """Cells of the table's own columns as clauses, everything else of the rows absent."""
        n_rows, beside = cells.n_rows, len(self.schema.columns) - cells.n_columns
        nothing = np.zeros(n_rows, dtype=np.int64)
        gone = np.ones((n_rows, beside), dtype=bool)
        whole = Cells((*cells.values, *[nothing] * beside), np.hstack([cells.missing, gone]))
        return encoding.encode(whole, nothing, [[None] * n_rows for _ in self._text_names])

    def save(self, folder: Path) -> dict[str, Any]:
        """Store the first stage; returns the JSON-able rest."""
        (folder / FIRST_STAGE).unlink(missing_ok=True)  # of a model that was stored there before
        stage = None if self._hints.stage is None else self._hints.stage.save(folder / FIRST_STAGE)
        columns = {"plain": self.plain.to_dict(), "schema": self.schema.to_dict(), "texts": self._text_names}
        return {**columns, "first_stage": stage}

    def load(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Read what :meth:`save` stored."""
        self.plain, self.schema = TableSchema.from_dict(state["plain"]), TableSchema.from_dict(state["schema"])
        self._text_names = list(state["texts"])
        if state["first_stage"] is not None:
            self._hints.load_stage(folder / FIRST_STAGE, state["first_stage"], self.plain)

    def _with_hints(self, X: pd.DataFrame, hints: pd.DataFrame) -> TableSchema:
        """Schema of the table and its hints; codes of the table's own cells stay what they are."""
        if not hints.shape[1]:
            return self.plain
        taken = [name for name in hints.columns if name in X.columns]
        if taken:
            raise InvalidInputError(
                f"column {taken[0]!r} has the name of a clause that this classifier adds; rename it, or switch off "
                "first_stage and suppression."
            )
        # One row more, so that the control clause has both of its values.
        frame = pd.concat([hints, self.balanced(hints.iloc[:1])], ignore_index=True)
        hinted, plain = TableSchema.from_frame(frame, kinds=self._hints.kinds_of(hints)), self.plain
        return TableSchema(
            (*plain.names, *hinted.names),
            (*plain.columns, *hinted.columns),
            plain.label,
            (*plain.set_aside, *hinted.set_aside),
        )

    def _instruction(self) -> str:
        """What stands in front of every sentence; one token for a backbone that knows no words."""
        if not self._config.measures.instruction:
            return ""
        return INSTRUCTION if self._config.language.is_pretrained else "instruction"

    def _texts(self, X: pd.DataFrame) -> list[list[str | None]]:
        """Cells of the columns of free text; what is no text is missing, and so is a column that is not there."""
        columns = [X[name] if name in X.columns else [None] * len(X) for name in self._text_names]
        return [[cell if isinstance(cell, str) else None for cell in column] for column in columns]


def _beside(X: pd.DataFrame, hints: pd.DataFrame) -> pd.DataFrame:
    """Features and hints of the same rows, by position."""
    return X if not hints.shape[1] else pd.concat([X.reset_index(drop=True), hints.reset_index(drop=True)], axis=1)


class Hints:
    """Makes the hints of rows.

    Parameters
    ----------
    measures
        Which hints there are.
    first_stage
        A classifier in place of the built-in ones; None: as the measures say.
    seed
        Of the first stage.

    Attributes
    ----------
    stage : FirstStage or None
        The fitted first stage.
    """

    def __init__(self, measures: MeasuresConfig, first_stage: Any, seed: int) -> None:
        self._suppression = measures.suppression
        self._classifier = first_stage if first_stage is not None else measures.first_stage
        self._seed = seed
        self.stage: FirstStage | None = None

    @staticmethod
    def kinds_of(hints: pd.DataFrame) -> dict[ColumnName, Kind]:
        """Kinds of hint columns."""
        return {name: KINDS[name] for name in hints.columns}

    def fit(self, X: pd.DataFrame, schema: TableSchema, codes: IntArray, kept: BoolArray) -> pd.DataFrame:
        """Hints of rows to learn from (out-of-fold guesses), and of the rows kept from them; shape (n, 0 to 3).

        Parameters
        ----------
        X, codes
            All rows and their classes.
        schema
            Columns of the table without hints.
        kept
            Rows that are not learned, shape (n,).
        """
        hints = pd.DataFrame(index=pd.RangeIndex(len(X)))
        if not isinstance(self._classifier, str) or self._classifier != "none":
            self.stage = FirstStage(self._classifier, schema, self._seed)
            cells = schema.encode(X)
            learned = self.stage.fit(X[~kept], cells.take(~kept), codes[~kept])
            parts = [learned.set_index(np.flatnonzero(~kept))]
            if kept.any():
                parts.append(self.stage.guesses(X[kept], cells.take(kept)).set_index(np.flatnonzero(kept)))
            hints = pd.concat(parts).sort_index()
        return hints.assign(**{CONTROL: NATURAL}) if self._suppression else hints

    def load_stage(self, file: Path, state: Mapping[str, Any], schema: TableSchema) -> None:
        """Read the first stage that :meth:`FirstStage.save` stored."""
        self.stage = FirstStage(self._classifier, schema, self._seed)
        self.stage.load(file, state)

    def of(self, X: pd.DataFrame, cells: Cells | None) -> pd.DataFrame:
        """Hints of rows that are asked about; their cells are read where there is a first stage."""
        hints = pd.DataFrame(index=pd.RangeIndex(len(X)))
        if self.stage is not None:
            assert cells is not None
            hints = self.stage.guesses(X, cells)
        return self.balanced(hints)

    def balanced(self, hints: pd.DataFrame) -> pd.DataFrame:
        """The same hints with the control clause of equal class shares, where there is one."""
        return hints.assign(**{CONTROL: IGNORED}) if self._suppression else hints
