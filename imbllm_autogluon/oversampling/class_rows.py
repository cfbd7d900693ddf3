"""The rows of one class: what a language model learns, what judges it, and what prompts take their values from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from imbllm_autogluon.sentences import Clauses, SentenceEncoding
    from imbllm_autogluon.tables import Cells

    BoolArray = npt.NDArray[np.bool_]

FEWEST_TO_HOLD_OUT = 20
"""Rows of a class below which every one is needed for learning."""


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


def draw_held_out(in_class: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Choose the rows of a class that are held out: none where it has fewer than `FEWEST_TO_HOLD_OUT`.

    Parameters
    ----------
    in_class
        Rows of the class, shape (n,).
    share
        Share of them to hold out; at least one row where it is above 0.
    rng
        Source of the choice.
    """
    members = np.flatnonzero(in_class)
    chosen = np.zeros(len(in_class), dtype=bool)
    if share > 0 and len(members) >= FEWEST_TO_HOLD_OUT:
        chosen[rng.choice(members, size=max(1, round(share * len(members))), replace=False)] = True
    return chosen
