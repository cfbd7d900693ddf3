from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.measures.utility import Utility, _scores, train_on_synthetic
from tests.quality.frames import mixed_rows


def labelled(n: int, seed: int = 0, classes: int = 2) -> pd.DataFrame:
    """Mixed rows whose class is nearly told by `plain` and `words`; class 0 is the largest."""
    frame = mixed_rows(n, seed)
    score = frame["plain"] + 9 * (frame["words"] == "x")
    cuts = {2: [14], 3: [10, 14]}[classes]
    return frame.assign(kind=np.array(["none", "some", "much"])[np.searchsorted(cuts, score)])


def test_the_scores_are_those_computed_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])
    first = np.array([0.9, 0.6, 0.2, 0.7])  # of class 0: the third row and the rare one are mistaken
    found = _scores(truth, np.column_stack([first, 1 - first]))
    assert found.accuracy == 0.5
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 0) / 2)
    assert found.macro_f1 == pytest.approx((2 * 2 / (3 + 3) + 0) / 2)
    # The rare row's 0.3 is above one of the three others (0.1, 0.4, 0.8).
    assert found.roc_auc == pytest.approx(1 / 3)


def test_of_three_classes_the_auc_is_the_mean_of_each_against_the_rest() -> None:
    truth, sharp = np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 2, 2]]
    assert _scores(truth, sharp) == Utility(1.0, 1.0, 1.0, 1.0)
    # Class 2 is never given a probability: AUC 1, 1 and 0.5, so long as the others are told from it.
    without = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]])
    assert _scores(truth, without).roc_auc == pytest.approx((1 + 1 + 0.5) / 3)


def test_with_an_invented_class_the_scores_are_those_of_the_real_ones() -> None:
    truth = np.array([0, 0, 0, 1, 1])
    # The third row and the last are taken for class 2, which no real row has.
    sure = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [0.0, 0.9, 0.1], [0.2, 0.1, 0.7]])
    found = _scores(truth, sure)
    assert found.macro_f1 == pytest.approx((2 * 2 / (3 + 2) + 2 * 1 / (2 + 1)) / 2)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    # Of class 1, against (0.1, 0.1, 0.2): 0.9 wins three times; 0.1 draws twice and loses once.
    assert found.roc_auc == pytest.approx((3 + 1) / 6)


def test_real_rows_of_the_same_source_teach_the_classes() -> None:
    found = train_on_synthetic(labelled(800), labelled(400, 1), "kind")
    assert min(found.accuracy, found.balanced_accuracy, found.macro_f1, found.roc_auc) > 0.9


@pytest.mark.parametrize("classes", [2, 3])
def test_shuffled_labels_teach_nothing(classes: int) -> None:
    synthetic = labelled(800, classes=classes)
    synthetic["kind"] = synthetic["kind"].sample(frac=1, random_state=0).to_numpy()
    found = train_on_synthetic(synthetic, labelled(600, 1, classes), "kind")
    assert found.roc_auc == pytest.approx(0.5, abs=0.15)
    assert found.balanced_accuracy == pytest.approx(1 / classes, abs=0.1)


@pytest.mark.parametrize("only", ["none", "much"])
def test_one_class_written_is_predicted_always(only: str) -> None:
    test = labelled(300, classes=3)
    found = train_on_synthetic(labelled(100, 1).assign(kind=only), test, "kind")
    share = float((test["kind"] == only).mean())
    assert found.accuracy == pytest.approx(share)
    assert found.balanced_accuracy == pytest.approx(1 / 3)
    assert found.macro_f1 == pytest.approx(2 * share / (1 + share) / 3)
    assert found.roc_auc == 0.5


def test_a_class_never_written_is_never_found() -> None:
    synthetic = labelled(800, classes=3).query("kind != 'much'")
    found = train_on_synthetic(synthetic, labelled(400, 1, classes=3), "kind")
    assert found.balanced_accuracy == pytest.approx(2 / 3, abs=0.07)
    assert found.macro_f1 < 0.75


def test_a_class_that_no_real_row_has_is_allowed_and_counts_as_wrong() -> None:
    synthetic = labelled(400)
    synthetic.loc[::2, "kind"] = "invented"
    synthetic["plain"] = synthetic["plain"].mask(synthetic["kind"] == "invented", 4)
    found = train_on_synthetic(synthetic, labelled(400, 1), "kind")
    assert 0 < found.accuracy < 1


def test_levels_never_written_count_as_missing() -> None:
    test = labelled(300, 1)
    test["words"] = test["words"].mask(test["words"] == "y", "new")
    test["level"] = "other"
    found = train_on_synthetic(labelled(600), test, "kind")
    assert found.roc_auc > 0.85


def test_columns_written_all_missing_or_constant_are_allowed() -> None:
    synthetic = labelled(600).assign(number=np.nan, text=None, whole=pd.array([None] * 600, dtype="Int64"), flag=True)
    assert train_on_synthetic(synthetic, labelled(300, 1), "kind").roc_auc > 0.9


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_labels_of_any_dtype_are_matched_by_their_value(dtype: Any) -> None:
    plain = train_on_synthetic(labelled(300), labelled(200, 1), "kind")
    assert train_on_synthetic(labelled(300).astype({"kind": dtype}), labelled(200, 1), "kind") == plain


@pytest.mark.parametrize(("real", "written"), [("int64", "float64"), ("bool", "boolean"), ("Int64", "int64")])
def test_numeric_and_boolean_labels_are_classes(real: str, written: str) -> None:
    train, test = (frame.assign(kind=frame["kind"] == "some") for frame in (labelled(500), labelled(300, 1)))
    found = train_on_synthetic(train.astype({"kind": written}), test.astype({"kind": real}), "kind")
    assert found.roc_auc > 0.9


def test_the_seed_decides_and_the_result_is_frozen() -> None:
    found = train_on_synthetic(labelled(200), labelled(200, 1), "kind", seed=1)
    assert train_on_synthetic(labelled(200), labelled(200, 1), "kind", seed=1) == found
    with pytest.raises(FrozenInstanceError):
        found.accuracy = 1.0  # type: ignore[misc]


ROWS = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "y": ["p", "q", "p", "q"]})


@pytest.mark.parametrize(
    ("synthetic", "real", "message"),
    [
        (ROWS.rename(columns={"y": "z"}), ROWS, "the synthetic table has no label column 'y'"),
        (ROWS, ROWS[["a"]], "the real table has no label column 'y'"),
        (ROWS[["y"]], ROWS, "no column beside the label"),
        (ROWS.assign(y=["p", None, "q", "q"]), ROWS, "missing in 1 rows of the synthetic table: drop"),
        (ROWS, ROWS.assign(y=["p", None, None, "q"]), "missing in 2 rows of the real table"),
        (ROWS, ROWS.assign(y="p"), "one class of 'y' only"),
        (ROWS.assign(y=["1", "2", "1", "2"]), ROWS.assign(y=[1, 2, 1, 2]), "another dtype"),
        (ROWS.rename(columns={"a": "b"}), ROWS, "no column 'a'"),
        (ROWS, ROWS[["a", "y", "y"]], "the real table has two columns 'y'"),
        (ROWS.iloc[:0], ROWS, "the synthetic table has shape"),
    ],
)
def test_tables_that_cannot_be_scored_are_refused(synthetic: pd.DataFrame, real: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableError, match=message):
        train_on_synthetic(synthetic, real, "y")
