"""AutoGluon's weighted ensemble with weights that few rare rows do not mislead.

Weights are the mean of two kinds. Greedy ones (Caruana et al. 2004) follow the metric and the share of the log-loss
that the ensemble explains. Likely ones are those of a mixture that makes the classes of all rows most probable, drawn
towards equal weights. Twins of one model, with rows of other methods, doses or seeds, are one entry: their mean. With
more than two classes and a metric of decisions, probabilities are calibrated, then tilted as far as the metric asks
for: the most probable class is the one to answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.models import WeightedEnsembleModel
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
from autogluon.core.models.greedy_ensemble.greedy_weighted_ensemble_model import GreedyWeightedEnsembleModel

from imbllm_autogluon.classification.calibration import correct_prior, fitted_factors
from imbllm_autogluon.classification.logit_adjustment import adjustment_factors, choose_tau, usual_degree
from imbllm_autogluon.plugin.class_scorers import _costs_behind
from imbllm_autogluon.plugin.stage import answers_by_highest_probability
from imbllm_autogluon.rebalancing.config import RebalanceConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.arrays import FloatArray, IntArray

    Probabilities = npt.NDArray[np.floating[Any]]


_ENSEMBLE_VERSION = 3  # raised whenever the same models would be weighed or tilted otherwise
_FLOOR = 1e-7  # least probability whose logarithm is taken, that of AutoGluon's 32-bit probabilities
_KEY = "IMBLLM_ENS"
_NUMBER = re.compile(r"(?<=Imb)(\w*?)_\d+(?=_BAG_|$)")  # that AutoGluon gives a twin whose name another one has
_PRIOR_ROWS = 3.0  # rows that equal weights are worth to the likely ones
_EM_ROUNDS = 200
_LEAST_WEIGHT = 0.01  # below it a model would cost time at every prediction for next to nothing


class _RegularizedEnsembleSelection(EnsembleSelection):  # type: ignore[misc]
    """Weights by a metric and by the likelihood of all rows, tilted for decisions among more than two classes.

    Without classes, and for a single or balanced ones, it is AutoGluon's own selection.
    """

    weights_: FloatArray

    def __init__(self, entries: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entries = entries  # by model; models of one entry are averaged; empty: each model is one
        self.factors_: list[FloatArray] = []  # calibrate each model, shape (k,) each; empty where nothing is tilted
        self.degree_ = 0.0  # of the tilt, 0 (none) to 1
        self.adjustment_: FloatArray | None = None  # factors of the ensemble's probabilities, shape (k,)
        self._entropy: float | None = None

    def fit(
        self,
        predictions: Sequence[Probabilities],
        labels: npt.NDArray[Any],
        time_limit: float | None = None,
        identifiers: Any = None,
        sample_weight: npt.NDArray[Any] | None = None,
    ) -> _RegularizedEnsembleSelection:
        """Choose the weights of models by their out-of-fold probabilities; see AutoGluon's class for the arguments."""
        if self.problem_type not in ("binary", "multiclass"):
            super().fit(predictions, labels, time_limit, identifiers, sample_weight)
            return self
        codes = np.asarray(labels).astype(np.int64)
        n_classes = 2 if predictions[0].ndim == 1 else predictions[0].shape[1]
        shares = np.bincount(codes, minlength=n_classes) / len(codes)
        if shares.max() == 1 or shares.max() < RebalanceConfig.balanced_below * shares.min():
            super().fit(predictions, labels, time_limit, identifiers, sample_weight)
            return self
        if self.metric.optimum == 1:  # the share of the log-loss that is explained has the same scale
            self._entropy = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
        if not answers_by_highest_probability(self.problem_type, self.metric):
            self._fit_weights(predictions, codes, time_limit, sample_weight)
            return self
        factors = [fitted_factors(own, codes, np.ones(n_classes)) for own in predictions]
        calibrated = [correct_prior(own, by) for own, by in zip(predictions, factors, strict=True)]
        costs = _costs_behind(self.metric)  # of these, the tilt is towards the classes whose misses cost most
        against = shares if costs is None else 1.0 / np.maximum(costs.sum(axis=1), _FLOOR)
        usual = usual_degree(self.metric.name) if costs is None else 1.0
        # The degree depends on the weights and they on the degree: the second round has what the first one found.
        for _ in range(2):
            self._fit_weights(calibrated, codes, time_limit, sample_weight)
            blended = self.weight_pred_probas(calibrated, self.weights_)
            self.degree_ = choose_tau(blended, codes, against, self.metric, usual)
            self.adjustment_ = adjustment_factors(against, self.degree_)
        # AutoGluon forgets models of no weight: only the others are handed over from now on.
        self.factors_ = [by for by, weight in zip(factors, self.weights_, strict=True) if weight]
        return self

    def predict_proba(self, X: Sequence[Probabilities]) -> Probabilities:
        """Probabilities of the ensemble from those of its models."""
        if self.factors_:
            X = [correct_prior(own, by) for own, by in zip(X, self.factors_, strict=True)]
        return self._tilted(super().predict_proba(X))

    def _fit_weights(
        self, predictions: Sequence[Probabilities], codes: IntArray, time_limit: float | None, weights: Any
    ) -> None:
        """Mean of greedy and likely weights, without those that are too small to matter; models share their entry's."""
        places: dict[str, list[int]] = {}
        for place, name in enumerate(self.entries or map(str, range(len(predictions)))):
            places.setdefault(name, []).append(place)
        means = [np.mean([predictions[place] for place in own], axis=0) for own in places.values()]
        super().fit(means, codes, time_limit, sample_weight=weights)
        mixed = (self.weights_ + _likely_weights(means, codes, weights)) / 2
        mixed[mixed < min(_LEAST_WEIGHT, mixed.max())] = 0.0
        self.weights_ = np.zeros(len(predictions))
        for own, weight in zip(places.values(), mixed / mixed.sum(), strict=True):
            self.weights_[own] = weight / len(own)

    def _calculate_regret(
        self, y_true: npt.NDArray[Any], y_pred_proba: Probabilities, metric: Any, sample_weight: Any = None
    ) -> float:
        regret = float(super()._calculate_regret(y_true, self._tilted(y_pred_proba), metric, sample_weight))
        if self._entropy is None:
            return regret
        return regret + float(np.average(_log_losses(y_true, y_pred_proba), weights=sample_weight)) / self._entropy

    def _tilted(self, probabilities: Probabilities) -> Probabilities:
        return probabilities if self.adjustment_ is None else correct_prior(probabilities, self.adjustment_)


