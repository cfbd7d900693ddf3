from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures import efficacy as module
from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, REAL, SYNTHETIC, matched_tables
from imbllm_autogluon.quality.measures.efficacy import efficacy, precision_at_recall
from tests.quality.generators import LABEL, labelled_rows, rare_rows

if TYPE_CHECKING:
    from imbllm_autogluon.quality.measures.measure import Finding


def found_for(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None = None) -> Finding:
    tables = {REAL: real, SYNTHETIC: synthetic, **({} if holdout is None else {HOLDOUT: holdout})}
    return efficacy(matched_tables(tables, LABEL), seed=0)


@pytest.mark.parametrize(("recall", "precision"), [(0.3, 1.0), (0.5, 1.0), (0.6, 0.5), (1.0, 0.5)])
def test_the_best_threshold_that_finds_enough_counts(recall: float, precision: float) -> None:
    is_class = np.array([True, False, False, True, False])
    assert precision_at_recall(is_class, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), recall) == precision


def test_equal_scores_are_found_together() -> None:
    assert precision_at_recall(np.array([True, False, False, False]), np.zeros(4)) == 0.25


@pytest.mark.parametrize(("is_class", "recall"), [([True, False], 0.0), ([True, False], 1.1), ([False, False], 0.8)])
def test_a_recall_that_cannot_be_reached_is_refused(is_class: list[bool], recall: float) -> None:
    with pytest.raises(InvalidInputError, match="recall must be above 0 and at most 1"):
        precision_at_recall(np.array(is_class), np.zeros(2), recall)


def test_rows_that_a_scarce_class_lacks_raise_its_precision() -> None:
    real, holdout = labelled_rows(800, 0), labelled_rows(600, 1)
    scarce = pd.concat([real[real[LABEL] == "no"], real[real[LABEL] == "yes"].iloc[:12]])
    found = found_for(scarce, rare_rows(800, 2), holdout)
    assert found.value > 0.03  # type: ignore[operator]
    assert found.good_from == -found.acceptable[0] >= 0.05  # type: ignore[index]
    assert "on 182 rows of the class" in found.note


def test_wrong_rows_lower_it() -> None:
    real, holdout = labelled_rows(800, 0), labelled_rows(600, 1)
    wrong = labelled_rows(2000, 2).query("sick == 'no'").assign(**{LABEL: "yes"})
    found = found_for(real, wrong, holdout)
    assert found.value < found.acceptable[0]  # type: ignore[operator, index]


def test_without_hold_out_rows_the_real_ones_are_judged_in_turn() -> None:
    real = labelled_rows(300, 0)
    found = found_for(real, rare_rows(300, 2))
    assert "By cross-validation" in found.note
    assert f"on {int((real[LABEL] == 'yes').sum())} rows of the class" in found.note


def test_a_class_with_few_rows_to_judge_on_is_left_out() -> None:
    real, holdout = labelled_rows(200, 0), labelled_rows(200, 1)
    few = pd.concat([holdout[holdout[LABEL] == "no"], holdout[holdout[LABEL] == "yes"].iloc[:4]])
    assert found_for(real, rare_rows(200, 2), few).value is None
    assert found_for(real[real[LABEL] == "yes"], rare_rows(200, 2), few).value is None
    assert found_for(real, labelled_rows(200, 2), few).value is not None


def test_of_many_rows_as_large_a_share_of_both_sides_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[int] = []
    fit = module.Trees.fit

    def counting(self: Any, values: Any, codes: Any) -> Any:
        learnt.append(len(values))
        return fit(self, values, codes)

    monkeypatch.setattr(module.Trees, "fit", counting)
    monkeypatch.setattr(module, "MOST_TAUGHT", 100)
    written = rare_rows(400, 2)
    found_for(labelled_rows(400, 0), written, labelled_rows(100, 1))
    assert learnt == [100, 100 + round(len(written) / 4)]
