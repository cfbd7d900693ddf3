"""What a table's columns were before AutoGluon made codes of them, kept by a model."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.plugin.original_columns import OriginalColumns
from tests.plugin.tables import imbalanced_table

if TYPE_CHECKING:
    from collections.abc import Iterator

N_ROWS = 160

Fitted = tuple[pd.DataFrame, pd.DataFrame, OriginalColumns]
"""The original table, its rows as models see them, and how they came about."""


def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = imbalanced_table(N_ROWS, rare=0.25).assign(smoker=rng.choice(["ja", "nein"], N_ROWS))
    frame.loc[rng.random(N_ROWS) < 0.1, "city"] = None
    words = ["good", "bad", "late", "paid", "slow", "bill", "client", "call"]
    frame["note"] = [" ".join(rng.choice(words, 6)) for _ in range(N_ROWS)]
    frame.loc[rng.random(N_ROWS) < 0.1, "note"] = None
    return frame


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fitted]:
    predictor = TabularPredictor("paid", path=str(tmp_path_factory.mktemp("columns") / "p"), verbosity=0)
    raw_text = {"enable_raw_text_features": True}
    predictor.fit(table(), hyperparameters={"DUMMY": {}}, num_cpus=1, _feature_generator_kwargs=raw_text)
    original = table().drop(columns="paid")
    X = predictor.transform_features(original)
    return original, X, OriginalColumns.of(predictor._learner.feature_generator)


def test_rows_of_models_become_rows_of_the_original_table(fitted: Fitted) -> None:
    original, X, columns = fitted
    raw, kinds = columns.raw(X)
    assert list(raw.columns) == list(original.columns)
    assert raw.index.equals(original.index)
    for name in ("income", "calls", "member", "since"):
        pd.testing.assert_series_equal(raw[name], original[name])
    for name in ("city", "note"):
        assert raw[name].fillna("?").tolist() == original[name].fillna("?").tolist()
        assert raw[name].isna().any()
    assert kinds == {
        "city": "categorical",
        "member": "boolean",
        "since": "datetime",
        "smoker": "categorical",
        "note": "text",
    }


def test_of_two_texts_the_one_that_is_not_stored_is_written_as_the_opposite(fitted: Fitted) -> None:
    original, X, columns = fitted
    known = columns.booleans["smoker"]
    expected = [value if value == known else f"not {known}" for value in original["smoker"]]
    assert columns.raw(X)[0]["smoker"].tolist() == expected


def test_columns_that_a_model_does_not_have_are_left_out(fitted: Fitted) -> None:
    _, X, columns = fitted
    raw, kinds = columns.raw(X[["city", "calls"]])
    assert list(raw.columns) == ["calls", "city"]
    assert kinds == {"city": "categorical"}


def test_parts_of_dates_say_nothing_more_and_other_columns_do(fitted: Fitted) -> None:
    _, X, columns = fitted
    wider = X.assign(LightGBM_BAG_L1=0.5)
    beyond = columns.beyond(wider)
    assert "LightGBM_BAG_L1" in beyond
    assert "since.year" in X.columns
    assert not [name for name in beyond if name.startswith("since") or name in columns.names]
    assert "note_raw_text" not in beyond
    assert any(name.startswith("__nlp__") for name in beyond)


def test_it_is_small_and_survives_a_pickle_without_autogluons_objects(fitted: Fitted) -> None:
    _, X, columns = fitted
    stored = pickle.dumps(columns)
    assert len(stored) < 20_000
    assert b"autogluon.features" not in stored
    again = pickle.loads(stored)
    pd.testing.assert_frame_equal(again.raw(X)[0], columns.raw(X)[0])


def test_a_category_that_was_not_there_is_missing(fitted: Fitted) -> None:
    _, X, columns = fitted
    raw, _ = columns.raw(X[["city"]].head(3).assign(city=pd.Categorical([np.nan] * 3, X["city"].cat.categories)))
    assert raw["city"].isna().all()
