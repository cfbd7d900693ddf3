from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables.labelled import LabelledTable


def frame(labels: object, label: str = "sick") -> pd.DataFrame:
    series = pd.Series(labels)
    return pd.DataFrame({"age": range(len(series)), label: series})


BAD_LABELS = {
    "absent": (frame(["a", "b"], "sikc"), r"no label column 'sick' \(did you mean 'sikc'\?\)"),
    "no features": (pd.DataFrame({"sick": ["a", "b"]}), "no column beside the label"),
    "semicolons": (pd.DataFrame({"age;sick": ["1;a", "2;b"]}), "separated by ';'"),
    "all missing": (frame([None, None]), "missing in every row"),
    "one class": (frame(["a", "a", None]), "one class only, 'a'"),
    "a measured number": (frame(np.linspace(0, 1, 100)), "100 different values; this command is for classes"),
    "few measured numbers": (frame([1.5, 2.25, 3.75, 4.5]), "4 different values; this command is for classes"),
    "many whole numbers": (frame(range(300)), "300 different values; this command is for classes"),
}


@pytest.mark.parametrize(("table", "message"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_label_that_holds_no_classes_is_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableError, match=message):
        LabelledTable.of(table, "sick")


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
    table = LabelledTable.of(frame(labels), "sick")
    assert list(table.counts.items()) == list(classes.items())
    assert table.labels.dtype.kind in "Oifb"
    assert table.rarest == list(classes)[-1]


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    original = frame(["no", None, "yes", np.nan])
    copy = original.copy()
    table = LabelledTable.of(original, "sick")
    assert table.dropped == 2
    assert table.features["age"].tolist() == [0, 2]
    assert table.frame.index.tolist() == [0, 1]
    pd.testing.assert_frame_equal(original, copy)


def test_classes_are_found_by_their_text() -> None:
    table = LabelledTable.of(frame([0, 1, 1]), "sick")
    assert table.class_named("1") == 1
    with pytest.raises(InvalidInputError, match=r"no class '2'.*its classes are: '1', '0'"):
        table.class_named("2")
