"""Columns that the language model does not write, and what stands in their cells instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.tables.column import Column
    from imbllm_autogluon.tables.kinds import ColumnName

Fill = Literal["constant", "missing", "copied"]


@dataclass(frozen=True)
class SetAside:
    """A feature column that the language model does not write."""

    name: ColumnName
    """Name in the user's frame."""

    reason: str
    """Why, as a sentence for the report."""

    fill: Fill
    """What new rows get: the one value seen, a missing cell, or the cell of the row they descend from."""

    column: Column | None = None
    """Restores a constant (its one category) or missing cells; None for copied columns."""

    holds_text: bool = False
    """Whether the cells are free texts, which a model may read though it does not write them."""

    def restore(self, n_rows: int, parents: pd.DataFrame | None, index: pd.Index[Any] | None) -> pd.Series[Any]:
        """Column of `n_rows` cells; copied ones are taken by position from `parents`."""
        if self.column is None:
            assert parents is not None
            copied: pd.Series[Any] = parents[self.name].copy()
            return copied.reset_index(drop=True) if index is None else copied.set_axis(index)
        codes = np.zeros(n_rows, dtype=np.int64)
        return self.column.decode(codes, np.full(n_rows, self.fill == "missing"), index)
