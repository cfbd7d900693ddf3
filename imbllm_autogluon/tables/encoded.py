"""The cells of a table as plain arrays: what models read and write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class EncodedTable:
    """Rows of a table, features only, in the column order of ``TableSchema.columns``.

    >>> cells = EncodedTable((np.array([1.5, 2.5]), np.array([0, 1])), np.zeros((2, 2), dtype=bool))
    >>> cells.n_rows, cells.n_columns, cells.take(np.array([1])).values[0].tolist()
    (2, 2, [2.5])
    """

    values: tuple[npt.NDArray[Any], ...]  # per column shape (n_rows,), float64 (continuous) or int64; 0 where missing
    missing: BoolArray  # shape (n_rows, n_columns): which cells are missing

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.missing.shape[0])

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return int(self.missing.shape[1])

    def take(self, rows: npt.ArrayLike) -> EncodedTable:
        """Rows by position (int array), by mask (bool array) or by slice of positions; a copy."""
        chosen = np.asarray(rows)
        chosen = chosen if chosen.dtype == bool else chosen.astype(np.int64)
        return EncodedTable(tuple(column[chosen] for column in self.values), self.missing[chosen])

    @classmethod
    def concat(cls, parts: Sequence[EncodedTable]) -> EncodedTable:
        """Rows of at least one table, all of one schema, one below the other."""
        columns = zip(*(part.values for part in parts), strict=True)
        return cls(tuple(np.concatenate(column) for column in columns), np.concatenate([p.missing for p in parts]))

    def with_column(self, j: int, values: npt.ArrayLike, missing: npt.ArrayLike) -> EncodedTable:
        """Return a copy with another column `j`; its values become 0 where `missing`."""
        mask = self.missing.copy()
        mask[:, j] = missing
        column = np.where(mask[:, j], 0, values).astype(self.values[j].dtype)
        return replace(self, values=(*self.values[:j], column, *self.values[j + 1 :]), missing=mask)

    def row_keys(self) -> npt.NDArray[np.bytes_]:
        """Identity of every row, shape (n_rows,), for ``np.unique``, ``np.isin`` and sets.

        Two rows have equal keys exactly if all their cells are equal; missing equals missing and 0.0 equals -0.0.
        """
        if not self.n_columns:
            return np.full(self.n_rows, b"", dtype="S1")
        words = np.column_stack([self._words(j) for j in range(self.n_columns)])
        row_bytes = np.hstack([words.view(np.uint8), self.missing.astype(np.uint8)])
        return np.ascontiguousarray(row_bytes).view(f"S{row_bytes.shape[1]}")[:, 0]

    def _words(self, j: int) -> IntArray:
        """Return column `j` as 64-bit words, equal where the cells are equal."""
        column = np.where(self.missing[:, j], 0, self.values[j])
        return (column + 0.0).view(np.int64) if column.dtype.kind == "f" else column.astype(np.int64)
