"""Written rows beside the real rows of their own class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.quality.measures.pairs import check_pair, codes_of, stacked_columns
from imbllm_autogluon.tables.labeled import check_label_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.quality.measures.pairs import PairedColumn

REAL = "real"
SYNTHETIC = "synthetic"
HOLDOUT = "hold-out"
INTERPOLATED = "interpolated"


@dataclass(frozen=True, eq=False)
class ClassRows:
    """Rows of one class."""

    positions: dict[str, IntArray]
    """Of the rows of the class in each table that was given."""

    columns: list[PairedColumn]
    """Of all classes; the real rows beside those of all other tables, one below the other."""

    features: dict[str, pd.DataFrame]
    """Whole tables without the label."""

    starts: dict[str, int]
    """Where each table but the real one begins in `columns`."""

    def table(self, called: str) -> pd.DataFrame:
        """Features of the rows of the class."""
        return self.features[called].iloc[self.positions[called]]

    def values(self, column: PairedColumn, called: str) -> FloatArray:
        """Values of the rows of the class in one column."""
        if called == REAL:
            return column.real[self.positions[REAL]]
        return column.synthetic[self.starts[called] + self.positions[called]]

    def count(self, called: str) -> int:
        """Rows of the class; 0 where the table was not given."""
        return len(self.positions.get(called, ()))


@dataclass(frozen=True, eq=False)
class MatchedTables:
    """All classes that were written, and what was left out on the way."""

    classes: list[ClassRows]
    codes: dict[str, IntArray]
    """Code of the class of each row of each table, -1 where the label is missing."""

    notes: list[str] = field(default_factory=list)


def matched_tables(tables: dict[str, pd.DataFrame], label: str | None) -> MatchedTables:
    """Match rows by their class; without a label all rows are of one class.

    Parameters
    ----------
    tables
        By name: :data:`REAL`, :data:`SYNTHETIC` and what else is given.
    label
        Name of the label column of all tables, or None.

    Raises
    ------
    TableError
        A table is empty, lacks the label or a column of the real table, or holds cells of another kind; or no written
        row is of a real class.
    """
    _check_tables(tables, label)
    codes, notes = _class_codes(tables, label)
    features = {called: table if label is None else table.drop(columns=label) for called, table in tables.items()}
    others = [(called, table) for called, table in features.items() if called != REAL]
    columns = stacked_columns(features[REAL], others)
    ends = np.cumsum([0, *(len(table) for _, table in others)]).tolist()
    starts = dict(zip((called for called, _ in others), ends, strict=False))
    classes = [
        ClassRows({called: np.flatnonzero(found == code) for called, found in codes.items()}, columns, features, starts)
        for code in _written_classes(codes, label, notes)
    ]
    return MatchedTables(classes, codes, notes)


def _check_tables(tables: dict[str, pd.DataFrame], label: str | None) -> None:
    for called, table in tables.items():
        if not hasattr(table, "columns"):
            raise InvalidInputError(f"the {called} table must be a pandas DataFrame; got {type(table).__name__}.")
        if label is not None:
            check_label_column(table, label, f"the {called} table")
    for called, table in tables.items():
        check_pair(tables[REAL], table, called)


def _class_codes(tables: dict[str, pd.DataFrame], label: str | None) -> tuple[dict[str, IntArray], list[str]]:
    if label is None:
        return {called: np.zeros(len(table), dtype=np.int64) for called, table in tables.items()}, []
    codes = dict(zip(tables, codes_of([table[label].astype(object) for table in tables.values()], label), strict=True))
    gaps = {called: int((found < 0).sum()) for called, found in codes.items()}
    notes = [f"{n} rows of the {called} table have no label and were left out." for called, n in gaps.items() if n]
    return codes, notes


def _written_classes(codes: dict[str, IntArray], label: str | None, notes: list[str]) -> Sequence[int]:
    """Classes that occur in both tables; what is written of others is noted."""
    written, real = codes[SYNTHETIC], codes[REAL]
    shared = np.intersect1d(written[written >= 0], real[real >= 0])
    if not len(shared):
        raise TableError(
            f"no class of {label!r} in the synthetic rows occurs in the real ones: are they of another dtype, such as "
            "'1' for 1, or is the label missing in all rows?"
        )
    strange = int((~np.isin(written, shared) & (written >= 0)).sum())
    if strange:
        notes.append(f"{strange} synthetic rows are of classes that no real row has, and were left out.")
    return [int(code) for code in shared]
