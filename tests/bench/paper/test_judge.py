from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, BALANCED, F1, LOG_LOSS, MACRO_F1, ROC_AUC
from imbllm_autogluon.bench.paper.arms import ARMS, NONE, WEIGHTS, LearnedRows, learned_rows
from imbllm_autogluon.bench.paper.classifiers import CLASSIFIERS
from imbllm_autogluon.bench.paper.judge import figures, judged
from imbllm_autogluon.bench.paper.split import PaperSplit
from imbllm_autogluon.tables.labelled import LabelledTable
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from collections.abc import Hashable

TWO: dict[Hashable, int] = {"no": 300, "yes": 100}


def test_figures_of_two_classes_are_those_of_the_rare_one_at_one_half() -> None:
    rare = np.array([0.1, 0.6, 0.7, 0.4])
    found = figures(np.array([0, 0, 1, 1]), np.column_stack([1 - rare, rare]), 1)
    assert found[F1] == found[BALANCED] == found[MACRO_F1] == 50.0
    assert found[ROC_AUC] == 75.0
    assert found[AVERAGE_PRECISION] == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert found[LOG_LOSS] == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.4]).mean())


def test_the_minority_may_be_the_first_class() -> None:
    rare = np.array([0.1, 0.6, 0.7, 0.4])
    found = figures(np.array([1, 1, 0, 0]), np.column_stack([rare, 1 - rare]), 0)
    assert (found[F1], found[ROC_AUC]) == (50.0, 75.0)


def test_figures_of_several_classes_are_decided_by_the_most_probable_one() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4], [0.4, 0.3, 0.3]])
    found = figures(np.array([0, 1, 2, 2]), probabilities, 2)
    assert found[F1] == pytest.approx(100 * 2 / 3)
    assert found[BALANCED] == pytest.approx(100 * 2.5 / 3)
    assert found[MACRO_F1] == pytest.approx(100 * (2 / 3 + 1 + 2 / 3) / 3)
    assert found[ROC_AUC] == 87.5


def test_a_minority_that_is_never_answered_has_an_f1_of_0_without_a_warning() -> None:
    assert figures(np.array([0, 0, 1]), np.array([[0.9, 0.1]] * 3), 1)[F1] == 0.0


def test_numeric_text_and_truth_labels_are_judged_alike() -> None:
    frame = mixed_table(TWO)
    found = []
    for labels in (frame["label"], frame["label"].map({"no": 0, "yes": 1}), frame["label"] == "yes"):
        split = PaperSplit.of(LabelledTable.of(frame.assign(label=labels), "label"), 0)
        found.append(judged(learned_rows(split, ARMS[NONE], 0, 1), split, 0))
    assert found[0] == found[1] == found[2]
    assert all(np.isfinite(value) for value in found[0].values())


def test_a_learned_signal_is_seen_and_weights_reach_the_classifier() -> None:
    frame = mixed_table(TWO)
    frame["city"] = frame["city"].where(frame["label"] == "no", "Oslo")
    split = PaperSplit.of(LabelledTable.of(frame, "label"), 0)
    plain, weighted = (judged(learned_rows(split, ARMS[arm], 0, 1), split, 0) for arm in (NONE, WEIGHTS))
    assert plain[ROC_AUC] > 70
    assert plain[LOG_LOSS] != weighted[LOG_LOSS]


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_every_classifier_sees_a_learned_signal_in_columns_of_any_name(classifier: str) -> None:
    frame = mixed_table(TWO)
    frame["city"] = frame["city"].where(frame["label"] == "no", "Oslo")
    frame = frame.rename(columns={"amount": 'amount, {"in": [EUR]} < 1'})
    split = PaperSplit.of(LabelledTable.of(frame, "label"), 0)
    found = judged(learned_rows(split, ARMS[NONE], 0, 1), split, 0, classifier)
    assert found[ROC_AUC] > 70


def test_rows_without_any_signal_of_the_label_are_judged_as_such() -> None:
    split = PaperSplit.of(labelled(TWO), 0)
    shuffled = split.y.sample(frac=1, random_state=0).reset_index(drop=True)
    assert judged(LearnedRows(split.X, shuffled), split, 0)[ROC_AUC] == pytest.approx(50, abs=20)


def test_certainty_that_is_wrong_costs_no_more_than_float32_can_tell() -> None:
    frame = mixed_table({"no": 400, "yes": 100})
    frame["amount"] = np.where(frame["label"] == "yes", 9.0, -9.0)
    split = PaperSplit.of(LabelledTable.of(frame, "label"), 0)
    many = LearnedRows(split.X, split.y, np.full(len(split.y), 1e6))
    flipped = PaperSplit(split.X, split.y, split.test_X, split.test_y.map({"no": "yes", "yes": "no"}), "yes", {})
    assert judged(many, flipped, 0)[LOG_LOSS] == pytest.approx(-np.log(np.finfo(np.float32).eps), abs=0.1)
