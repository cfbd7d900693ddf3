"""From a model's answers to probabilities and decisions under wanted class shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray


FLOOR = 1e-12
"""Least probability or share whose logarithm is taken."""

SHARPNESS = (1.0, 0.1, 0.01)
"""Widths, in nats, of the soft decisions that approach hard ones while class shares are matched."""


@dataclass(frozen=True, eq=False)
class LabelCalibration:
    """Per-class temperatures and biases of log-probabilities, and biases of the decision."""

    slopes: FloatArray
    """Inverse temperature of each class, shape (k,)."""

    biases: FloatArray
    """Added to each class's log-probability, nats, shape (k,)."""

    decision_biases: FloatArray
    """Added once more before the most likely class is answered, nats, shape (k,)."""

    @classmethod
    def none(cls, n_classes: int) -> LabelCalibration:
        """The calibration that changes nothing."""
        return cls(np.ones(n_classes), np.zeros(n_classes), np.zeros(n_classes))

    def probabilities(self, log_probabilities: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape (n, k), from a model's log-probabilities of that shape."""
        return softmax(self.slopes * log_probabilities + self.biases)

    def decide(self, probabilities: FloatArray) -> IntArray:
        """Answered class of each row, shape (n,), from calibrated probabilities."""
        scores = np.log(np.clip(probabilities, FLOOR, None)) + self.decision_biases
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)

    def to_dict(self) -> dict[str, list[float]]:
        """JSON-able form."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> LabelCalibration:
        """Rebuild it from :meth:`to_dict`."""
        return cls(**{name: np.array(values, dtype=np.float64) for name, values in state.items()})


def softmax(scores: FloatArray) -> FloatArray:
    """Probabilities of rows of scores, shape (n, k)."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: FloatArray = raised / raised.sum(axis=1, keepdims=True)
    return shares


def wanted_shares(
    prior: str | Mapping[Any, float] | None, labels: Sequence[Any], counts: IntArray
) -> FloatArray | None:
    """Class shares that a target prior asks for, shape (k,); None without one.

    Parameters
    ----------
    prior
        ``"training"``, ``"uniform"``, a share for each class, or None.
    labels, counts
        Classes and their rows, k each.

    Raises
    ------
    InvalidInputError
        The prior names other classes.
    """
    if prior is None:
        return None
    k = len(counts)
    if not isinstance(prior, Mapping):
        return counts / counts.sum() if prior == "training" else np.full(k, 1.0 / k)
    names, named = [str(label) for label in labels], {str(label): share for label, share in prior.items()}
    if set(named) != set(names):
        raise InvalidInputError(f"target_prior names the classes {list(named)}; the table has {names}.")
    shares = np.array([named[name] for name in names], dtype=np.float64)
    normalised: FloatArray = shares / shares.sum()
    return normalised


def prior_biases(wanted: FloatArray, own: FloatArray) -> FloatArray:
    """Biases that turn answers under the shares `own` into answers under the shares `wanted`, shape (k,).

    ``p(y|x) wanted(y) / own(y)``, renormalised (Saerens et al. 2002, equation 4); `own` are the model's mean
    probabilities.
    """
    biases: FloatArray = np.log(np.clip(wanted, FLOOR, None)) - np.log(np.clip(own, FLOOR, None))
    return biases


def fitted_scaling(
    log_probabilities: FloatArray,
    codes: IntArray,
    weights: FloatArray,
    start: FloatArray,
    kind: Literal["bias", "temperature"],
) -> tuple[FloatArray, FloatArray]:
    """Slopes and biases under which held-out rows are most likely, held near 1 and `start`.

    Minimises ``sum(-w log p(label)) + |b - start|^2 / 2 + |a - 1|^2 / 2``: one row that speaks against a deviation of 1
    about outweighs it, so few rows change little.

    Parameters
    ----------
    log_probabilities
        Of held-out rows, shape (n, k).
    codes, weights
        Class and weight of each of them, shape (n,).
    start
        Biases to begin with, shape (k,).
    kind
        ``"bias"`` keeps all slopes at 1.

    Returns
    -------
    slopes, biases
        Shape (k,) each.
    """
    from scipy.optimize import minimize

    n_rows, k = log_probabilities.shape
    truth = np.zeros((n_rows, k))
    truth[np.arange(n_rows), codes] = 1.0
    bounded = np.clip(log_probabilities, np.log(FLOOR), None)

    def objective(parameters: FloatArray) -> tuple[float, FloatArray]:
        slopes, biases = parameters[:k], parameters[k:]
        scores = slopes * bounded + biases
        chances = softmax(scores)
        likelihood = np.log(np.clip(chances[np.arange(n_rows), codes], FLOOR, None))
        error = weights[:, None] * (chances - truth)
        loss = -(weights * likelihood).sum() + ((slopes - 1) ** 2).sum() / 2 + ((biases - start) ** 2).sum() / 2
        gradient = np.concatenate([(error * bounded).sum(axis=0) + slopes - 1, error.sum(axis=0) + biases - start])
        if kind == "bias":
            gradient[:k] = 0.0
        return float(loss), gradient

    bounds = [(0.05, 20.0)] * k + [(None, None)] * k
    found = minimize(objective, np.concatenate([np.ones(k), start]), jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:k], found[k:]


def matching_biases(probabilities: FloatArray, weights: FloatArray, wanted: FloatArray) -> FloatArray:
    """Biases under which the answered classes of rows have the wanted shares, as nearly as rows allow.

    The sum over rows of their highest biased score, minus the wanted shares times the biases, is convex in the biases,
    and its gradient is answered minus wanted shares; it is minimised with ever harder decisions.

    Parameters
    ----------
    probabilities, weights
        Of held-out rows, shapes (n, k) and (n,).
    wanted
        Class shares, shape (k,).

    Returns
    -------
    numpy.ndarray of shape (k,), float64; its mean is 0
    """
    from scipy.optimize import minimize

    scores = np.log(np.clip(probabilities, FLOOR, None))
    shares = weights / weights.sum()
    biases = np.zeros(len(wanted))
    for width in SHARPNESS:

        def objective(b: FloatArray, width: float = width) -> tuple[float, FloatArray]:
            raised = (scores + b) / width
            highest = width * np.logaddexp.reduce(raised, axis=1)
            # A little weight on small biases: shares that no bias can reach would drive it to infinity.
            loss = (shares * highest).sum() - (wanted * b).sum() + 1e-4 * (b**2).sum() / 2
            return float(loss), (shares[:, None] * softmax(raised)).sum(axis=0) - wanted + 1e-4 * b

        biases = minimize(objective, biases, jac=True, method="L-BFGS-B").x
    centred: FloatArray = biases - biases.mean()
    return centred
