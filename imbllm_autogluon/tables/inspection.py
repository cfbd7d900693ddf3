"""How a table schema is read off a DataFrame.

Some columns are set aside by guesses that a user's own choice of kind overrides.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, TableError, nearest
from imbllm_autogluon.tables.column import Column
from imbllm_autogluon.tables.formats import ColumnFormat
from imbllm_autogluon.tables.kinds import KINDS, ColumnName, Kind, allowed_kinds, dense
from imbllm_autogluon.tables.set_aside import SetAside

Kinds = Mapping[ColumnName, Kind]

IS_TEXT = "its kind is text, which the backbone does not write."

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


def checked_names(df: pd.DataFrame) -> tuple[ColumnName, ...]:
    """Names of all columns.

    Raises
    ------
    TableError
        The frame is empty, or a name is repeated, or neither a string nor an integer.
    """
    if not isinstance(df, pd.DataFrame):
        raise InvalidInputError(f"a table must be a pandas DataFrame; got {type(df).__name__}: use pd.DataFrame(...).")
    names = tuple(_checked_name(name) for name in df.columns)
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise TableError(f"column name {repeated[0]!r} occurs more than once; names must differ: rename or drop one.")
    if not len(df):
        raise TableError("the table has 0 rows; at least 1 is needed: check how it was read or filtered.")
    return names


def check_kinds(kinds: Kinds, names: tuple[ColumnName, ...]) -> None:
    """Refuse a user's choice for an unknown column or of an unknown kind."""
    for name, kind in kinds.items():
        if name not in names:
            raise InvalidInputError(
                f"kinds names the column {name!r}, which the table does not have{nearest(str(name), map(str, names))}."
            )
        if kind not in KINDS:
            raise InvalidInputError(
                f"kinds[{name!r}] must be one of {', '.join(map(repr, KINDS))}; "
                f"got {kind!r}{nearest(str(kind), KINDS)}."
            )


def read_label(df: pd.DataFrame, label: ColumnName, names: tuple[ColumnName, ...], kinds: Kinds) -> Column:
    """Read the label, always as classes.

    Raises
    ------
    TableError
        The column is absent, has missing cells, or is to be of a kind that has no classes.
    """
    if label not in names:
        raise TableError(
            f"the label column {label!r} is not in the table{nearest(str(label), map(str, names))}; "
            f"its columns are: {', '.join(map(repr, names[:20]))}{', ...' if len(names) > 20 else ''}."
        )
    series = df.iloc[:, names.index(label)]
    kind = kinds.get(label) or ("boolean" if ColumnFormat.of(series, label).nature == "boolean" else "categorical")
    if kind not in ("categorical", "boolean"):
        raise TableError(f"the label {label!r} cannot be {kind}; choose 'categorical' or 'boolean'.")
    column = Column.from_series(series, label, kind)
    if column.has_missing:
        n_missing = int(series.isna().sum())
        raise TableError(
            f"the label {label!r} is missing in {n_missing} rows, it must be known in all: "
            f"drop them with df.dropna(subset=[{label!r}])."
        )
    return column


def read_feature(series: pd.Series[Any], name: ColumnName, kind: Kind | None) -> Column | SetAside:
    """Read a feature, or say why it is set aside.

    Parameters
    ----------
    series
        Its cells.
    name
        Its name.
    kind
        The user's choice, which overrides the guesses of identifiers and text; None: the dtype's.
    """
    column = _unwritable(series, name) or _made_of_text(series, name, kind) or Column.from_series(series, name, kind)
    if isinstance(column, SetAside):
        return column
    if series.isna().all():
        return SetAside(name, f"column {name!r}: every cell is missing.", "missing", _levels(series, name))
    if is_constant(column, series):
        return SetAside(name, f"column {name!r}: every cell is the same.", "constant", _levels(series, name))
    reason = IS_TEXT if column.kind == "text" else None
    reason = reason or (None if kind else guessed_reason(column, series))
    if reason is None:
        return column
    return SetAside(name, f"column {name!r}: {reason}", "copied", holds_text=reason in (IS_TEXT, GUESSED_TEXT))


def limit_columns(columns: tuple[Column, ...], most: int) -> tuple[tuple[Column, ...], tuple[SetAside, ...]]:
    """Keep the first `most` columns; the others are set aside."""
    reason = f"it is beyond the {most} columns that are written; raise max_columns, or put it further left."
    beyond = tuple(SetAside(column.name, f"column {column.name!r}: {reason}", "copied") for column in columns[most:])
    return columns[:most], beyond


def _unwritable(series: pd.Series[Any], name: ColumnName) -> SetAside | None:
    """Set aside whole numbers whose values, or whose range, int64 cannot hold."""
    if ColumnFormat.of(series, name).nature != "integer" or series.isna().all():
        return None
    lowest, highest = dense(series).min(), dense(series).max()
    if int(highest) < 2**63 and int(highest) - int(lowest) < 2**63:
        return None
    return SetAside(name, f"column {name!r}: its whole numbers do not fit into 64 bits with a sign.", "copied")


def _made_of_text(series: pd.Series[Any], name: ColumnName, kind: Kind | None) -> SetAside | None:
    """Set aside what is called text but holds numbers, such as counts of words that only make sense together."""
    if kind != "text" or "text" in allowed_kinds(ColumnFormat.of(series, name).nature):
        return None
    return SetAside(name, f"column {name!r}: {IS_TEXT}", "copied")


def _levels(series: pd.Series[Any], name: ColumnName) -> Column:
    """Return a column as its levels, whatever its kind: enough to restore a constant or missing cells."""
    return Column.from_series(series.iloc[:1], name, "categorical")


def _checked_name(name: object) -> ColumnName:
    if isinstance(name, str):
        return name
    if isinstance(name, numbers.Integral) and not isinstance(name, (bool, np.bool_)):
        return int(name)
    raise TableError(
        f"column name {name!r} is a {type(name).__name__}; names must be strings or integers: "
        "use df.columns = [str(name) for name in df.columns]."
    )


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
