"""The stage: rebalance a training fold just before a model learns from it.

`RebalancingMixin` stands in front of a model class of AutoGluon and overrides ``_fit``, which sees exactly one training
fold, before any preprocessing of the model. Validation rows and out-of-fold rows never pass through it. Models that cut
their own validation rows out of the training rows do so before rebalancing, otherwise written rows would validate the
rows they were written from. Models of a higher level get written rows with predictions of the lower level.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.classification.calibration import correct_prior, fitted_factors, prior_factors
from imbllm_autogluon.plugin.class_metrics import answers_by_highest_probability
from imbllm_autogluon.plugin.fold_writer import FoldWriter, WrittenRows, log
from imbllm_autogluon.plugin.parameters import search_spaces
from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.rebalancing import OversamplingPlan
    from imbllm_autogluon.tables import ColumnName

    Weights = npt.NDArray[np.float64]

SPLITTING_FAMILIES = ("TABM", "MITRA", "FT_TRANSFORMER")
"""Keys of families in AutoGluon 1.6 that cut validation rows out by themselves (tabm_model.py:86,
mitra/sklearn_interface.py:320, AutoMM)."""

VALIDATION_SHARE = 0.2

STRATA = 10
"""Steps of the ranks of targets that validation rows are drawn from evenly."""


class RebalancingMixin(FoldWriter):
    """Mixin in front of an AutoGluon model class; makes its twin."""

    _imbllm_factors: npt.NDArray[np.float64] | None = None

    @classmethod
    def _get_default_ag_args_ensemble(cls, **kwargs: Any) -> dict[str, Any]:
        """Without the child's own out-of-bag predictions: written rows of a row would sit in that row's trees.

        With labels permuted, a random forest reaches an out-of-fold AUC of 0.77 to 0.81 otherwise (3 seeds of the
        canary in the tests).
        """
        args: dict[str, Any] = super()._get_default_ag_args_ensemble(**kwargs)  # type: ignore[misc]
        return {**args, "use_child_oof": False}

    def _get_search_space(self) -> dict[str, Any]:
        """AutoGluon's search space with those of ``ag.imbllm.*``, so that every searcher tunes both together."""
        space: dict[str, Any] = super()._get_search_space()  # type: ignore[misc]
        if space.get("objective") == "multi:softmax":
            # AutoGluon's space for XGBoost; with it a metric of decisions that stops the training gets classes where
            # it expects probabilities, and every trial fails. What is learned is the same.
            space = {**space, "objective": "multi:softprob"}
        return {**space, **search_spaces(getattr(self, "params_aux", {}))}

    def _get_default_stopping_metric(self) -> Any:
        """The fit's own metric, where the stage is told so: AutoGluon's choice for some metrics is log-loss."""
        if self._parameters().stage.stopping == "eval_metric":
            return self.eval_metric  # type: ignore[attr-defined]
        return super()._get_default_stopping_metric()  # type: ignore[misc]

    def _more_tags(self) -> dict[str, Any]:
        return {**super()._more_tags(), "valid_oof": False}  # type: ignore[misc]

    def estimate_memory_usage(self, X: pd.DataFrame, y: pd.Series | None = None, **kwargs: Any) -> int:
        """AutoGluon's estimate for the real rows, times the growth of the fold."""
        estimate: int = super().estimate_memory_usage(X=X, y=y, **kwargs)  # type: ignore[misc]
        plan = self._plan(X, y) if y is not None else None
        return estimate if plan is None else int(estimate * plan.growth)

    def _fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        X_val: pd.DataFrame | None = None,
        y_val: pd.Series | None = None,
        sample_weight: npt.NDArray[np.float64] | None = None,
        time_limit: float | None = None,
        **kwargs: Any,
    ) -> Any:
        started = time.time()
        if X_val is None and splits_internally(type(self)):
            targets = getattr(self, "problem_type", None) == "regression"
            X, y, X_val, y_val, sample_weight = with_validation_rows(X, y, sample_weight, self._seed(), targets=targets)
        plan = self._plan(X, y)
        self._imbllm_factors = None
        rows = self._new_rows(X, y, plan, kwargs.get("num_cpus"), time_limit) if plan.counts else None
        report = self._note(plan, rows, time.time() - started)
        if rows is not None:
            sample_weight = _extended_weights(sample_weight, len(rows.y))
            y = y if plan.bins is None else y.astype(np.float64)
            X, y = _extended(X, rows.X), _extended(y, rows.y)
        if time_limit is not None:
            time_limit = _time_left(time_limit, started)
        fitted = super()._fit(  # type: ignore[misc]
            X=X, y=y, X_val=X_val, y_val=y_val, sample_weight=sample_weight, time_limit=time_limit, **kwargs
        )
        if plan.counts and plan.bins is None:
            self._imbllm_factors = self._factors(plan, X_val, y_val)
            report["prior_factors"] = None if self._imbllm_factors is None else [*self._imbllm_factors]
        return fitted

    def _predict_proba(self, X: pd.DataFrame, **kwargs: Any) -> Any:
        probabilities = super()._predict_proba(X=X, **kwargs)  # type: ignore[misc]
        return probabilities if self._imbllm_factors is None else correct_prior(probabilities, self._imbllm_factors)

    def _new_rows(
        self, X: pd.DataFrame, y: pd.Series, plan: OversamplingPlan, num_cpus: object, time_limit: float | None
    ) -> WrittenRows:
        """Rows for a fold in all its columns."""
        stack, parameters = self._stack_columns(X), self._parameters()
        seed = parameters.rebalancing.random_state
        if stack and parameters.stage.stack == "duplicate":
            return WrittenRows(*plan.duplicated(X, y, seed=seed), {"method": "random"})
        rows = self._written_rows(X, y, plan, num_cpus, time_limit)
        unwritten = self._unwritten_columns(X)
        if not unwritten:
            return rows
        classes = plan.classes_of(rows.y), plan.classes_of(y)
        return replace(rows, X=with_stack_columns(rows.X, classes[0], X, classes[1], unwritten, seed))

    def _factors(
        self, plan: OversamplingPlan, X_val: pd.DataFrame | None, y_val: pd.Series | None
    ) -> npt.NDArray[np.float64] | None:
        """Factors that undo the changed class shares, or `None` where the probabilities stay as they are."""
        choice = self._parameters().stage.prior_correction
        by_probability = answers_by_highest_probability(
            getattr(self, "problem_type", None), getattr(self, "eval_metric", None)
        )
        if choice == "none" or (choice == "auto" and by_probability):
            return None
        n_classes = max(2, int(getattr(self, "num_classes", 2) or 2))
        factors = prior_factors(plan.before, plan.counts, n_classes)
        if choice != "holdout" or X_val is None or y_val is None or not len(y_val):
            return factors
        judged = np.asarray(super()._predict_proba(X=X_val), dtype=np.float64)  # type: ignore[misc]
        return fitted_factors(judged, y_val.to_numpy(), factors)


