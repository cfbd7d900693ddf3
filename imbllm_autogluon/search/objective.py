"""An objective for users' own studies: rebalancing and a model, judged by cross-validation on real rows."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from imbllm_autogluon.classification.prior import prior_factors
from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing import Fold, RebalanceConfig, fold_rows, plan_oversampling
from imbllm_autogluon.search.autogluon_score import autogluon_score
from imbllm_autogluon.search.estimators import PriorCorrected, estimator_for
from imbllm_autogluon.search.space import SearchSpace
from imbllm_autogluon.search.studies import study_name
from imbllm_autogluon.tables.labelled import LabelledTable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    import optuna
    from sklearn.base import BaseEstimator

    ModelSpace = Callable[[optuna.trial.BaseTrial], dict[str, Any]]

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
        self.table = LabelledTable.of(data, label)
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
        plan = plan_oversampling(y_train, config)
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


def _class_order(table: LabelledTable, positive_class: Hashable) -> list[Hashable]:
    """Classes in the order of their codes: the positive one of two is the second."""
    classes = sorted(table.counts, key=str)
    if len(classes) != 2:
        if positive_class is not None:
            raise InvalidInputError(f"a positive class is for two classes; the label has {len(classes)}.")
        return classes
    positive = table.rarest if positive_class is None else table.class_named(str(positive_class))
    return [next(label for label in classes if label != positive), positive]
