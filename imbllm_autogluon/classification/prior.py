"""Undo in the probabilities what rebalancing did to the class shares.

A model fitted on rows with class shares q learns ``p_q(y|x)``; under the real shares p, Bayes' rule gives
``p(y|x) ∝ p_q(y|x) · p(y) / q(y)`` (Saerens et al. 2002, eq. 4; H2O's ``balance_classes`` does the same).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray

    Probabilities = npt.NDArray[np.floating[Any]]


def prior_factors(before: Mapping[Hashable, int], added: Mapping[Hashable, int], n_classes: int) -> FloatArray:
    """Real share over rebalanced share of each class code 0 … n_classes - 1, shape (n_classes,).

    A class without rows keeps the factor 1.
    """
    real = np.array([before.get(code, 0) for code in range(n_classes)], dtype=np.float64)
    rebalanced = real + np.array([added.get(code, 0) for code in range(n_classes)], dtype=np.float64)
    factors: FloatArray = np.ones(n_classes)
    np.divide(real / real.sum(), rebalanced / rebalanced.sum(), out=factors, where=rebalanced > 0)
    return factors


def correct_prior(probabilities: Probabilities, factors: FloatArray) -> Probabilities:
    """Multiply class probabilities by `factors` and renormalise.

    Parameters
    ----------
    probabilities
        Shape (n,), the probability of class 1 (binary), or (n, n_classes).
    factors
        Shape (n_classes,), as from :func:`prior_factors`.

    Returns
    -------
    ndarray
        Same shape and dtype; rows of zero probability everywhere are returned as they are.
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
    for another factor weighs about as much as a deviation by one nat, so few rows change little.

    Parameters
    ----------
    probabilities
        Uncorrected, of real rows that were not learned; shape (n,) for the second of two classes, or (n, n_classes).
    labels
        Codes of their classes, shape (n,).
    start
        Factors of :func:`prior_factors`, shape (n_classes,).

    Returns
    -------
    ndarray
        Shape (n_classes,); scaled so that their geometric mean is that of `start`.
    """
    from scipy.optimize import minimize

    chances = np.column_stack([1.0 - probabilities, probabilities]) if probabilities.ndim == 1 else probabilities
    logits = np.log(np.clip(chances.astype(np.float64), 1e-15, None))
    origin, codes = np.log(start), labels.astype(np.int64)
    seen = np.eye(len(start))[codes].sum(axis=0)

    def objective(b: FloatArray) -> tuple[float, FloatArray]:
        shifted = logits + b
        normaliser = np.logaddexp.reduce(shifted, axis=1)
        loss = float((normaliser - shifted[np.arange(len(codes)), codes]).sum() + ((b - origin) ** 2).sum() / 2)
        return loss, np.exp(shifted - normaliser[:, None]).sum(axis=0) - seen + b - origin

    found = minimize(objective, origin, jac=True, method="L-BFGS-B").x
    factors: FloatArray = np.exp(found - found.mean() + origin.mean())
    return factors
