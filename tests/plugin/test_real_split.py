from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.plugin.stage import splits_internally, with_validation_rows
from imbllm_autogluon.plugin.twins import twin_of
from tests.plugin.recording import RecordingModel, SplittingModel


def test_the_cut_is_stratified_disjoint_and_carries_the_weights_along() -> None:
    X = pd.DataFrame({"a": np.arange(100)})
    y = pd.Series([1] * 20 + [0] * 80)
    weights = np.arange(100.0)
    X_train, y_train, X_val, y_val, train_weights = with_validation_rows(X, y, weights, 0)
    assert sorted([*X_train.index, *X_val.index]) == list(range(100))
    assert y_val.sum() == 4
    assert train_weights is not None
    assert train_weights.tolist() == X_train["a"].tolist()
    assert (y_train.index == X_train.index).all()


def test_a_lone_row_of_a_class_does_not_stop_the_cut() -> None:
    X = pd.DataFrame({"a": np.arange(20)})
    _, y_train, _, y_val, weights = with_validation_rows(X, pd.Series([1] + [0] * 19), None, 0)
    assert len(y_train) + len(y_val) == 20
    assert weights is None


def test_targets_of_all_sizes_are_in_both_parts() -> None:
    y = pd.Series(np.random.default_rng(0).exponential(1.0, 100))
    for seed in range(5):
        _, train, _, validation, _ = with_validation_rows(pd.DataFrame({"a": y}), y, None, seed, targets=True)
        top = y.nlargest(10).index
        assert len(validation.index.intersection(top)) == 2
        assert len(train.index.intersection(top)) == 8


@pytest.mark.parametrize("n_rows", [3, 11])
def test_few_targets_are_cut_at_random(n_rows: int) -> None:
    y = pd.Series(np.arange(n_rows, dtype=float))
    _, train, _, validation, _ = with_validation_rows(pd.DataFrame({"a": y}), y, None, 0, targets=True)
    assert len(train) + len(validation) == n_rows


def test_only_the_named_families_are_cut() -> None:
    assert splits_internally(twin_of(SplittingModel))
    assert not splits_internally(twin_of(RecordingModel))
