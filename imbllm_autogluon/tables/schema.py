"""The schema of a table: what is known of a user's frame; a user's choice of kind overrides guesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import xlogy

from imbllm_autogluon._config import require_choice
from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError, nearest
from imbllm_autogluon.tables.column import Column, ExcludedColumn, column_of
from imbllm_autogluon.tables.dtypes import KINDS, KINDS_OF, ColumnFormat, ColumnName, Kind, dense
from imbllm_autogluon.tables.encoded import EncodedTable
from imbllm_autogluon.tables.io import checked_names
from imbllm_autogluon.tables.labeled import check_label_column
from imbllm_autogluon.tables.stored import column_from_dict, column_to_dict
from imbllm_autogluon.tables.unseen import read_unseen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray

    Kinds = Mapping[ColumnName, Kind]

# What becomes of a column that cannot be read, where its kind is nobody's choice.
_Unreadable = Literal["refuse", "copy"]

_IS_TEXT = "its kind is text, which is no value: it is copied, or written by a model of its own (texts='write')."
_GUESSED_TEXT = (
    "it holds free text, which is no value: it is copied, or written by a model of its own (texts='write'); pass "
    "kinds={...: 'categorical'} to write it as values."
)
_GUESSED_ID = "nearly every cell is different, as in an identifier; pass its kind to write it all the same."

# An identifier has so many cells (fewer may all differ by chance), and more than this share of distinct ones.
_ID_ROWS, _ID_SHARE = 20, 0.95
# Free text has more than this share of distinct cells, and at least so many words in them on average.
_TEXT_SHARE, _TEXT_WORDS = 0.5, 4.0
_WORDS_SAMPLED = 5_000  # distinct strings whose words are counted: enough for a mean, and fast
_MOST_COMPARED, _FEWEST_COMPARED = 20_000, 50  # rows that tell which columns matter, and at least so many of a class
_GROUPS = 8  # that a column's values are cut into for that


@dataclass(frozen=True)
class TableSchema:
    """Features, label and set-aside columns of a table.

    >>> df = pd.DataFrame({"age": [61, 35, 48], "zip": ["8001", "0900", "8001"], "sick": ["no", "yes", "no"]})
    >>> schema = TableSchema.from_frame(df, label="sick")
    >>> [(column.name, column.kind) for column in schema.columns], schema.label.categories
    ([('age', 'integer'), ('zip', 'categorical')], ('no', 'yes'))
    >>> schema.decode(schema.encode(df)).equals(df[["age", "zip"]])
    True
    """

    names: tuple[ColumnName, ...]  # all features, in the order of the frame
    columns: tuple[Column, ...]  # the features that the language model writes, in the order of the frame
    label: Column | None  # the label, of kind categorical or boolean; None where the table has none
    excluded: tuple[ExcludedColumn, ...]  # the features it does not write, in the order of the frame

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        label: ColumnName | None = None,
        kinds: Kinds | None = None,
        max_columns: int | None = None,
        *,
        unreadable: _Unreadable = "refuse",
    ) -> TableSchema:
        """Read a schema off a frame of at least one row and one feature, which is not modified.

        Without `label` every column is a feature; `kinds` are known better than the dtype tells. Of more features than
        `max_columns` those stay that tell most of the label (without one: the first), and the others are set aside, as
        are `unreadable` ones (complex or infinite numbers, lists, ...) where they are to be copied. `TableError` where
        the frame, a column or the label cannot be used, `InvalidInputError` for an unknown column or kind.
        """
        names, chosen = checked_names(df), dict(kinds or {})
        _check_kinds(chosen, names)
        label_column = None if label is None else _read_label(df, label, chosen)
        read: dict[ColumnName, Column | ExcludedColumn] = {
            name: _read_feature(df.iloc[:, j], name, chosen.get(name), unreadable)
            for j, name in enumerate(names)
            if label is None or name != label
        }
        read |= _beyond(df, [part for part in read.values() if isinstance(part, Column)], label_column, max_columns)
        columns = tuple(part for part in read.values() if isinstance(part, Column))
        return cls(tuple(read), columns, label_column, tuple(p for p in read.values() if isinstance(p, ExcludedColumn)))

    @classmethod
    def from_labeled(
        cls,
        X: pd.DataFrame,
        y: pd.Series[Any],
        kinds: Kinds | None = None,
        max_columns: int | None = None,
        **options: Any,
    ) -> TableSchema:
        """Schema of features and their labels; a label without a name is called "label". See :meth:`from_frame`."""
        name = y.name if isinstance(y.name, str) and y.name else "label"
        while name in X.columns:
            name += "_"
        table = X.assign(**{name: y.to_numpy() if y.dtype == object else y.array})
        return cls.from_frame(table, name, kinds, max_columns, **options)

    def encode(self, df: pd.DataFrame, *, unknown: Literal["refuse", "missing"] = "refuse") -> EncodedTable:
        """Written features of a frame as plain arrays, see :meth:`Column.encode`; other columns are ignored."""
        return _side_by_side(len(df), [c.encode(column_of(df, c.name), unknown=unknown) for c in self.columns])

    def encode_unseen(self, df: pd.DataFrame) -> EncodedTable:
        """Written features of rows to predict: cells of any dtype and value are read as the nearest there is, logged.

        `TableError` where a column is absent.
        """
        return _side_by_side(len(df), [read_unseen(column, column_of(df, column.name)) for column in self.columns])

    def decode(
        self, cells: EncodedTable, parents: pd.DataFrame | None = None, index: pd.Index[Any] | None = None
    ) -> pd.DataFrame:
        """All features as a frame, in the original order and dtypes, with `index` or 0 .. n - 1.

        Copied columns are taken by position from `parents`, one row per row of `cells`: `TableError` where it is needed
        and absent, of another length, or without a copied column.
        """
        restored = {part.name: part.restore(cells.n_rows, parents, index) for part in self.excluded}
        for j, column in enumerate(self.columns):
            restored[column.name] = column.decode(cells.values[j], cells.missing[:, j], index)
        rows = pd.RangeIndex(cells.n_rows) if index is None else index
        return pd.DataFrame({name: restored[name] for name in self.names}, index=rows, copy=False)

    def encode_label(self, y: pd.Series[Any]) -> IntArray:
        """Classes as int64 codes into ``label.categories``; `TableError` where one is missing or new."""
        codes, missing = self._known_label().encode(y)
        if missing.any():
            raise TableError(f"the label {self._known_label().name!r} is missing in {missing.sum()} rows: drop them.")
        return codes

    def decode_label(self, codes: npt.ArrayLike, index: pd.Index[Any] | None = None) -> pd.Series[Any]:
        """Classes in the label's exact dtype."""
        classes = np.asarray(codes, dtype=np.int64)
        return self._known_label().decode(classes, np.zeros(len(classes), dtype=bool), index)

    def to_dict(self) -> dict[str, Any]:
        """State that ``json.dumps`` accepts; `InvalidInputError` where a category cannot be stored (a tuple, ...)."""
        return {
            "names": list(self.names),
            "columns": [column_to_dict(column) for column in self.columns],
            "label": None if self.label is None else column_to_dict(self.label),
            "excluded": [{**vars(p), "column": p.column and column_to_dict(p.column)} for p in self.excluded],
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> TableSchema:
        """The schema that :meth:`to_dict` wrote; `StoredStateError` where the state is damaged."""
        try:
            return cls(
                tuple(state["names"]),
                tuple(column_from_dict(part) for part in state["columns"]),
                None if state["label"] is None else column_from_dict(state["label"]),
                tuple(
                    ExcludedColumn(**{**part, "column": part["column"] and column_from_dict(part["column"])})
                    for part in state["excluded"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoredStateError(f"the stored schema is incomplete or damaged ({error!r}): make it again.") from error

    def _known_label(self) -> Column:
        if self.label is None:
            raise InvalidInputError("this schema has no label: make it with TableSchema.from_frame(df, label=...).")
        return self.label


def _check_kinds(kinds: Kinds, names: tuple[ColumnName, ...]) -> None:
    for name, kind in kinds.items():
        if name not in names:
            raise InvalidInputError(
                f"kinds names the column {name!r}, which the table does not have{nearest(str(name), map(str, names))}."
            )
        require_choice(f"kinds[{name!r}]", kind, KINDS)


def _side_by_side(n_rows: int, columns: list[tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]]) -> EncodedTable:
    missing = np.zeros((n_rows, len(columns)), dtype=bool)
    for j, (_, mask) in enumerate(columns):
        missing[:, j] = mask
    return EncodedTable(tuple(values for values, _ in columns), missing)


def _read_label(df: pd.DataFrame, label: ColumnName, kinds: Kinds) -> Column:
    check_label_column(df, label, "the table")
    series = df[label]
    kind = kinds.get(label) or (
        "boolean" if ColumnFormat.of(series, label).physical_type == "boolean" else "categorical"
    )
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


def _read_feature(
    series: pd.Series[Any], name: ColumnName, kind: Kind | None, unreadable: _Unreadable
) -> Column | ExcludedColumn:
    """A feature, or why it is set aside; a kind of the user's choice overrides guesses of identifiers and text."""
    try:
        reason = _unwritable(series, name, kind)
        if reason is not None:
            return ExcludedColumn(name, f"column {name!r}: {reason}", "copied")
        column = Column.from_series(series, name, kind)
    except TableError as error:
        if kind or unreadable == "refuse":
            raise
        return ExcludedColumn(name, str(error), "copied", is_unreadable=True)
    if series.isna().all():
        return ExcludedColumn(name, f"column {name!r}: every cell is missing.", "missing", _levels(series, name))
    if _is_constant(column, series):
        return ExcludedColumn(name, f"column {name!r}: every cell is the same.", "constant", _levels(series, name))
    reason = _IS_TEXT if column.kind == "text" else None if kind else _guessed_reason(column, series)
    if reason is None:
        return column
    return ExcludedColumn(name, f"column {name!r}: {reason}", "copied", holds_text=reason in (_IS_TEXT, _GUESSED_TEXT))


def _beyond(
    df: pd.DataFrame, columns: list[Column], label: Column | None, most: int | None
) -> dict[ColumnName, ExcludedColumn]:
    """The columns that a limit sets aside, by name: those that tell least of the label; without one the last."""
    if most is None or len(columns) <= most:
        return {}
    scores = np.zeros(len(columns)) if label is None else _divergences(df, columns, label)
    ranked = [columns[j] for j in np.argsort(-scores, kind="stable")]
    reason = f"the {most} columns that are written tell more; raise max_columns to write it as well."
    aside = [part.name for part in ranked[most:]]
    return {name: ExcludedColumn(name, f"column {name!r}: {reason}", "copied", is_beyond=True) for name in aside}


def _divergences(df: pd.DataFrame, columns: list[Column], label: Column) -> FloatArray:
    """Jensen-Shannon divergence of each column's values in the classes, in nats, less what chance makes of it.

    Classes count alike, and give rows as evenly as they can. What only several columns tell together is not seen.
    """
    codes = label.encode(df[label.name])[0]
    own = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    most = max(_FEWEST_COMPARED, _MOST_COMPARED // len(own))
    rows = [places[np.unique(np.linspace(0, len(places) - 1, most).astype(np.int64))] for places in own]
    part, classes = df.iloc[np.concatenate(rows)], np.repeat(np.arange(len(rows)), [len(places) for places in rows])
    return np.array([_divergence(_groups(each, *each.encode(part[each.name])), classes) for each in columns])


def _groups(column: Column, values: Any, missing: BoolArray) -> IntArray:
    """Group of each cell, from 0: quantiles of numbers, the most frequent categories, missing cells."""
    if column.is_category:  # categories are in the order of their frequency
        groups = np.minimum(values, _GROUPS - 1)
    else:
        edges = np.quantile(values[~missing], np.arange(1, _GROUPS) / _GROUPS) if not missing.all() else [0.0]
        # A value that is an edge, as a frequent one is, has a group of its own.
        groups = np.searchsorted(edges, values) + np.searchsorted(edges, values, side="right")
    return np.unique(np.where(missing, 2 * _GROUPS, groups), return_inverse=True)[1]


def _divergence(groups: IntArray, classes: IntArray) -> float:
    table = np.zeros((classes.max() + 1, groups.max() + 1))
    np.add.at(table, (classes, groups), 1)
    sizes, (n_classes, n_groups) = table.sum(axis=1, keepdims=True), table.shape
    shares = table / sizes
    by_chance = (n_groups - 1) / 2 * (1 / sizes).mean() * (1 - 1 / n_classes)
    return float((xlogy(shares, shares) - xlogy(shares, shares.mean(axis=0))).sum() / n_classes - by_chance)


def _unwritable(series: pd.Series[Any], name: ColumnName, kind: Kind | None) -> str | None:
    """Why a column cannot even be read: whole numbers beyond int64, or numbers called text, such as counts of words."""
    physical_type = ColumnFormat.of(series, name).physical_type
    if physical_type == "integer" and not series.isna().all():
        lowest, highest = dense(series).min(), dense(series).max()
        if int(highest) >= 2**63 or int(highest) - int(lowest) >= 2**63:
            return "its whole numbers do not fit into 64 bits with a sign."
    return _IS_TEXT if kind == "text" and "text" not in KINDS_OF[physical_type] else None


def _levels(series: pd.Series[Any], name: ColumnName) -> Column:
    """A column as its levels, whatever its kind: enough to restore a constant or missing cells."""
    return Column.from_series(series.iloc[:1], name, "categorical")


def _is_constant(column: Column, series: pd.Series[Any]) -> bool:
    if column.has_missing:
        return False
    if column.grid is None:
        return len(column.categories) == 1
    return column.grid.minimum == column.grid.maximum and int(dense(series).nunique()) == 1


def _guessed_reason(column: Column, series: pd.Series[Any]) -> str | None:
    n_cells = int(series.notna().sum())
    if column.kind == "categorical" and _is_text(column, n_cells):
        return _GUESSED_TEXT
    return _GUESSED_ID if n_cells >= _ID_ROWS and _is_identifier(column, series, n_cells) else None


def _is_text(column: Column, n_cells: int) -> bool:
    if len(column.categories) <= _TEXT_SHARE * n_cells:
        return False
    sample = column.categories[:_WORDS_SAMPLED]
    if not all(isinstance(category, str) for category in sample):
        return False
    return float(np.mean([len(category.split()) for category in sample])) >= _TEXT_WORDS


def _is_identifier(column: Column, series: pd.Series[Any], n_cells: int) -> bool:
    if column.kind == "categorical":
        return len(column.categories) > _ID_SHARE * n_cells
    if column.kind != "integer" or column.unit is not None or column.grid is None:
        return False
    is_run = int(column.grid.maximum) - int(column.grid.minimum) + 1 == n_cells
    return is_run and int(dense(series).nunique()) == n_cells
