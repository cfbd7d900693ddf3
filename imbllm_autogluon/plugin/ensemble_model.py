"""AutoGluon's weighted ensemble with a selection of its own, and what else can be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.models import WeightedEnsembleModel
from autogluon.core.models.greedy_ensemble.greedy_weighted_ensemble_model import GreedyWeightedEnsembleModel

from imbllm_autogluon.classification.prior import correct_prior
from imbllm_autogluon.plugin.ensemble_selection import SkilledSelection
from imbllm_autogluon.plugin.stage import RebalancingMixin

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from autogluon.core.models import AbstractModel
    from autogluon.tabular import TabularPredictor

KEY = "IMBLLM_ENS"

TWINS = "twins"
"""Hyperparameter of the ensemble: names of its models that must show that they help."""


class SkilledEnsembleModel(GreedyWeightedEnsembleModel):  # type: ignore[misc]
    """A weighted ensemble by :class:`~imbllm_autogluon.plugin.ensemble_selection.SkilledSelection`."""

    ag_key = KEY

    def __init__(self, model_base: type[SkilledSelection] = SkilledSelection, **kwargs: Any) -> None:
        super().__init__(model_base=model_base, **kwargs)

    def _get_model_params(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        params: dict[str, Any] = super()._get_model_params(*args, **kwargs)
        twins = params.pop(TWINS, ())
        return {**params, "is_twin": [name in twins for name in self.base_model_names or ()]}


class TwinAwareEnsembleModel(WeightedEnsembleModel):  # type: ignore[misc]
    """AutoGluon's frame around a weighted ensemble; it knows the classes of the models, and tells which are twins."""

    def __init__(
        self,
        model_base: AbstractModel | type[AbstractModel],
        model_base_kwargs: Mapping[str, Any] | None = None,
        base_model_types_inner_dict: Mapping[str, type] | None = None,
        **kwargs: Any,
    ) -> None:
        if model_base_kwargs is not None:
            types = base_model_types_inner_dict or {}
            twins = [name for name, model_class in types.items() if issubclass(model_class, RebalancingMixin)]
            own = {**(model_base_kwargs.get("hyperparameters") or {}), TWINS: twins}
            model_base_kwargs = {**model_base_kwargs, "hyperparameters": own}
        super().__init__(
            model_base=model_base,
            model_base_kwargs=model_base_kwargs,
            base_model_types_inner_dict=base_model_types_inner_dict,
            **kwargs,
        )


AUX_KWARGS: Mapping[str, Any] = {"child_cls": KEY, "ensemble_type": TwinAwareEnsembleModel}
"""Argument `aux_kwargs` of AutoGluon's ``fit`` for these ensembles."""


def fit_ensemble(
    predictor: TabularPredictor,
    models: list[str] | None = None,
    name_suffix: str = "Skilled",
    num_cpus: int | str = "auto",
) -> str | None:
    """Add our weighted ensemble to any fitted predictor; presets of this package fit it by themselves.

    Parameters
    ----------
    predictor
        Fitted, its training data kept. Its best model becomes the ensemble where that scores higher.
    models
        Names of models to choose from; by default all but ensembles.
    name_suffix
        Of the ensemble's name: ``WeightedEnsemble_L2Skilled``.
    num_cpus
        As AutoGluon has it.

    Returns
    -------
    str or None
        Name of the ensemble; None where AutoGluon could not fit it, its log tells why.
    """
    predictor._assert_is_fit("fit_ensemble")
    trainer = predictor._learner.load_trainer()
    bagged = trainer.bagged_mode
    made: list[str] = trainer.stack_new_level_aux(
        X=trainer.load_X() if bagged else trainer.load_X_val(),
        y=trainer.load_y() if bagged else trainer.load_y_val(),
        base_model_names=models or trainer.get_model_names(stack_name="core"),
        fit=bagged,
        name_suffix=name_suffix,
        total_resources={"num_cpus": num_cpus, "num_gpus": 0},
        **AUX_KWARGS,
    )
    return made[0] if made else None


def calibrated_probabilities(predictor: TabularPredictor, data: pd.DataFrame, model: str | None = None) -> pd.DataFrame:
    """Probabilities of the classes without the tilt towards decisions that a metric of classes asks for.

    Where a fit of more than two classes is judged by decisions (balanced accuracy, macro F1 …), ``predict_proba`` of
    our ensemble gives the highest number to the class to answer, which is not always the most probable one.

    Parameters
    ----------
    predictor
        Fitted.
    data
        Rows with the features of the training data, n of them.
    model
        Name; by default the predictor's best.

    Returns
    -------
    DataFrame
        Shape (n, classes), as ``predict_proba`` gives it; the very same where `model` tilts nothing.
    """
    name = model or predictor.model_best
    return without_tilt(predictor, name, predictor.predict_proba(data, model=name))


def without_tilt(predictor: TabularPredictor, model: str, probabilities: pd.DataFrame) -> pd.DataFrame:
    """What `model` answered, without its tilt; see :func:`calibrated_probabilities`."""
    tilt = tilt_of(predictor, model)
    if tilt is None:
        return probabilities
    # AutoGluon names classes that were too rare to learn, too; their probability is 0.
    codes = predictor.class_labels_internal_map
    undone = np.array([1.0 / tilt[codes[label]] if label in codes else 1.0 for label in probabilities.columns])
    values = correct_prior(probabilities.to_numpy(), undone)
    return type(probabilities)(values, probabilities.index, probabilities.columns)


def tilt_of(predictor: TabularPredictor, model: str) -> np.ndarray | None:
    """Factors in the probabilities of an ensemble, shape (classes,); None where there are none."""
    bag = predictor._trainer.load_model(model)
    if not isinstance(bag, WeightedEnsembleModel):
        return None
    tilt: np.ndarray | None = getattr(bag.load_child(bag.models[0]).model, "tilt_", None)
    return tilt
