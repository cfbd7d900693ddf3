"""The stage: rebalance a training fold just before a model learns from it.

`RebalancingMixin` overrides ``_fit`` of a model class, which sees exactly one training fold, before any preprocessing
of the model. Validation rows and out-of-fold rows never pass through it.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from autogluon.common.space import Space

from imbllm_autogluon._config import hidden_bars
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.classification.calibration import correct_prior, fitted_factors, prior_factors
from imbllm_autogluon.errors import BackboneError, OutOfTimeError
from imbllm_autogluon.plugin.original_features import exact_view, kinds_of_features, stack_features, unwritten_features
from imbllm_autogluon.plugin.parameters import AUX_PREFIX, TwinParameters
from imbllm_autogluon.rebalancing import Fold, FoldRows, OversamplingPlan, RebalanceConfig, plan_fold
from imbllm_autogluon.rebalancing.cache import cache_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from autogluon.common.features.feature_metadata import FeatureMetadata

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.plugin.original_features import RawView
    from imbllm_autogluon.rebalancing.plan import JudgedBy
    from imbllm_autogluon.tables import ColumnName
    from imbllm_autogluon.tables.labeled import Task

_log = logging.getLogger("autogluon.imbllm")  # below AutoGluon's logger, so that `verbosity` decides what is shown

# Quantiles are conformalized on real rows, and soft classes are what a teacher says.
_TASKS: Mapping[str, Task] = {"binary": "classification", "multiclass": "classification", "regression": "regression"}
# Parameters that no family has under this name, but for `temperature` of TabDPT
_OURS_ALONE = frozenset(TwinParameters.flat_keys()) - {
    "backbone", "batch_size", "beta", "device", "epochs", "layers", "learning_rate", "max_bins", "n_bins", "patience",
    "precision", "random_state", "steps", "time_limit", "width",
}  # fmt: skip
_STUDENT = "_DSTL"  # in the name of every distilled model (abstract_trainer.py:4723); that of two classes regresses
# Families in AutoGluon 1.6 that cut validation rows out by themselves (tabm_model.py:86,
# mitra/sklearn_interface.py:320, AutoMM).
_SPLITTING_FAMILIES = ("TABM", "MITRA", "FT_TRANSFORMER")
_VALIDATION_SHARE = 0.2
_STRATA = 10  # steps of the ranks of targets that validation rows are drawn from evenly


def task_of(problem_type: object) -> Task | None:
    """The task of a problem type of AutoGluon; `None` where nothing is rebalanced."""
    return _TASKS.get(str(problem_type))


def plan_for(problem_type: object, y: pd.Series, config: RebalanceConfig, eval_metric: Any = None) -> OversamplingPlan:
    """Rows to write for a fold, or the reason why there are none; the method must go with the problem type.

    The metric has a say in how many; without it they are those for decided classes.
    """
    task = task_of(problem_type)
    if task is None or not isinstance(y, pd.Series):
        return OversamplingPlan({}, {}, f"problem type {problem_type} is not rebalanced")
    return plan_fold(y, config, task, _judged_by(eval_metric))


def _judged_by(eval_metric: Any) -> JudgedBy:
    reads = (getattr(eval_metric, name, False) for name in ("needs_threshold", "needs_proba"))
    return "probabilities" if any(reads) else "classes"


def answers_by_highest_probability(problem_type: str | None, eval_metric: Any) -> bool:
    """Whether a fit is judged by classes and AutoGluon tunes no threshold, as it does for two of them."""
    return problem_type == "multiclass" and bool(getattr(eval_metric, "needs_class", False))


def predictor_folder(model_path: str) -> Path | None:
    """Folder of the predictor that a model belongs to; `None` for a model on its own."""
    return next((folder for folder in Path(model_path).absolute().parents if (folder / "learner.pkl").exists()), None)


@contextmanager
def skipped_by_autogluon(model_name: str) -> Iterator[None]:
    """Turn an absent backbone and a lack of time into exceptions on which AutoGluon leaves one model out.

    Bars are shown where AutoGluon's verbosity is 2 or more.
    """
    try:
        with hidden_bars(not _log.isEnabledFor(logging.INFO)):
            yield
    except BackboneError as error:
        from autogluon.core.utils.exceptions import ConstraintViolationError

        raise ConstraintViolationError(f"{model_name}: {error}", reason=str(error)) from error
    except OutOfTimeError as error:
        from autogluon.core.utils.exceptions import TimeLimitExceeded

        _log.log(20, "\t%s is skipped: %s", model_name, error)
        raise TimeLimitExceeded from error


class OwnModelMixin:
    """In front of a model class: a fit has a report, and the seconds that the clock of the whole fit allows."""

    imbllm_report: dict[str, Any] | None = None  # of the last fit
    imbllm_seconds: float | None = None  # of this fit, that of one fold in a bag

    def get_info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """AutoGluon's information on the model, and the report under ``imbllm``."""
        return {**super().get_info(*args, **kwargs), "imbllm": self.imbllm_report}  # type: ignore[misc]

    def _preprocess_fit_args(self, **kwargs: Any) -> dict[str, Any]:
        args: dict[str, Any] = super()._preprocess_fit_args(**kwargs)  # type: ignore[misc]
        limits = [seconds for seconds in (args.get("time_limit"), self.imbllm_seconds) if seconds is not None]
        return {**args, "time_limit": min(limits, default=None)}


