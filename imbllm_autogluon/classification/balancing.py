"""New texts of rare classes: written by the backbone, refused where they copy real ones or speak of another class.

The other cells of a written row are those of a real row of its class. A text is asked for at most three times.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.encoding import KnownTexts
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.texts import TextModel

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.classification.config import ClassifierConfig
    from imbllm_autogluon.classification.features import RowEncoder
    from imbllm_autogluon.tables import TableSchema

_LONGEST_COPY = 7  # words that a written text may share in a row with a real one
_RUN = "longest copied run"  # of the texts that were kept, words
_ROUNDS = 3  # in which a text is asked for again
_WRITING_SHARE = 0.3  # of a time limit, for learning to write
_FOLDS = 5  # of the real texts, for what the classifier of words makes of texts that it has not learned
_CLASS_QUANTILE = 0.25  # of real texts of a class are less like it than any written one
_NEAR, _FAR = 0.99, 0.01  # quantiles of how like its nearest other real text a real text is: outside a text is refused


def write_rows(
    X: pd.DataFrame,
    codes: IntArray,
    sources: IntArray,
    encoder: RowEncoder,
    config: ClassifierConfig,
    *,
    seed: int,
    threads: int | None,
    time_limit: float | None,
) -> tuple[pd.DataFrame, IntArray, dict[str, dict[str, int]]]:
    """Rows like the `sources`, places of rows of X, with new texts, but for those refused every time.

    `codes` are the classes of the rows, shape (n,). Returns features and classes of the written rows, and of each class
    how many texts were asked for, kept, and refused why.
    """
    names, label = encoder.text_names, encoder.plain.label
    if not names:
        raise InvalidInputError("synthetic_cap writes texts, and no column holds any; use oversampling_cap.")
    assert label is not None
    classes = [str(category) for category in label.categories]
    prompts = _prompts(X, codes, classes, encoder.plain)
    learned = np.concatenate([np.arange(len(X)), sources])
    texts = {str(name): [_text(cell) for cell in X[name].iloc[learned]] for name in names}
    limit = None if time_limit is None else _WRITING_SHARE * time_limit
    language = config.resolved_language()
    if language.tuning == "probe":
        language = replace(config.language, tuning="lora").resolved()
    model = TextModel(language, seed)
    model.fit([prompts[i] for i in learned], texts, longest=config.text_words, threads=threads, time_limit=limit)
    judge = _Judge(_joined(X[names]), codes)
    counts: dict[str, Counter[str]] = {classes[code]: Counter() for code in np.unique(codes[sources])}
    kept: list[pd.DataFrame] = []
    places: list[IntArray] = []
    for turn in range(_ROUNDS):
        written = model.write([prompts[row] for row in sources], seed=seed + turn, threads=threads)
        found = X.iloc[sources].reset_index(drop=True)
        found[names] = pd.DataFrame({name: written[str(name)] for name in names}, dtype=object)
        reasons = judge.reasons(_joined(found[names]), codes[sources])
        for row, reason in zip(sources, reasons, strict=True):
            counts[classes[codes[row]]].update(["asked", reason or "kept"])
        good = np.array([not reason for reason in reasons])
        kept.append(found[good])
        places.append(sources[good])
        sources = sources[~good]
        if not len(sources):
            break
    new, own = pd.concat(kept, ignore_index=True), codes[np.concatenate(places)]
    for code, run in zip(own, judge.known.longest_runs(_joined(new[names])).tolist(), strict=True):
        counts[classes[code]][_RUN] = max(run, counts[classes[code]][_RUN])
    return new, own, {name: dict(count) for name, count in counts.items()}


class _Judge:
    """Says why a written text is refused, by the words of the real ones, n texts of known classes."""

    def __init__(self, texts: list[str], codes: IntArray) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline

        self.known, self._seen = KnownTexts(texts), set[str]()
        words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
        classifier = make_pipeline(words, LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000))
        folds = min(_FOLDS, int(np.bincount(codes)[np.unique(codes)].min()))
        self._model: Any = classifier.fit(texts, codes)
        self._least = dict.fromkeys(self._model.classes_, 0.0)
        if folds > 1:
            split = StratifiedKFold(folds, shuffle=True, random_state=0)
            own = cross_val_predict(classifier, texts, codes, cv=split, method="predict_proba")
            for place, code in enumerate(self._model.classes_):
                self._least[code] = float(np.quantile(own[codes == code, place], _CLASS_QUANTILE))
        self._words = self._model[0].transform(texts)
        self._far, self._near = np.quantile(self._nearest(self._words, itself=True), [_FAR, _NEAR])

    def reasons(self, texts: list[str], codes: IntArray) -> list[str]:
        """Why each text of a wanted class is refused; empty where it is not."""
        chances = self._model.predict_proba(texts)[np.arange(len(texts)), np.searchsorted(self._model.classes_, codes)]
        nearest = self._nearest(self._model[0].transform(texts))
        runs = self.known.longest_runs(texts)
        found = []
        for text, code, chance, near, run in zip(texts, codes, chances, nearest, runs, strict=True):
            reason = ""
            if near < self._far:
                reason = "unlike any real text"
            elif run > _LONGEST_COPY or near > self._near or text in self._seen:
                reason = "copied"
            elif chance < self._least[code]:
                reason = "another class"
            self._seen.add(text)
            found.append(reason)
        return found

    def _nearest(self, words: Any, *, itself: bool = False) -> FloatArray:
        """Cosine of each text and its nearest real one, or the nearest but `itself`."""
        likeness = (words @ self._words.T).toarray()
        if itself:
            np.fill_diagonal(likeness, 0.0)
        return np.asarray(likeness.max(axis=1))


def _prompts(X: pd.DataFrame, codes: IntArray, classes: list[str], schema: TableSchema) -> list[str]:
    """What stands in front of a row's texts: its class, then its other cells."""
    assert schema.label is not None
    cells = X[[column.name for column in schema.columns]]
    rows = [
        [f"{name} is {cell}" for name, cell in zip(cells.columns, row, strict=True) if not pd.isna(cell)]
        for row in cells.itertuples(index=False, name=None)
    ]
    return [", ".join([f"{schema.label.name} is {classes[c]}", *row]) for c, row in zip(codes, rows, strict=True)]


def _text(cell: Any) -> str | None:
    return cell if isinstance(cell, str) else None


def _joined(texts: pd.DataFrame) -> list[str]:
    """All texts of each row as one."""
    return [" ".join(filter(None, map(_text, row))) for row in texts.itertuples(index=False, name=None)]
