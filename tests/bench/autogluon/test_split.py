from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.bench.autogluon.split import ClassSplit
from imbllm_autogluon.errors import InvalidInputError
from tests.jobs.fits import labelled

if TYPE_CHECKING:
    from collections.abc import Hashable

TWO: dict[Hashable, int] = {"zero": 160, "all": 40}


def test_a_quarter_is_judged_on_and_every_class_keeps_its_share() -> None:
    split = ClassSplit.of(labelled(TWO), 0)
    assert split.train["label"].value_counts().to_dict() == {"zero": 120, "all": 30}
    assert split.test_y.value_counts().to_dict() == {"zero": 40, "all": 10}
    assert list(split.test_X.columns) == ["amount", "visits", "city"]
    assert list(split.train.index) == list(range(150))
    assert split.train.merge(split.test, how="inner").empty


def test_seeds_are_other_splits_and_the_same_one_is_the_same_split() -> None:
    table = labelled(TWO)
    first, again, other = (ClassSplit.of(table, seed).test for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_the_rarer_of_two_classes_is_positive_whatever_its_name() -> None:
    arguments = ClassSplit.of(labelled(TWO), 0).predictor_arguments()
    own = {"eval_metric": "average_precision", "positive_class": "all"}
    assert arguments == {"label": "label", "problem_type": "binary", **own}


def test_more_classes_are_judged_by_balanced_accuracy_and_those_too_small_are_left_out() -> None:
    split = ClassSplit.of(labelled({"a": 60, "b": 40, "c": 16, "d": 15}), 0)
    assert split.classes == ("a", "b", "c")
    assert set(split.train["label"]) == set(split.test_y) == {"a", "b", "c"}
    assert split.train["label"].value_counts()["c"] == 12, "enough for AutoGluon"
    assert not split.is_binary
    arguments = {"label": "label", "problem_type": "multiclass", "eval_metric": "balanced_accuracy"}
    assert split.predictor_arguments() == arguments


def test_a_table_without_two_classes_of_enough_rows_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"rows.csv has fewer than two classes of at least 16 rows.*'yes': 15"):
        ClassSplit.of(labelled({"no": 60, "yes": 15}), 0)