class OversamplingMixin(OwnModelMixin):
    """In front of a model class: plans and writes rows for its training folds, by its parameters ``ag.imbllm.*``.

    `InvalidInputError` where one is unknown, which AutoGluon would ignore, or a value is not allowed.
    """

    name: str
    path: str
    problem_type: str | None
    eval_metric: Any
    # Of the time limit that training a generator and writing may take, where nobody has written the rows yet
    writing_share = 0.4

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = TwinParameters.among(getattr(self, "_user_params_aux", None) or {})
        self.imbllm_parameters = TwinParameters.from_flat(own)
        for name in sorted(_OURS_ALONE & set(getattr(self, "_user_params", None) or {})):
            words = "imbllm: %r of %s goes to the model itself; its rebalancing is told with 'ag.%s%s'."
            _log.warning(words, name, self.name, AUX_PREFIX, name)
        # Of all columns: the model's own is cut to the features it uses, which differ by family.
        self.imbllm_metadata: FeatureMetadata | None = None

    def _ag_params(self) -> set[str]:
        own = {AUX_PREFIX + name for name in TwinParameters.flat_keys()}
        return set(super()._ag_params()) | own  # type: ignore[misc]

    def _preprocess_set_features(self, X: pd.DataFrame, feature_metadata: FeatureMetadata | None = None) -> None:
        self.imbllm_metadata = feature_metadata
        super()._preprocess_set_features(X=X, feature_metadata=feature_metadata)  # type: ignore[misc]

    def plan_rows(self, X: pd.DataFrame, y: pd.Series) -> OversamplingPlan:
        """Rows to write for a fold, or the reason why there are none."""
        if self.problem_type == "regression" and _STUDENT in self.name:
            return OversamplingPlan({}, {}, "a distilled model learns what its teacher says, which is not rebalanced")
        reason = self.imbllm_parameters.stage.reason_when_stacked
        if task_of(self.problem_type) and reason and stack_features(self.imbllm_metadata, X):
            # A written row has no honest out-of-fold prediction of the base models.
            return OversamplingPlan({}, {}, reason)
        return plan_for(self.problem_type, y, self.imbllm_parameters.rebalancing, self.eval_metric)

    def write_rows(
        self, X: pd.DataFrame, y: pd.Series, plan: OversamplingPlan, num_cpus: object, seconds: float | None
    ) -> FoldRows:
        """Rows for a fold in all its columns, where the model has so many seconds."""
        config, stage = self.imbllm_parameters.rebalancing, self.imbllm_parameters.stage
        if stage.stack == "duplicate" and stack_features(self.imbllm_metadata, X):
            return FoldRows(*plan.duplicated(X, y, seed=config.random_state), {"method": "random"})
        copied, folder = unwritten_features(self.imbllm_metadata, X), predictor_folder(self.path)
        written = X.drop(columns=copied)
        read = stage.original_features and config.writes_with_a_language_model
        view = exact_view(folder, written, self.imbllm_metadata) if read else None
        with skipped_by_autogluon(self.name):
            made = self._fold(written, y, plan, view).rows(
                config,
                Path(stage.cache_dir) if stage.cache_dir else folder and cache_of(folder),
                threads=num_cpus if isinstance(num_cpus, int) else None,
                time_limit=None if seconds is None else self.writing_share * seconds,
            )
        rows = _in_the_columns_of(written, y, made, plan, view)
        if not copied:
            return rows
        groups = plan.classes_of(rows.y), plan.classes_of(y)
        return replace(rows, X=_with_stack_columns(rows.X, groups[0], X, groups[1], copied, config.random_state))

    def _fold(self, X: pd.DataFrame, y: pd.Series, plan: OversamplingPlan, view: RawView | None) -> Fold:
        """The fold as it is learned: in original columns and labels, if there is a view."""
        if view is None:
            return Fold(X, y, plan, kinds_of_features(self.imbllm_metadata, X))
        raw, kinds = view.raw(X)
        if plan.bins is not None:  # targets have no names: they are numbers as they are
            return Fold(raw, y, plan, kinds)
        counts, before, balancing = (
            {view.labels[label]: n for label, n in part.items()}  # type: ignore[index]
            for part in (plan.counts, plan.before, plan.balancing)
        )
        named = replace(plan, counts=counts, before=before, balancing=balancing)
        return Fold(raw, _renamed(y, view.labels), named, kinds)

    def _plan_and_write(
        self, X: pd.DataFrame, y: pd.Series, num_cpus: object, time_limit: float | None, started: float
    ) -> tuple[OversamplingPlan, FoldRows | None]:
        """Rows of a fold and its plan, cut to them; the report counts by class, or bin next to their ``edges``."""
        plan, rows = self.plan_rows(X, y), None
        before = {str(label): n for label, n in plan.before.items()}
        report: dict[str, Any] = {"before": before, "added": {}, "reason": plan.reason, "notes": list(plan.notes)}
        if plan.bins is not None:
            report["edges"] = plan.bins.edges.tolist()
        if plan.counts:
            rows = self.write_rows(X, y, plan, num_cpus, time_limit)
            if len(rows.y) < sum(plan.counts.values()):  # time ran out, or candidates of a class
                made = plan.classes_of(rows.y).value_counts().sort_index()
                plan = replace(plan, counts={label: int(n) for label, n in made.items()})
            added = {str(label): n for label, n in plan.counts.items()}
            report |= {"added": added, "seconds": time.time() - started, "oversampling": rows.report}
        _log.log(15, "\t%s: %s", self.name, report["reason"] or report["added"])
        self.imbllm_report = report
        return plan, rows


