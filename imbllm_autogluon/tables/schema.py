"""The schema of a table: everything later rooms may know about a user's frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from imbllm_autogluon._config import require_number
from imbllm_autogluon.errors import InvalidInputError, TableError, nearest
from imbllm_autogluon.tables.cells import Cells
from imbllm_autogluon.tables.column import Column
from imbllm_autogluon.tables.inspection import check_kinds, checked_names, limit_columns, read_feature, read_label
from imbllm_autogluon.tables.set_aside import SetAside
from imbllm_autogluon.tables.storage import (
    STATE_VERSION,
    column_from_dict,
    column_to_dict,
    reading_state,
    set_aside_from_dict,
    set_aside_to_dict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.tables.kinds import ColumnName, Kind, Unknown


@dataclass(frozen=True)
class TableSchema:
    """Features, label and set-aside columns of a table.

    Examples
    --------
    >>> df = pd.DataFrame({"age": [61, 35, 48], "zip": ["8001", "0900", "8001"], "sick": ["no", "yes", "no"]})
    >>> schema = TableSchema.from_frame(df, label="sick")
    >>> [(column.name, column.kind) for column in schema.columns], schema.label.categories
    ([('age', 'integer'), ('zip', 'categorical')], ('no', 'yes'))
    >>> schema.decode(schema.encode(df)).equals(df[["age", "zip"]])
    True
    """

    names: tuple[ColumnName, ...]
    """All features, in the order of the frame."""

    columns: tuple[Column, ...]
    """The features that the language model writes, in the order of the frame."""

    label: Column | None
    """The label, of kind categorical or boolean; None where the table has none."""

    set_aside: tuple[SetAside, ...]
    """The features it does not write, in the order of the frame."""

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        label: ColumnName | None = None,
        kinds: Mapping[ColumnName, Kind] | None = None,
        max_columns: int = 256,
    ) -> TableSchema:
        """Read a schema off a frame, which is not modified.

        Parameters
        ----------
        df
            At least one row and one feature.
        label
            Name of the label; None: every column is a feature.
        kinds
            Kinds of columns that the user knows better than the dtype does.
        max_columns
            Features written at most; further ones are set aside. 256: beyond it a row is longer than small language
            models read.

        Raises
        ------
        TableError
            The frame, a column or the label cannot be used; the message names the column and the remedy.
        InvalidInputError
            `kinds` names an unknown column or kind, or `max_columns` is no positive integer.
        """
        names, chosen = checked_names(df), dict(kinds or {})
        check_kinds(chosen, names)
        require_number("max_columns", max_columns, 1, whole=True)
        label_column = None if label is None else read_label(df, label, names, chosen)
        features = tuple(name for name in names if label is None or name != label)
        if not features:
            raise TableError("the table has 0 feature columns; at least 1 is needed beside the label.")
        read = [read_feature(df.iloc[:, j], name, chosen.get(name)) for j, name in enumerate(names) if name in features]
        written, beyond = limit_columns(tuple(part for part in read if isinstance(part, Column)), max_columns)
        aside = (*(part for part in read if isinstance(part, SetAside)), *beyond)
        return cls(features, written, label_column, tuple(sorted(aside, key=lambda part: features.index(part.name))))

    @classmethod
    def of_labelled(
        cls, X: pd.DataFrame, y: pd.Series[Any], kinds: Mapping[ColumnName, Kind] | None = None
    ) -> TableSchema:
        """Schema of features and their labels; a label without a name is called "label". See :meth:`from_frame`."""
        name = y.name if isinstance(y.name, str) and y.name else "label"
        while name in X.columns:
            name += "_"
        return cls.from_frame(X.assign(**{name: y.to_numpy() if y.dtype == object else y.array}), name, kinds)

    def encode(self, df: pd.DataFrame, *, unknown: Unknown = "refuse") -> Cells:
        """Written features of a frame as plain arrays; other columns are ignored.

        Parameters
        ----------
        df
            Frame with every written column.
        unknown
            What becomes of categories that a column did not hold: ``"refuse"``, or ``"missing"``.

        Raises
        ------
        TableError
            A written feature is absent, or holds a value that the schema does not know.
        """
        pairs = [column.encode(_column_of(df, column.name), unknown=unknown) for column in self.columns]
        missing = np.zeros((len(df), len(pairs)), dtype=bool)
        for j, (_, mask) in enumerate(pairs):
            missing[:, j] = mask
        return Cells(tuple(values for values, _ in pairs), missing)

    def decode(
        self, cells: Cells, parents: pd.DataFrame | None = None, index: pd.Index[Any] | None = None
    ) -> pd.DataFrame:
        """All features as a frame, in the original order and dtypes.

        Parameters
        ----------
        cells
            Rows of this schema.
        parents
            Frame with one row per row of `cells`, from which copied columns are taken by position; needed only if
            :attr:`set_aside` has such columns.
        index
            Index of the frame; None: 0 .. n - 1.

        Raises
        ------
        TableError
            `parents` is needed and absent, of another length, or without a copied column.
        """
        parts = {part.name: self._checked_parent(part, cells.n_rows, parents) for part in self.set_aside}
        restored = {name: part.restore(cells.n_rows, parents, index) for name, part in parts.items()}
        for j, column in enumerate(self.columns):
            restored[column.name] = column.decode(cells.values[j], cells.missing[:, j], index)
        rows = pd.RangeIndex(cells.n_rows) if index is None else index
        return pd.DataFrame({name: restored[name] for name in self.names}, index=rows, copy=False)

    def encode_label(self, y: pd.Series[Any]) -> npt.NDArray[np.int64]:
        """Classes as int64 codes into ``label.categories``.

        Raises
        ------
        TableError
            A class is missing or was not seen when the schema was made.
        InvalidInputError
            The schema has no label.
        """
        codes, missing = self._known_label().encode(y)
        if missing.any():
            raise TableError(f"the label {self._known_label().name!r} is missing in {missing.sum()} rows: drop them.")
        return codes

    def decode_label(self, codes: npt.ArrayLike, index: pd.Index[Any] | None = None) -> pd.Series[Any]:
        """Classes in the label's exact dtype."""
        classes = np.asarray(codes, dtype=np.int64)
        return self._known_label().decode(classes, np.zeros(len(classes), dtype=bool), index)

    def to_dict(self) -> dict[str, Any]:
        """State that ``json.dumps`` accepts.

        Raises
        ------
        InvalidInputError
            A category is of a type that cannot be stored (a tuple, a user's own class, ...).
        """
        return {
            "version": STATE_VERSION,
            "names": list(self.names),
            "columns": [column_to_dict(column) for column in self.columns],
            "label": None if self.label is None else column_to_dict(self.label),
            "set_aside": [set_aside_to_dict(part) for part in self.set_aside],
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> TableSchema:
        """Return the schema that :meth:`to_dict` wrote.

        Raises
        ------
        StoredStateError
            The state is incomplete or of another version.
        """
        with reading_state(state):
            return cls(
                tuple(state["names"]),
                tuple(column_from_dict(part) for part in state["columns"]),
                None if state["label"] is None else column_from_dict(state["label"]),
                tuple(set_aside_from_dict(part) for part in state["set_aside"]),
            )

    def _known_label(self) -> Column:
        if self.label is None:
            raise InvalidInputError("this schema has no label: make it with TableSchema.from_frame(df, label=...).")
        return self.label

    def _checked_parent(self, part: SetAside, n_rows: int, parents: pd.DataFrame | None) -> SetAside:
        if part.fill != "copied":
            return part
        if parents is None or len(parents) != n_rows:
            got = "none" if parents is None else f"a frame of {len(parents)} rows"
            raise TableError(
                f"column {part.name!r} is copied from the rows that new rows descend from: pass parents, a frame of "
                f"{n_rows} rows; got {got}."
            )
        _column_of(parents, part.name)
        return part


def _column_of(df: pd.DataFrame, name: ColumnName) -> pd.Series[Any]:
    """Return a column by name, whatever the index of the columns is."""
    if name not in df.columns:
        raise TableError(f"column {name!r} is not in the table{nearest(str(name), map(str, df.columns))}: add it.")
    found = df[name]
    if isinstance(found, pd.DataFrame):
        raise TableError(f"column name {name!r} occurs {found.shape[1]} times in the table; names must differ.")
    return found
