"""Rows of a user's table as the clauses that a label model reads: own columns, auxiliary features, free texts.

Auxiliary features are the guess of a first stage, an ordinary classifier, with its confidence (two-stage), and the
control clause of prior suppression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon.encoding import SchemaVocabulary, TextColumn
from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.tables import EncodedTable, TableSchema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray
    from imbllm_autogluon.classification.config import ClassifierConfig
    from imbllm_autogluon.encoding import Clauses, SentenceEncoding
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.tables import ColumnName, Kind

_INSTRUCTION = "Name the class that fits these values best, regardless of how frequent it is:"
_GUESS, _CONFIDENCE = "first guess", "confidence in it"  # clauses of the first stage
# The control clause, and its values: under the table's class shares, and under equal ones.
_CONTROL, _NATURAL, _IGNORED = "class frequencies", "as they are", "ignored"
_KINDS: dict[ColumnName, Kind] = {_GUESS: "categorical", _CONFIDENCE: "continuous", _CONTROL: "categorical"}

_FILE = "first_stage.skops"
# Types next to those of scikit-learn in a stored first stage; what a partial calls is looked at as well.
_HARMLESS = ("functools.partial", "numpy.dtype")
_FOLDS = 5  # of the out-of-fold guesses; fewer where a class has fewer rows
_MOST_LEVELS = 255  # categories that scikit-learn's boosting accepts; columns with more are read as numbers
_MOST_TREES = 2000  # of the boosting: one for each class in each of at most 100 rounds (docs/decisions/classifier.md)


class RowEncoder:
    """Encodes rows of one table, with the auxiliary features, instruction and length of texts of a configuration.

    A `first_stage` that is not None takes the place of the built-in ones; `seed` is that of the first stage.
    """

    plain: TableSchema  # the table's own columns
    schema: TableSchema  # the same with the auxiliary features behind them

    def __init__(self, config: ClassifierConfig, first_stage: Any, seed: int) -> None:
        self._config = config
        self._classifier = config.measures.first_stage if first_stage is None else first_stage
        self._seed = seed
        self._stage: _FirstStage | None = None
        self.text_names: list[ColumnName] = []  # of the columns of free text

    def fit(self, X: pd.DataFrame, y: pd.Series, kinds: Mapping[ColumnName, Kind] | None) -> IntArray:
        """Learn the table's own columns; returns the label codes, shape (n,)."""
        self.plain = self.schema = TableSchema.from_labeled(X, y, kinds, self._config.language.max_columns)
        self.text_names = [aside.name for aside in self.plain.excluded if aside.holds_text]
        return self.plain.encode_label(y)

    def fit_auxiliary(self, X: pd.DataFrame, codes: IntArray, kept: BoolArray) -> pd.DataFrame:
        """Auxiliary features of all rows, shape (n, 0 to 3): guesses are out of fold for the rows that are learned.

        Those `kept` from learning are guessed as new rows are. A column of the table that has the name of an auxiliary
        feature is refused by `InvalidInputError`.
        """
        features = pd.DataFrame(index=pd.RangeIndex(len(X)))
        if not isinstance(self._classifier, str) or self._classifier != "none":
            self._stage = _FirstStage(self._classifier, self.plain, self._seed)
            parts = [self._stage.fit(X[~kept], codes[~kept]).set_index(np.flatnonzero(~kept))]
            if kept.any():
                parts.append(self._stage.guesses(X[kept]).set_index(np.flatnonzero(kept)))
            features = pd.concat(parts).sort_index()
        if self._config.measures.suppression:
            features[_CONTROL] = _NATURAL
        self._add_columns(X, features)
        return features

    def natural(self, X: pd.DataFrame) -> pd.DataFrame:
        """Auxiliary features of further rows to learn, which the first stage has not learned."""
        features = self.auxiliary(X)
        return features.assign(**{_CONTROL: _NATURAL}) if self._config.measures.suppression else features

    def auxiliary(self, X: pd.DataFrame, cells: EncodedTable | None = None) -> pd.DataFrame:
        """Auxiliary features of rows to predict; their cells are read in place of the frame where they are given."""
        plain = pd.DataFrame(index=pd.RangeIndex(len(X)))
        return self.balanced(plain if self._stage is None else self._stage.guesses(X, cells))

    def balanced(self, features: pd.DataFrame) -> pd.DataFrame:
        """The same auxiliary features with the control clause of equal class shares, where there is one."""
        return features.assign(**{_CONTROL: _IGNORED}) if self._config.measures.suppression else features

    def vocabulary(
        self, X: pd.DataFrame, features: pd.DataFrame, codes: IntArray, language: LanguageConfig
    ) -> SchemaVocabulary:
        """Vocabulary of rows to learn from."""
        assert language.numbers is not None
        longest = self._config.text_words
        texts = zip(self.text_names, self._texts(X), strict=True)
        return SchemaVocabulary.fit(
            self.schema,
            self.schema.encode(_side_by_side(X, features)),
            codes,
            numbers=language.numbers,
            max_bins=language.max_bins,
            instruction=self._instruction(),
            texts=tuple(TextColumn.fit(str(name), column, longest=longest) for name, column in texts),
        )

    def clauses(self, encoding: SentenceEncoding, X: pd.DataFrame, features: pd.DataFrame, codes: IntArray) -> Clauses:
        """Rows as clauses; what a row does not have, and training never lacked, is not written."""
        return self._clauses(encoding, self.schema.encode(_side_by_side(X, features), unknown="missing"), codes, X)

    def cell_clauses(self, encoding: SentenceEncoding, cells: EncodedTable, X: pd.DataFrame | None = None) -> Clauses:
        """Rows to predict, as cells of the table's own columns, as clauses; without `X` they have no free texts."""
        frame = pd.DataFrame(index=pd.RangeIndex(cells.n_rows)) if X is None else X
        features, columns = self.auxiliary(frame, cells), self.schema.columns[cells.n_columns :]
        added = [column.encode(features[column.name], unknown="missing") for column in columns]
        gone = np.column_stack([cells.missing, *(missing for _, missing in added)])
        whole = EncodedTable((*cells.values, *(values for values, _ in added)), gone)
        return self._clauses(encoding, whole, np.zeros(cells.n_rows, dtype=np.int64), frame)

    def _clauses(self, encoding: SentenceEncoding, cells: EncodedTable, codes: IntArray, X: pd.DataFrame) -> Clauses:
        """Cells of all columns and the free texts of a frame as clauses."""
        clauses = encoding.encode(cells, codes, self._texts(X))
        never_missing = np.array([not column.has_missing for column in self.schema.columns], dtype=bool)
        absent = np.zeros_like(clauses.present)
        absent[:, : cells.n_columns] = cells.missing & never_missing
        absent[:, cells.n_columns : -1] = [name not in X.columns for name in self.text_names]
        clauses.tokens[absent] = -1
        return clauses.with_present(~absent)

    def feature_clauses(self, encoding: SentenceEncoding, cells: EncodedTable) -> Clauses:
        """Cells of the table's own columns as clauses, everything else of the rows absent."""
        n_rows, others = cells.n_rows, len(self.schema.columns) - cells.n_columns
        nothing = np.zeros(n_rows, dtype=np.int64)
        gone = np.ones((n_rows, others), dtype=bool)
        whole = EncodedTable((*cells.values, *[nothing] * others), np.hstack([cells.missing, gone]))
        return encoding.encode(whole, nothing, [[None] * n_rows for _ in self.text_names])

    def save(self, folder: Path) -> dict[str, Any]:
        """Store the first stage; returns the JSON-able rest."""
        stage = None if self._stage is None else self._stage.save(folder / _FILE)
        columns = {"plain": self.plain.to_dict(), "schema": self.schema.to_dict(), "texts": self.text_names}
        return {**columns, "first_stage": stage}

    def load(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Read what :meth:`save` stored."""
        self.plain, self.schema = TableSchema.from_dict(state["plain"]), TableSchema.from_dict(state["schema"])
        self.text_names = list(state["texts"])
        if state["first_stage"] is not None:
            self._stage = _FirstStage(self._classifier, self.plain, self._seed)
            self._stage.load(folder / _FILE, state["first_stage"])

    def _add_columns(self, X: pd.DataFrame, features: pd.DataFrame) -> None:
        if not features.shape[1]:
            return
        taken = [name for name in features.columns if name in X.columns]
        if taken:
            raise InvalidInputError(
                f"column {taken[0]!r} has the name of a clause that this classifier adds; rename it, or switch off "
                "first_stage and suppression."
            )
        # One row more, so that the control clause has both of its values.
        frame = pd.concat([features, self.balanced(features.iloc[:1])], ignore_index=True)
        plain, added = self.plain, TableSchema.from_frame(frame, kinds={name: _KINDS[name] for name in frame.columns})
        columns, excluded = (*plain.columns, *added.columns), (*plain.excluded, *added.excluded)
        self.schema = TableSchema((*plain.names, *added.names), columns, plain.label, excluded)

    def _instruction(self) -> str:
        if not self._config.measures.instruction:
            return ""
        return _INSTRUCTION if self._config.language.is_pretrained else "instruction"  # one token of the compact one

    def _texts(self, X: pd.DataFrame) -> list[list[str | None]]:
        """Cells of the columns of free text; what is no text is missing, and so is a column that is not there."""
        columns = [X[name] if name in X.columns else [None] * len(X) for name in self.text_names]
        return [[cell if isinstance(cell, str) else None for cell in column] for column in columns]


def stratified_folds(codes: IntArray, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows to learn and rows to predict; the only row of a class is always learned, never predicted."""
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(codes)
    shared = np.flatnonzero(counts[codes] > 1)
    if not len(shared):
        return
    folds = int(min(_FOLDS, counts[counts > 1].min()))
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for _, others in splits.split(shared, codes[shared]):
        yield np.setdiff1d(np.arange(len(codes)), shared[others]), shared[others]


def _side_by_side(X: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Features of the same rows, by position."""
    if not features.shape[1]:
        return X
    return pd.concat([X.reset_index(drop=True), features.reset_index(drop=True)], axis=1)


class _FirstStage:
    """Fits a classifier and gives its guesses as columns.

    The guess is the class whose probability is highest against its share, so that rare classes are guessed at all; the
    confidence is that probability. The classifier is ``"boosting"`` (histogram gradient boosting), ``"logistic"`` (on
    scaled numbers and one-hot categories), or any with ``fit`` and ``predict_proba`` on the data frame of the features.
    """

    def __init__(self, classifier: Literal["boosting", "logistic"] | Any, schema: TableSchema, seed: int) -> None:
        self._reads_frames = not isinstance(classifier, str)
        self._schema = schema
        self._seed = seed
        self._model: Any = classifier if self._reads_frames else _built_in(str(classifier), schema, seed)
        self._shares: FloatArray = np.empty(0)
        assert schema.label is not None
        self._names = np.array([str(category) for category in schema.label.categories], dtype=object)

    def fit(self, X: pd.DataFrame, codes: IntArray) -> pd.DataFrame:
        """Fit on rows, shape (n, m), of classes, shape (n,), and return their out-of-fold guesses."""
        from sklearn.base import clone
        from sklearn.utils import _safe_indexing as rows_of

        counts = np.bincount(codes)
        self._shares = np.maximum(counts, 1) / counts.sum()
        read, model = self._read(X), self._model
        self._model = clone(model).fit(read, codes)
        probabilities = self._model.predict_proba(read)
        for learned, others in stratified_folds(codes, self._seed):
            fold_model = clone(model).fit(rows_of(read, learned), codes[learned])
            probabilities[others] = fold_model.predict_proba(rows_of(read, others))
        return self._columns(probabilities, codes)

    def guesses(self, X: pd.DataFrame, cells: EncodedTable | None = None) -> pd.DataFrame:
        """Guesses for rows that were not learned; the built-in classifiers read their cells where these are given."""
        return self._columns(self._model.predict_proba(self._read(X, cells)), self._model.classes_)

    def save(self, file: Path) -> dict[str, Any]:
        """Store the fitted classifier by skops, which runs no code as pickle does; refuses one of the user."""
        from skops.io import dump

        if self._reads_frames:
            raise InvalidInputError("a first stage of your own cannot be stored; use 'boosting' or 'logistic'.")
        dump(self._model, file)
        return {"shares": self._shares.tolist()}

    def load(self, file: Path, state: Mapping[str, Any]) -> None:
        """Read what :meth:`save` stored; `StoredStateError` where it is something else than scikit-learn's."""
        from skops.io import get_untrusted_types, load

        used = get_untrusted_types(file=file)
        foreign = [name for name in used if not name.startswith("sklearn.") and name not in _HARMLESS]
        if foreign:
            names = ", ".join(foreign)
            raise StoredStateError(f"{file.name} holds {names}, which no first stage is made of; fit again.")
        self._model, self._shares = load(file, trusted=used), np.array(state["shares"], dtype=np.float64)

    def _read(self, X: pd.DataFrame, cells: EncodedTable | None = None) -> Any:
        """The frame, or one float matrix, shape (n, m): numbers, category codes, NaN where missing."""
        if self._reads_frames:
            return X
        cells = self._schema.encode(X, unknown="missing") if cells is None else cells
        columns = [np.where(cells.missing[:, j], np.nan, values) for j, values in enumerate(cells.values)]
        return np.column_stack(columns) if columns else np.zeros((cells.n_rows, 1))

    def _columns(self, probabilities: FloatArray, classes: IntArray) -> pd.DataFrame:
        classes = np.unique(classes)
        guess = (probabilities / self._shares[classes]).argmax(axis=1)
        # Two digits: further ones tell the folds apart, and through them the classes of the rows that are learned.
        confidence = probabilities[np.arange(len(probabilities)), guess].astype(np.float64).round(2)
        return pd.DataFrame({_GUESS: self._names[classes[guess]], _CONFIDENCE: confidence})


def _built_in(name: str, schema: TableSchema, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    categories = [column.is_category for column in schema.columns] or [False]
    if name == "boosting":
        few = [column.is_category and len(column.categories) <= _MOST_LEVELS for column in schema.columns] or [False]
        assert schema.label is not None
        rounds = min(100, max(1, _MOST_TREES // len(schema.label.categories)))
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