def _likely_weights(predictions: Sequence[Probabilities], codes: IntArray, weights: Any) -> FloatArray:
    """Weights under which the classes of the rows are most probable, by EM with a Dirichlet prior; shape (models,)."""
    likelihoods = np.exp([-_log_losses(codes, own) for own in predictions])
    rows = np.ones(len(codes)) if weights is None else np.asarray(weights, dtype=np.float64)
    n = len(predictions)
    found = np.full(n, 1.0 / n)
    for _ in range(_EM_ROUNDS):
        shares = found[:, None] * likelihoods
        found = (shares / shares.sum(axis=0)) @ rows + _PRIOR_ROWS / n
        found /= found.sum()
    return found


def _log_losses(codes: npt.NDArray[Any], probabilities: Probabilities) -> FloatArray:
    """Negative logarithm of the probability of each row's class, nats, shape (n,)."""
    codes = np.asarray(codes).astype(np.int64)
    both = np.column_stack([1.0 - probabilities, probabilities]) if probabilities.ndim == 1 else probabilities
    right = both[np.arange(len(codes)), codes]
    losses: FloatArray = -np.log(np.clip(right.astype(np.float64), _FLOOR, None))
    return losses


class SkilledEnsembleModel(GreedyWeightedEnsembleModel):  # type: ignore[misc]
    """A weighted ensemble whose selection few rare rows do not mislead."""

    ag_key = _KEY

    def __init__(self, model_base: Any = _RegularizedEnsembleSelection, **kwargs: Any) -> None:
        super().__init__(model_base=model_base, **kwargs)

    def _get_model_params(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        entries = [_NUMBER.sub(r"\1", name) for name in self.base_model_names or ()]
        return {**super()._get_model_params(*args, **kwargs), "entries": entries}


# Argument `aux_kwargs` of AutoGluon's `fit` for these ensembles.
AUX_KWARGS: Mapping[str, Any] = {"child_cls": _KEY}


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
        At least 1, or ``"auto"``: as many as AutoGluon takes.

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
        Shape (n, classes); what ``predict_proba`` gives where `model` tilts nothing.
    """
    name = model or predictor.model_best
    return _without_tilt(predictor, name, predictor.predict_proba(data, model=name))


def _without_tilt(predictor: TabularPredictor, model: str, probabilities: pd.DataFrame) -> pd.DataFrame:
    factors = adjustment_of(predictor, model)
    if factors is None:
        return probabilities
    # AutoGluon names classes that were too rare to learn, too; their probability is 0.
    codes = predictor.class_labels_internal_map
    undone = np.array([1.0 / factors[codes[label]] if label in codes else 1.0 for label in probabilities.columns])
    values = correct_prior(probabilities.to_numpy(), undone)
    return type(probabilities)(values, probabilities.index, probabilities.columns)


def adjustment_of(predictor: TabularPredictor, model: str) -> np.ndarray | None:
    """Factors in the probabilities of an ensemble, shape (classes,); None where there are none."""
    bag = predictor._trainer.load_model(model)
    if not isinstance(bag, WeightedEnsembleModel):
        return None
    factors: np.ndarray | None = getattr(bag.load_child(bag.models[0]).model, "adjustment_", None)
    return factors
