"""From a model's answers to probabilities and decisions under wanted class shares, and the rows kept to fit that.

A model fitted on rows with class shares q learns ``p_q(y|x)``; under the shares p, Bayes' rule gives
``p(y|x) ∝ p_q(y|x) · p(y) / q(y)`` (Saerens et al. 2002, equation 4; H2O's ``balance_classes`` does the same).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import softmax

from imbllm_autogluon._random import child_rng

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import BoolArray, FloatArray, IntArray

    Probabilities = npt.NDArray[np.floating[Any]]

_FLOOR = 1e-12  # least probability or share whose logarithm is taken
_SHARPNESS = (1.0, 0.1, 0.01)  # widths, in nats, of the soft decisions that approach hard ones
_FEWEST_TO_HOLD_OUT = 20  # rows of a class below which every one is needed for learning
_MOST_TO_HOLD_OUT = 2_000  # rows of a class: more tell nothing new, and each is read up to ten times


@dataclass(frozen=True, eq=False)
class LabelCalibration:
    """Per-class temperatures and biases of log-probabilities, and biases of the decision."""

    slopes: FloatArray  # inverse temperature of each class, shape (k,)
    biases: FloatArray  # added to each class's log-probability, nats, shape (k,)
    decision_biases: FloatArray  # added once more before the most likely class is decided for, nats, shape (k,)

    @classmethod
    def none(cls, n_classes: int) -> LabelCalibration:
        """The calibration that changes nothing."""
        return cls(np.ones(n_classes), np.zeros(n_classes), np.zeros(n_classes))

    @classmethod
    def from_predictions(
        cls,
        log_probabilities: FloatArray,
        codes: IntArray,
        training: FloatArray,
        wanted: FloatArray | None,
        calibration: Literal["none", "bias", "temperature"],
        *,
        matched: bool,
        others: FloatArray | None = None,
    ) -> LabelCalibration:
        """Fit it to log-probabilities, shape (n, k), of rows whose class is known, shape (n,).

        `training` are the class shares of the table, `wanted` those that predictions should have, shape (k,); None: no
        correction. `calibration` and `matched` are settings of
        :class:`~imbllm_autogluon.classification.config.DebiasingConfig`. `others` are log-probabilities of further
        rows, shape (m, k), for matched decisions alone, where the classes are as frequent among them within chance.
        """
        k = len(training)
        natural = (training / (np.bincount(codes, minlength=k) / len(codes)).clip(min=1e-12))[codes]
        weights = natural if wanted is None else natural * (wanted / training)[codes]
        slopes, biases, decision_biases = np.ones(k), np.zeros(k), np.zeros(k)
        if wanted is not None:
            biases = _prior_biases(wanted, np.average(np.exp(log_probabilities), axis=0, weights=natural))
        if calibration != "none":
            slopes, biases = _fitted_scaling(log_probabilities, codes, weights, biases, calibration)
        if matched:
            scaled = cls(slopes, biases, decision_biases)
            probabilities = scaled.probabilities(log_probabilities)
            if others is not None and _as_frequent(more := scaled.probabilities(others), probabilities, weights):
                probabilities = np.vstack([probabilities, more])
                weights = np.append(weights, np.full(len(more), weights.mean()))
            decision_biases = _matching_biases(probabilities, weights, training if wanted is None else wanted)
        return cls(slopes, biases, decision_biases)

    def probabilities(self, log_probabilities: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape (n, k), from a model's log-probabilities of that shape."""
        return np.asarray(softmax(self.slopes * log_probabilities + self.biases, axis=1))

    def decide(self, probabilities: FloatArray) -> IntArray:
        """Decided class of each row, shape (n,), from calibrated probabilities."""
        return np.asarray(self._scores(probabilities).argmax(axis=1), dtype=np.int64)

    def decisive(self, probabilities: FloatArray) -> FloatArray:
        """Calibrated probabilities whose most probable class is the decided one, shape (n, k)."""
        return np.asarray(softmax(self._scores(probabilities), axis=1))

    def _scores(self, probabilities: FloatArray) -> FloatArray:
        return np.asarray(np.log(np.clip(probabilities, _FLOOR, None)) + self.decision_biases)

    def to_dict(self) -> dict[str, list[float]]:
        """JSON-able form."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LabelCalibration:
        """Rebuild it from :meth:`to_dict`."""
        return cls(**{name: np.array(values, dtype=np.float64) for name, values in state.items()})


def _prior_biases(wanted: FloatArray, own: FloatArray) -> FloatArray:
    """Biases that turn predictions under the shares `own`, their mean, into those under the wanted ones, shape (k,)."""
    return np.asarray(np.log(np.clip(wanted, _FLOOR, None)) - np.log(np.clip(own, _FLOOR, None)))


def _fitted_scaling(
    log_probabilities: FloatArray,
    codes: IntArray,
    weights: FloatArray,
    start: FloatArray,
    kind: Literal["bias", "temperature"],
) -> tuple[FloatArray, FloatArray]:
    """Slopes and biases under which held-out rows are most likely, held near 1 and `start`.

    Minimises ``sum(-w log p(label)) + |b - start|^2 / 2 + |a - 1|^2 / 2``: one row that speaks against a deviation of 1
    about outweighs it, so few rows change little.
    """
    from scipy.optimize import minimize

    n_rows, k = log_probabilities.shape
    truth = np.zeros((n_rows, k))
    truth[np.arange(n_rows), codes] = 1.0
    bounded = np.clip(log_probabilities, np.log(_FLOOR), None)

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        slopes, biases = parameters[:k], parameters[k:]
        chances = softmax(slopes * bounded + biases, axis=1)
        likelihood = np.log(np.clip(chances[np.arange(n_rows), codes], _FLOOR, None))
        error = weights[:, None] * (chances - truth)
        loss = -(weights * likelihood).sum() + ((slopes - 1) ** 2).sum() / 2 + ((biases - start) ** 2).sum() / 2
        gradient = np.concatenate([(error * bounded).sum(axis=0) + slopes - 1, error.sum(axis=0) + biases - start])
        if kind == "bias":
            gradient[:k] = 0.0
        return float(loss), gradient

    bounds = [(0.05, 20.0)] * k + [(None, None)] * k
    found = minimize(objective, np.concatenate([np.ones(k), start]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:k], found[k:]


def _as_frequent(others: FloatArray, known: FloatArray, weights: FloatArray) -> bool:
    """Whether mean probabilities of other rows are those of known, weighted ones within two standard errors."""
    means = np.average(known, axis=0, weights=weights)
    shares = weights / weights.sum()
    errors = np.sqrt((shares[:, None] ** 2 * (known - means) ** 2).sum(axis=0) + others.var(axis=0) / len(others))
    return bool((np.abs(others.mean(axis=0) - means) <= 2 * errors).all())


def _matching_biases(probabilities: FloatArray, weights: FloatArray, wanted: FloatArray) -> FloatArray:
    """Biases of mean 0 under which the decisions for weighted rows have the wanted shares, as nearly as rows allow.

    The sum over rows of their highest biased score, minus the wanted shares times the biases, is convex in the biases,
    and its gradient is decided minus wanted shares; it is minimised with ever harder decisions.
    """
    from scipy.optimize import minimize

    scores = np.log(np.clip(probabilities, _FLOOR, None))
    shares = weights / weights.sum()
    biases = np.zeros(len(wanted))
    for width in _SHARPNESS:

        def objective(b: FloatArray, width: float = width) -> tuple[float, FloatArray]:
            raised = (scores + b) / width
            highest = width * np.logaddexp.reduce(raised, axis=1)
            # A little weight on small biases: shares that no bias can reach would drive it to infinity.
            loss = (shares * highest).sum() - (wanted * b).sum() + 1e-4 * (b**2).sum() / 2
            return float(loss), (shares[:, None] * softmax(raised, axis=1)).sum(axis=0) - wanted + 1e-4 * b

        biases = minimize(objective, biases, jac=True, method="L-BFGS-B").x
    return np.asarray(biases - biases.mean())


def prior_factors(before: Mapping[Hashable, int], changes: Mapping[Hashable, int], n_classes: int) -> FloatArray:
    """Real share over rebalanced share of each class code 0 … n_classes - 1, shape (n_classes,).

    `changes` are the rows that were written less those that were left out. A class without rows keeps the factor 1.
    """
    real = np.array([before.get(code, 0) for code in range(n_classes)], dtype=np.float64)
    rebalanced = real + np.array([changes.get(code, 0) for code in range(n_classes)], dtype=np.float64)
    factors: FloatArray = np.ones(n_classes)
    np.divide(real / real.sum(), rebalanced / rebalanced.sum(), out=factors, where=rebalanced > 0)
    return factors


def correct_prior(probabilities: Probabilities, factors: FloatArray) -> Probabilities:
    """Multiply class probabilities by `factors`, shape (n_classes,), and renormalize; shape and dtype stay.

    Probabilities have shape (n,), of class 1, or (n, n_classes); rows of zeros are returned as they are.
    """
    weighted: FloatArray
    if probabilities.ndim == 1:
        weighted = probabilities * factors[1]
        total = weighted + (1.0 - probabilities) * factors[0]
    else:
        weighted = probabilities * factors
        total = weighted.sum(axis=1, keepdims=True)
    corrected: FloatArray = probabilities.astype(np.float64)
    np.divide(weighted, total, out=corrected, where=total > 0)
    return corrected.astype(probabilities.dtype)


def fitted_factors(probabilities: Probabilities, labels: npt.NDArray[Any], start: FloatArray) -> FloatArray:
    """Factors under which real rows are most likely, held near those that follow from the class shares alone.

    Minimises ``sum(-log p(label)) + |b - log(start)|^2 / 2`` over the logarithms b of the factors: one row that speaks
    for another factor weighs about as much as a deviation by one nat, so few rows change little. Probabilities are
    uncorrected, of rows that were not learned, as for :func:`correct_prior`; labels have shape (n,). `start` comes from
    :func:`prior_factors`; the fitted factors, shape (n_classes,), have its geometric mean.
    """
    from scipy.optimize import minimize

    chances = np.column_stack([1.0 - probabilities, probabilities]) if probabilities.ndim == 1 else probabilities
    logits = np.log(np.clip(chances.astype(np.float64), 1e-15, None))
    origin, codes = np.log(start), labels.astype(np.int64)
    seen = np.eye(len(start))[codes].sum(axis=0)

    def objective(b: FloatArray) -> tuple[float, FloatArray]:
        shifted = logits + b
        normalizer = np.logaddexp.reduce(shifted, axis=1)
        loss = float((normalizer - shifted[np.arange(len(codes)), codes]).sum() + ((b - origin) ** 2).sum() / 2)
        return loss, np.exp(shifted - normalizer[:, None]).sum(axis=0) - seen + b - origin

    found = minimize(objective, origin, jac=True, method="L-BFGS-B").x
    return np.asarray(np.exp(found - found.mean() + origin.mean()))


def held_out_rows(codes: IntArray, classes: Iterable[int], share: float, seed: int) -> BoolArray:
    """Rows that are not learned but evaluate or calibrate a model, shape (n,).

    A share of each of the `classes` of 20 rows or more, 1 to 2,000 rows where it is above 0; each has its own draw.
    """
    chosen = np.zeros(len(codes), dtype=bool)
    for code in classes:
        members = np.flatnonzero(codes == code)
        if share > 0 and len(members) >= _FEWEST_TO_HOLD_OUT:
            rng = child_rng(seed, "training", "held out", code)
            size = min(_MOST_TO_HOLD_OUT, max(1, round(share * len(members))))
            chosen[rng.choice(members, size=size, replace=False)] = True
    return chosen
