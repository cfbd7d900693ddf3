from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from imbllm_autogluon.search.objective import _CategoryColumns, _estimator_for, _PriorCorrected
from tests.search.tables import every_kind

OPTIONS: dict[str, Any] = {"seed": 0, "threads": 1}


def features_and_codes(n_classes: int = 2) -> tuple[pd.DataFrame, np.ndarray]:
    table = every_kind(n_classes=n_classes)
    return table.drop(columns="label"), table["label"].str[1:].astype(int).to_numpy()


@pytest.mark.parametrize("model", ["xgboost", LogisticRegression(max_iter=200), RandomForestClassifier(20)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_model_takes_every_kind_of_column(model: Any, n_classes: int) -> None:
    X, y = features_and_codes(n_classes)
    fitted: Any = _estimator_for(model, n_classes, {}, **OPTIONS).fit(X, y)
    assert fitted.predict_proba(X).shape == (len(X), n_classes)
    assert (fitted.predict(X) == y).mean() > (y == 0).mean()


@pytest.mark.parametrize("model", ["xgboost", LogisticRegression()])
def test_levels_that_were_never_seen_are_no_error(model: Any) -> None:
    X, y = features_and_codes()
    fitted: Any = _estimator_for(model, 2, {}, **OPTIONS).fit(X, y)
    unseen = X.assign(city="Atlantis", member=True, size=None)
    assert np.isfinite(fitted.predict_proba(unseen)).all()


@pytest.mark.parametrize("model", ["xgboost", LogisticRegression()])
def test_odd_columns_are_taken_too(model: Any) -> None:
    X, y = features_and_codes()
    X = pd.DataFrame(
        {
            3: X["amount"],
            0: X["visits"].astype("Int64").mask(X["amount"].isna()),
            7: X["member"].astype("boolean").mask(X["amount"].isna()),
            1: pd.Series([1, "a", 2.5] * 40, dtype=object),
            2: X["since"].dt.tz_localize("Europe/Oslo"),
            5: X["city"].astype("string"),
            6: np.nan,
        }
    )
    fitted: Any = _estimator_for(model, 2, {}, **OPTIONS).fit(X, y)
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_dates_are_numbers_for_xgboost_so_that_new_dates_have_a_place() -> None:
    X, _ = features_and_codes()
    made = _CategoryColumns().fit(X).transform(X)
    assert made["since"].dtype == np.float64
    assert made["since"].max() == (X["since"].max() - pd.Timestamp(0)).days
    assert (made["since"].isna() == X["since"].isna()).all()


def test_xgboost_gets_levels_as_categories_and_an_unseen_one_as_missing() -> None:
    X, _ = features_and_codes()
    columns = _CategoryColumns().fit(X)
    made = columns.transform(X.assign(city="Atlantis"))
    assert made["city"].isna().all()
    assert {name for name in made if isinstance(made[name].dtype, pd.CategoricalDtype)} == {"city", "member", "size"}
    pd.testing.assert_series_equal(made["amount"], X["amount"])


def test_the_callers_table_is_unchanged() -> None:
    X, y = features_and_codes()
    copy = X.copy(deep=True)
    _estimator_for("xgboost", 2, {}, **OPTIONS).fit(X, y)
    pd.testing.assert_frame_equal(X, copy)


def test_parameters_reach_the_model_and_the_callers_model_is_unchanged() -> None:
    model = LogisticRegression(C=1.0)
    made: Any = _estimator_for(model, 2, {"C": 0.25}, **OPTIONS)
    assert made[-1].C == 0.25
    assert model.C == 1.0
    boosted: Any = _estimator_for("xgboost", 2, {"max_depth": 2}, **OPTIONS)
    assert boosted[-1].max_depth == 2


def test_a_pipeline_is_left_as_it_is() -> None:
    made: Any = _estimator_for(make_pipeline(LogisticRegression()), 2, {"logisticregression__C": 3.0}, **OPTIONS)
    assert [name for name, _ in made.steps] == ["logisticregression"]
    assert made[-1].C == 3.0


def test_corrected_probabilities_are_the_models_times_the_factors() -> None:
    X, y = features_and_codes()
    plain: Any = _estimator_for("xgboost", 2, {}, **OPTIONS).fit(X, y)
    corrected = _PriorCorrected(plain, np.array([1.0, 0.25]))
    before, after = plain.predict_proba(X), corrected.predict_proba(X)
    assert after.sum(axis=1) == pytest.approx(1.0)
    assert after[:, 1] / after[:, 0] == pytest.approx(0.25 * before[:, 1] / before[:, 0], rel=1e-5)
    assert (corrected.predict(X) == after.argmax(axis=1)).all()
