"""An objective for users' own studies: rebalancing and a model, judged by cross-validation on real rows."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier

from imbllm_autogluon._config import require_number, require_threads
from imbllm_autogluon.classification.calibration import correct_prior, prior_factors
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError
from imbllm_autogluon.rebalancing import Fold, RebalanceConfig, plan_fold
from imbllm_autogluon.search.space import SearchSpace
from imbllm_autogluon.search.studies import study_name
from imbllm_autogluon.tables.dtypes import holds_numbers
from imbllm_autogluon.tables.labeled import LabeledTable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import numpy.typing as npt
    import optuna

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.rebalancing.plan import JudgedBy

    ModelSpace = Callable[[optuna.trial.BaseTrial], dict[str, Any]]
    Positions = npt.NDArray[np.intp]

# Metrics of probabilities themselves: for these the changed class shares are divided out
_PROBABILITY_METRICS = ("neg_log_loss", "neg_brier_score", "d2_log_loss_score")
_FAMILIES = ("GBM",)  # keys of AutoGluon's models that are fitted where `model_space` names none


class RebalanceObjective:
    """What ``study.optimize`` calls: the mean score of a model fitted on rebalanced folds.

    Every fold is rebalanced again from its training rows; validation rows stay real. Generators and rows are shared
    between trials, and with `cache_dir` between processes.

    Parameters
    ----------
    data, label
        Features and label, and the name of the label column.
    model
        ``"xgboost"``, ``"autogluon"``, or any scikit-learn classifier; one that is no pipeline gets its categories
        one-hot encoded and its gaps filled.
    metric
        A scorer of scikit-learn that is better when higher (for ``"autogluon"``: a metric of AutoGluon). Default:
        average precision for two classes, balanced accuracy for more.
    cv, seed, threads
        Number of folds, 2 to 100; seed of folds and model, 0 to 2**32 - 1; threads of each model and generator, 1 to
        1,024.
    space, model_space
        What is searched about rebalancing; and a function of the trial that returns parameters of the model.
    positive_class
        Positive one of two classes; default: the rarer one.
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
        require_threads(threads)
        require_number("seed", seed, 0, 2**32 - 1, whole=True)
        self.table = LabeledTable.from_frame(data, label)
        rarest = min(self.table.counts.values())
        if rarest < max(cv, 2):
            raise InvalidInputError(f"cv={cv} folds need as many rows of each class; the rarest has {rarest}.")
        self.model, self.cv, self.seed, self.threads = model, int(cv), seed, int(threads)
        self.space = space or SearchSpace()
        if not isinstance(self.space, SearchSpace):
            raise InvalidInputError(f"space must be a SearchSpace, for classes; got {type(self.space).__name__}.")
        self.model_space, self.cache_dir = model_space, cache_dir
        self.classes = _class_order(self.table, positive_class)
        self.metric = metric or ("average_precision" if len(self.classes) == 2 else "balanced_accuracy")
        _check_model(model, self.metric)
        self.study_name = self._name()

    def first(self) -> dict[str, Any]:
        """Parameters of the trial to begin with: the defaults of rebalancing."""
        return self.space.first()

    def __call__(self, trial: optuna.trial.Trial) -> float:
        """Mean score over the folds; a hopeless trial is pruned between two folds."""
        settings = self.space.suggest(trial)
        parameters = self.model_space(trial) if self.model_space is not None else {}
        if self.model == "autogluon":
            return self._autogluon_score(settings, parameters)
        from sklearn.model_selection import StratifiedKFold

        folds = StratifiedKFold(self.cv, shuffle=True, random_state=self.seed)
        scores: list[float] = []
        for number, (train, validation) in enumerate(folds.split(self.table.features, self._codes)):
            scores.append(self._fold_score(train, validation, settings, parameters))
            trial.report(float(np.mean(scores)), number)
            if number + 1 < self.cv and trial.should_prune():
                import optuna

                raise optuna.TrialPruned
        return float(np.mean(scores))

    def _fold_score(
        self, train: Positions, validation: Positions, settings: dict[str, Any], parameters: dict[str, Any]
    ) -> float:
        from sklearn.metrics import get_scorer

        X, y, n_classes = self.table.features, self._codes, len(self.classes)
        X_train, y_train = X.iloc[train].reset_index(drop=True), y.iloc[train].reset_index(drop=True)
        config = RebalanceConfig.from_flat(settings)
        plan = plan_fold(y_train, config, judged_by=self._judged_by)
        factors = np.ones(n_classes)
        if plan.counts:
            rows = Fold(X_train, y_train, plan, {}).rows(config, self.cache_dir, threads=self.threads)
            learned = plan.learned(y_train, seed=config.random_state)
            X_train, y_train = X_train.iloc[learned], y_train.iloc[learned]
            X_train = pd.concat([X_train, rows.X.astype(X.dtypes)], ignore_index=True).astype(X.dtypes)
            y_train = pd.concat([y_train, rows.y.astype(y.dtype)], ignore_index=True)
            made = replace(plan, counts=rows.y.value_counts().to_dict())
            factors = prior_factors(made.before, made.changes, n_classes)
        estimator: Any = _estimator_for(self.model, n_classes, parameters, seed=self.seed, threads=self.threads)
        fitted: Any = estimator.fit(X_train, y_train.to_numpy())
        if self.metric in _PROBABILITY_METRICS:
            fitted = _PriorCorrected(fitted, factors)
        return float(get_scorer(self.metric)(fitted, X.iloc[validation], y.iloc[validation].to_numpy()))

    def _autogluon_score(self, settings: Mapping[str, Any], parameters: dict[str, Any]) -> float:
        """Out-of-fold score of the best twin with these settings; `parameters` are arguments of AutoGluon's ``fit``."""
        from autogluon.tabular import TabularPredictor

        # Their registration is the first thing that importing any module of the package does.
        plain = parameters.get("hyperparameters", {key: {} for key in _FAMILIES})
        cache = {} if self.cache_dir is None else {"cache_dir": str(self.cache_dir)}
        own = {f"imbllm.{key}": value for key, value in {**settings, **cache}.items()}
        arguments = {"num_bag_folds": self.cv, "num_cpus": self.threads, "num_gpus": 0, **parameters}
        arguments["hyperparameters"] = {f"{key}_IMB": config for key, config in plain.items()}
        arguments["ag_args_fit"] = {**parameters.get("ag_args_fit", {}), **own}
        with tempfile.TemporaryDirectory(prefix="imbllm-trial-") as folder:
            predictor = TabularPredictor(
                self.table.label,
                eval_metric=self.metric,
                positive_class=self.classes[-1] if len(self.classes) == 2 else None,
                path=str(Path(folder) / "predictor"),
                verbosity=0,
            )
            try:
                predictor.fit(self.table.frame, **arguments)
            except (RuntimeError, AssertionError) as error:  # the second says that no time is left to begin
                raise ImbLLMError(f"AutoGluon trained no model: {error}") from error
            return float(predictor.leaderboard()["score_val"].max())

    @property
    def _judged_by(self) -> JudgedBy:
        ranks = self.metric.startswith(("average_precision", "roc_auc"))
        return "probabilities" if ranks or self.metric in _PROBABILITY_METRICS else "classes"

    @functools.cached_property
    def _codes(self) -> pd.Series:
        """Labels as codes; 1 is the positive one of two classes."""
        codes = {label: code for code, label in enumerate(self.classes)}
        return self.table.labels.map(codes).astype(np.int64).rename("label").reset_index(drop=True)

    def _name(self) -> str:
        frame = self.table.frame
        cells = int(pd.util.hash_pandas_object(frame.astype(str), index=False).sum())
        model = self.model if isinstance(self.model, str) else repr(self.model)
        spaces = [vars(self.space), getattr(self.model_space, "__qualname__", None)]
        told = [cells, list(map(str, frame.columns)), self.classes, model, self.metric, self.cv, self.seed, spaces]
        return study_name(f"imbllm-{self.table.label}", told)


