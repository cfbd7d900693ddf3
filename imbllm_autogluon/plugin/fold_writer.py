"""What twins and the generator model share: the plan for a training fold, and the rows written for it.

`FoldWriter` stands in front of a model class of AutoGluon, whose ``_fit`` sees exactly one training fold.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.plugin.feature_kinds import kinds_of_features, stack_features, unwritten_features
from imbllm_autogluon.plugin.parameters import AUX_PREFIX, TwinParameters
from imbllm_autogluon.plugin.raw_view import exact_view
from imbllm_autogluon.plugin.settings_model import Reported
from imbllm_autogluon.plugin.skipping import skipped_by_autogluon
from imbllm_autogluon.plugin.tasks import plan_for, task_of
from imbllm_autogluon.rebalancing import Fold, FoldRows, OversamplingPlan, fold_rows
from imbllm_autogluon.rebalancing.cache import cache_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from autogluon.common.features.feature_metadata import FeatureMetadata

    from imbllm_autogluon.tables import ColumnName

log = logging.getLogger("autogluon.imbllm")
"""Below AutoGluon's logger, so that a predictor's ``verbosity`` decides what is shown."""

TRAINING_SHARE = 0.25
"""Share of a model's time limit that training the generator may take."""

STUDENT = "_DSTL"
"""In the name of every distilled model (abstract_trainer.py:4723); a student of two classes is a regression."""

NOT_STACKED = "stacked models learn from real rows only"


@dataclass(frozen=True, eq=False)
class WrittenRows:
    """Rows for one fold in the columns and labels of its models."""

    X: pd.DataFrame
    y: pd.Series
    report: dict[str, Any]