def _extended(real: Any, written: Any) -> Any:
    """Real rows, then written ones, in the dtypes of the real ones and with an index of their own."""
    start = int(real.index.max()) + 1 if pd.api.types.is_integer_dtype(real.index.dtype) and len(real) else 0
    written = written.set_axis(pd.RangeIndex(start, start + len(written)), axis=0)
    if isinstance(real, pd.Series):
        return pd.concat([real, written.rename(real.name).astype(real.dtype)])
    return pd.concat([real, written.astype(real.dtypes)]).astype(real.dtypes)


def _extended_weights(weights: npt.NDArray[np.float64] | None, n_new: int) -> npt.NDArray[np.float64] | None:
    """Written rows weigh as much as real ones do on average."""
    if weights is None:
        return None
    known = np.asarray(weights, dtype=np.float64)
    return np.concatenate([known, np.full(n_new, known.mean())])


def _time_left(time_limit: float, started: float) -> float:
    """Seconds that remain for the model itself; raises AutoGluon's own exception when there are none."""
    left = time_limit - (time.time() - started)
    if left <= 0:
        from autogluon.core.utils.exceptions import TimeLimitExceeded

        log.log(20, "\tWriting rows took the whole time limit of %.1f s.", time_limit)
        raise TimeLimitExceeded
    return left


def with_stack_columns(
    rows: pd.DataFrame, labels: pd.Series, X: pd.DataFrame, y: pd.Series, stack: list[ColumnName], seed: int
) -> pd.DataFrame:
    """Give every written row the out-of-fold predictions (and weight, if X holds it) of one real row of its class.

    Classes may be bins of a target.

    The models of the lower level have seen the rows that a written row was learned from, so their predictions for it
    would be too good. Predictions are taken over whole, never mixed.

    Parameters
    ----------
    rows, labels
        Written rows without stack columns, and their labels.
    X, y
        Real rows of the fold with stack columns, and their labels.
    stack
        Names of the stack columns, and of others that are not written.
    seed
        Of the draw.

    Returns
    -------
    DataFrame
        The written rows in the columns of X.
    """
    rng = child_rng(seed, "prompts", "stack")
    places = np.zeros(len(rows), dtype=np.int64)
    codes, own = y.to_numpy(), labels.to_numpy()
    for label in np.unique(own):
        donors = np.flatnonzero(codes == label)
        places[own == label] = rng.choice(donors, size=int((own == label).sum()))
    taken = X[stack].iloc[places].set_axis(rows.index, axis=0)
    return rows.join(taken)[list(X.columns)]


def splits_internally(twin: type[Any]) -> bool:
    """Whether a twin's plain family makes its own validation rows."""
    return any(getattr(cls, "ag_key", None) in SPLITTING_FAMILIES for cls in twin.__mro__)


def with_validation_rows(
    X: pd.DataFrame, y: pd.Series, sample_weight: Weights | None, seed: int, *, targets: bool = False
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series, Weights | None]:
    """Cut a stratified share of the real rows off as validation rows.

    Parameters
    ----------
    X, y, sample_weight
        Real rows, shapes (n, m), (n,) and (n,).
    seed
        Of the cut.
    targets
        Whether `y` holds numbers, whose range is to be covered evenly, instead of classes.

    Returns
    -------
    X, y, X_val, y_val, sample_weight
        Training rows, validation rows, and the weights of the training rows.
    """
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(y))
    strata = _strata(y) if targets else y
    stratify = strata if _can_stratify(strata) else None
    train, validation = train_test_split(positions, test_size=VALIDATION_SHARE, random_state=seed, stratify=stratify)
    weights = None if sample_weight is None else np.asarray(sample_weight)[train]
    return X.iloc[train], y.iloc[train], X.iloc[validation], y.iloc[validation], weights


def _can_stratify(strata: pd.Series) -> bool:
    """Whether both parts can hold every stratum."""
    return int(strata.value_counts().min()) > 1 and VALIDATION_SHARE * len(strata) >= strata.nunique()


def _strata(y: pd.Series) -> pd.Series:
    """Ranks of targets in up to ten steps."""
    ranks = y.rank(method="first") - 1
    return (STRATA * ranks // max(1, len(y))).rename("stratum")
