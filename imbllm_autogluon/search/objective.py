"""An objective for users' own studies: rebalancing and a model, judged by cross-validation on real rows.

Models read a table of mixed types by the means of scikit-learn.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from imbllm_autogluon._config import require_number
from imbllm_autogluon.classification.prior import correct_prior, prior_factors
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing import Fold, RebalanceConfig, fold_rows, plan_fold
from imbllm_autogluon.search.autogluon_score import autogluon_score
from imbllm_autogluon.search.space import SearchSpace
from imbllm_autogluon.search.studies import study_name
from imbllm_autogluon.tables.dtypes import holds_numbers
from imbllm_autogluon.tables.labeled import LabeledTable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    import optuna

    ModelSpace = Callable[[optuna.trial.BaseTrial], dict[str, Any]]
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray


PROBABILITY_METRICS = ("neg_log_loss", "neg_brier_score", "d2_log_loss_score")
"""Metrics of probabilities themselves: for these the changed class shares are divided out."""


class RebalanceObjective:
    """What ``study.optimize`` calls: the mean score of a model fitted on rebalanced folds.

    Every fold is rebalanced anew from its training rows; validation rows stay real. Generators and rows are shared
    between trials, and with `cache_dir` between processes.

    Parameters
    ----------
    data
        Features and label.
    label
        Name of the label column.
    model
        ``"xgboost"``, ``"autogluon"``, or any scikit-learn classifier; one that is no pipeline gets its categories
        one-hot encoded and its gaps filled.
    metric
        A scorer of scikit-learn that is better when higher (for ``"autogluon"``: a metric of AutoGluon). Default:
        average precision for two classes, balanced accuracy for more.
    cv
        Folds.
    space
        What is searched about rebalancing.
    model_space
        Called with the trial; returns parameters of the model.
    positive_class
        Positive one of two classes; default: the rarer one.
    seed
        Of folds and model.
    threads
        Of each model and generator.
    cache_dir
        Folder for generators and rows; default: memory.

    Attributes
    ----------
    study_name : str
        Names data, model, metric, folds and spaces by a hash: other conditions are another study.

    Raises
    ------
    InvalidInputError
        An argument is not allowed.
    TableError
        The table cannot be used.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.search import RebalanceObjective, SearchSpace, open_study
    >>> X, y = load_hypothyroid()
    >>> objective = RebalanceObjective(X.assign(sick=y), "sick", cv=2, space=SearchSpace(method=("random", "none")))
    >>> study = open_study(objective.study_name, first=[objective.first()])
    >>> study.optimize(objective, n_trials=2)
    >>> 0.8 < study.best_value < 1.0
    True
    """

    def __init__(
        self,
        data: pd.DataFrame,
        label: str,
        model: Literal["xgboost", "autogluon"] | BaseEstimator = "xgboost",
        metric: str | None = None,
        cv: int = 4,
        *,
        space: SearchSpace | None = None,
        model_space: ModelSpace | None = None,
        positive_class: Hashable = None,
        seed: int = 0,
        threads: int = 1,
        cache_dir: Path | None = None,
    ) -> None:
        require_number("cv", cv, 2, 100, whole=True)
        require_number("threads", threads, 1, 1024, whole=True)
        self.table = LabeledTable.of(data, label)
        rarest = min(self.table.counts.values())
        if rarest < max(cv, 2):
            raise InvalidInputError(f"cv={cv} folds need as many rows of each class; the rarest has {rarest}.")
        self.model, self.cv, self.seed, self.threads = model, int(cv), seed, int(threads)
        self.space = space or SearchSpace()
        if not isinstance(self.space, SearchSpace):
            raise InvalidInputError(f"space must be a SearchSpace, for classes; got {type(self.space).__name__}.")
        self.model_space = model_space
        self.cache_dir = cache_dir
        self.classes = _class_order(self.table, positive_class)
        self.metric = metric or ("average_precision" if len(self.classes) == 2 else "balanced_accuracy")
        self._check_model_and_metric()
        self.study_name = self._name()

    def first(self) -> dict[str, Any]:
        """Parameters of the trial to begin with: the defaults of rebalancing."""
        return self.space.first()

    def __call__(self, trial: optuna.trial.Trial) -> float:
        """Mean score over the folds; a hopeless trial is pruned between two folds."""
        settings = self.space.suggest(trial)
        parameters = self.model_space(trial) if self.model_space is not None else {}
        if self.model == "autogluon":
            return autogluon_score(
                self.table,
                settings,
                parameters,
                metric=self.metric,
                cv=self.cv,
                positive_class=self.classes[-1] if len(self.classes) == 2 else None,
                threads=self.threads,
                cache_dir=self.cache_dir,
            )
        scores = []
        for number, (train, validation) in enumerate(self._folds()):
            scores.append(self._fold_score(train, validation, settings, parameters))
            trial.report(float(np.mean(scores)), number)
            if number + 1 < self.cv and trial.should_prune():
                import optuna

                raise optuna.TrialPruned
        return float(np.mean(scores))

    def _fold_score(
        self, train: np.ndarray, validation: np.ndarray, settings: dict[str, Any], parameters: dict[str, Any]
    ) -> float:
        from sklearn.metrics import get_scorer

        X, y = self._features, self._codes
        X_train, y_train = X.iloc[train].reset_index(drop=True), y.iloc[train].reset_index(drop=True)
        config = RebalanceConfig.from_flat(settings)
        plan = plan_fold(y_train, config)
        factors = np.ones(len(self.classes))
        if plan.counts:
            rows = fold_rows(Fold(X_train, y_train, plan, {}), config, self.cache_dir, threads=self.threads)
            X_train = pd.concat([X_train, rows.X.astype(X.dtypes)], ignore_index=True).astype(X.dtypes)
            y_train = pd.concat([y_train, rows.y.astype(y.dtype)], ignore_index=True)
            factors = prior_factors(plan.before, plan.counts, len(self.classes))
        n_classes = len(self.classes)
        estimator: Any = estimator_for(self.model, X, n_classes, parameters, seed=self.seed, threads=self.threads)
        fitted: Any = estimator.fit(X_train, y_train.to_numpy())
        if self.metric in PROBABILITY_METRICS:
            fitted = PriorCorrected(fitted, factors)
        return float(get_scorer(self.metric)(fitted, X.iloc[validation], y.iloc[validation].to_numpy()))

    def _folds(self) -> Any:
        from sklearn.model_selection import StratifiedKFold

        return StratifiedKFold(self.cv, shuffle=True, random_state=self.seed).split(self._features, self._codes)

    @functools.cached_property
    def _features(self) -> pd.DataFrame:
        return self.table.features

    @functools.cached_property
    def _codes(self) -> pd.Series:
        """Labels as codes; 1 is the positive one of two classes."""
        codes = {label: code for code, label in enumerate(self.classes)}
        return self.table.labels.map(codes).astype(np.int64).rename("label").reset_index(drop=True)

    def _check_model_and_metric(self) -> None:
        from sklearn.base import is_classifier

        if isinstance(self.model, str):
            if self.model not in ("xgboost", "autogluon"):
                raise InvalidInputError(
                    f"model must be 'xgboost', 'autogluon' or a scikit-learn classifier; got {self.model!r}."
                )
        elif isinstance(self.model, type) or not (hasattr(self.model, "get_params") and is_classifier(self.model)):
            raise InvalidInputError(
                f"model must be 'xgboost', 'autogluon' or a scikit-learn classifier; got {self.model!r}."
            )
        if self.model != "autogluon":
            from sklearn.metrics import get_scorer_names

            if self.metric not in get_scorer_names():
                raise InvalidInputError(
                    f"metric {self.metric!r} is no scorer of scikit-learn; see sklearn.metrics.get_scorer_names()."
                )

    def _name(self) -> str:
        frame = self.table.frame
        cells = int(pd.util.hash_pandas_object(frame.astype(str), index=False).sum())
        model = self.model if isinstance(self.model, str) else repr(self.model)
        spaces = [self.space.key(), getattr(self.model_space, "__qualname__", None)]
        return study_name(
            f"imbllm-{self.table.label}",
            [cells, list(map(str, frame.columns)), self.classes, model, self.metric, self.cv, self.seed, spaces],
        )


def _class_order(table: LabeledTable, positive_class: Hashable) -> list[Hashable]:
    """Classes in the order of their codes: the positive one of two is the second."""
    classes = sorted(table.counts, key=str)
    if len(classes) != 2:
        if positive_class is not None:
            raise InvalidInputError(f"a positive class is for two classes; the label has {len(classes)}.")
        return classes
    positive = table.rarest if positive_class is None else table.class_named(str(positive_class))
    return [next(label for label in classes if label != positive), positive]


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
