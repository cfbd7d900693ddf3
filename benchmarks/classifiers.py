"""Classifiers that learn the rows of a method, and the coding of a table's columns that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from benchmarks.scores import of_rare_class, without_zeros
from imbllm_autogluon.tables.dtypes import holds_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import numpy.typing as npt
    from sklearn.pipeline import Pipeline

    from benchmarks.tables import Rows
    from imbllm_autogluon.tables import ColumnName

XGBOOST = "XGBoost"


def scores_of(
    learned: Rows, test: Rows, real: pd.DataFrame, rarest: Hashable, seed: int, name: str = XGBOOST
) -> dict[str, float]:
    """Fit a classifier on rows, and judge it on test rows by the figures of :func:`benchmarks.scores.of_rare_class`.

    `real` are the features of the real rows to learn, which decide the coding; `name` is one of :data:`CLASSIFIERS`.
    """
    coding, classes = TableCoding.fit(real), pd.Index(sorted(learned.y.unique(), key=str))
    codes = classes.get_indexer(pd.Index(learned.y))
    # Columns by number: LightGBM refuses names with signs of JSON, XGBoost those with brackets.
    names = [f"f{place}" for place in range(real.shape[1])]
    X, test_X = (coding.coded(part.X).set_axis(names, axis=1) for part in (learned, test))
    probabilities = without_zeros(fit(name, X, codes, learned.weights, seed).predict_proba(test_X))
    truth = classes.get_indexer(pd.Index(test.y)).astype(np.int64)
    return of_rare_class(truth, probabilities, int(classes.get_indexer(pd.Index([rarest]))[0]))


@dataclass(frozen=True, eq=False)
class TableCoding:
    """Categories of the real rows to learn; a category that is not among them is missing.

    Examples
    --------
    >>> coding = TableCoding.fit(pd.DataFrame({"age": [61, 35], "city": ["Oslo", "Bergen"]}))
    >>> coding.coded(pd.DataFrame({"age": [48], "city": ["Paris"]}))["city"].isna().tolist()
    [True]
    """

    levels: Mapping[ColumnName, pd.Index[Any]]
    """Categories of each column that is neither number nor date, in the order of their texts."""

    @classmethod
    def fit(cls, X: pd.DataFrame) -> TableCoding:
        """Find the categories of rows, shape (n, m)."""
        return cls({name: _levels(X[name]) for name in X.columns if not _measures(X[name])})

    def coded(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows for a classifier that knows pandas' categories: float64 and categories, both with gaps."""
        codes = {name: self._codes(X[name]) for name in X.columns}
        return pd.DataFrame(
            {
                # A column without any category is one of gaps: XGBoost has no use for an empty list of categories.
                name: pd.Categorical.from_codes(own, pd.RangeIndex(len(self.levels[name])))
                if len(self.levels.get(name, ()))
                else own.astype(np.float64)
                for name, own in codes.items()
            },
            columns=X.columns,
        )

    def as_numbers(self, X: pd.DataFrame) -> pd.DataFrame:
        """Rows in which categories are whole numbers, a gap the one behind the last; other columns as they are."""
        return X.assign(
            **{name: self._codes(X[name]) % (len(known) + 1) for name, known in self.levels.items()}  # type: ignore[arg-type]
        )

    def from_numbers(self, codes: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
        """Rows of :meth:`as_numbers` in the dtypes of the real ones."""
        values = {
            name: pd.Series(known, dtype=like[name].dtype).reindex(codes[name]).reset_index(drop=True)
            for name, known in self.levels.items()
        }
        return codes.assign(**values).astype(like.dtypes)  # type: ignore[arg-type]

    def _codes(self, column: pd.Series[Any]) -> Any:
        """Numbers, or codes with -1 where there is no known category."""
        if (known := self.levels.get(cast("ColumnName", column.name))) is not None:
            return known.get_indexer(pd.Index(column.astype(object)))
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            seconds = (column - pd.Timestamp(0, tz=column.dt.tz)) / pd.Timedelta(seconds=1)
            return seconds.to_numpy(dtype=np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _measures(column: pd.Series[Any]) -> bool:
    return holds_numbers(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype)


def _levels(column: pd.Series[Any]) -> pd.Index[Any]:
    """Different values without gaps; sorted by their texts, because rows come in another order in every split."""
    levels: pd.Index[Any] = pd.Index(sorted(column.dropna().unique(), key=str), dtype=object)
    return levels


class Classifier(NamedTuple):
    """How a classifier is made; defaults of its library, one thread."""

    module: str
    name: str
    arguments: Mapping[str, Any]
    prepare: Callable[[], Any] | None = None
    """Makes what is done to the rows first; None: nothing."""


def fit(
    name: str, X: pd.DataFrame, y: npt.NDArray[np.intp], weights: npt.NDArray[np.float64] | None, seed: int
) -> Pipeline:
    """Fit a classifier on coded rows; what predicts must have the same columns."""
    from sklearn.pipeline import Pipeline

    chosen = CLASSIFIERS[name]
    model = getattr(import_module(chosen.module), chosen.name)(random_state=seed, **chosen.arguments)
    # CatBoost must be told which columns hold categories.
    told = {"model__cat_features": list(X.columns[X.dtypes == "category"])} if name == "CatBoost" else {}
    steps = [("rows", chosen.prepare() if chosen.prepare else "passthrough"), ("model", model)]
    return Pipeline(steps).fit(X, y, model__sample_weight=weights, **told)


def _gaps_as_categories() -> Any:
    """CatBoost takes whole numbers for categories, but no gaps."""
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(_codes)


def _codes(X: pd.DataFrame) -> pd.DataFrame:
    held = X.select_dtypes("category")
    return X.assign(**{str(name): held[name].cat.add_categories(-1).fillna(-1).astype("int64") for name in held})


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


# One thread: waiting ones of OpenMP spin (XGBoost on two cores next to another process: 6 s with one, 199 s with two).
CLASSIFIERS: Mapping[str, Classifier] = {
    XGBOOST: Classifier("xgboost", "XGBClassifier", {"tree_method": "hist", "enable_categorical": True, "n_jobs": 1}),
    "LightGBM": Classifier("lightgbm", "LGBMClassifier", {"n_jobs": 1, "verbose": -1}),
    "CatBoost": Classifier(
        *("catboost", "CatBoostClassifier"),
        {"thread_count": 1, "verbose": False, "allow_writing_files": False},
        _gaps_as_categories,
    ),
    "random forest": Classifier("sklearn.ensemble", "RandomForestClassifier", {"n_jobs": 1}, _without_gaps),
    # scikit-learn's 100 iterations end before logistic regression has converged.
    "logistic regression": Classifier("sklearn.linear_model", "LogisticRegression", {"max_iter": 1000}, _without_gaps),
}
"""By name. Boosted trees take categories and gaps as they are."""
