"""What a language model learns from a training fold, and what judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from imbllm_autogluon.arrays import BoolArray, IntArray
    from imbllm_autogluon.sentences import Clauses
    from imbllm_autogluon.tables import Cells, ColumnName, Kind


@dataclass(frozen=True, eq=False)
class LabelledCells:
    """Rows of a training fold, encoded and as they came."""

    cells: Cells
    codes: IntArray
    """Label codes, shape (n,)."""

    X: pd.DataFrame
    y: pd.Series
    kinds: Mapping[ColumnName, Kind] | None
    """Column kinds that the user chose."""

    is_held_out: BoolArray
    """Rows that are not learned but judge the language model, shape (n,)."""

    @property
    def learned(self) -> tuple[Cells, IntArray]:
        """Cells and label codes of the rows that are learned."""
        return self.cells.take(~self.is_held_out), self.codes[~self.is_held_out]

    @property
    def held_out(self) -> tuple[Cells, IntArray]:
        """Cells and label codes of the rows that are held out."""
        return self.cells.take(self.is_held_out), self.codes[self.is_held_out]


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a language model learns from a fold."""

    rows: Clauses
    """Rows of the last stage of training."""

    judging: Clauses
    """Rows whose loss ends that stage early."""

    warmup: Clauses | None = None
    """Rows of a stage before it; None: there is none."""

    stage: str = "minority"
    """Name of the last stage."""
