"""The first of two stages: an ordinary classifier whose guess the language model reads as two more clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, StoredStateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.tables import Cells, TableSchema


FOLDS = 5
"""Folds of the out-of-fold guesses; fewer where a class has fewer rows."""

MOST_LEVELS = 255
"""Categories that scikit-learn's boosting accepts in one column; columns with more are read as numbers."""

MOST_TREES = 2000
"""Trees of the boosting, which grows one for each class in each of at most 100 rounds: 20,000 of them for 200 classes
of 3 rows took 30 seconds on one core in all folds, 2,000 took 11."""

HARMLESS = ("functools.partial", "numpy.dtype")
"""Types beside those of scikit-learn in a stored first stage; what a partial calls is looked at as well."""

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

        counts = np.bincount(codes)
        self._shares = np.maximum(counts, 1) / counts.sum()
        read = self._read(X, cells)
        model = self._model
        self._model = clone(model).fit(read, codes)
        probabilities = self._model.predict_proba(read)
        for learned, asked in self._folds(codes):
            fold_model = clone(model).fit(_rows(read, learned), codes[learned])
            probabilities[asked] = fold_model.predict_proba(_rows(read, asked))
        return self._columns(probabilities, codes)

    def guesses(self, X: pd.DataFrame, cells: Cells) -> pd.DataFrame:
        """Guesses for rows that were not learned."""
        return self._columns(self._model.predict_proba(self._read(X, cells)), self._model.classes_)

    def save(self, file: Path) -> dict[str, Any]:
        """Store the fitted classifier in the form of skops, which unlike a pickle runs no code; returns the rest.

        Raises
        ------
        InvalidInputError
            The classifier is the user's own: what it is made of is unknown.
        """
        from skops.io import dump

        if self._reads_frames:
            raise InvalidInputError("a first stage of your own cannot be stored; use 'boosting' or 'logistic'.")
        dump(self._model, file)
        return {"shares": self._shares.tolist()}

    def load(self, file: Path, state: Mapping[str, Any]) -> None:
        """Read what :meth:`save` stored.

        Raises
        ------
        StoredStateError
            The file holds something else than classifiers of scikit-learn.
        """
        from skops.io import get_untrusted_types, load

        used = get_untrusted_types(file=file)
        foreign = [name for name in used if not name.startswith("sklearn.") and name not in HARMLESS]
        if foreign:
            raise StoredStateError(
                f"{file.name} holds {', '.join(foreign)}, which no first stage is made of; fit again."
            )
        self._model, self._shares = load(file, trusted=used), np.array(state["shares"], dtype=np.float64)

    def _folds(self, codes: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
        """Rows to learn and rows to ask; the only row of a class is always learned, and never asked."""
        from sklearn.model_selection import StratifiedKFold

        counts = np.bincount(codes)
        shared = np.flatnonzero(counts[codes] > 1)
        if not len(shared):
            return
        folds = int(min(FOLDS, counts[counts > 1].min()))
        splits = StratifiedKFold(folds, shuffle=True, random_state=self._seed)
        for _, asked in splits.split(shared, codes[shared]):
            yield np.setdiff1d(np.arange(len(codes)), shared[asked]), shared[asked]

    def _read(self, X: pd.DataFrame, cells: Cells) -> Any:
        return X if self._reads_frames else matrix_of(cells)

    def _columns(self, probabilities: FloatArray, classes: IntArray) -> pd.DataFrame:
        classes = np.unique(classes)
        guess = (probabilities / self._shares[classes]).argmax(axis=1)
        # Two digits: further ones tell the folds apart, and through them the classes of the rows that are learned.
        confidence = probabilities[np.arange(len(probabilities)), guess].astype(np.float64).round(2)
        return pd.DataFrame({GUESS: self._names[classes[guess]], CONFIDENCE: confidence})


def _rows(read: Any, rows: IntArray) -> Any:
    """Rows of a frame or of a matrix."""
    return read.iloc[rows] if isinstance(read, pd.DataFrame) else read[rows]


def matrix_of(cells: Cells) -> FloatArray:
    """Cells as one float matrix, shape (n, m): numbers, category codes, NaN where missing."""
    columns = [np.where(cells.missing[:, j], np.nan, values) for j, values in enumerate(cells.values)]
    return np.column_stack(columns) if columns else np.zeros((cells.n_rows, 1))


def _built_in(name: str, schema: TableSchema, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    categories = [column.is_category for column in schema.columns] or [False]
    if name == "boosting":
        few = [column.is_category and len(column.categories) <= MOST_LEVELS for column in schema.columns] or [False]
        assert schema.label is not None
        rounds = min(100, max(1, MOST_TREES // len(schema.label.categories)))
        return HistGradientBoostingClassifier(categorical_features=few, max_iter=rounds, random_state=seed)
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
