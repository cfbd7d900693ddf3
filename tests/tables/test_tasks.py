from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.tasks import choose_task

CLASSES = {
    "texts": ["a", "b", "c"] * 10,
    "many texts": [f"t{n}" for n in range(30)],
    "booleans": [True, False, None] * 10,
    "two numbers": [0.5, 1.5] * 15,
    "categories": pd.Categorical([1.5, 2.5, 3.5] * 10),
    "nothing": [None] * 30,
}


@pytest.mark.parametrize("labels", CLASSES.values(), ids=CLASSES)
def test_what_can_only_be_classes_is_said_to_be_without_a_remark(labels: object) -> None:
    choice = choose_task(pd.DataFrame({"a": range(30), "y": labels}), "y")
    assert (choice.task, choice.remark) == ("classification", "")


@pytest.mark.parametrize(
    ("labels", "task", "n"),
    [
        (np.linspace(0, 1, 300), "regression", 300),
        ([0.5, 1.0, 1.5] * 100, "regression", 3),
        (range(300), "regression", 300),
        ([0.0, 1.0, 2.0] * 100, "classification", 3),
        ([0.0, 1.0, np.nan, 2.0] * 100, "classification", 3),
        (list(range(5)) * 8, "classification", 5),
        (pd.array([*range(200), None], "Int64"), "regression", 200),
        (list(range(30)) * 40, "classification", 30),
    ],
)
def test_of_numbers_the_choice_is_said_together_with_the_way_to_change_it(labels: object, task: str, n: int) -> None:
    labels = pd.Series(labels)
    choice = choose_task(pd.DataFrame({"a": range(len(labels)), "y": labels}), "y")
    other = "classification" if task == "regression" else "regression"
    assert choice.task == task
    assert choice.remark == f"the label 'y' holds {n} different numbers: {task} (change with --task {other})."


def test_a_label_that_is_absent_is_refused() -> None:
    with pytest.raises(TableError, match="no label column 'y'"):
        choose_task(pd.DataFrame({"a": [1], "b": [2]}), "y", "rows.csv")
