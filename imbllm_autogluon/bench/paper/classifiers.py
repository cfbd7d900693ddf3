"""Classifiers that ``imbllm bench paper`` and ``imbllm bench ablation`` judge rows by: library defaults, one thread.

All learn the coding of :meth:`imbllm_autogluon.bench.paper.coding.TableCoding.coded`, numbers and categories with gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from sklearn.pipeline import Pipeline

XGBOOST, LIGHTGBM, CATBOOST = "XGBoost", "LightGBM", "CatBoost"
RANDOM_FOREST, LOGISTIC_REGRESSION = "random forest", "logistic regression"

MOST_ITERATIONS = 1000
"""Of logistic regression: scikit-learn's 100 end before it has converged."""

GAP = -1
"""Code of a gap where it is a category like others."""


class Classifier(NamedTuple):
    """How a classifier is made."""

    library: str
    """The module that takes time to load."""

    model: Callable[[int], Any]
    """By a seed; it has ``fit(X, y, sample_weight)`` and ``predict_proba``."""

    prepared: Callable[[], Any] | None = None
    """What it needs done to the rows; None: nothing."""

    asks_for_categories: bool = False
    """Whether ``fit`` must be told which columns hold categories."""


def fitted(
    name: str, X: pd.DataFrame, y: npt.NDArray[np.intp], weights: npt.NDArray[np.float64] | None, seed: int
) -> Pipeline:
    """A classifier that has learned rows.

    Parameters
    ----------
    name
        One of :data:`CLASSIFIERS`.
    X
        Coded features, shape (n, m), float64 and pandas' categories. What predicts must have the same columns.
    y
        Number of the class of each row, from 0 without gaps, shape (n,).
    weights
        Of the rows; None: all alike.
    seed
        Of everything random.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rows = pd.DataFrame({"age": [31.0, 64.0, 35.0, 61.0]})
    >>> model = fitted("logistic regression", rows, np.array([0, 1, 0, 1]), None, seed=0)
    >>> model.predict(pd.DataFrame({"age": [70.0]})).tolist()
    [1]
    """
    from sklearn.pipeline import Pipeline

    chosen = CLASSIFIERS[name]
    categories = list(X.columns[X.dtypes == "category"])
    told = {"model__cat_features": categories} if chosen.asks_for_categories else {}
    prepared = chosen.prepared() if chosen.prepared else "passthrough"
    return Pipeline([("rows", prepared), ("model", chosen.model(seed))]).fit(X, y, model__sample_weight=weights, **told)


def _xgboost(seed: int) -> Any:
    from xgboost import XGBClassifier

    # One thread: waiting ones of OpenMP spin (two cores beside another process: 6 s with one, 199 s with two).
    return XGBClassifier(tree_method="hist", enable_categorical=True, n_jobs=1, random_state=seed)


def _lightgbm(seed: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_jobs=1, random_state=seed, verbose=-1)


def _catboost(seed: int) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(thread_count=1, random_seed=seed, verbose=False, allow_writing_files=False)


def _random_forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_jobs=1, random_state=seed)


def _logistic_regression(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=MOST_ITERATIONS, random_state=seed)


def _gaps_as_categories() -> Any:
    """CatBoost takes whole numbers for categories, but no gaps."""
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(_codes)


def _codes(X: pd.DataFrame) -> pd.DataFrame:
    held = X.select_dtypes("category")
    return X.assign(**{str(name): held[name].cat.add_categories(GAP).fillna(GAP).astype("int64") for name in held})


def _without_gaps() -> Any:
    """Numbers with medians for gaps, scaled, and a column of 0 and 1 for each category; scikit-learn's models."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_include="category")),
        remainder=make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()),
    )


CLASSIFIERS: Mapping[str, Classifier] = {
    XGBOOST: Classifier("xgboost", _xgboost),
    LIGHTGBM: Classifier("lightgbm", _lightgbm),
    CATBOOST: Classifier("catboost", _catboost, _gaps_as_categories, asks_for_categories=True),
    RANDOM_FOREST: Classifier("sklearn.ensemble", _random_forest, _without_gaps),
    LOGISTIC_REGRESSION: Classifier("sklearn.linear_model", _logistic_regression, _without_gaps),
}
"""By name. Boosted trees take categories and gaps as they are."""
