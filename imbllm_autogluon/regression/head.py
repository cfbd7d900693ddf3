"""The head that is retrained on real and synthetic features, and how many synthetic ones it is retrained with.

The paper's head is linear (LatentDiff, arXiv 2509.23240), and what lifts its highest predictions lifts all. The bends,
beyond which alone predictions move, and the choice of a ratio within a budget, are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import allocate

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import LatentDiffConfig, MethodConfig
    from imbllm_autogluon.regression.gate import RealFeatures, SyntheticFeatures

# Synthetic features for each real row that are tried
_LEAST_SHARE = 1e-3  # of the mean deviation, to which lower ones are lifted: a dead feature's noise is not blown up
_BENDS = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)  # where the head may bend, in deviations of the target from its mean
_ROUNDS = 15  # of reweighting: predictions are then within 1e-5 deviations of those after 100 (California housing)
_SMALL = 0.1  # errors below it, in deviations of the target, are not told apart: they would outweigh all others


class FeatureScale(NamedTuple):
    """Mean and deviation (above 0) of each feature of an encoder, shape (d,); scaled ones have 0 and 1."""

    means: FloatArray
    deviations: FloatArray

    @classmethod
    def fit(cls, features: FloatArray) -> FeatureScale:
        """Measure features of shape (n, d); refuses infinite and missing ones."""
        bad = int((~np.isfinite(features)).any(axis=1).sum())
        if bad:
            raise InvalidInputError(
                f"the encoder's features are infinite or missing in {bad} of {len(features)} rows; every feature must "
                "be a finite number. A lower learning_rate keeps training from diverging."
            )
        deviations = features.std(axis=0)
        least = _LEAST_SHARE * float(deviations.mean())
        return cls(features.mean(axis=0), np.maximum(deviations, least if least > 0 else 1.0))

    def transform(self, features: FloatArray) -> FloatArray:
        """Standardized features, shape (n, d)."""
        return np.asarray((features - self.means) / self.deviations)

    def head_on_scaled(self, head: Head) -> Head:
        """Return the head that predicts the same from standardized features."""
        return Head(head.weights * self.deviations, head.intercept + float(self.means @ head.weights))


class Head(NamedTuple):
    """Prediction ``features @ weights + intercept``, where the features of a bent head include its bends."""

    weights: FloatArray  # shape (d,), or (d + 6,) with bends
    intercept: float
    start: Head | None = None  # the head whose predictions a bent head bends; None: it is linear

    def predict(self, features: FloatArray) -> FloatArray:
        """Predictions of features (n, d), shape (n,)."""
        read = features if self.start is None else _with_bends(features, self.start)
        return np.asarray(read @ self.weights + self.intercept)

    def retrained(self, real: RealFeatures, made: SyntheticFeatures, config: MethodConfig) -> Head:
        """Head with the least mean loss on real and synthetic features, drawn towards this one.

        Synthetic features weigh 1; bends are drawn to none. Absolute errors are minimised by squared ones, weighted
        again by the inverse of the errors they left (iteratively reweighted least squares); errors below 0.1 deviations
        of the target count as squared ones do.
        """
        features = np.concatenate([real.features, made.features])
        targets = np.concatenate([real.targets, made.targets])
        weights = np.concatenate([real.weights, np.ones(len(made.targets))])
        if config.head == "linear":
            return _retrained(self, features, targets, weights, config)
        straight = Head(np.concatenate([self.weights, np.zeros(len(_BENDS))]), self.intercept)
        whole = _retrained(straight, _with_bends(features, self), targets, weights, config)
        return whole._replace(start=self)


def _with_bends(features: FloatArray, start: Head) -> FloatArray:
    """Features, then how far the prediction lies beyond each bend, away from the mean; shape (n, d + 6)."""
    bends = np.asarray(_BENDS)
    beyond = np.maximum(np.sign(bends) * (start.predict(features)[:, None] - bends), 0.0)
    return np.concatenate([features, beyond], axis=1)


def _retrained(
    start: Head, features: FloatArray, targets: FloatArray, row_weights: FloatArray, config: MethodConfig
) -> Head:
    """Linear head for all of the features."""
    head = _least_squares(start, features, targets, row_weights, config.head_shrinkage)
    for _ in range(_ROUNDS if config.head_loss == "absolute" else 0):
        errors = np.maximum(np.abs(targets - head.predict(features)), _SMALL)
        head = _least_squares(start, features, targets, row_weights / errors, config.head_shrinkage)
    return head


def _least_squares(
    start: Head, features: FloatArray, targets: FloatArray, row_weights: FloatArray, shrinkage: float
) -> Head:
    """Head with the least mean squared error and change.

    Minimises ``Σ s (y - f w - b)² / Σ s + shrinkage |w - w_start|²``, of which the solution is known, so no steps and
    no seed are needed.
    """
    shares = row_weights / row_weights.sum()
    middle, residuals = shares @ features, targets - start.predict(features)
    centred, offset = features - middle, float(shares @ residuals)
    gram = (centred * shares[:, None]).T @ centred + shrinkage * np.eye(len(middle))
    # Least squares rather than a solution: without shrinkage, features without spread leave the matrix singular.
    change = np.linalg.lstsq(gram, (centred * shares[:, None]).T @ (residuals - offset), rcond=None)[0]
    return Head(start.weights + change, start.intercept + offset - float(middle @ change))


def choose_ratio(
    start: Head,
    real: RealFeatures,
    held_out: IntArray,
    made: SyntheticFeatures,
    errors: FloatArray,
    config: LatentDiffConfig,
) -> tuple[float | None, pd.DataFrame]:
    """Retrain heads with all `tried_ratios` and choose the one that surely gains most by bin, within the budget.

    Heads are trained on the learned rows and evaluated on those that the encoder held out; a gain counts after its
    standard error, since a few rows decide about rare bins. `made` is for the highest ratio, allocated by `errors`.

    Returns the ratio, or None where the first head stays, and the trials by ratio, NaN for the first head. Their
    columns, of the held-out rows in deviations of the target: `overall`, mean absolute error over all rows; `by_bin`,
    the mean over bins; `noise`, the standard error of its gain.
    """
    counts = np.bincount(real.assigned, minlength=len(errors))
    learned = real.take(np.setdiff1d(np.arange(len(real.targets)), held_out))
    heads = [start]
    ratios = config.allocation.tried_ratios
    for ratio in ratios:
        part = made.first(allocate(errors, counts, config.allocation, ratio))
        heads.append(start.retrained(learned, part, config.imbalance))
    trials = _evaluate(heads, real.take(held_out)).set_axis([float("nan"), *ratios], axis=0).rename_axis("ratio")
    most = (1.0 + config.allocation.overall_budget) * trials["overall"].iloc[0]
    sure = trials["by_bin"].iloc[0] - trials["by_bin"] - trials["noise"]
    best = int(sure.where(trials["overall"] <= most, -np.inf).to_numpy().argmax())
    return (None if best == 0 else ratios[best - 1]), trials


def _evaluate(heads: list[Head], rows: RealFeatures) -> pd.DataFrame:
    """Errors of each head on some rows, and how sure the gains over the first one are."""
    errors = np.abs(np.stack([head.predict(rows.features) for head in heads]) - rows.targets)
    sizes = np.bincount(rows.assigned)
    shares = 1.0 / (sizes[rows.assigned] * (sizes > 0).sum())
    overall = np.average(errors, axis=1, weights=rows.weights if rows.weights.sum() else None)
    noise = np.sqrt(errors.shape[1]) * ((errors[0] - errors) * shares).std(axis=1)
    return pd.DataFrame({"overall": overall, "by_bin": errors @ shares, "noise": noise})