def _check_model(model: object, metric: str) -> None:
    from sklearn.metrics import get_scorer_names

    is_instance = hasattr(model, "get_params") and not isinstance(model, type)
    if model not in ("xgboost", "autogluon") and not (is_instance and is_classifier(model)):
        raise InvalidInputError(f"model must be 'xgboost', 'autogluon' or a scikit-learn classifier; got {model!r}.")
    if model != "autogluon" and metric not in get_scorer_names():
        raise InvalidInputError(
            f"metric {metric!r} is no scorer of scikit-learn; see sklearn.metrics.get_scorer_names()."
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


def _estimator_for(
    model: str | BaseEstimator, n_classes: int, parameters: Mapping[str, Any], *, seed: int, threads: int
) -> BaseEstimator:
    """An unfitted classifier that takes columns of every kind; pipelines are cloned and left as they are."""
    from sklearn.pipeline import Pipeline, make_pipeline

    if isinstance(model, str):
        from xgboost import XGBClassifier

        objective = "binary:logistic" if n_classes == 2 else "multi:softprob"
        fixed = {"objective": objective, "enable_categorical": True, "random_state": seed, "n_jobs": threads}
        return make_pipeline(_CategoryColumns(), XGBClassifier(**{**fixed, **parameters}))
    model = clone(model).set_params(**parameters)
    return model if isinstance(model, Pipeline) else make_pipeline(_CategoryColumns(), _encoder(), model)


def _encoder() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=2, sparse_output=False)
    # Selected by a mask: of names, scikit-learn takes a number for a place.
    numbers = ("numbers", scaled, lambda X: X.dtypes != "category")
    return ColumnTransformer([numbers, ("categories", one_hot, lambda X: X.dtypes == "category")])


