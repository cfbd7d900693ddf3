"""The two ensembles of one fit: over every model, and over the plain models alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imbllm_autogluon.plugin.ensemble import fit_ensemble
from imbllm_autogluon.plugin.models import GeneratorModel, LatentDiffModel
from imbllm_autogluon.plugin.stage import RebalancingMixin

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor

SUFFIX = "Plain"
"""Added to the name of the ensemble over plain models: ``WeightedEnsemble_L2Plain``."""


@dataclass(frozen=True)
class Contenders:
    """Names of the two models to compare."""

    whole: str
    """What the predictor uses by default: as a rule, the weighted ensemble over plain models and twins."""

    plain: str | None
    """The weighted ensemble over plain models only; `None` where there is nothing to compare."""

    reason: str = ""
    """Why there is no plain ensemble, or an empty string."""

    ours: str = "twins"
    """What the whole ensemble has beside plain models, in words."""


def contenders(predictor: TabularPredictor) -> Contenders:
    """Fit the weighted ensemble over plain models beside the one over all models.

    The model that the predictor uses stays the same, unless the plain ensemble is strictly better on the rows that
    AutoGluon itself chooses by (out-of-fold or validation rows): "no rebalancing" is a legal answer.

    Parameters
    ----------
    predictor
        A fitted predictor with its training data kept (``cache_data=True``, the default). Changed in place.
    """
    whole = predictor.model_best
    plain, ours = base_models(predictor)
    if not ours:
        return Contenders(whole, None, f"{_none_fitted(predictor)}, so the ensemble holds plain models only")
    if not plain:
        return Contenders(whole, None, "no plain model was fitted, so there is none to compare with")
    refitted = whole in predictor.model_refit_map().values()
    made = fit_ensemble(predictor, plain, SUFFIX)
    if made is None:
        return Contenders(whole, None, "the ensemble over plain models could not be fitted")
    best = whole if refitted else predictor.model_best
    if refitted:
        made = predictor.refit_full(model=made)[made]
    predictor.set_model_best(best, save_trainer=True)
    return Contenders(whole, made, ours=_in_words(predictor, ours))


def base_models(predictor: TabularPredictor) -> tuple[list[str], list[str]]:
    """Names of the plain models and of ours (twins and LatentDiff), ensembles and refitted copies left out."""
    trainer = predictor._trainer
    refitted = set(predictor.model_refit_map().values())
    names = [name for name in trainer.get_model_names(stack_name="core") if name not in refitted]
    names = [name for name in names if not is_generator(predictor, name)]
    ours = [name for name in names if is_twin(predictor, name) or is_latent_diff(predictor, name)]
    return [name for name in names if name not in ours], ours


def is_twin(predictor: TabularPredictor, name: str) -> bool:
    """Whether a model, or what it bags, is a twin."""
    return _is(predictor, name, RebalancingMixin)


def is_latent_diff(predictor: TabularPredictor, name: str) -> bool:
    """Whether a model, or what it bags, is one of imbalanced regression."""
    return _is(predictor, name, LatentDiffModel)


def is_generator(predictor: TabularPredictor, name: str) -> bool:
    """Whether a model, or what it bags, only writes rows for the twins."""
    return _is(predictor, name, GeneratorModel)


def _in_words(predictor: TabularPredictor, names: list[str]) -> str:
    """What sorts of our models there are."""
    twins = any(is_twin(predictor, name) for name in names)
    latent = any(is_latent_diff(predictor, name) for name in names)
    return " and ".join([*(["twins"] if twins else []), *(["LatentDiff"] if latent else [])])


def _none_fitted(predictor: TabularPredictor) -> str:
    return f"no twin{' and no LatentDiff' if predictor.problem_type == 'regression' else ''} was fitted"


def _is(predictor: TabularPredictor, name: str, wanted: type) -> bool:
    """Whether a model, or what it bags, is of a class."""
    model_class = predictor._trainer.get_model_attribute(name, "type_inner")
    return isinstance(model_class, type) and issubclass(model_class, wanted)
