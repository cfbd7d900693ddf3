"""Tables: what a user's frame is made of, and the exact way from cells to plain numbers and back."""

from __future__ import annotations

from imbllm_autogluon.tables.column import Column, SetAside
from imbllm_autogluon.tables.dtypes import KINDS, ColumnName, Kind
from imbllm_autogluon.tables.encoded import Cells
from imbllm_autogluon.tables.grid import NumberLattice
from imbllm_autogluon.tables.schema import TableSchema

__all__ = ["KINDS", "Cells", "Column", "ColumnName", "Kind", "NumberLattice", "SetAside", "TableSchema"]
