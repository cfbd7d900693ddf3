"""AutoGluon's weighted ensemble with a selection that few rare rows do not mislead.

Models are added greedily (Caruana et al. 2004), by the metric and the share of the log-loss that the ensemble explains;
twins join only where it is better with them by more than chance. Twins of one model, fitted on rows of other methods,
doses or seeds, are one entry, their mean. With more than two classes and a metric of decisions,
probabilities are calibrated, then tilted as far as the metric asks for: the most probable class is the one to answer.
"""

from __future__ import annotations

import re
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.models import WeightedEnsembleModel
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
from autogluon.core.models.greedy_ensemble.greedy_weighted_ensemble_model import GreedyWeightedEnsembleModel
from autogluon.core.utils import get_pred_from_proba

from imbllm_autogluon.classification.calibration import correct_prior, fitted_factors
from imbllm_autogluon.classification.logit_adjustment import (
    adjustment_factors,
    bootstrap_rows,
    choose_tau,
    resampled_scores,
    usual_degree,
)
from imbllm_autogluon.plugin.stage import RebalancingMixin, answers_by_highest_probability
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
_TWINS = "twins"  # hyperparameter of the ensemble: names of its models that must show that they help
_NUMBER = re.compile(r"_\d+(?=_BAG_|$)")  # that AutoGluon gives a model whose name another one has


