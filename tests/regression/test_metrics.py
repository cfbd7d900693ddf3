"""Errors by shots: against hand-made numbers, with empty groups and exact predictions."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.metrics import geometric_mean_error, shot_metrics

TRAINING = np.array([0.5] * 150 + [1.5] * 50 + [2.5] * 3)
BINS = TargetBins(np.array([0.0, 1.0, 2.0, 3.0]))


def test_each_group_is_measured_on_its_own_rows() -> None:
    true, predicted = np.array([0.5, 0.6, 1.5, 2.5]), np.array([0.6, 0.8, 1.0, 0.5])
    table = shot_metrics(true, predicted, BINS, BINS.counts(TRAINING))
    assert list(table.index) == ["all", "many", "medium", "few"]
    assert table["n"].tolist() == [4, 2, 1, 1]
    assert table["MAE"].tolist() == pytest.approx([0.7, 0.15, 0.5, 2.0])
    assert table["MSE"].tolist() == pytest.approx([(0.01 + 0.04 + 0.25 + 4) / 4, 0.025, 0.25, 4.0])
    assert table["GM"].tolist() == pytest.approx([(0.1 * 0.2 * 0.5 * 2) ** 0.25, 0.02**0.5, 0.5, 2.0])


def test_a_group_without_rows_has_no_error_and_the_others_stay() -> None:
    table = shot_metrics([0.5], [1.0], BINS, BINS.counts(TRAINING))
    assert table["n"].tolist() == [1, 1, 0, 0]
    assert table.loc[["medium", "few"], ["MAE", "MSE", "GM"]].isna().all(axis=None)
    assert table.loc["all", "MAE"] == 0.5


def test_the_table_agrees_with_the_single_functions() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.uniform(0, 3, 200), rng.uniform(0, 3, 200)
    whole = shot_metrics(true, predicted, BINS, BINS.counts(TRAINING)).loc["all"]
    single = [
        mean_absolute_error(true, predicted),
        mean_squared_error(true, predicted),
        geometric_mean_error(true, predicted),
    ]
    assert whole[["MAE", "MSE", "GM"]].tolist() == pytest.approx(single)


def test_one_exact_prediction_does_not_make_the_geometric_mean_zero() -> None:
    true = np.array([0.0, 2.0])
    assert geometric_mean_error(true, [0.0, 3.0]) == pytest.approx(1e-3)
    assert geometric_mean_error([5.0, 5.0], [5.0, 5.0]) == pytest.approx(1e-6)
    assert geometric_mean_error(true, [0.0, 3.0], least=0.01) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([1.0, 2.0], [1.0], "got (2,) and (1,)"),
        ([], [], "with n of at least 1"),
        ([[1.0]], [[1.0]], "got (1, 1) and (1, 1)"),
        ([1.0, 2.0], [1.0, np.nan], "got 2.0 and nan in row 1"),
        ([np.inf], [1.0], "got inf and 1.0 in row 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(true: list[float], predicted: list[float], message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        geometric_mean_error(true, predicted)


def test_counts_of_other_bins_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="one count for each of the 3 bins; got 2"):
        shot_metrics([1.0], [1.0], BINS, [1, 2])
