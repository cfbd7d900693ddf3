from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality import utility as module
from imbllm_autogluon.quality.distances import HOLDOUT, REAL, SYNTHETIC, ClassRows, MatchedTables
from imbllm_autogluon.quality.fidelity import _Forest
from imbllm_autogluon.quality.utility import _precision_at_recall, _precision_gain, _Trees
from tests.quality.generators import LABEL, labelled_rows, rare_rows

if TYPE_CHECKING:
    from imbllm_autogluon.quality.metrics import Finding


def found_for(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None = None) -> Finding:
    tables = {REAL: real, SYNTHETIC: synthetic, **({} if holdout is None else {HOLDOUT: holdout})}
    return _precision_gain(ClassRows(MatchedTables.from_tables(tables, LABEL), 0, 99, seed=0))


@pytest.mark.parametrize(("recall", "precision"), [(0.3, 1.0), (0.5, 1.0), (0.6, 0.5), (1.0, 0.5)])
def test_the_best_threshold_that_finds_enough_counts(recall: float, precision: float) -> None:
    is_class = np.array([True, False, False, True, False])
    assert _precision_at_recall(is_class, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), recall) == precision


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
    fit = module._Trees.fit

    def counting(self: Any, values: Any, codes: Any) -> Any:
        learnt.append(len(values))
        return fit(self, values, codes)

    monkeypatch.setattr(module._Trees, "fit", counting)
    monkeypatch.setattr(module, "MOST_TAUGHT", 100)
    written = rare_rows(400, 2)
    found_for(labelled_rows(400, 0), written, labelled_rows(100, 1))
    assert learnt == [100, 100 + round(len(written) / 4)]


def test_classes_that_were_not_learnt_have_probability_zero() -> None:
    values = np.column_stack([np.arange(100.0), np.full(100, np.nan), np.arange(100) % 3])
    trees = _Trees([True, True, False], 0).fit(values, np.where(np.arange(100) < 50, 1, 3))
    found = trees.probabilities(values, 5)
    assert found[:, [0, 2, 4]].max() == 0.0
    assert found.sum(axis=1) == pytest.approx(np.ones(100))
    assert found[0, 1] > 0.9 < found[99, 3]


def test_a_category_of_a_thousand_levels_is_learnt() -> None:
    codes = np.concatenate([np.repeat(np.arange(10.0), 60), np.arange(10.0, 1010)])
    labels = (codes % 2).astype(np.int64)
    found = _Trees([False], 0).fit(codes[:, None], labels).probabilities(np.arange(10.0)[:, None], 2)
    assert found.argmax(axis=1).tolist() == [0, 1] * 5


def test_openmp_has_its_threads_again_afterwards() -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    def counts() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]

    values = np.random.default_rng(0).normal(size=(80, 2))
    codes = (values[:, 0] > 0).astype(np.int64)
    _Trees([True, True], 0).fit(values, codes)  # loads OpenMP
    with threadpool_limits(2, user_api="openmp"):
        before = counts()
        _Trees([True, True], 0).fit(values, codes).probabilities(values, 2)
        assert counts() == before


@pytest.mark.parametrize("judge", [_Trees, _Forest])
def test_gaps_levels_and_empty_columns_are_learnt_by_both_judges(judge: type[_Trees]) -> None:
    k = np.arange(160.0)
    values = np.column_stack([np.where(k < 80, np.nan, k % 5), k % 3, np.full(160, np.nan)])
    codes = np.where(k < 80, 0, 1) + 2 * (k % 3 == 1).astype(np.int64)
    found = judge([True, False, True], 0).fit(values, codes).probabilities(values, 4)
    assert (found.argmax(axis=1) == codes).all()


def test_a_level_that_the_forest_has_not_learnt_is_unlike_the_most_frequent_one() -> None:
    values = np.concatenate([np.zeros(60), np.arange(1.0, 61.0)])[:, None]
    model = _Forest([False], 0).fit(values, np.repeat([1, 0], 60))
    assert model.probabilities(np.array([[0.0], [500.0]]), 2)[:, 1] == pytest.approx([1, 0], abs=0.2)
