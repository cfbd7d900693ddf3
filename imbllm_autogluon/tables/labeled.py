"""A table with a label, whose task is to name a class or a number, checked at the door."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, TableError, nearest
from imbllm_autogluon.tables.dtypes import holds_numbers
from imbllm_autogluon.tables.io import labels_in_file

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from imbllm_autogluon.arrays import FloatArray

Task = Literal["classification", "regression"]


_LEAST_ROWS = 20  # rows with a target below which no model of a continuous target is fitted

# Distinct numbers that always count as classes; for whole ones also as a share of the rows (AutoGluon's limit).
_MOST_NUMERIC_CLASSES, _CLASS_SHARE = 20, 0.05


@dataclass(frozen=True, eq=False)
class LabeledTable:
    """Rows whose label, a class or a number, is known."""

    frame: pd.DataFrame  # features and label, index 0 … n - 1; the label is float64 where the task is regression
    label: str
    _: KW_ONLY
    dropped: int = 0  # rows left out because their label is missing
    source: str = "the table"  # what to call the table in messages: its file
    task: Task = "classification"

    @staticmethod
    def from_frame(
        frame: pd.DataFrame,
        label: str,
        source: str = "the table",
        *,
        task: Task = "classification",
        any_number: bool = False,
    ) -> LabeledTable:
        """Check a frame to learn from, shape (n, m + 1), which is not modified.

        With `any_number` the values of a measured number, too, count as classes. `TableError` where the label is absent
        or there is no feature; of classes, where there are fewer than two, or a measured number; of regression, where
        the label holds no numbers, is infinite, has one value only, or is known in fewer than 20 rows.

        >>> frame = pd.DataFrame({"age": [61, 35, 48, 50], "sick": ["no", "yes", None, "no"]})
        >>> table = LabeledTable.from_frame(frame, "sick")
        >>> table.counts, table.dropped
        ({'no': 2, 'yes': 1}, 1)
        """
        table = LabeledTable.known_rows(frame, label, source, task=task)
        if task == "regression":
            _check_targets(table)
        else:
            _check_classes(table, are_classes=any_number or not _is_measured(_plain_labels(frame[label].dropna())))
        return table

    @staticmethod
    def known_rows(
        frame: pd.DataFrame, label: str, source: str = "the table", *, task: Task = "classification"
    ) -> LabeledTable:
        """Rows whose label is not missing, however few and whatever they hold: for rows to be scored."""
        check_label_column(frame, label, source)
        known = frame[label].notna()
        kept = frame[known].reset_index(drop=True)
        labels = kept[label]
        values = _numbers(labels, source) if task == "regression" else _plain_labels(labels_in_file(labels))
        # Assigned as a new column: the kept rows may share memory with the caller's frame.
        frame = kept.assign(**{label: values})
        return LabeledTable(frame, label, dropped=int((~known).sum()), source=source, task=task)

    @property
    def features(self) -> pd.DataFrame:
        """All columns but the label."""
        return self.frame.drop(columns=self.label)

    @property
    def labels(self) -> pd.Series[Any]:
        """The label column."""
        return self.frame[self.label]

    @property
    def targets(self) -> FloatArray:
        """The label of each row as a number, shape (n,)."""
        return self.labels.to_numpy(dtype=np.float64)

    @property
    def counts(self) -> dict[Hashable, int]:
        """Rows of each class, the largest first, equal ones in the order of their names."""
        sizes = self.labels.value_counts(sort=False).to_dict()
        return dict(sorted(sizes.items(), key=lambda item: (-item[1], str(item[0]))))

    @property
    def rarest(self) -> Hashable:
        """The class with the fewest rows."""
        return list(self.counts)[-1]

    def class_named(self, text: str) -> Hashable:
        """The class that is written as `text`, as on a command line; `InvalidInputError` if there is none."""
        by_text = {str(label): label for label in self.counts}
        text = text if text in by_text else next((name for name in by_text if name.strip() == text), text)
        if text not in by_text:
            listed = ", ".join(map(repr, list(by_text)[:20]))
            raise InvalidInputError(
                f"the label {self.label!r} has no class {text!r}{nearest(text, by_text)}; its classes are: {listed}."
            )
        return by_text[text]


def check_label_column(frame: pd.DataFrame, label: str | int, source: str) -> None:
    """Raise `TableError` unless the frame has the label and at least one other column."""
    names = [str(name) for name in frame.columns]
    if label not in frame.columns:
        listed = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
        raise TableError(
            f"{source} has no label column {label!r}{nearest(str(label), names)}; its columns are: {listed}."
        )
    if len(names) < 2:
        raise TableError(f"{source} has no column besides the label {label!r}; at least one feature is needed.")


def choose_task(frame: pd.DataFrame, label: str, source: str = "the table") -> tuple[Task, str]:
    """Choose by what the label holds; returns the task and a remark, empty where nothing else was possible.

    Two values, texts, categories and booleans are classes. Numbers with fractions are a quantity. Whole numbers are
    classes up to 20 different ones, or 5 % of the rows: AutoGluon, under 1000 rows, takes them for a quantity above
    10 % of the rows, which makes a number of five codes in 40 rows. `TableError` where the label is absent, or there is
    no feature.

    >>> frame = pd.DataFrame({"area": range(40), "price": [2.5 * area for area in range(40)]})
    >>> choose_task(frame, "price")[1]
    "the label 'price' holds 40 different numbers: regression (change with --task classification)."
    """
    check_label_column(frame, label, source)
    labels = _plain_labels(frame[label].dropna())
    n = int(labels.nunique())
    if n <= 2 or not holds_numbers(labels.dtype) or isinstance(frame[label].dtype, pd.CategoricalDtype):
        return "classification", ""
    fractions = labels.dtype.kind == "f"  # whole ones are integers by now
    task: Task = "regression" if fractions or _is_measured(labels) else "classification"
    other: Task = "classification" if task == "regression" else "regression"
    return task, f"the label {label!r} holds {n} different numbers: {task} (change with --task {other})."


def without_columns(frame: pd.DataFrame, names: Iterable[str], label: str, source: str) -> pd.DataFrame:
    """The frame without columns that are not to be learned from; `TableError` where one is absent, or the label."""
    kept, names = [str(name) for name in frame.columns if name != label], list(names)
    for name in names:
        if name not in kept:
            what = "is the label" if name == label else f"is no column{nearest(name, kept)}"
            raise TableError(f"{source}: {name!r} {what}; the other columns are: {', '.join(kept[:20])}.")
    return frame.drop(columns=names)


def _plain_labels(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Labels in a NumPy dtype; whole numbers that became floats next to missing cells are whole again."""
    if pd.api.types.is_extension_array_dtype(labels.dtype):
        labels = pd.Series(labels.tolist(), index=labels.index, name=labels.name).infer_objects()
    if pd.api.types.is_float_dtype(labels.dtype) and (labels % 1 == 0).all() and labels.abs().max() < 2**53:
        return labels.astype("int64")
    return labels


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


