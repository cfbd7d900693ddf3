"""Tables: what a user's frame is made of, and the exact way from cells to plain numbers and back."""

from __future__ import annotations

from imbllm_autogluon.tables.cells import Cells
from imbllm_autogluon.tables.column import Column
from imbllm_autogluon.tables.kinds import KINDS, ColumnName, Kind
from imbllm_autogluon.tables.lattice import NumberLattice
from imbllm_autogluon.tables.schema import TableSchema
from imbllm_autogluon.tables.set_aside import SetAside

__all__ = ["KINDS", "Cells", "Column", "ColumnName", "Kind", "NumberLattice", "SetAside", "TableSchema"]