class FoldWriter(Reported):
    """Mixin in front of an AutoGluon model class that plans and writes rows for its training fold.

    Attributes
    ----------
    imbllm_report : dict
        What happened in the last fit: counts by class (for regression: by number of the bin, beside their ``edges``)
        before and after, the reason if nothing was written, the generator's report, seconds, and the prior factors in
        use.
    """

    _imbllm_metadata: FeatureMetadata | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A misspelt key would otherwise be ignored: AutoGluon accepts any auxiliary parameter.
        TwinParameters.from_aux(getattr(self, "_user_params_aux", None) or {})

    def _ag_params(self) -> set[str]:
        return set(super()._ag_params()) | {AUX_PREFIX + key for key in TwinParameters.names()}  # type: ignore[misc]

    def _preprocess_set_features(self, X: pd.DataFrame, feature_metadata: FeatureMetadata | None = None) -> None:
        """Keep the metadata of all columns: the model's own is cut to the features it uses, which differ by family."""
        self._imbllm_metadata = feature_metadata
        super()._preprocess_set_features(X=X, feature_metadata=feature_metadata)  # type: ignore[misc]

    def _plan(self, X: pd.DataFrame, y: pd.Series) -> OversamplingPlan:
        """Rows to write for this fold, or the reason why there are none."""
        problem_type = getattr(self, "problem_type", None)
        if task_of(problem_type) is None or not isinstance(y, pd.Series):
            return OversamplingPlan({}, {}, f"problem type {problem_type} is not rebalanced")
        if problem_type == "regression" and STUDENT in self._own_name():
            return OversamplingPlan({}, {}, "a distilled model learns what its teacher says, which is not rebalanced")
        if self._stack_columns(X) and self._parameters().stage.stack == "off":
            # A written row has no honest out-of-fold prediction of the base models.
            return OversamplingPlan({}, {}, NOT_STACKED)
        return plan_for(problem_type, y, self._parameters().rebalancing)

    def _stack_columns(self, X: pd.DataFrame) -> list[ColumnName]:
        return stack_features(self._imbllm_metadata, X)

    def _unwritten_columns(self, X: pd.DataFrame) -> list[ColumnName]:
        return unwritten_features(self._imbllm_metadata, X)

    def _written_rows(
        self, X: pd.DataFrame, y: pd.Series, plan: OversamplingPlan, num_cpus: object, time_limit: float | None
    ) -> WrittenRows:
        """Rows for a fold, without its unwritten columns."""
        X = X.drop(columns=self._unwritten_columns(X))
        parameters = self._parameters()
        folder = predictor_folder(self._own_path())
        view = None
        if parameters.stage.raw_view and parameters.rebalancing.writes_with_a_language_model:
            view = exact_view(folder, X, self._imbllm_metadata)
        if view is None:
            fold = Fold(X, y, plan, kinds_of_features(self._imbllm_metadata, X))
        else:
            raw, kinds = view[0].raw(X, view[1])
            names = view[0].labels
            # Targets have no names: they are numbers as they are.
            own = (y, plan) if plan.bins is not None else (_renamed(y, names), _with_names(plan, names))
            fold = Fold(raw, *own, kinds)
        rows = self._cached(fold, parameters, folder, num_cpus, time_limit)
        if view is None:
            return WrittenRows(rows.X.astype(X.dtypes), rows.y, rows.report)
        made = view[0].features(rows.X, X, view[1])
        report = {**rows.report, "raw_view": True}
        if plan.bins is not None:
            return WrittenRows(made, rows.y, report)
        codes = {name: code for code, name in view[0].labels.items()}
        return WrittenRows(made, _renamed(rows.y, codes).astype(y.dtype), report)

    def _cached(
        self, fold: Fold, parameters: TwinParameters, folder: Path | None, num_cpus: object, time_limit: float | None
    ) -> FoldRows:
        root = Path(parameters.stage.cache_dir) if parameters.stage.cache_dir else folder and cache_of(folder)
        with skipped_by_autogluon(self._own_name()):
            return fold_rows(
                fold,
                parameters.rebalancing,
                root,
                threads=num_cpus if isinstance(num_cpus, int) else None,
                time_limit=None if time_limit is None else TRAINING_SHARE * time_limit,
            )

    def _note(self, plan: OversamplingPlan, rows: WrittenRows | None, seconds: float) -> dict[str, Any]:
        """Keep and log what was planned and written for this fold; returns the report, to be added to."""
        report: dict[str, Any] = {
            "before": named(plan.before),
            "added": {},
            "reason": plan.reason,
            "notes": list(plan.notes),
        }
        if plan.bins is not None:
            report["edges"] = plan.bins.edges.tolist()
        if rows is not None:
            report |= {"added": named(plan.counts), "seconds": seconds, "oversampling": rows.report}
        log.log(15, "\t%s: %s", self._own_name(), report["reason"] or report["added"])
        self.imbllm_report = report
        return report

    def _parameters(self) -> TwinParameters:
        return TwinParameters.from_aux(getattr(self, "params_aux", {}))

    def _seed(self) -> int:
        seed = getattr(self, "random_seed", 0)
        return seed if isinstance(seed, int) else 0

    def _own_path(self) -> str:
        return str(getattr(self, "path", ""))

    def _own_name(self) -> str:
        return str(getattr(self, "name", type(self).__name__))


def predictor_folder(model_path: str) -> Path | None:
    """Folder of the predictor that a model belongs to; `None` for a model on its own."""
    for folder in Path(model_path).absolute().parents:
        if (folder / "learner.pkl").exists():
            return folder
    return None


def named(counts: Mapping[Hashable, int]) -> dict[str, int]:
    """Counts by the text of each label, for reports."""
    return {str(label): n for label, n in counts.items()}


def _renamed(y: pd.Series, names: Mapping[Any, Hashable]) -> pd.Series:
    """Labels under other names."""
    return pd.Series([names[label] for label in y], index=y.index, name=y.name)


def _with_names(plan: OversamplingPlan, names: Mapping[Any, Hashable]) -> OversamplingPlan:
    """A plan for the same rows under other names of the labels."""
    counts, before, balancing = (
        {names[label]: n for label, n in part.items()} for part in (plan.counts, plan.before, plan.balancing)
    )
    return replace(plan, counts=counts, before=before, balancing=balancing)
