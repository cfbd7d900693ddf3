"""Tables: what a user's frame is made of, and the exact way from cells to plain numbers and back."""

from __future__ import annotations

from imbllm_autogluon.tables.column import Column, ExcludedColumn
from imbllm_autogluon.tables.dtypes import KINDS, ColumnName, Kind
from imbllm_autogluon.tables.encoded import EncodedTable
from imbllm_autogluon.tables.grid import NumberGrid
from imbllm_autogluon.tables.schema import TableSchema

__all__ = ["KINDS", "Column", "ColumnName", "EncodedTable", "ExcludedColumn", "Kind", "NumberGrid", "TableSchema"]
