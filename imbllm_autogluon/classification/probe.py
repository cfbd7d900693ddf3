"""A linear probe: a logistic regression on hidden states of a backbone none of whose weights learn.

The states of a pretrained decoder tell more of a text than a few hundred rows can teach it (Alain and Bengio 2016,
arXiv 1610.01644). Learning takes seconds once the rows are read, so every correction rests on out-of-fold predictions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import log_softmax

from imbllm_autogluon.classification.features import stratified_folds

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray

_STRENGTHS = (0.25, 1.0, 4.0, 16.0)  # variances that a prior of independent weights gives a logit
_ROUNDS = 3  # in which rows whose labels may be wrong are weighted anew
_NEVER = -20.0  # intercept of a class without a row


class ProbeRows(NamedTuple):
    """Features of rows, shape (n, d), label codes and weights, each (n,), and whose labels may be wrong."""

    features: FloatArray
    codes: IntArray
    weights: FloatArray
    doubtful: BoolArray

    def take(self, rows: IntArray) -> ProbeRows:
        """Some of the rows."""
        return ProbeRows(self.features[rows], self.codes[rows], self.weights[rows], self.doubtful[rows])


class LinearProbe:
    """Multinomial logistic regression on standardized features, of k classes.

    Of four strengths of the ridge penalty that of the lowest out-of-fold log-loss is taken. Rows whose labels may be
    wrong weigh ``p ** robust_q`` by the probability p of their label, which minimises their generalized cross entropy
    (Zhang and Sabuncu 2018).
    """

    def __init__(self, weights: FloatArray, intercepts: FloatArray) -> None:
        self.weights, self.intercepts = weights, intercepts  # shapes (d, k) and (k,)

    @classmethod
    def fit(cls, rows: ProbeRows, n_classes: int, *, robust_q: float, seed: int) -> tuple[LinearProbe, FloatArray]:
        """Learn rows; returns the probe and out-of-fold log-probabilities of all of them, shape (n, n_classes).

        The only row of a class is predicted by a probe that has learned it.
        """
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        scaled = rows._replace(features=scaler.fit_transform(rows.features))
        folds = list(stratified_folds(2 * rows.codes + rows.doubtful, seed))
        trials = [_Trial(np.inf, cls(np.empty(0), np.empty(0)), np.empty(0))]
        for strength in _STRENGTHS:
            penalty = strength / scaled.features.shape[1]
            whole = cls(*_learned(scaled, penalty, n_classes, robust_q))
            logs = whole.log_probabilities(scaled.features)
            for learned, others in folds:
                part = cls(*_learned(scaled.take(learned), penalty, n_classes, robust_q))
                logs[others] = part.log_probabilities(scaled.features[others])
            own, sure = logs[np.arange(len(logs)), rows.codes], ~rows.doubtful
            trials.append(_Trial(-float(np.average(own[sure], weights=rows.weights[sure])), whole, logs))
            if trials[-1].loss > trials[-2].loss:
                break
        _, best, logs = min(trials, key=lambda trial: trial.loss)
        slopes = best.weights / scaler.scale_[:, None]
        return cls(slopes, best.intercepts - scaler.mean_ @ slopes), logs

    def log_probabilities(self, features: FloatArray) -> FloatArray:
        """Log-probabilities of the classes of rows, shape (n, k)."""
        return np.asarray(log_softmax(features @ self.weights + self.intercepts, axis=1))


class _Trial(NamedTuple):
    loss: float
    probe: LinearProbe
    logs: FloatArray


def _learned(rows: ProbeRows, penalty: float, n_classes: int, robust_q: float) -> tuple[FloatArray, FloatArray]:
    """Weights, shape (d, k), and intercepts, shape (k,), of a regression on scaled features."""
    from sklearn.linear_model import LogisticRegression

    weights, place = rows.weights, np.arange(len(rows.codes))
    rounds = _ROUNDS if rows.doubtful.any() and robust_q else 0
    for turn in range(rounds + 1):
        model = LogisticRegression(C=penalty, max_iter=1000).fit(rows.features, rows.codes, weights)
        if turn < rounds:
            chances = model.predict_proba(rows.features)[place, np.searchsorted(model.classes_, rows.codes)]
            weights = np.where(rows.doubtful, rows.weights * chances**robust_q, rows.weights)
    slopes, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        slopes, intercepts = np.vstack([-slopes, slopes]) / 2, np.append(-intercepts, intercepts) / 2
    found, offsets = np.zeros((rows.features.shape[1], n_classes)), np.full(n_classes, _NEVER)
    found[:, model.classes_], offsets[model.classes_] = slopes.T, intercepts
    return found, offsets
