"""Models of an objective: scikit-learn's way to a table of mixed types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from imbllm_autogluon.classification.prior import correct_prior
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray


def estimator_for(
    model: str | BaseEstimator,
    X: pd.DataFrame,
    n_classes: int,
    parameters: Mapping[str, Any],
    *,
    seed: int,
    threads: int,
) -> BaseEstimator:
    """An unfitted classifier that takes the columns of X as they are.

    Parameters
    ----------
    model
        ``"xgboost"``, or a classifier, which is cloned; pipelines are left as they are.
    X
        The table; tells which columns are categories.
    n_classes
        Number of classes.
    parameters
        Of the model.
    seed, threads
        For XGBoost.
    """
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline, make_pipeline

    if isinstance(model, str):
        return make_pipeline(CategoryColumns(), _xgboost(n_classes, seed, threads).set_params(**parameters))
    model = clone(model).set_params(**parameters)
    return model if isinstance(model, Pipeline) else make_pipeline(_columns(X), model)


class CategoryColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Gives XGBoost its categories: dates become days, and all else that is no number the levels seen in `fit`."""

    def fit(self, X: pd.DataFrame, y: object = None) -> CategoryColumns:
        """Learn the levels."""
        del y
        others = [name for name in X.columns if not holds_numbers(X[name].dtype) and not _is_date(X[name])]
        self.levels_ = {name: pd.Index(X[name].dropna().astype(object).unique(), dtype=object) for name in others}
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Numbers as they are; an unseen level is missing."""
        X = X.copy()
        for name, levels in self.levels_.items():
            # Levels by their number: XGBoost 3.2 knows texts and whole numbers, not booleans and mixed cells.
            codes = levels.get_indexer(pd.Index(X[name].astype(object), dtype=object))
            X[name] = pd.Categorical.from_codes(codes, categories=pd.RangeIndex(len(levels)))
        for name in [name for name in X.columns if _is_date(X[name])]:
            X[name] = _days(X[name])
        return X


class PriorCorrected:
    """A fitted classifier whose probabilities are multiplied by one factor for each class.

    Parameters
    ----------
    estimator
        Fitted; classes are the codes 0 ... n - 1.
    factors
        Shape (n_classes,).
    """

    _estimator_type = "classifier"

    def __init__(self, estimator: Any, factors: FloatArray) -> None:
        self.estimator = estimator
        self.factors = factors
        self.classes_ = estimator.classes_

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        """Corrected probabilities, shape (n, n_classes)."""
        probabilities = np.asarray(self.estimator.predict_proba(X), dtype=np.float64)
        return np.asarray(correct_prior(probabilities, self.factors), dtype=np.float64)

    def predict(self, X: pd.DataFrame) -> npt.NDArray[Any]:
        """The most probable class."""
        predicted: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return predicted

    def __sklearn_tags__(self) -> Any:
        return self.estimator.__sklearn_tags__()


def _xgboost(n_classes: int, seed: int, threads: int) -> BaseEstimator:
    from xgboost import XGBClassifier

    objective = "binary:logistic" if n_classes == 2 else "multi:softprob"
    return XGBClassifier(objective=objective, enable_categorical=True, random_state=seed, n_jobs=threads)


def _columns(X: pd.DataFrame) -> Any:
    """Numbers with gaps filled and scaled, categories one-hot encoded, dates as days."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    # Places, not names: scikit-learn takes a number in a list of columns for a place.
    cells = [X.iloc[:, place] for place in range(X.shape[1])]
    dates = [place for place, column in enumerate(cells) if _is_date(column)]
    numbers = [place for place, column in enumerate(cells) if holds_numbers(column.dtype)]
    others = [place for place in range(len(cells)) if place not in (*dates, *numbers)]
    scaled = (SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=2, sparse_output=False)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(FunctionTransformer(_as_floats), *scaled), numbers),
            ("dates", make_pipeline(FunctionTransformer(_as_days), *scaled), dates),
            ("categories", make_pipeline(FunctionTransformer(_as_texts), encoder), others),
        ]
    )


def _is_date(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


def _as_floats(X: pd.DataFrame) -> FloatArray:
    return np.column_stack([X[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in X.columns])


def _as_days(X: pd.DataFrame) -> FloatArray:
    return np.column_stack([_days(X[name]) for name in X.columns])


def _days(column: pd.Series) -> FloatArray:
    """Days since 1970."""
    local = column.dt.tz_localize(None) if column.dt.tz is not None else column
    return np.asarray((local - pd.Timestamp(0)) / pd.Timedelta(days=1), dtype=np.float64)


def _as_texts(X: pd.DataFrame) -> pd.DataFrame:
    return X.astype(object).where(X.notna(), "missing").astype(str)