def _in_the_columns_of(
    X: pd.DataFrame, y: pd.Series, made: FoldRows, plan: OversamplingPlan, view: RawView | None
) -> FoldRows:
    """Rows in the columns and codes of a fold; they come in original columns and labels, if there is a view."""
    if view is None:
        return made
    codes = {name: code for code, name in view.labels.items()}
    labels = made.y if plan.bins is not None else _renamed(made.y, codes).astype(y.dtype)
    return FoldRows(view.features(made.X, X), labels, {**made.report, "original_features": True})


def _renamed(y: pd.Series, names: Mapping[Any, Hashable]) -> pd.Series:
    return pd.Series([names[label] for label in y], index=y.index, name=y.name)


class RebalancingMixin(OversamplingMixin):
    """Mixin in front of an AutoGluon model class; makes its twin."""

    behind_plain = 1000  # of a priority: twins come after all plain models, in the same order
    _imbllm_factors: FloatArray | None = None

    @classmethod
    def _get_default_ag_args_ensemble(cls, **kwargs: Any) -> dict[str, Any]:
        """Without the child's own out-of-bag predictions: written rows of a row would sit in that row's trees."""
        args: dict[str, Any] = super()._get_default_ag_args_ensemble(**kwargs)  # type: ignore[misc]
        return {**args, "use_child_oof": False}

    def _more_tags(self) -> dict[str, Any]:
        return {**super()._more_tags(), "valid_oof": False}  # type: ignore[misc]

    def _get_search_space(self) -> dict[str, Any]:
        """With the spaces of ``ag.imbllm.*``, so that every searcher tunes both together."""
        space: dict[str, Any] = super()._get_search_space()  # type: ignore[misc]
        if space.get("objective") == "multi:softmax":
            # With AutoGluon's space for XGBoost, a metric of decisions that stops the training gets classes in place
            # of probabilities, and every trial fails. What is learned is the same.
            space = {**space, "objective": "multi:softprob"}
        aux: dict[str, Any] = getattr(self, "params_aux", {})
        own = {name: value for name, value in aux.items() if name.startswith(AUX_PREFIX) and isinstance(value, Space)}
        return {**space, **{f"ag.{name}": value for name, value in own.items()}}

    def _get_default_stopping_metric(self) -> Any:
        if self.imbllm_parameters.stage.stopping == "eval_metric":
            return self.eval_metric
        return super()._get_default_stopping_metric()  # type: ignore[misc]

    def estimate_memory_usage(self, X: pd.DataFrame, y: pd.Series | None = None, **kwargs: Any) -> int:
        """AutoGluon's estimate for the real rows, times the growth of the fold."""
        estimate: int = super().estimate_memory_usage(X=X, y=y, **kwargs)  # type: ignore[misc]
        return estimate if y is None else int(estimate * self.plan_rows(X, y).growth)

    def _fit(
        self,
        X: pd.DataFrame,
        y: pd.Series,
        X_val: pd.DataFrame | None = None,
        y_val: pd.Series | None = None,
        sample_weight: FloatArray | None = None,
        time_limit: float | None = None,
        **kwargs: Any,
    ) -> Any:
        started = time.time()
        if X_val is None and _splits_internally(type(self)):
            targets, seed = self.problem_type == "regression", getattr(self, "random_seed", 0) or 0
            X, y, X_val, y_val, sample_weight = _with_validation_rows(X, y, sample_weight, seed, targets=targets)
        plan, rows = self._plan_and_write(X, y, kwargs.get("num_cpus"), time_limit, started)
        if rows is not None:
            X, y, sample_weight = self._without_left_out(plan, X, y, sample_weight)
            if sample_weight is not None:  # written rows weigh as much as real ones do on average
                known = np.asarray(sample_weight, dtype=np.float64)
                sample_weight = np.concatenate([known, np.full(len(rows.y), known.mean())])
            y = y if plan.bins is None else y.astype(np.float64)  # in a dtype of whole numbers new targets would be cut
            X, y = _extended(X, rows.X), _extended(y, rows.y)
        self._imbllm_factors, left = None, _time_left(time_limit, started)
        given = {"X": X, "y": y, "X_val": X_val, "y_val": y_val, "sample_weight": sample_weight, **kwargs}
        fitted = super()._fit(time_limit=left, **given)  # type: ignore[misc]
        if plan.counts and plan.bins is None:
            factors = self._imbllm_factors = self._factors(plan, X_val, y_val)
            assert self.imbllm_report is not None
            self.imbllm_report["prior_factors"] = None if factors is None else [*factors]
        return fitted

    def _without_left_out(
        self, plan: OversamplingPlan, X: pd.DataFrame, y: pd.Series, sample_weight: FloatArray | None
    ) -> tuple[pd.DataFrame, pd.Series, FloatArray | None]:
        if not plan.left_out:
            return X, y, sample_weight
        learned = plan.learned(y, seed=self.imbllm_parameters.rebalancing.random_state)
        weights = None if sample_weight is None else np.asarray(sample_weight)[learned]
        return X.iloc[learned], y.iloc[learned], weights

    def _predict_proba(self, X: pd.DataFrame, **kwargs: Any) -> Any:
        probabilities = super()._predict_proba(X=X, **kwargs)  # type: ignore[misc]
        return probabilities if self._imbllm_factors is None else correct_prior(probabilities, self._imbllm_factors)

    def _factors(
        self, plan: OversamplingPlan, X_val: pd.DataFrame | None, y_val: pd.Series | None
    ) -> FloatArray | None:
        """Factors that undo the changed class shares, or `None` where the probabilities stay as they are."""
        choice = self.imbllm_parameters.stage.prior_correction
        by_probability = answers_by_highest_probability(self.problem_type, self.eval_metric)
        if choice == "none" or (choice == "auto" and by_probability):
            return None
        n_classes = max(2, int(getattr(self, "num_classes", 2) or 2))
        factors = prior_factors(plan.before, plan.changes, n_classes)
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


