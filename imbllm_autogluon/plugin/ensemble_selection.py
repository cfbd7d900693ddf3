"""Ensemble selection that few rare rows do not mislead.

AutoGluon adds models to its weighted ensemble greedily, by the fit's metric on out-of-fold rows (Caruana et al. 2004).
Metrics of a rare class hang on its few rows: with forty of them the choice is mostly luck, and every twin is one more
ticket. Log-loss hears every row and every probability. So a model is added by the metric and by the share of the
log-loss that the ensemble explains, in equal parts; and twins join only where the ensemble with them is better by more
than these rows could tell by chance.

With more than two classes and a metric of decisions (balanced accuracy, macro F1 …) AutoGluon answers the most probable
class. Here the probabilities of all models are calibrated first, so that log-loss means something for twins that do not
correct theirs; those of the ensemble are then tilted, as far as the metric asks for, so that the most probable class is
the one to answer.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
from autogluon.core.utils import get_pred_from_proba

from imbllm_autogluon.classification.decision_scores import resampled_scores
from imbllm_autogluon.classification.prior import correct_prior, fitted_factors
from imbllm_autogluon.classification.redrawing import redrawn_rows
from imbllm_autogluon.classification.tilting import tilt, tilt_degree, usual_degree
from imbllm_autogluon.plugin.class_metrics import answers_by_highest_probability
from imbllm_autogluon.rebalancing.config import RebalanceConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray

    Probabilities = npt.NDArray[np.floating[Any]]

ENSEMBLE_VERSION = 2
"""Raised whenever the same models would be weighed or tilted otherwise."""

FLOOR = 1e-7
"""Least probability whose logarithm is taken, that of AutoGluon's 32-bit probabilities."""


class SkilledSelection(EnsembleSelection):  # type: ignore[misc]
    """Greedy selection by a metric and by the log-loss skill, tilted for decisions among more than two classes.

    Without classes, for balanced ones, and for metrics that are no scores up to 1 (such as log-loss itself), it is
    AutoGluon's own.

    Parameters
    ----------
    is_twin
        Of each model, whether it must show that it helps; none does by default.
    **kwargs
        Of AutoGluon's class.

    Attributes
    ----------
    factors_ : list of ndarray
        What calibrates the probabilities of each model, shape (k,) each; empty where nothing is tilted.
    degree_ : float
        Of the tilt, 0 (none) to 1.
    tilt_ : ndarray or None
        Factors of the ensemble's probabilities, shape (k,); None: it is not tilted.
    """

    weights_: FloatArray

    def __init__(self, is_twin: Sequence[bool] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_twin = tuple(is_twin)
        self.factors_: list[FloatArray] = []
        self.degree_ = 0.0
        self.tilt_: FloatArray | None = None
        self._entropy: float | None = None

    def fit(
        self,
        predictions: Sequence[Probabilities],
        labels: npt.NDArray[Any],
        time_limit: float | None = None,
        identifiers: Any = None,
        sample_weight: npt.NDArray[Any] | None = None,
    ) -> SkilledSelection:
        """Choose the weights of models by their out-of-fold probabilities; see AutoGluon's class for the arguments."""
        if self.problem_type not in ("binary", "multiclass") or self.metric.optimum != 1:
            super().fit(predictions, labels, time_limit, identifiers, sample_weight)
            return self
        codes = np.asarray(labels).astype(np.int64)
        n_classes = 2 if predictions[0].ndim == 1 else predictions[0].shape[1]
        shares = np.bincount(codes, minlength=n_classes) / len(codes)
        if shares.max() < RebalanceConfig.balanced_below * shares.min():
            super().fit(predictions, labels, time_limit, identifiers, sample_weight)
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
            self.degree_ = tilt_degree(blended, codes, shares, self.metric, usual_degree(self.metric.name))
            self.tilt_ = tilt(shares, self.degree_)
        # AutoGluon forgets models of no weight: only the others are handed over from now on.
        self.factors_ = [by for by, weight in zip(factors, self.weights_, strict=True) if weight]
        return self

    def predict_proba(self, X: Sequence[Probabilities]) -> Probabilities:
        """Probabilities of the ensemble from those of its models."""
        if self.tilt_ is None:
            own: Probabilities = super().predict_proba(X)
            return own
        calibrated = [correct_prior(own, by) for own, by in zip(X, self.factors_, strict=True)]
        return correct_prior(super().predict_proba(calibrated), self.tilt_)

    def _fit_cautiously(
        self, predictions: Sequence[Probabilities], codes: IntArray, time_limit: float | None, weights: Any
    ) -> None:
        """Choose among all models, and among the plain ones alone where twins do not show that they help."""
        is_twin = self.is_twin if any(self.is_twin) and not all(self.is_twin) else (False,) * len(predictions)
        is_plain = [not twin for twin in is_twin]
        super().fit(list(compress(predictions, is_plain)), codes, time_limit, sample_weight=weights)
        if all(is_plain):
            return
        plain_weights = np.zeros(len(predictions))
        plain_weights[is_plain] = self.weights_
        plain = self.weight_pred_probas(predictions, plain_weights)
        super().fit(predictions, codes, time_limit, sample_weight=weights)
        whole = self.weight_pred_probas(predictions, self.weights_)
        if not self._is_better(whole, plain, codes, weights):
            self.weights_ = plain_weights

    def _is_better(self, whole: Probabilities, plain: Probabilities, codes: IntArray, weights: Any) -> bool:
        """Whether an ensemble beats another by more than the standard error of their difference."""

        def gain(rows: Any) -> float:
            own = None if weights is None else np.asarray(weights)[rows]
            regrets = [self._calculate_regret(codes[rows], each[rows], self.metric, own) for each in (plain, whole)]
            return regrets[0] - regrets[1]

        redrawn = redrawn_rows(codes, "twins")
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
        if self._entropy is None:
            return float(super()._calculate_regret(y_true, y_pred_proba, metric, sample_weight))
        regret = float(super()._calculate_regret(y_true, self._tilted(y_pred_proba), metric, sample_weight))
        return regret + log_loss_of(y_true, y_pred_proba, sample_weight) / self._entropy

    def _tilted(self, probabilities: Probabilities) -> Probabilities:
        return probabilities if self.tilt_ is None else correct_prior(probabilities, self.tilt_)


def log_loss_of(codes: npt.NDArray[Any], probabilities: Probabilities, weights: Any = None) -> float:
    """Mean negative logarithm of the probability of the right class, nats.

    Parameters
    ----------
    codes
        Classes, shape (n,).
    probabilities
        Shape (n,) for the second of two classes, or (n, k).
    weights
        Of the rows, shape (n,); None: all the same.

    Examples
    --------
    >>> round(log_loss_of(np.array([0, 1]), np.array([0.5, 0.5])), 3)
    0.693
    """
    return float(np.average(_log_losses(codes, probabilities), weights=weights))


def _log_losses(codes: npt.NDArray[Any], probabilities: Probabilities) -> FloatArray:
    """Negative logarithm of the probability of each row's class, nats, shape (n,)."""
    codes = np.asarray(codes).astype(np.int64)
    if probabilities.ndim == 1:
        right = np.where(codes == 1, probabilities, 1.0 - probabilities)
    else:
        right = probabilities[np.arange(len(codes)), codes]
    losses: FloatArray = -np.log(np.clip(right.astype(np.float64), FLOOR, None))
    return losses
