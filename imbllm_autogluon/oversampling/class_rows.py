"""The rows of one class: what a language model learns, what judges it, and what prompts take their values from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import ClassTooSmallError
from imbllm_autogluon.oversampling.neighbours import MixedSpace

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import BoolArray
    from imbllm_autogluon.oversampling.report import Method
    from imbllm_autogluon.sentences import Clauses, SentenceEncoding
    from imbllm_autogluon.tables import Cells, TableSchema


FEWEST_ROWS = 6
"""Rows of a class below which a language model has nothing to learn: 2 to 5 rows are interpolated instead."""


@dataclass(frozen=True, eq=False)
class ClassRows:
    """What is kept of one class to write more of it."""

    real: Cells
    """Its rows in the training fold, those held out first."""

    pool: Cells
    """Real rows first, then interpolated ones: fine-tuning learns from them, prompts take their values from them."""

    copied: pd.DataFrame
    """Columns of the real rows that nothing writes (identifiers, texts): a new row takes its nearest real row's."""

    held_out: int = 0
    """Rows at the beginning that are not learned: they tell the held-out loss."""

    def clauses(self, encoding: SentenceEncoding, code: int) -> Clauses:
        """Clauses of all rows of the pool, labelled with the class's code."""
        return encoding.encode(self.pool, np.full(self.pool.n_rows, code))

    def learned(self, encoding: SentenceEncoding, code: int, interpolated: BoolArray) -> Clauses:
        """Clauses of the rows to learn from.

        Parameters
        ----------
        encoding
            How rows become tokens.
        code
            Label code of the class.
        interpolated
            Clauses that interpolated rows write, shape (n_clauses,).
        """
        clauses = self.clauses(encoding, code)
        present = clauses.present.copy()
        present[self.real.n_rows :] &= interpolated
        return clauses.with_present(present).take(np.arange(self.held_out, self.pool.n_rows))

    def judging(self, encoding: SentenceEncoding, code: int) -> Clauses:
        """Clauses of the rows that are held out."""
        return self.clauses(encoding, code).take(np.arange(self.held_out))

    def nearest_copied(self, schema: TableSchema, written: Cells) -> pd.DataFrame:
        """Copied columns of each written row's nearest real row."""
        if self.copied.shape[1] == 0:
            return self.copied.iloc[np.zeros(written.n_rows, dtype=np.int64)]
        nearest, _ = MixedSpace.fit(schema, self.real).nearest(written, self.real, 1)
        return self.copied.iloc[nearest[:, 0]]


def method_for(label: str, real: Cells, schema: TableSchema) -> Method:
    """How new rows of a class are made, by the number of its real ones.

    Raises
    ------
    ClassTooSmallError
        There are fewer than two.
    """
    if real.n_rows < 2:
        raise ClassTooSmallError(
            f"class {label!r} has {real.n_rows} row(s); at least 2 are needed to write more. Collect more rows, "
            "merge the class with another, or leave it out of the sampling strategy."
        )
    if not schema.columns:
        return "duplication"
    return "language model" if real.n_rows >= FEWEST_ROWS else "interpolation"
