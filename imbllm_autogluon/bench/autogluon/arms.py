"""Arms of ``imbllm bench autogluon``: weighted ensembles over subsets of the models of one fit.

Class weights are another fit: AutoGluon weighs the rows of all models of a predictor, or of none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.bench.one_fit import (
    AGAIN,
    PLAIN,
    FitPlan,
    Portfolio,
    fit_models,
    fit_seconds,
    models_of,
    our_ensemble,
    percent_of_ensemble,
    plain_twice,
    twin_settings,
    weighted_ensemble,
)
from imbllm_autogluon.plugin.fold_writer import cache_of
from imbllm_autogluon.plugin.tuning_options import SEARCHER
from imbllm_autogluon.plugin.twins import KEY_SUFFIX
from imbllm_autogluon.rebalancing.cache_folder import STUDIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.bench.autogluon.split import ClassSplit

TWICE, WEIGHTS, OURS = "plain twice", "class weights", "plain, our ensemble"
RANDOM = "plain + random oversampling twins"
SMOTE_NC, IMBLLM, TUNED = "plain + SMOTE-NC twins", "plain + ImbLLM twins", "plain + tuned twins"

TWIN_TUNED = "Tuned"

METHODS: Mapping[str, str] = {"Random": "random", "Smote": "smote_nc", "ImbLLM": "imbllm"}
"""How the twins of each sort rebalance; those that are tuned choose."""

SORTS = (AGAIN, *METHODS, TWIN_TUNED)

ADDED: Mapping[str, tuple[str, ...]] = {
    PLAIN: (),
    TWICE: (AGAIN,),
    OURS: (),
    RANDOM: ("Random",),
    SMOTE_NC: ("Smote",),
    IMBLLM: ("ImbLLM",),
    TUNED: (TWIN_TUNED,),
}
"""Sorts of models that each arm of one fit has beside the plain ones."""

OF_AUTOGLUON = (PLAIN, TWICE, WEIGHTS)
"""Arms whose ensemble is chosen by AutoGluon; that of the others is ours."""

ARMS = (*ADDED, WEIGHTS)

FIT_SECONDS, WEIGHT, GENERATORS = "fit s", "weight", "generators"

COSTS = (FIT_SECONDS, WEIGHT, GENERATORS)


@dataclass(frozen=True, kw_only=True)
class Plan(FitPlan):
    """What is fitted on every split."""

    tuned: bool = False
    """Whether twins are tuned, too."""

    twins: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of all twins beside `method`."""

    tuning: Mapping[str, Any] = field(default_factory=dict)
    """Options of the searcher; the others are those of the preset ``imbllm_tuned``."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms of one fit."""
        return tuple(arm for arm in ADDED if arm != TUNED or self.tuned)

    def portfolio(self) -> Portfolio:
        """Plain models, the same with another seed, and twins of each sort."""
        return {**plain_twice(self.families), **{f"{family}{KEY_SUFFIX}": self._twins() for family in self.families}}

    def _twins(self) -> list[dict[str, Any]]:
        twins = [twin_settings(sort, {**self.twins, "method": method}) for sort, method in METHODS.items()]
        search = {"searcher": SEARCHER, "scheduler": "local", **self.tuning}
        tuned = twin_settings(TWIN_TUNED, self.twins, {"hyperparameter_tune_kwargs": search})
        return [*twins, tuned] if self.tuned else twins


def fitted(split: ClassSplit, plan: Plan, path: Path) -> TabularPredictor:
    """Fit all models of all arms but class weights, without an ensemble.

    Raises
    ------
    InvalidInputError
        AutoGluon left a model out, so that arms would not hold what they are called after.
    """
    from autogluon.tabular import TabularPredictor

    predictor = TabularPredictor(**split.predictor_arguments(), path=str(path), verbosity=0)
    return fit_models(predictor, split.train, plan.portfolio(), plan.folds, plan.threads)


def fitted_with_weights(split: ClassSplit, plan: Plan, path: Path) -> TabularPredictor:
    """Fit the plain models with rows that weigh as much as their class is rare.

    Raises
    ------
    InvalidInputError
        AutoGluon left a model out.
    """
    from autogluon.tabular import TabularPredictor

    weighed = {"sample_weight": "balance_weight"}
    predictor = TabularPredictor(**split.predictor_arguments(), **weighed, path=str(path), verbosity=0)
    return fit_models(predictor, split.train, {family: [{}] for family in plan.families}, plan.folds, plan.threads)


def answering(predictor: TabularPredictor, arm: str, threads: int) -> str:
    """Name of the weighted ensemble that answers for an arm, fitted now."""
    added = ADDED.get(arm, ())
    models = models_of(predictor, (PLAIN, *added), SORTS)
    suffix = "".join(added) or "Plain"
    if arm in OF_AUTOGLUON:
        return weighted_ensemble(predictor, models, suffix, threads)
    return our_ensemble(predictor, models, f"Our{suffix}", threads)


def costs(predictor: TabularPredictor, arm: str, answers: str) -> dict[str, float]:
    """What an arm adds: seconds of fitting, percent of its ensemble, and generators trained for it.

    Seconds of arms that add nothing are those of the plain models.
    """
    added = ADDED.get(arm, ())
    models = models_of(predictor, added or (PLAIN,), SORTS)
    figures = {FIT_SECONDS: _search_seconds(predictor) if arm == TUNED else fit_seconds(predictor, models)}
    if added:
        figures[WEIGHT] = percent_of_ensemble(predictor, answers, models)
    if arm in (IMBLLM, TUNED):
        figures[GENERATORS] = float(_generators(predictor, arm))
    return figures


def _search_seconds(predictor: TabularPredictor) -> float:
    """Of all trials, those that AutoGluon was not handed included."""
    import optuna

    from imbllm_autogluon.search.studies import journal_storage

    storage = journal_storage(cache_of(Path(predictor.path)) / STUDIES)
    names = optuna.get_all_study_names(storage)
    trials = [trial for name in names for trial in optuna.load_study(study_name=name, storage=storage).trials]
    return sum(trial.duration.total_seconds() for trial in trials if trial.duration is not None)


def _generators(predictor: TabularPredictor, arm: str) -> int:
    """Generators that the twins of all families share; trials train those that their settings ask for beside them."""
    from imbllm_autogluon.jobs.fold_records import child_reports
    from imbllm_autogluon.rebalancing.fold_rows import GENERATORS as SHELF

    twin = models_of(predictor, ADDED[IMBLLM], SORTS)[0]
    keys = {report.get("oversampling", {}).get("generator", "") for _, report in child_reports(predictor, twin)}
    untuned = len(keys - {""})
    return untuned if arm == IMBLLM else len(SHELF.keys(cache_of(Path(predictor.path)))) - untuned