def _time_left(time_limit: float | None, started: float) -> float | None:
    """Seconds that remain for the model itself; raises AutoGluon's own exception when there are none."""
    left = None if time_limit is None else time_limit - (time.time() - started)
    if left is not None and left <= 0:
        from autogluon.core.utils.exceptions import TimeLimitExceeded

        _log.log(20, "\tWriting rows took the whole time limit of %.1f s.", time_limit)
        raise TimeLimitExceeded
    return left


def _with_stack_columns(
    rows: pd.DataFrame, labels: pd.Series, X: pd.DataFrame, y: pd.Series, stack: list[ColumnName], seed: int
) -> pd.DataFrame:
    """Give every written row the out-of-fold predictions (and weight, if X holds it) of one real row of its class.

    Lower models have seen what a written row was learned from: their predictions for it would be too good.
    """
    rng = child_rng(seed, "prompts", "stack")
    places = np.zeros(len(rows), dtype=np.int64)
    codes, own = y.to_numpy(), labels.to_numpy()
    for label in np.unique(own):
        donors = np.flatnonzero(codes == label)
        places[own == label] = rng.choice(donors, size=int((own == label).sum()))
    taken = X[stack].iloc[places].set_axis(rows.index, axis=0)
    return rows.join(taken)[list(X.columns)]


def _splits_internally(twin: type[Any]) -> bool:
    return any(getattr(cls, "ag_key", None) in _SPLITTING_FAMILIES for cls in twin.__mro__)


def _with_validation_rows(
    X: pd.DataFrame, y: pd.Series, sample_weight: FloatArray | None, seed: int, *, targets: bool = False
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series, FloatArray | None]:
    """Cut validation rows off, stratified by class or by the rank of the target; weights stay with training rows."""
    from sklearn.model_selection import train_test_split

    strata = (_STRATA * (y.rank(method="first") - 1) // max(1, len(y))) if targets else y
    both_hold_all = strata.value_counts().min() > 1 and _VALIDATION_SHARE * len(strata) >= strata.nunique()
    train, validation = train_test_split(
        np.arange(len(y)), test_size=_VALIDATION_SHARE, random_state=seed, stratify=strata if both_hold_all else None
    )
    weights = None if sample_weight is None else np.asarray(sample_weight)[train]
    return X.iloc[train], y.iloc[train], X.iloc[validation], y.iloc[validation], weights
