"""Whether a label asks for classes or for a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from imbllm_autogluon.tables.dtypes import holds_numbers
from imbllm_autogluon.tables.labelled import check_label_column, is_measured, plain_labels

Task = Literal["classification", "regression"]
TaskChoice = Literal["auto", "classification", "regression"]

CHOICES: tuple[TaskChoice, ...] = get_args(TaskChoice)


@dataclass(frozen=True)
class ChosenTask:
    """What a label is taken for."""

    task: Task

    remark: str
    """What was chosen and how to change it; empty where nothing else was possible."""


def choose_task(frame: pd.DataFrame, label: str, source: str = "the table") -> ChosenTask:
    """Choose by what the label holds, as AutoGluon does but for whole numbers in small tables.

    Two values, texts, categories and booleans are classes. Numbers with fractions are a quantity. Whole numbers are
    classes up to 20 different ones, or 5 % of the rows: AutoGluon, under 1000 rows, takes them for a quantity above
    10 % of the rows, which makes a number of five codes in 40 rows.

    Parameters
    ----------
    frame
        Features and label, shape (n, m + 1).
    label
        Name of the label column.
    source
        What to call the table in messages.

    Raises
    ------
    TableError
        The label is absent, or there is no feature.

    Examples
    --------
    >>> frame = pd.DataFrame({"area": range(40), "price": [2.5 * area for area in range(40)]})
    >>> choose_task(frame, "price").remark
    "the label 'price' holds 40 different numbers: regression (change with --task classification)."
    """
    check_label_column(frame, label, source)
    labels = plain_labels(frame[label].dropna())
    n = int(labels.nunique())
    if n <= 2 or not holds_numbers(labels.dtype) or isinstance(frame[label].dtype, pd.CategoricalDtype):
        return ChosenTask("classification", "")
    fractions = labels.dtype.kind == "f"  # whole ones are integers by now
    task: Task = "regression" if fractions or is_measured(labels, n) else "classification"
    other: Task = "classification" if task == "regression" else "regression"
    return ChosenTask(task, f"the label {label!r} holds {n} different numbers: {task} (change with --task {other}).")
