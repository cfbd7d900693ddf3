"""Tables of ``imbllm bench speed``: what both arms learn from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.named_tables import read_named
from imbllm_autogluon.bench.tables import mixed_table

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

NARROW_ROWS, NARROW_COLUMNS = 1000, 8
"""Size of the seeded narrow table; its rare class has as many rows as are learned."""


@dataclass(frozen=True, eq=False)
class SpeedTable:
    """A table whose rare class is learned and written."""

    name: str
    """What to call it in results."""

    fold: pd.DataFrame
    """Features and label: the learned rows of the rare class, and all of the others, which only tell what is legal."""

    label: str
    """Name of the label column."""

    rare: str
    """The class to write; labels are text here."""

    @classmethod
    def of(cls, name: str, X: pd.DataFrame, y: pd.Series, rare: object, rows: int) -> SpeedTable:
        """Keep at most `rows` rows of the rare class, and the columns that both arms write."""
        label = str(y.name)
        fold = pd.DataFrame({str(column): _plain(X[column]) for column in X.columns})
        fold[label] = y.astype(str).to_numpy(dtype=object)
        learned = fold[fold[label] == str(rare)]
        fold = fold.drop(index=learned.index[rows:]).reset_index(drop=True)
        return cls(name, fold.drop(columns=_set_aside(fold, label, name)), label, str(rare))

    @property
    def features(self) -> pd.DataFrame:
        """All columns but the label."""
        return self.fold.drop(columns=self.label)

    @property
    def rows(self) -> pd.DataFrame:
        """The rows to learn, with their label."""
        return self.fold[self.fold[self.label] == self.rare].reset_index(drop=True)


def speed_tables(named: Sequence[str], rows: int) -> list[SpeedTable]:
    """The packaged thyroid table and a narrow seeded one, or the user's own.

    Parameters
    ----------
    named
        ``FILE:LABEL`` of each own table; their rarest class is written.
    rows
        Most rows of the rare class that are learned.

    Raises
    ------
    InvalidInputError
        One of `named` has no label.
    TableError
        A file cannot be used.
    """
    if named:
        return [_own_table(text, rows) for text in named]
    from imbllm_autogluon.datasets import load_hypothyroid

    X, y = load_hypothyroid()
    narrow = mixed_table(NARROW_ROWS, NARROW_COLUMNS, min(rows, NARROW_ROWS // 2))
    return [
        SpeedTable.of("hypothyroid", X, y, "hypothyroid", rows),
        SpeedTable.of("narrow", *narrow, "rare", rows),
    ]


def _own_table(text: str, rows: int) -> SpeedTable:
    name, table = read_named(text)
    return SpeedTable.of(name, table.features, table.labels, table.rarest, rows)


def _plain(column: pd.Series) -> pd.Series:
    """A category column as the values it holds."""
    return column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column


def _set_aside(fold: pd.DataFrame, label: str, name: str) -> list[str]:
    """Columns that ImbLLM would not write, such as identifiers; no arm gets them, so that all write the same."""
    from imbllm_autogluon.tables import TableSchema

    left_out = [str(part.name) for part in TableSchema.from_frame(fold, label).set_aside]
    if left_out:
        log.warning("%s: left out for all arms, because ImbLLM sets them aside: %s.", name, ", ".join(left_out))
    return left_out
