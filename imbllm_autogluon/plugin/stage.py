"""The stage: rebalance a training fold just before a model learns from it.

`RebalancingMixin` stands in front of a model class of AutoGluon and overrides ``_fit``, which sees exactly one training
fold, before any preprocessing of the model. Validation rows and out-of-fold rows never pass through it.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import BackboneError
from imbllm_autogluon.plugin.feature_kinds import kinds_of_features, stack_features
from imbllm_autogluon.plugin.fold_rows import Fold, FoldRows, fold_rows
from imbllm_autogluon.plugin.parameters import AUX_PREFIX, TwinParameters
from imbllm_autogluon.plugin.plan import OversamplingPlan, plan_oversampling
from imbllm_autogluon.plugin.prior import correct_prior, prior_factors
from imbllm_autogluon.plugin.real_split import splits_internally, with_validation_rows

if TYPE_CHECKING:
    import numpy.typing as npt
    from autogluon.common.features.feature_metadata import FeatureMetadata

log = logging.getLogger("autogluon.imbllm")
"""Below AutoGluon's logger, so that a predictor's ``verbosity`` decides what is shown."""

TRAINING_SHARE = 0.5
"""Share of a model's time limit that training the generator may take."""


class RebalancingMixin:
    """Mixin in front of an AutoGluon model class; makes its twin.

    Attributes
    ----------
    imbllm_report : dict
        What the stage did in the last fit: class counts before and after, the reason if nothing was written, the
        generator's report, seconds, and the prior factors in use.
    """

    imbllm_report: dict[str, Any] | None = None
    _imbllm_factors: npt.NDArray[np.float64] | None = None
    _imbllm_metadata: FeatureMetadata | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A misspelt key would otherwise be ignored: AutoGluon accepts any auxiliary parameter.
        TwinParameters.from_aux(getattr(self, "_user_params_aux", None) or {})

    def _ag_params(self) -> set[str]:
        return set(super()._ag_params()) | {AUX_PREFIX + key for key in TwinParameters.names()}  # type: ignore[misc]

    @classmethod
    def _get_default_ag_args_ensemble(cls, **kwargs: Any) -> dict[str, Any]:
        """Without the child's own out-of-bag predictions: written rows of a row would sit in that row's trees.

        With labels permuted, a random forest reaches an out-of-fold AUC of 0.77 to 0.81 otherwise (3 seeds of the
        canary in the tests).
        """
        args: dict[str, Any] = super()._get_default_ag_args_ensemble(**kwargs)  # type: ignore[misc]
        return {**args, "use_child_oof": False}

    def _preprocess_set_features(self, X: pd.DataFrame, feature_metadata: FeatureMetadata | None = None) -> None:
        """Keep the metadata of all columns: the model's own is cut to the features it uses, which differ by family."""
        self._imbllm_metadata = feature_metadata
        super()._preprocess_set_features(X=X, feature_metadata=feature_metadata)  # type: ignore[misc]

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
            X, y, X_val, y_val, sample_weight = with_validation_rows(X, y, sample_weight, self._seed())
        plan = self._plan(X, y)
        self.imbllm_report = {
            "before": _named(plan.before),
            "added": {},
            "reason": plan.reason,
            "notes": list(plan.notes),
        }
        if plan.counts:
            rows = self._written_rows(X, y, plan, kwargs.get("num_cpus"), time_limit)
            self._remember(rows, plan, time.time() - started)
            sample_weight = _extended_weights(sample_weight, len(rows.y))
            X, y = _extended(X, rows.X), _extended(y, rows.y)
        log.log(15, "\t%s: %s", self._own_name(), self.imbllm_report["reason"] or self.imbllm_report["added"])
        if time_limit is not None:
            time_limit = _time_left(time_limit, started)
        return super()._fit(  # type: ignore[misc]
            X=X, y=y, X_val=X_val, y_val=y_val, sample_weight=sample_weight, time_limit=time_limit, **kwargs
        )

    def _predict_proba(self, X: pd.DataFrame, **kwargs: Any) -> Any:
        probabilities = super()._predict_proba(X=X, **kwargs)  # type: ignore[misc]
        return probabilities if self._imbllm_factors is None else correct_prior(probabilities, self._imbllm_factors)

    def get_info(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """AutoGluon's information on the model, and the stage's report under ``imbllm``."""
        return {**super().get_info(*args, **kwargs), "imbllm": self.imbllm_report}  # type: ignore[misc]

    def _plan(self, X: pd.DataFrame, y: pd.Series) -> OversamplingPlan:
        """Rows to write for this fold, or the reason why there are none."""
        problem_type = getattr(self, "problem_type", None)
        if problem_type not in ("binary", "multiclass") or not isinstance(y, pd.Series):
            return OversamplingPlan({}, {}, f"problem type {problem_type} is not rebalanced")
        if stack_features(self._imbllm_metadata, X):
            # A written row has no honest out-of-fold prediction of the base models.
            return OversamplingPlan({}, {}, "stacked models learn from real rows only")
        return plan_oversampling(y, self._parameters().stage)

    def _written_rows(
        self, X: pd.DataFrame, y: pd.Series, plan: OversamplingPlan, num_cpus: object, time_limit: float | None
    ) -> FoldRows:
        parameters = self._parameters()
        try:
            return fold_rows(
                Fold(X, y, plan, kinds_of_features(self._imbllm_metadata, X)),
                parameters,
                Path(parameters.stage.cache_dir) if parameters.stage.cache_dir else predictor_cache(self._own_path()),
                threads=num_cpus if isinstance(num_cpus, int) else None,
                time_limit=None if time_limit is None else TRAINING_SHARE * time_limit,
            )
        except BackboneError as error:  # a model that is not here is no failure of the fit: AutoGluon skips the twin
            from autogluon.core.utils.exceptions import ConstraintViolationError

            raise ConstraintViolationError(f"{self._own_name()}: {error}", reason=str(error)) from error

    def _remember(self, rows: FoldRows, plan: OversamplingPlan, seconds: float) -> None:
        """Keep the report, and the factors that undo the changed class shares."""
        assert self.imbllm_report is not None
        if self._corrects_prior():
            self._imbllm_factors = prior_factors(
                plan.before, plan.counts, max(2, int(getattr(self, "num_classes", 2) or 2))
            )
        self.imbllm_report |= {
            "added": _named(plan.counts),
            "seconds": seconds,
            "prior_factors": None if self._imbllm_factors is None else self._imbllm_factors.tolist(),
            "oversampling": rows.report,
        }

    def _corrects_prior(self) -> bool:
        choice = self._parameters().stage.prior_correction
        if choice != "auto":
            return choice == "prior"
        class_metric = bool(getattr(getattr(self, "eval_metric", None), "needs_class", False))
        return not (class_metric and getattr(self, "problem_type", None) == "multiclass")

    def _parameters(self) -> TwinParameters:
        return TwinParameters.from_aux(getattr(self, "params_aux", {}))

    def _seed(self) -> int:
        seed = getattr(self, "random_seed", 0)
        return seed if isinstance(seed, int) else 0

    def _own_path(self) -> str:
        return str(getattr(self, "path", ""))

    def _own_name(self) -> str:
        return str(getattr(self, "name", type(self).__name__))


def predictor_cache(model_path: str) -> Path | None:
    """``utils/imbllm`` of the predictor that a model belongs to; `None` for a model on its own."""
    path = Path(model_path).absolute()
    for folder in path.parents:
        if (folder / "learner.pkl").exists():
            return cache_of(folder)
    return None


def cache_of(predictor_folder: Path) -> Path:
    """Folder of the generators and rows of one predictor."""
    return predictor_folder / "utils" / "imbllm"


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


def _named(counts: dict[Any, int]) -> dict[str, int]:
    return {str(label): n for label, n in counts.items()}
