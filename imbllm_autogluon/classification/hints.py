"""Clauses beside the table's own: the guess of a first stage, and the control clause of prior suppression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.classification.first_stage import CONFIDENCE, GUESS, FirstStage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.classification.config import MeasuresConfig
    from imbllm_autogluon.tables import ColumnName, Kind, TableSchema


CONTROL = "class frequencies"
"""Name of the control clause."""

NATURAL, IGNORED = "as they are", "ignored"
"""Its values: under the table's class shares, and under equal ones."""

KINDS: dict[ColumnName, Kind] = {GUESS: "categorical", CONFIDENCE: "continuous", CONTROL: "categorical"}


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

    def of(self, X: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
        """Hints of rows that are asked about."""
        hints = pd.DataFrame(index=pd.RangeIndex(len(X)))
        if self.stage is not None:
            hints = self.stage.guesses(X, schema.encode(X, unknown="missing"))
        return self.balanced(hints)

    def balanced(self, hints: pd.DataFrame) -> pd.DataFrame:
        """The same hints with the control clause of equal class shares, where there is one."""
        return hints.assign(**{CONTROL: IGNORED}) if self._suppression else hints
