"""The first of two stages: an ordinary classifier whose guess the language model reads as two more clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.tables import Cells, TableSchema

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

FOLDS = 5
"""Folds of the out-of-fold guesses; fewer where a class has fewer rows."""

MOST_LEVELS = 255
"""Categories that scikit-learn's boosting accepts in one column; columns with more are read as numbers."""

GUESS = "first guess"
CONFIDENCE = "confidence in it"


class FirstStage:
    """Fits a classifier and tells its guesses as columns.

    The guess is the class whose probability is highest against its share, so that rare classes are guessed at all; the
    confidence is that probability.

    Parameters
    ----------
    classifier
        ``"boosting"`` (histogram gradient boosting), ``"logistic"`` (on scaled numbers and one-hot categories), or any
        classifier with ``fit(X, y)`` and ``predict_proba(X)`` on the data frame of the features.
    schema
        Columns of the table, for the two built-in ones.
    seed
        Of the folds and of the built-in classifiers.
    """

    def __init__(self, classifier: Literal["boosting", "logistic"] | Any, schema: TableSchema, seed: int) -> None:
        self._reads_frames = not isinstance(classifier, str)
        self._schema = schema
        self._seed = seed
        self._model: Any = classifier if self._reads_frames else _built_in(str(classifier), schema, seed)
        self._shares: FloatArray = np.empty(0)
        assert schema.label is not None
        self._names = np.array([str(category) for category in schema.label.categories], dtype=object)

    def fit(self, X: pd.DataFrame, cells: Cells, codes: IntArray) -> pd.DataFrame:
        """Fit on rows and return their out-of-fold guesses.

        Parameters
        ----------
        X, cells
            The rows, as a frame and as cells of the schema.
        codes
            Class of each row, shape (n,).
        """
        from sklearn.base import clone
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        counts = np.bincount(codes)
        self._shares = np.maximum(counts, 1) / counts.sum()
        read = self._read(X, cells)
        model = self._model
        self._model = clone(model).fit(read, codes)
        folds = int(min(FOLDS, counts[counts > 0].min()))
        if folds < 2:  # a class of one row has no out-of-fold guess
            return self.guesses(X, cells)
        splits = StratifiedKFold(folds, shuffle=True, random_state=self._seed)
        return self._columns(cross_val_predict(clone(model), read, codes, cv=splits, method="predict_proba"), codes)

    def guesses(self, X: pd.DataFrame, cells: Cells) -> pd.DataFrame:
        """Guesses for rows that were not learned."""
        return self._columns(self._model.predict_proba(self._read(X, cells)), self._model.classes_)

    def _read(self, X: pd.DataFrame, cells: Cells) -> Any:
        return X if self._reads_frames else matrix_of(cells)

    def _columns(self, probabilities: FloatArray, classes: IntArray) -> pd.DataFrame:
        classes = np.unique(classes)
        guess = (probabilities / self._shares[classes]).argmax(axis=1)
        confidence = probabilities[np.arange(len(probabilities)), guess].astype(np.float64).round(4)
        return pd.DataFrame({GUESS: self._names[classes[guess]], CONFIDENCE: confidence})


def matrix_of(cells: Cells) -> FloatArray:
    """Cells as one float matrix, shape (n, m): numbers, category codes, NaN where missing."""
    columns = [np.where(cells.missing[:, j], np.nan, values) for j, values in enumerate(cells.values)]
    return np.column_stack(columns) if columns else np.zeros((cells.n_rows, 1))


def _built_in(name: str, schema: TableSchema, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    categories = [column.is_category for column in schema.columns] or [False]
    if name == "boosting":
        few = [column.is_category and len(column.categories) <= MOST_LEVELS for column in schema.columns] or [False]
        return HistGradientBoostingClassifier(categorical_features=few, max_iter=100, random_state=seed)
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=2, sparse_output=False)
    places = np.arange(len(categories))
    columns = ColumnTransformer([("n", numbers, places[~np.array(categories)]), ("c", one_hot, places[categories])])
    return make_pipeline(columns, LogisticRegression(max_iter=1000))
