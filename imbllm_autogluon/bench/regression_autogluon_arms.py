"""Arms of ``imbllm bench regression-autogluon``: weighted ensembles over subsets of the models of one fit.

The plain models are the same in every arm, so that what differs is due to what was added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.regression_autogluon_page import ALL_THREE, ALONE, IMBLLM, LATENT, PLAIN, SMOGN, TWICE
from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.errors import InvalidInputError, nearest
from imbllm_autogluon.plugin.latent_diff_model import KEY as LATENT_DIFF_KEY
from imbllm_autogluon.plugin.latent_diff_model import LatentDiffModel
from imbllm_autogluon.plugin.parameters import AUX_PREFIX
from imbllm_autogluon.plugin.twins import KEY_SUFFIX, has_twin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.bench.regression_tables import RegressionSplit

FAMILIES = ("GBM", "CAT", "RF")

AGAIN, TWIN_SMOGN, TWIN_IMBLLM = "Again", "Smogn", "ImbLLM"
"""Ends of the names of models, which say what sort they are."""

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

OTHER_SEED = 1
"""Of the plain models' second copy; AutoGluon's own is 0."""

BAGGED = "_BAG_L1"


@dataclass(frozen=True)
class Plan:
    """What is fitted on every split."""

    families: tuple[str, ...] = FAMILIES
    """AutoGluon model keys, each with a twin."""

    folds: int = 4
    """Of bagging, at least 2."""

    bins: int = 50
    """Most bins of a target."""

    threads: int = 1
    """Of every model."""

    latent_diff: Mapping[str, Any] = field(default_factory=dict)
    """Settings of LatentDiff beside `n_bins`."""

    twins: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the twins beside `method` and `n_bins`."""

    def __post_init__(self) -> None:
        require_number("folds", self.folds, 2, whole=True)
        require_number("threads", self.threads, 1, whole=True)
        _require_twins(self.families)

    @property
    def n_models(self) -> int:
        """Of one fit."""
        return (2 + len(METHODS)) * len(self.families) + 1

    def portfolio(self, n_bins: int) -> dict[str, list[dict[str, Any]]]:
        """Plain models, the same with another seed, LatentDiff and twins, the last two with the bins of the split."""
        again = {"ag_args": {"name_suffix": AGAIN}, "ag_args_ensemble": {"model_random_seed": OTHER_SEED}}
        plain: dict[str, list[dict[str, Any]]] = {family: [{}, dict(again)] for family in self.families}
        twins = {f"{family}{KEY_SUFFIX}": [self._twin(sort, n_bins) for sort in METHODS] for family in self.families}
        return {**plain, **twins, LATENT_DIFF_KEY: [{"n_bins": n_bins, **self.latent_diff}]}

    def _twin(self, sort: str, n_bins: int) -> dict[str, Any]:
        parameters = {**self.twins, "method": METHODS[sort], "n_bins": n_bins}
        own = {f"ag.{AUX_PREFIX}{name}": value for name, value in parameters.items()}
        return {**own, "ag_args": {"name_suffix": sort}}


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
    predictor.fit(
        pd.concat([split.X, split.y], axis=1),
        hyperparameters=plan.portfolio(len(split.bins)),
        num_bag_folds=plan.folds,
        num_stack_levels=0,
        dynamic_stacking=False,
        fit_weighted_ensemble=False,
        num_cpus=plan.threads,
        num_gpus=0,
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
        raise_on_model_failure=True,
    )
    names = predictor.model_names()
    if len(names) != plan.n_models:
        raise InvalidInputError(
            f"AutoGluon fitted {len(names)} of {plan.n_models} models ({', '.join(names)}); leave out the families "
            "that it cannot fit on this table (--family)."
        )
    return predictor


def sort_of(model: str) -> str:
    """What sort a model is by its name: one of `SORTS`, or plain.

    Examples
    --------
    >>> sort_of("LightGBM_BAG_L1"), sort_of("LightGBMImbSmogn_BAG_L1"), sort_of("LatentDiff_BAG_L1")
    ('plain', 'Smogn', 'LatentDiff')
    """
    name = model.removesuffix(BAGGED)
    return next((sort for sort in SORTS if name.endswith(sort)), PLAIN)


def answering(predictor: TabularPredictor, arm: str, threads: int) -> str:
    """Name of the model that answers for an arm: its weighted ensemble, fitted now, or LatentDiff's own bag."""
    if arm == ALONE:
        return added_models(predictor, arm)[0]
    models = [model for model in _core(predictor) if sort_of(model) in (PLAIN, *ADDED[arm])]
    suffix = "".join(ADDED[arm]) or "Plain"
    made: list[str] = predictor.fit_weighted_ensemble(base_models=models, name_suffix=suffix, num_cpus=threads)
    return made[-1]


def added_models(predictor: TabularPredictor, arm: str) -> list[str]:
    """Names of the models that an arm adds; of the plain arm the plain ones."""
    return [model for model in _core(predictor) if sort_of(model) in (ADDED[arm] or (PLAIN,))]


def costs(predictor: TabularPredictor, arm: str, answers: str) -> dict[str, float]:
    """Seconds of fitting what an arm adds, and percent of its ensemble that this is; of plain models seconds alone."""
    seconds = predictor.leaderboard().set_index("model")["fit_time_marginal"]
    added = added_models(predictor, arm)
    figures = {"fit s": float(seconds[added].sum())}
    if arm in (PLAIN, ALONE):
        return figures
    weights = predictor._trainer.load_model(answers)._get_model_weights()
    return {**figures, "weight": 100.0 * float(sum(weights.get(model, 0.0) for model in added))}


def _core(predictor: TabularPredictor) -> list[str]:
    """All models but ensembles."""
    names: list[str] = predictor._trainer.get_model_names(stack_name="core")
    return names


def _require_twins(families: tuple[str, ...]) -> None:
    """Refuse families that are unknown, named twice, or have no twin."""
    from autogluon.tabular.registry import ag_model_registry

    classes = ag_model_registry.key_to_cls_map()
    allowed = sorted(key for key, model_class in classes.items() if has_twin(model_class))
    for family in families:
        if family not in allowed:
            raise InvalidInputError(
                f"{family!r} is no model key with a twin{nearest(family, allowed)}; keys are: {', '.join(allowed)}."
            )
    if not families or len(set(families)) < len(families):
        raise InvalidInputError(f"families must be named, each once; got {', '.join(families) or 'none'}.")