def _check_targets(table: LabeledTable) -> None:
    source, label, n = table.source, table.label, len(table.frame)
    if n < _LEAST_ROWS:
        raise TableError(
            f"{source}: the target {label!r} is known in {n} rows; at least {_LEAST_ROWS} are needed to learn from: "
            "collect more rows."
        )
    if table.targets.min() == table.targets.max():
        raise TableError(
            f"{source}: the target {label!r} is {table.targets[0]:g} in all {n} rows; at least two different "
            "values are needed: check the column."
        )


def _check_classes(table: LabeledTable, *, are_classes: bool) -> None:
    source, labels, n_classes = table.source, table.labels, int(table.labels.nunique())
    if n_classes == 0:
        raise TableError(f"{source}: the label {labels.name!r} is missing in every row.")
    if n_classes == 1:
        only = labels.iloc[0]
        raise TableError(f"{source}: the label {labels.name!r} has one class only, {only!r}; two or more are needed.")
    if not are_classes:
        raise TableError(
            f"{source}: the label {labels.name!r} is a number with {n_classes} different values; this command is for "
            "classes. Name a label of classes, or cut the number into classes first; `imbllm fit` fits numbers, too."
        )


def _is_measured(labels: pd.Series[Any]) -> bool:
    """Whether a label is a quantity, not a code: many different numbers, not all whole or too many for the rows."""
    if not holds_numbers(labels.dtype):
        return False
    n_classes = int(labels.nunique())
    if pd.api.types.is_integer_dtype(labels.dtype):
        return n_classes > max(_MOST_NUMERIC_CLASSES, _CLASS_SHARE * len(labels))
    return n_classes > min(_MOST_NUMERIC_CLASSES, len(labels) / 2)
