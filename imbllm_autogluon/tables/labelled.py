"""A table with a label column of classes, checked at the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, TableError, nearest
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Hashable

MOST_NUMERIC_CLASSES = 20
"""Distinct numbers up to which a numeric label always counts as classes."""

CLASS_SHARE = 0.05
"""Distinct whole numbers over rows, up to which more of them count as classes: AutoGluon's limit for large tables."""


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """Rows with a label."""

    frame: pd.DataFrame
    """Features and label, index 0 … n - 1."""

    label: str
    """Name of the label column."""

    @property
    def features(self) -> pd.DataFrame:
        """All columns but the label."""
        return self.frame.drop(columns=self.label)

    @property
    def labels(self) -> pd.Series[Any]:
        """The label column."""
        return self.frame[self.label]

    @property
    def counts(self) -> dict[Hashable, int]:
        """Rows of each class, the largest first, equal ones in the order of their names."""
        sizes = self.labels.value_counts(sort=False).to_dict()
        return dict(sorted(sizes.items(), key=lambda item: (-item[1], str(item[0]))))


@dataclass(frozen=True, eq=False)
class LabelledTable(LabelledFrame):
    """Rows whose class is known."""

    dropped: int
    """Rows left out because their label is missing."""

    source: str
    """What to call the table in messages: its file."""

    @classmethod
    def of(
        cls, frame: pd.DataFrame, label: str, source: str = "the table", *, any_number: bool = False
    ) -> LabelledTable:
        """Check a frame, which is not modified.

        Parameters
        ----------
        frame
            Features and label, shape (n, m + 1), in unique columns.
        label
            Name of the label column.
        source
            What to call the table in messages.
        any_number
            Whether the different values of a measured number, too, count as classes.

        Raises
        ------
        TableError
            The label is absent, has fewer than two classes or is a measured number, or there is no feature.

        Examples
        --------
        >>> frame = pd.DataFrame({"age": [61, 35, 48, 50], "sick": ["no", "yes", None, "no"]})
        >>> table = LabelledTable.of(frame, "sick")
        >>> table.counts, table.dropped
        ({'no': 2, 'yes': 1}, 1)
        """
        check_label_column(frame, label, source)
        table = cls.known_rows(frame, label, source)
        _check_classes(table.labels, source, any_number=any_number)
        return table

    @classmethod
    def known_rows(cls, frame: pd.DataFrame, label: str, source: str = "the table") -> LabelledTable:
        """Rows whose label is not missing, without the checks of what the label holds."""
        known = frame[label].notna()
        kept = frame[known].reset_index(drop=True)
        # Assigned as a new column: the kept rows may share memory with the caller's frame.
        kept = kept.assign(**{label: plain_labels(kept[label])})
        return cls(kept, label, int((~known).sum()), source)

    @property
    def rarest(self) -> Hashable:
        """The class with the fewest rows."""
        return list(self.counts)[-1]

    def class_named(self, text: str) -> Hashable:
        """The class that is written as `text`; on a command line every class is text.

        Raises
        ------
        InvalidInputError
            There is none.
        """
        by_text = {str(label): label for label in self.counts}
        if text not in by_text:
            listed = ", ".join(map(repr, list(by_text)[:20]))
            raise InvalidInputError(
                f"the label {self.label!r} has no class {text!r}{nearest(text, by_text)}; its classes are: {listed}."
            )
        return by_text[text]


def check_label_column(frame: pd.DataFrame, label: str, source: str) -> None:
    """Raise `TableError` unless the frame has the label and at least one other column."""
    names = [str(name) for name in frame.columns]
    if label not in frame.columns:
        listed = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
        separator = next((mark for mark in (";", "\t") if len(names) == 1 and mark in names[0]), None)
        hint = f" The cells seem to be separated by {separator!r}; save the file with commas." if separator else ""
        raise TableError(
            f"{source} has no label column {label!r}{nearest(label, names)}; its columns are: {listed}.{hint}"
        )
    if len(names) < 2:
        raise TableError(f"{source} has no column beside the label {label!r}; at least one feature is needed.")


def plain_labels(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Labels in a NumPy dtype; whole numbers that became floats beside missing cells are whole again."""
    if pd.api.types.is_extension_array_dtype(labels.dtype):
        labels = pd.Series(labels.tolist(), index=labels.index, name=labels.name).infer_objects()
    if pd.api.types.is_float_dtype(labels.dtype) and (labels % 1 == 0).all() and labels.abs().max() < 2**53:
        return labels.astype("int64")
    return labels


def _check_classes(labels: pd.Series[Any], source: str, *, any_number: bool) -> None:
    name, n_classes = labels.name, int(labels.nunique())
    if n_classes == 0:
        raise TableError(f"{source}: the label {name!r} is missing in every row.")
    if n_classes == 1:
        only = labels.iloc[0]
        raise TableError(f"{source}: the label {name!r} has one class only, {only!r}; two or more are needed.")
    if not any_number and is_measured(labels, n_classes):
        raise TableError(
            f"{source}: the label {name!r} is a number with {n_classes} different values; this command is for classes. "
            "Name a label of classes, or cut the number into classes first; `imbllm fit` fits numbers, too."
        )


def is_measured(labels: pd.Series[Any], n_classes: int) -> bool:
    """Whether a label is a quantity, not a code: many different numbers, not all whole or too many for the rows."""
    if not holds_numbers(labels.dtype):
        return False
    if pd.api.types.is_integer_dtype(labels.dtype):
        return n_classes > max(MOST_NUMERIC_CLASSES, CLASS_SHARE * len(labels))
    return n_classes > min(MOST_NUMERIC_CLASSES, len(labels) / 2)