class _CategoryColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Makes numbers and dates (days since 1970) floats, and categories of all else: the levels seen in `fit`."""

    def fit(self, X: pd.DataFrame, y: object = None) -> _CategoryColumns:
        del y
        others = [name for name in X.columns if not holds_numbers(X[name].dtype) and not _is_date(X[name])]
        self.levels_ = {name: pd.Index(X[name].dropna().astype(object).unique(), dtype=object) for name in others}
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        X = X.copy()
        for name in X.columns:
            X[name] = _categories(X[name], self.levels_[name]) if name in self.levels_ else _floats(X[name])
        return X


def _categories(column: pd.Series, levels: pd.Index) -> Any:
    """Levels by their number: XGBoost 3.2 knows texts and whole numbers, not booleans and mixed cells."""
    codes = levels.get_indexer(pd.Index(column.astype(object), dtype=object))
    return pd.Categorical.from_codes(codes, categories=pd.RangeIndex(len(levels)))


def _is_date(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


def _floats(column: pd.Series) -> FloatArray:
    if not _is_date(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    local = column.dt.tz_localize(None) if column.dt.tz is not None else column
    return np.asarray((local - pd.Timestamp(0)) / pd.Timedelta(days=1), dtype=np.float64)


class _PriorCorrected:
    """A fitted classifier of the codes 0 … n - 1, whose probabilities are multiplied by a factor for each class."""

    _estimator_type = "classifier"

    def __init__(self, estimator: Any, factors: FloatArray) -> None:
        self.estimator, self.factors, self.classes_ = estimator, factors, estimator.classes_

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:
        probabilities = np.asarray(self.estimator.predict_proba(X), dtype=np.float64)
        return np.asarray(correct_prior(probabilities, self.factors), dtype=np.float64)

    def predict(self, X: pd.DataFrame) -> npt.NDArray[Any]:
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        return self.estimator.__sklearn_tags__()
