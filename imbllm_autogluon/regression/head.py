"""The head that is retrained on real and synthetic features, and how many synthetic ones it is retrained with.

The paper's head is linear (LatentDiff, arXiv 2509.23240), and what lifts its highest predictions lifts all. The bends,
beyond which alone predictions move, and the choice of a ratio within a budget, are ours.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon.regression.bins import allocate

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import LatentDiffConfig, MethodConfig
    from imbllm_autogluon.regression.gate import RealFeatures, SyntheticFeatures

_BENDS = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)  # where the head may bend, in deviations of the target from its mean
_ROUNDS = 15  # of reweighting: predictions are then within 1e-5 deviations of those after 100 (California housing)
_ROUNDS_TRIED = 6  # of heads that are tried
_SMALL = 0.1  # errors below it, in deviations of the target, are not told apart: they would outweigh all others
_LIGHT = 1e-3  # shrinkage of the weights of the prediction and of its bends
_TINY = 1e-9  # keeps the equations solvable where features have no spread


class Head(NamedTuple):
    """Prediction ``features @ weights + intercept``; a bent one also reads how far the first feature is beyond bends.

    The first feature is the prediction of the encoder, which the first head repeats.
    """

    weights: FloatArray  # shape (d,), or (d + 6,) with bends
    intercept: float = 0.0
    bent: bool = False

    @classmethod
    def first(cls, d: int, bent: bool = False) -> Head:
        """The head (1, 0, ..., 0) of d features."""
        return cls(np.eye(1, d + bent * len(_BENDS))[0], bent=bent)

    @classmethod
    def retrained(cls, real: RealFeatures, made: SyntheticFeatures, config: MethodConfig, shrinkage: float) -> Head:
        """Head with the least mean loss on real and synthetic features, drawn towards the first one.

        Synthetic features weigh 1; bends are drawn to none. The first weight and those of bends are drawn by a light
        shrinkage, all others by the given one. Absolute errors are minimised by squared ones, weighted again by the
        inverse of the errors they left (iteratively reweighted least squares); errors below 0.1 deviations of the
        target count as squared ones do.
        """
        features = np.concatenate([real.features, made.features])
        targets = np.concatenate([real.targets, made.targets])
        weights = np.concatenate([real.weights, np.ones(len(made.targets))])
        bent = config.head == "bent"
        read = _with_bends(features) if bent else features
        return _reweighted(read, targets, weights, _penalties(real.features.shape[1], bent, shrinkage), config, _ROUNDS)

    def predict(self, features: FloatArray) -> FloatArray:
        """Predictions of features (..., n, d), shape (..., n)."""
        read = _with_bends(features) if self.bent else features
        return np.asarray(read @ self.weights + self.intercept)


def _with_bends(features: FloatArray) -> FloatArray:
    """Features, then how far the first lies beyond each bend, away from the mean; shape (..., d + 6)."""
    bends = np.asarray(_BENDS)
    beyond = np.maximum(np.sign(bends) * (features[..., :1] - bends), 0.0)
    return np.concatenate([features, beyond], axis=-1)


def _penalties(d: int, bent: bool, shrinkage: float) -> FloatArray:
    """Shrinkage of each weight."""
    return np.concatenate([[_LIGHT], np.full(d - 1, shrinkage), np.full(bent * len(_BENDS), _LIGHT)])


def _reweighted(
    read: FloatArray, targets: FloatArray, weights: FloatArray, penalties: FloatArray, config: MethodConfig, rounds: int
) -> Head:
    """Head of what it reads, bends included, by some rounds of reweighting."""
    weighted, bent = weights, config.head == "bent"
    for left in range(rounds if config.head_loss == "absolute" else 0, -1, -1):
        found, intercept = _least_squares(read, targets, weighted, penalties)
        if left:
            weighted = weights / np.maximum(np.abs(targets - read @ found - intercept), _SMALL)
    return Head(found, intercept, bent)


def _least_squares(
    read: FloatArray, targets: FloatArray, weights: FloatArray, penalties: FloatArray
) -> tuple[FloatArray, float]:
    """Weights and intercept with the least mean squared error and change.

    Minimises ``Σ s (y - f w - b)² / Σ s + Σ penalty (w - w_start)²`` with ``w_start = (1, 0, ..., 0)``, of which the
    solution is known, so no steps and no seed are needed.
    """
    shares = weights / weights.sum()
    middle, residuals = shares @ read, targets - read[:, 0]
    centred, offset = read - middle, float(shares @ residuals)
    weighted = (centred * shares[:, None]).T
    change = np.linalg.solve(weighted @ centred + np.diag(penalties + _TINY), weighted @ (residuals - offset))
    return Head.first(len(change)).weights + change, offset - float(middle @ change)


def choose_head(
    real: RealFeatures, fold: IntArray, errors: FloatArray, config: LatentDiffConfig
) -> tuple[float | None, float, pd.DataFrame]:
    """Cross-validate heads of all ratios and shrinkages that are not given, and choose one.

    A head is trained on the features without a fold (n,), where rows weigh more instead of being joined by synthetic
    ones, and evaluated on that fold. With ``generation_ratio="auto"`` the choice is the head that surely gains most by
    bin over the first one, among those that are surely within the budget: a gain counts less its standard error, and a
    cost over all rows with it, since a few rows decide about rare bins, and all of a small table are few. With a given
    ratio it is the shrinkage that surely gains most.

    Returns the ratio, None where the first head stays, the shrinkage, and the trials by both, NaN for the first head.
    Their columns, in deviations of the target: `overall`, mean absolute error over all rows; `over`, that beyond the
    budget, surely; `by_bin`, the mean error over bins; `noise`, the standard error of its gain.
    """
    tried = list(product(config.allocation.all_ratios, config.imbalance.all_shrinkages))
    found = [np.abs(real.features[:, 0] - real.targets)]
    found += [_unseen_errors(real, fold, errors, config, ratio, shrinkage) for ratio, shrinkage in tried]
    nan = float("nan")
    index = pd.MultiIndex.from_tuples([(nan, nan), *tried], names=["ratio", "shrinkage"])
    trials = _summarized(np.stack(found), real, config.allocation.overall_budget).set_index(index)
    sure = trials["by_bin"].iloc[0] - trials["by_bin"] - trials["noise"]
    if len(config.allocation.all_ratios) == 1:
        best = 1 + int(sure.to_numpy()[1:].argmax())
    else:
        best = int(sure.where(trials["over"] <= 0, -np.inf).to_numpy().argmax())
    ratio, shrinkage = tried[max(0, best - 1)]
    return (ratio if best else None), shrinkage, trials


def _unseen_errors(
    real: RealFeatures, fold: IntArray, errors: FloatArray, config: LatentDiffConfig, ratio: float, shrinkage: float
) -> FloatArray:
    """Absolute errors (n,) of heads that have not learned a row's fold."""
    bent, d = config.imbalance.head == "bent", real.features.shape[1]
    read = _with_bends(real.features) if bent else real.features
    penalties, found = _penalties(d, bent, shrinkage), np.empty(len(fold))
    for number in np.unique(fold):
        learned, unseen = fold != number, fold == number
        assigned = real.assigned[learned]
        counts = np.bincount(assigned, minlength=len(errors)).astype(np.int64)
        more = allocate(errors, counts, config.allocation, ratio) / np.maximum(counts, 1)
        weights = real.weights[learned] + more[assigned]
        head = _reweighted(read[learned], real.targets[learned], weights, penalties, config.imbalance, _ROUNDS_TRIED)
        found[unseen] = np.abs(read[unseen] @ head.weights + head.intercept - real.targets[unseen])
    return found


def _summarized(errors: FloatArray, rows: RealFeatures, budget: float) -> pd.DataFrame:
    """Errors (trials, n) over all rows and by bin, and how sure differences to the first trial are."""
    sizes, weights = np.bincount(rows.assigned), rows.weights / rows.weights.mean()
    shares = 1.0 / (sizes[rows.assigned] * (sizes > 0).sum())
    costs = (errors - (1.0 + budget) * errors[0]) * weights
    noise = np.sqrt(errors.shape[1]) * ((errors[0] - errors) * shares).std(axis=1)
    return pd.DataFrame(
        {
            "overall": (errors * weights).mean(axis=1),
            "over": costs.mean(axis=1) + costs.std(axis=1) / np.sqrt(errors.shape[1]),
            "by_bin": errors @ shares,
            "noise": noise,
        }
    )
