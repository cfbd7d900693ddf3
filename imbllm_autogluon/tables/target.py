"""A table with a continuous target, checked at the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.dtypes import holds_numbers
from imbllm_autogluon.tables.labelled import check_label_column

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST_ROWS = 20
"""Rows with a target below which no model of a continuous target is fitted."""


@dataclass(frozen=True, eq=False)
class TargetTable:
    """Rows whose target, a number, is known."""

    frame: pd.DataFrame
    """Features and target, index 0 … n - 1; the target is float64."""

    label: str
    """Name of the target column."""

    dropped: int
    """Rows left out because their target is missing."""

    source: str
    """What to call the table in messages: its file."""

    @classmethod
    def of(cls, frame: pd.DataFrame, label: str, source: str = "the table") -> TargetTable:
        """Check a frame to learn from, which is not modified.

        Parameters
        ----------
        frame
            Features and target, shape (n, m + 1), in unique columns.
        label
            Name of the target column.
        source
            What to call the table in messages.

        Raises
        ------
        TableError
            The target is absent, holds no numbers, is infinite somewhere, has one value only or fewer than 20 rows, or
            there is no feature.

        Examples
        --------
        >>> frame = pd.DataFrame({"area": range(41), "price": [None, *(2.5 * area for area in range(40))]})
        >>> table = TargetTable.of(frame, "price")
        >>> len(table.frame), table.dropped, float(table.targets.max())
        (40, 1, 97.5)
        """
        table = cls.known_rows(frame, label, source)
        n = len(table.frame)
        if n < LEAST_ROWS:
            raise TableError(
                f"{source}: the target {label!r} is known in {n} rows; at least {LEAST_ROWS} are needed to learn from: "
                "collect more rows."
            )
        if table.targets.min() == table.targets.max():
            raise TableError(
                f"{source}: the target {label!r} is {table.targets[0]:g} in all {n} rows; at least two different "
                "values are needed: check the column."
            )
        return table

    @classmethod
    def known_rows(cls, frame: pd.DataFrame, label: str, source: str = "the table") -> TargetTable:
        """Rows whose target is not missing, however few: for rows to be scored.

        Raises
        ------
        TableError
            The target is absent, holds no numbers or is infinite somewhere, or there is no feature.
        """
        check_label_column(frame, label, source)
        known = frame[label].notna()
        kept = frame[known].reset_index(drop=True)
        # Assigned as a new column: the kept rows may share memory with the caller's frame.
        kept = kept.assign(**{label: _numbers(kept[label], source)})
        return cls(kept, label, int((~known).sum()), source)

    @property
    def features(self) -> pd.DataFrame:
        """All columns but the target."""
        return self.frame.drop(columns=self.label)

    @property
    def targets(self) -> npt.NDArray[np.float64]:
        """The target of each row, shape (n,)."""
        return self.frame[self.label].to_numpy(dtype=np.float64)


def _numbers(target: pd.Series[Any], source: str) -> pd.Series[Any]:
    """Targets as float64, whole ones too: what models and generators make of them has fractions."""
    if len(target) and not holds_numbers(target.dtype):
        held = ", ".join(dict.fromkeys(repr(value) for value in target.head(3)))
        raise TableError(
            f"{source}: the label {target.name!r} holds no numbers ({held}); regression needs a column of numbers. "
            "Clean it, or fit classes with --task classification."
        )
    if pd.api.types.is_complex_dtype(target.dtype):
        raise TableError(f"{source}: the label {target.name!r} holds complex numbers; regression needs real ones.")
    values = target.astype("float64")
    n_infinite = int(np.isinf(values).sum())
    if n_infinite:
        raise TableError(
            f"{source}: the target {target.name!r} is infinite in {n_infinite} rows; leave these cells empty, or drop "
            "the rows."
        )
    return values
