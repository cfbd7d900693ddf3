from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.bench.answers import judge, ranking


def test_answers_that_copy_the_prior_have_the_gap_of_the_classes_that_they_leave_out() -> None:
    codes = np.repeat([0, 1], [90, 10])
    probabilities = np.tile([0.9, 0.1], (100, 1))
    figures = judge(probabilities, np.zeros(100, dtype=np.int64), codes)
    assert figures["rarest, true share"] == figures["gap"] == pytest.approx(10.0)
    assert figures["rarest, answered"] == 0.0
    assert figures["gap, equal classes"] == pytest.approx(50.0)
    assert figures["balanced accuracy"] == figures["ROC AUC"] == 50.0
    assert figures["ECE"] == pytest.approx(0.0)
    assert figures["log-loss"] == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1))


def test_right_answers_have_no_gap() -> None:
    codes = np.array([0, 0, 0, 1, 2, 2])
    figures = judge(np.eye(3)[codes], codes, codes)
    assert figures["gap"] == figures["gap, equal classes"] == figures["ECE"] == 0.0
    assert figures["macro F1"] == figures["ROC AUC"] == 100.0


def test_ranking_of_several_classes_is_the_mean_of_each_against_the_others() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4]])
    assert ranking(probabilities, np.array([0, 1, 2, 2])) == pytest.approx(1.0)
    assert ranking(probabilities, np.array([0, 2, 1, 2])) == pytest.approx((1.0 + 2 / 3 + 2.5 / 4) / 3)
