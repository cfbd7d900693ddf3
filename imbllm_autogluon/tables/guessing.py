"""Which columns are set aside, and why: the guesses that a user's own choice of kind overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.tables.kinds import dense

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.tables.column import Column

ID_ROWS = 20
"""Fewer cells than this may all differ by chance: such a column is no identifier."""

ID_SHARE = 0.95
"""Share of distinct cells above which a column of strings or categories is an identifier."""

TEXT_SHARE = 0.5
"""Share of distinct cells above which a column of strings may be free text."""

TEXT_WORDS = 4.0
"""Mean number of words per distinct cell from which on such a column is free text."""

GUESSED_TEXT = "it holds free text, which the backbone does not write; pass kinds={...: 'categorical'} to write it."
"""Reason to set a column of sentences aside."""

_WORDS_SAMPLED = 5_000
"""Distinct strings whose words are counted: enough for a mean, and fast."""


def is_constant(column: Column, series: pd.Series[Any]) -> bool:
    """Whether all cells are equal and none is missing."""
    if column.has_missing:
        return False
    if column.lattice is None:
        return len(column.categories) == 1
    return column.lattice.minimum == column.lattice.maximum and int(dense(series).nunique()) == 1


def guessed_reason(column: Column, series: pd.Series[Any]) -> str | None:
    """Why a column that the user gave no kind should be set aside, or None if it should be written.

    Parameters
    ----------
    column
        The column as its dtype suggests it.
    series
        Its cells.
    """
    n_cells = int(series.notna().sum())
    if column.kind == "categorical" and _is_text(column, n_cells):
        return GUESSED_TEXT
    if n_cells >= ID_ROWS and _is_identifier(column, series, n_cells):
        return "nearly every cell is different, as in an identifier; pass its kind to write it all the same."
    return None


def _is_text(column: Column, n_cells: int) -> bool:
    if not n_cells or len(column.categories) <= TEXT_SHARE * n_cells:
        return False
    sample = column.categories[:_WORDS_SAMPLED]
    if not all(isinstance(category, str) for category in sample):
        return False
    return float(np.mean([len(category.split()) for category in sample])) >= TEXT_WORDS


def _is_identifier(column: Column, series: pd.Series[Any], n_cells: int) -> bool:
    if column.kind == "categorical":
        return len(column.categories) > ID_SHARE * n_cells
    if column.kind != "integer" or column.unit is not None or column.lattice is None:
        return False
    is_run = int(column.lattice.maximum) - int(column.lattice.minimum) + 1 == n_cells
    return is_run and int(dense(series).nunique()) == n_cells
