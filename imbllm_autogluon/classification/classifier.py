"""A language model as a classifier of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d
from sklearn_compat.utils.validation import validate_data

from imbllm_autogluon._config import SettingsMixin, require_threads
from imbllm_autogluon._random import base_seed
from imbllm_autogluon.classification.config import ClassifierConfig
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.io import checked_frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon._random import RandomState
    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.classification.label_model import LabelModel
    from imbllm_autogluon.tables import ColumnName, Kind

_MOST_CLASSES = 1000  # with more a label is taken for a number or an identifier

# Settings that are parameters of the classifier: measures against a copied prior, and what most others change.
_SHOWN = (
    "weighting", "focal_gamma", "oversampling_cap", "instruction", "suppression", "target_prior", "calibration",
    "decisions", "query_orders", "backbone", "device", "layers", "width", "steps", "learning_rate",
)  # fmt: skip


class LanguageModelClassifier(SettingsMixin, ClassifierMixin, BaseEstimator, config=ClassifierConfig, shown=_SHOWN):  # type: ignore[misc]
    """A decoder asked for the class of a row, with measures against copying the class shares of its training set.

    Rows are sentences; the class is the answer to ``Y is`` behind a row's clauses, scored for every class at once.
    Numbers, categories, booleans, dates, missing values and free texts are read as they are. At prediction, cells that
    training did not have are read as the nearest there is, or left out of a row's sentence, and a warning says so.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None, default=None
        Seed; the same seed on the same machine gives the same probabilities.
    kinds : dict of column name to kind or None, default=None
        Overrides guessed column kinds.
    threads : int (1 to 1,024) or None, default=None
        torch threads; `None` leaves the process's count alone.
    first_stage : {"none", "boosting", "logistic"} or classifier, default="none"
        A classifier whose guess and confidence the decoder reads as clauses; any with ``fit`` and ``predict_proba`` on
        the data frame of the features.
    settings : dict of name to value or None, default=None
        All others, by name: of :class:`~imbllm_autogluon.classification.config.DebiasingConfig` (what is done against a
        copied prior, nothing by default; :data:`RECOMMENDED` and :data:`RECOMMENDED_FOR_TEXTS` name combinations),
        :class:`~imbllm_autogluon.classification.config.ClassifierConfig` (the query) and
        :class:`~imbllm_autogluon.language.config.LanguageConfig` (the model).

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Classes, sorted.
    model_ : LabelModel
        The fitted model: its language model, calibration and training curves.
    n_features_in_ : int
        Number of features seen.

    Raises
    ------
    InvalidInputError
        A setting is not allowed, a label is missing, or there is one class, or more than 1000.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> X, y = load_hypothyroid()
    >>> classifier = LanguageModelClassifier(random_state=0, steps=2, settings={"pretrain_steps": 2}).fit(X, y)
    >>> classifier.predict_proba(X.head(3)).shape, list(classifier.classes_)
    ((3, 2), ['hypothyroid', 'negative'])
    """

    model_: LabelModel
    classes_: npt.NDArray[Any]

    def __init__(
        self,
        *,
        random_state: RandomState = None,
        kinds: dict[ColumnName, Kind] | None = None,
        threads: int | None = None,
        first_stage: Any = "none",
        settings: Mapping[str, object] | None = None,
        **parameters: Any,
    ) -> None:
        self.random_state = random_state
        self.kinds = kinds
        self.threads = threads
        self.first_stage = first_stage
        self._set_parameters(settings, parameters)

    def config(self) -> ClassifierConfig:
        """The parameters as a checked configuration."""
        settings = self.flat_settings()
        if not isinstance(self.first_stage, str):
            settings["first_stage"] = "none"
        return ClassifierConfig.from_flat(settings)

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, noisy: tuple[Any, Any] | None = None
    ) -> LanguageModelClassifier:
        """Learn rows and their classes.

        Parameters
        ----------
        X, y
            Data frame, or array of numbers, shape (n, m), and labels, shape (n,), none missing.
        sample_weight
            Weight of each row's label in the loss, shape (n,).
        noisy
            Further rows and labels, of the same columns and classes, some labels of which are wrong, such as ones that
            a rule or a crowd gave. They are learned first, by a loss that wrong labels move little (`noisy_q`), then
            the rows of X. They count in no class share, and neither calibrate nor judge.
        """
        from imbllm_autogluon.classification.label_model import LabelModel

        config = self.config()
        require_threads(self.threads)
        frame = checked_frame(X)
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        labels = _checked_labels(y)
        if len(labels) != len(frame):
            raise InvalidInputError(f"X and y must have the same number of rows; got {len(frame)} and {len(labels)}.")
        self.classes_ = _checked_classes(labels)
        weights = None if sample_weight is None else _checked_weights(sample_weight, frame)
        model = LabelModel(
            config,
            seed=base_seed(self.random_state),
            threads=self.threads,
            first_stage=None if isinstance(self.first_stage, str) else self.first_stage,
        )
        more = None if noisy is None else _checked_noisy(noisy, frame, self.classes_)
        self.model_ = model.fit(frame.reset_index(drop=True), labels, weights=weights, noisy=more, kinds=self.kinds)
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """Probability of each class, shape (n, k), in the order of `classes_`."""
        return self._probabilities(X)[:, self._places()]

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Answered classes, shape (n,): the most probable ones, or as ``decisions="matched"`` moves them."""
        probabilities = self._probabilities(X)
        back = np.argsort(self._places())
        classes: npt.NDArray[Any] = self.classes_[back[self.model_.decide(probabilities)]]
        return classes

    def _probabilities(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        frame = checked_frame(X)
        validate_data(self, X=X, reset=False, skip_check_array=True)
        return self.model_.probabilities(frame.reset_index(drop=True))

    def _places(self) -> npt.NDArray[np.int64]:
        """Place of each of the sorted classes among the label's categories."""
        label = self.model_.schema.label
        assert label is not None
        codes, _ = label.encode(pd.Series(self.classes_))
        places: npt.NDArray[np.int64] = codes
        return places

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def _checked_labels(y: Any) -> pd.Series:
    """Labels as a series with a fresh index."""
    name = y.name if isinstance(y, pd.Series) else None
    flat = column_or_1d(y, warn=True)
    missing = int(pd.isna(flat).sum())
    if missing:
        raise InvalidInputError(f"the label is missing (NaN) in {missing} rows; drop them, or fill it in.")
    if flat.dtype.kind == "f" and np.isinf(flat).any():
        raise InvalidInputError("the label is infinite (inf) in some rows; give each row a class.")
    check_classification_targets(flat)
    return pd.Series(flat, name=name)


def _checked_noisy(
    noisy: tuple[Any, Any], frame: pd.DataFrame, classes: npt.NDArray[Any]
) -> tuple[pd.DataFrame, pd.Series]:
    """Rows and labels that may be wrong, of the columns and classes of the others."""
    X, labels = checked_frame(noisy[0]), _checked_labels(noisy[1])
    if len(X) != len(labels) or not len(X):
        raise InvalidInputError(f"noisy must be rows and as many labels, one or more; got {len(X)} and {len(labels)}.")
    if missing := [name for name in frame.columns if name not in X.columns]:
        raise InvalidInputError(f"the noisy rows have no column {missing[0]!r}; give them the columns of X.")
    if others := sorted(set(labels) - set(classes.tolist()), key=str):
        raise InvalidInputError(
            f"the noisy labels hold {others[0]!r}, which no label of y is; leave such rows out. Classes: "
            f"{', '.join(map(str, classes))}."
        )
    return X[list(frame.columns)].reset_index(drop=True), labels


def _checked_weights(sample_weight: Any, frame: pd.DataFrame) -> FloatArray:
    """Weight of each row, shape (n,); none negative, not all 0."""
    weights: FloatArray = _check_sample_weight(sample_weight, frame, dtype=np.float64)
    if (weights < 0).any():
        raise InvalidInputError(f"sample_weight must be 0 or more; got {weights.min()} as its lowest value.")
    if weights.sum() == 0:
        raise InvalidInputError("sample_weight adds up to 0; at least one row must count.")
    return weights


def _checked_classes(labels: pd.Series) -> npt.NDArray[Any]:
    classes: npt.NDArray[Any] = np.unique(labels.to_numpy())
    if len(classes) < 2:
        raise InvalidInputError(f"y holds one class, {classes[0]!r}; a classifier needs at least 2 classes.")
    if len(classes) > _MOST_CLASSES:
        raise InvalidInputError(
            f"y holds {len(classes)} classes; at most {_MOST_CLASSES} are told apart. Is it a number or an identifier?"
        )
    return classes
