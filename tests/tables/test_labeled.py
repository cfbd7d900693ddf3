"""A label is checked at the door: classes, numbers, or whichever of both it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables.io import read_table, to_csv
from imbllm_autogluon.tables.labeled import LabeledTable, choose_task

if TYPE_CHECKING:
    from pathlib import Path


def frame(labels: object, label: str = "sick") -> pd.DataFrame:
    series = pd.Series(labels)
    return pd.DataFrame({"age": range(len(series)), label: series})


BAD_LABELS = {
    "absent": (frame(["a", "b"], "sikc"), r"no label column 'sick' \(did you mean 'sikc'\?\)"),
    "no features": (pd.DataFrame({"sick": ["a", "b"]}), "no column besides the label"),
    "all missing": (frame([None, None]), "missing in every row"),
    "one class": (frame(["a", "a", None]), "one class only, 'a'"),
    "a measured number": (frame(np.linspace(0, 1, 100)), "100 different values; this command is for classes"),
    "few measured numbers": (frame([1.5, 2.25, 3.75, 4.5]), "4 different values; this command is for classes"),
    "many whole numbers": (frame(range(300)), "300 different values; this command is for classes"),
}


@pytest.mark.parametrize(("table", "message"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_label_that_holds_no_classes_is_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableError, match=message):
        LabeledTable.from_frame(table, "sick")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["no"] * 5 + ["yes"] * 3, {"no": 5, "yes": 3}),
        ([0, 1, 0, 0, 1], {0: 3, 1: 2}),
        ([0.0, 1.0, np.nan, 0.0], {0: 2, 1: 1}),
        ([0.5, 1.5] * 10, {0.5: 10, 1.5: 10}),
        (list(range(30)) * 40, dict.fromkeys(sorted(range(30), key=str), 40)),
        ([True, False, False], {False: 2, True: 1}),
        (pd.array([True, False, None, False], "boolean"), {False: 2, True: 1}),
        (pd.array([1, 2, None, 2], "Int64"), {2: 2, 1: 1}),
        (pd.Categorical(["a", "b", "a"], categories=["a", "b", "unseen"]), {"a": 2, "b": 1}),
        (pd.array(["a", "b", None, "a"], "string"), {"a": 2, "b": 1}),
    ],
)
def test_classes_of_any_dtype_are_counted_the_largest_first(labels: object, classes: dict[object, int]) -> None:
    table = LabeledTable.from_frame(frame(labels), "sick")
    assert list(table.counts.items()) == list(classes.items())
    assert table.labels.dtype.kind in "Oifb"
    assert table.rarest == list(classes)[-1]


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    original = frame(["no", None, "yes", np.nan])
    copy = original.copy()
    table = LabeledTable.from_frame(original, "sick")
    assert table.dropped == 2
    assert table.features["age"].tolist() == [0, 2]
    assert table.frame.index.tolist() == [0, 1]
    pd.testing.assert_frame_equal(original, copy)


def test_classes_are_found_by_their_text() -> None:
    table = LabeledTable.from_frame(frame([0, 1, 1]), "sick")
    assert table.class_named("1") == 1
    with pytest.raises(InvalidInputError, match=r"no class '2'.*its classes are: '1', '0'"):
        table.class_named("2")


@pytest.mark.parametrize(
    "words",
    [("0", "1"), ("1.0", "0.0"), ("true", "false"), ("True", "False"), ("0900", "8001"), ("None", "mild", "NA"),
     ("null", "n/a"), ("1.50", "2.50"), ("1", "1e2"), (" 1", " 0"), ("1", "2", "None"), ("0.5", "NA", "nan")],
    ids=repr,
)  # fmt: skip
def test_classes_of_a_csv_file_are_called_what_stands_there(tmp_path: Path, words: tuple[str, ...]) -> None:
    cells = [*words * 8, words[0]]
    (tmp_path / "t.csv").write_text("age,sick\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))
    table = LabeledTable.from_frame(read_table(tmp_path / "t.csv", label="sick"), "sick")
    assert table.counts == {table.class_named(word): cells.count(word) for word in words}
    assert to_csv(table.labels.to_frame()).splitlines()[1:] == cells
    assert table.class_named(words[0].strip()) == table.class_named(words[0])
    assert choose_task(read_table(tmp_path / "t.csv", label="sick"), "sick")[0] == "classification"


def test_a_price_that_is_written_with_two_decimals_is_a_measured_number(tmp_path: Path) -> None:
    cells = [*(f"{n / 4:.2f}" for n in range(60)), "NA"]
    (tmp_path / "t.csv").write_text("a,price\n" + "".join(f"1,{cell}\n" for cell in cells))
    with pytest.raises(TableError, match="60 different values; this command is for classes"):
        LabeledTable.from_frame(read_table(tmp_path / "t.csv", label="price"), "price")


MANY = [0.5 * n for n in range(30)]
BAD_TARGETS = {
    "absent": (frame(MANY, "sikc"), r"no label column 'sick' \(did you mean 'sikc'\?\)"),
    "no features": (pd.DataFrame({"sick": MANY}), "no column besides the label"),
    "texts": (
        frame(["12 EUR"] * 30),
        r"holds no numbers \('12 EUR'\); regression needs.*--task classification",
    ),
    "booleans": (frame([True, False] * 15), "holds no numbers"),
    "dates": (frame(pd.date_range("2020-01-01", periods=30)), "holds no numbers"),
    "complex numbers": (frame([1j] * 30), "holds complex numbers"),
    "infinite": (
        frame([*MANY, np.inf, -np.inf]),
        "the target 'sick' is infinite in 2 rows; leave these cells empty",
    ),
    "constant": (frame([2.5] * 30), "the target 'sick' is 2.5 in all 30 rows; at least two different values"),
    "few rows": (
        frame([*MANY[:19], np.nan]),
        "the target 'sick' is known in 19 rows; at least 20 are needed",
    ),
    "all missing": (frame([None] * 30), "known in 0 rows"),
}


@pytest.mark.parametrize(("table", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_a_target_that_cannot_be_learned_is_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableError, match=f"houses.csv.*{message}"):
        LabeledTable.from_frame(table, "sick", "houses.csv", task="regression")


@pytest.mark.parametrize(
    "targets",
    [
        list(range(20)),
        pd.array([1, None, *range(20)], "Int64"),
        pd.array([1.5, None, *range(20)], "Float64"),
        [1.5, np.nan, *range(20)],
        np.arange(25, dtype="uint8"),
        pd.array(np.arange(25.0), "float32"),
    ],
)
def test_numbers_of_any_dtype_become_float64(targets: object) -> None:
    table = LabeledTable.from_frame(frame(targets), "sick", task="regression")
    assert table.frame["sick"].dtype == "float64"
    assert table.targets.tolist() == pd.Series(targets).dropna().astype(float).tolist()


def test_rows_without_a_target_are_left_out_and_counted() -> None:
    original = frame([None, *MANY, np.nan])
    copy = original.copy()
    table = LabeledTable.from_frame(original, "sick", task="regression")
    assert table.dropped == 2
    assert table.features["age"].tolist() == list(range(1, 31))
    assert table.frame.index.tolist() == list(range(30))
    pd.testing.assert_frame_equal(original, copy)


def test_rows_to_be_scored_may_be_few_and_alike() -> None:
    assert LabeledTable.known_rows(frame([3.0, 3.0, None]), "sick", task="regression").targets.tolist() == [
        3.0,
        3.0,
    ]
    assert not len(LabeledTable.known_rows(frame([None, None]), "sick", task="regression").frame)


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
    assert choose_task(frame(labels), "sick") == ("classification", "")


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
    other = "classification" if task == "regression" else "regression"
    remark = f"the label 'sick' holds {n} different numbers: {task} (change with --task {other})."
    assert choose_task(frame(labels), "sick") == (task, remark)


def test_a_label_that_is_absent_is_refused() -> None:
    with pytest.raises(TableError, match="no label column 'y'"):
        choose_task(pd.DataFrame({"a": [1], "b": [2]}), "y", "rows.csv")
