"""What a model, or a stacked twin, was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from autogluon.core.models import AbstractModel

from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.plugin.original_features import stack_features
from imbllm_autogluon.plugin.stage import OversamplingMixin

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import pytest

    from imbllm_autogluon.rebalancing import FoldRows, OversamplingPlan


class RecordingModel(AbstractModel):
    """Predicts the training share of each class, or the mean target, and keeps the arguments of its last fit."""

    ag_key = "RECORDING"
    ag_name = "Recording"
    seen: ClassVar[dict[str, Any]] = {}

    def _fit(self, X: pd.DataFrame, y: pd.Series, **kwargs: Any) -> None:
        type(self).seen.clear()
        type(self).seen.update(X=X, y=y, **kwargs)
        regression = self.problem_type == "regression"
        self.model = y.mean() if regression else y.value_counts(normalize=True).sort_index().to_numpy()

    def _predict_proba(self, X: pd.DataFrame, **kwargs: Any) -> np.ndarray:
        if self.problem_type == "regression":
            return np.full(len(X), self.model)
        return self._convert_proba_to_unified_form(np.tile(self.model, (len(X), 1)))


class SplittingModel(RecordingModel):
    """Stands for the families that cut their own validation rows."""

    ag_key = "TABM"
    ag_name = "Splitting"


class Watched:
    """Rows of stacked folds, and the number of generators trained by then."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.folds: list[tuple[pd.DataFrame, pd.Series, FoldRows, list[Any], OversamplingPlan]] = []
        self.trained = 0
        rows_of: Callable[..., Any] = OversamplingMixin.write_rows
        train: Callable[..., Any] = ImbLLM.fit

        def watch(
            model: OversamplingMixin, X: pd.DataFrame, y: pd.Series, plan: OversamplingPlan, *rest: Any
        ) -> FoldRows:
            rows: FoldRows = rows_of(model, X, y, plan, *rest)
            stack = stack_features(model.imbllm_metadata, X)
            if stack:
                self.folds.append((X, y, rows, stack, plan))
            return rows

        def count(generator: ImbLLM, *args: Any, **kwargs: Any) -> Any:
            self.trained += 1
            return train(generator, *args, **kwargs)

        patch.setattr(OversamplingMixin, "write_rows", watch)
        patch.setattr(ImbLLM, "fit", count)