class _RegularizedEnsembleSelection(EnsembleSelection):  # type: ignore[misc]
    """Greedy selection by a metric and by the log-loss skill, tilted for decisions among more than two classes.

    Without classes, for a single or balanced ones, and for metrics that are no scores up to 1 (such as log-loss
    itself), it is AutoGluon's own. Models that are twins must show that they help.
    """

    weights_: FloatArray

    def __init__(self, is_twin: Sequence[bool] = (), entries: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_twin = tuple(is_twin)
        self.entries = tuple(entries)  # models of one name here are averaged; empty: each is an entry of its own
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
        del identifiers  # which AutoGluon's own selection does not read either
        every = (True,) * len(predictions)
        if self.problem_type not in ("binary", "multiclass") or self.metric.optimum != 1:
            self._fit_entries(predictions, every, labels, time_limit, sample_weight)
            return self
        codes = np.asarray(labels).astype(np.int64)
        n_classes = 2 if predictions[0].ndim == 1 else predictions[0].shape[1]
        shares = np.bincount(codes, minlength=n_classes) / len(codes)
        if shares.max() == 1 or shares.max() < RebalanceConfig.balanced_below * shares.min():
            self._fit_entries(predictions, every, labels, time_limit, sample_weight)
            return self
        self._entropy = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
        if not answers_by_highest_probability(self.problem_type, self.metric):
            self._fit_cautiously(predictions, codes, time_limit, sample_weight)
            return self
        factors = [fitted_factors(own, codes, np.ones(n_classes)) for own in predictions]
        calibrated = [correct_prior(own, by) for own, by in zip(predictions, factors, strict=True)]
        # The degree depends on the weights and they on the degree: the second round has what the first one found.
        for _ in range(2):
            self._fit_cautiously(calibrated, codes, time_limit, sample_weight)
            blended = self.weight_pred_probas(calibrated, self.weights_)
            self.degree_ = choose_tau(blended, codes, shares, self.metric, usual_degree(self.metric.name))
            self.adjustment_ = adjustment_factors(shares, self.degree_)
        # AutoGluon forgets models of no weight: only the others are handed over from now on.
        self.factors_ = [by for by, weight in zip(factors, self.weights_, strict=True) if weight]
        return self

    def predict_proba(self, X: Sequence[Probabilities]) -> Probabilities:
        """Probabilities of the ensemble from those of its models."""
        if self.factors_:
            X = [correct_prior(own, by) for own, by in zip(X, self.factors_, strict=True)]
        return self._tilted(super().predict_proba(X))

    def _fit_cautiously(
        self, predictions: Sequence[Probabilities], codes: IntArray, time_limit: float | None, weights: Any
    ) -> None:
        """Choose among all models, and among the plain ones alone where twins do not show that they help."""
        is_twin = self.is_twin if any(self.is_twin) and not all(self.is_twin) else (False,) * len(predictions)
        is_plain = [not twin for twin in is_twin]
        self._fit_entries(predictions, is_plain, codes, time_limit, weights)
        if all(is_plain):
            return
        plain_weights = self.weights_
        plain = self.weight_pred_probas(predictions, plain_weights)
        self._fit_entries(predictions, [True] * len(predictions), codes, time_limit, weights)
        whole = self.weight_pred_probas(predictions, self.weights_)
        if not self._is_better(whole, plain, codes, weights):
            self.weights_ = plain_weights

    def _fit_entries(
        self,
        predictions: Sequence[Probabilities],
        chosen: Sequence[bool],
        labels: npt.NDArray[Any],
        time_limit: float | None,
        weights: Any,
    ) -> None:
        """Choose the weights of entries among the chosen models: the members of an entry share its weight equally."""
        members: dict[str | int, list[int]] = {}
        for place in compress(range(len(predictions)), chosen):
            members.setdefault(self.entries[place] if self.entries else place, []).append(place)
        means = [np.mean([predictions[place] for place in places], axis=0) for places in members.values()]
        super().fit(means, labels, time_limit, sample_weight=weights)
        shared = np.zeros(len(predictions))
        for places, weight in zip(members.values(), self.weights_, strict=True):
            shared[places] = weight / len(places)
        self.weights_ = shared

    def _is_better(self, whole: Probabilities, plain: Probabilities, codes: IntArray, weights: Any) -> bool:
        """Whether an ensemble beats another by more than the standard error of their difference."""

        def gain(rows: Any) -> float:
            own = None if weights is None else np.asarray(weights)[rows]
            regrets = [self._calculate_regret(codes[rows], each[rows], self.metric, own) for each in (plain, whole)]
            return regrets[0] - regrets[1]

        redrawn = bootstrap_rows(codes, "twins")
        if weights is None and self.metric.needs_class:
            gains = self._gains_of_decisions(whole, plain, codes, redrawn.samples)
        else:
            gains = np.array([gain(rows) for rows in redrawn.samples])
        return gain(slice(None)) > redrawn.error(gains)

    def _gains_of_decisions(
        self, whole: Probabilities, plain: Probabilities, codes: IntArray, samples: Sequence[npt.NDArray[np.intp]]
    ) -> FloatArray:
        """What one ensemble has over another on each sample, for a metric of decided classes; shape (n_samples,)."""
        assert self._entropy is not None
        decisions = [get_pred_from_proba(self._tilted(each), self.problem_type) for each in (whole, plain)]
        scores = resampled_scores(self.metric, codes, decisions, samples)
        losses = (_log_losses(codes, plain) - _log_losses(codes, whole)) / self._entropy
        gains: FloatArray = scores[:, 0] - scores[:, 1] + [losses[rows].mean() for rows in samples]
        return gains

    def _calculate_regret(
        self, y_true: npt.NDArray[Any], y_pred_proba: Probabilities, metric: Any, sample_weight: Any = None
    ) -> float:
        regret = float(super()._calculate_regret(y_true, self._tilted(y_pred_proba), metric, sample_weight))
        if self._entropy is None:
            return regret
        return regret + float(np.average(_log_losses(y_true, y_pred_proba), weights=sample_weight)) / self._entropy

    def _tilted(self, probabilities: Probabilities) -> Probabilities:
        return probabilities if self.adjustment_ is None else correct_prior(probabilities, self.adjustment_)


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
        params: dict[str, Any] = super()._get_model_params(*args, **kwargs)
        twins, names = params.pop(_TWINS, ()), self.base_model_names or ()
        entries = [_NUMBER.sub("", name) if name in twins else name for name in names]
        return {**params, "is_twin": [name in twins for name in names], "entries": entries}


class TwinAwareEnsembleModel(WeightedEnsembleModel):  # type: ignore[misc]
    """AutoGluon's frame around a weighted ensemble; it knows the classes of the models, and tells which are twins."""

    def __init__(self, **kwargs: Any) -> None:
        of_model = kwargs.get("model_base_kwargs")
        if of_model is not None:
            types = kwargs.get("base_model_types_inner_dict") or {}
            twins = [name for name, model_class in types.items() if issubclass(model_class, RebalancingMixin)]
            own = {**(of_model.get("hyperparameters") or {}), _TWINS: twins}
            kwargs["model_base_kwargs"] = {**of_model, "hyperparameters": own}
        super().__init__(**kwargs)


# Argument `aux_kwargs` of AutoGluon's `fit` for these ensembles.
AUX_KWARGS: Mapping[str, Any] = {"child_cls": _KEY, "ensemble_type": TwinAwareEnsembleModel}


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
