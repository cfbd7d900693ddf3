from __future__ import annotations

import numpy as np
import pandas as pd

from imbllm_autogluon.plugin.real_split import splits_internally, with_validation_rows
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


def test_only_the_named_families_are_cut() -> None:
    assert splits_internally(twin_of(SplittingModel))
    assert not splits_internally(twin_of(RecordingModel))
