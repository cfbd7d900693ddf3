"""Arms of ``imbllm bench regression-autogluon``: weighted ensembles over subsets of the models of one fit.

The plain models are the same in every arm, so that what differs is due to what was added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.one_fit import (
    AGAIN,
    FitPlan,
    Portfolio,
    fit_models,
    fit_seconds,
    models_of,
    percent_of_ensemble,
    plain_twice,
    twin_settings,
    weighted_ensemble,
)
from imbllm_autogluon.bench.regression_autogluon.page import ALL_THREE, ALONE, IMBLLM, LATENT, PLAIN, SMOGN, TWICE
from imbllm_autogluon.plugin.latent_diff_model import KEY as LATENT_DIFF_KEY
from imbllm_autogluon.plugin.latent_diff_model import LatentDiffModel
from imbllm_autogluon.plugin.twins import KEY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.bench.regression.tables import RegressionSplit

TWIN_SMOGN, TWIN_IMBLLM = "Smogn", "ImbLLM"
"""Ends of the names of twins, which say what sort they are."""

SORTS = (AGAIN, LatentDiffModel.ag_name, TWIN_SMOGN, TWIN_IMBLLM)

METHODS: Mapping[str, str] = {TWIN_SMOGN: "smogn", TWIN_IMBLLM: "imbllm"}
"""How the twins of each sort rebalance."""

ADDED: Mapping[str, tuple[str, ...]] = {
    PLAIN: (),
    TWICE: (AGAIN,),
    LATENT: (LatentDiffModel.ag_name,),
    SMOGN: (TWIN_SMOGN,),
    IMBLLM: (TWIN_IMBLLM,),
    ALL_THREE: (LatentDiffModel.ag_name, TWIN_SMOGN, TWIN_IMBLLM),
    ALONE: (LatentDiffModel.ag_name,),
}
"""Sorts of models that each arm has beside the plain ones; the last has nothing but its own."""


@dataclass(frozen=True, kw_only=True)
class Plan(FitPlan):
    """What is fitted on every split."""

    bins: int = 50
    """Most bins of a target."""

    latent_diff: Mapping[str, Any] = field(default_factory=dict)
    """Settings of LatentDiff beside `n_bins`."""

    twins: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the twins beside `method` and `n_bins`."""

    def portfolio(self, n_bins: int) -> Portfolio:
        """Plain models, the same with another seed, LatentDiff and twins, the last two with the bins of the split."""
        twins = {f"{family}{KEY_SUFFIX}": [self._twin(sort, n_bins) for sort in METHODS] for family in self.families}
        return {**plain_twice(self.families), **twins, LATENT_DIFF_KEY: [{"n_bins": n_bins, **self.latent_diff}]}

    def _twin(self, sort: str, n_bins: int) -> dict[str, Any]:
        return twin_settings(sort, {**self.twins, "method": METHODS[sort], "n_bins": n_bins})


def fitted(split: RegressionSplit, plan: Plan, path: Path) -> TabularPredictor:
    """Fit all models of all arms, without an ensemble.

    Raises
    ------
    InvalidInputError
        AutoGluon left a model out, so that arms would not hold what they are called after.
    """
    from autogluon.tabular import TabularPredictor

    label = str(split.y.name)
    predictor = TabularPredictor(
        label, problem_type="regression", eval_metric="mean_absolute_error", path=str(path), verbosity=0
    )
    rows = pd.concat([split.X, split.y], axis=1)
    return fit_models(predictor, rows, plan.portfolio(len(split.bins)), plan.folds, plan.threads)


def answering(predictor: TabularPredictor, arm: str, threads: int) -> str:
    """Name of the model that answers for an arm: its weighted ensemble, fitted now, or LatentDiff's own bag."""
    if arm == ALONE:
        return added_models(predictor, arm)[0]
    models = models_of(predictor, (PLAIN, *ADDED[arm]), SORTS)
    return weighted_ensemble(predictor, models, "".join(ADDED[arm]) or "Plain", threads)


def added_models(predictor: TabularPredictor, arm: str) -> list[str]:
    """Names of the models that an arm adds; of the plain arm the plain ones."""
    return models_of(predictor, ADDED[arm] or (PLAIN,), SORTS)


def costs(predictor: TabularPredictor, arm: str, answers: str) -> dict[str, float]:
    """Seconds of fitting what an arm adds, and percent of its ensemble that this is; of plain models seconds alone."""
    added = added_models(predictor, arm)
    figures = {"fit s": fit_seconds(predictor, added)}
    if arm in (PLAIN, ALONE):
        return figures
    return {**figures, "weight": percent_of_ensemble(predictor, answers, added)}
