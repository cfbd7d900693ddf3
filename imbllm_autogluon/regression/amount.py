"""How many features are generated: as many as help rare targets within what common ones may lose.

Each amount is tried: the head is trained on the learned rows with that many synthetic features, and judged by the rows
that the encoder held out. The paper names a range of ratios (0.2 to 0.8); choosing one by a budget is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon.regression.allocation import allocate
from imbllm_autogluon.regression.bent_head import retrained_head

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.bent_head import BentHead
    from imbllm_autogluon.regression.config import LatentDiffConfig
    from imbllm_autogluon.regression.feature_generation import SyntheticFeatures
    from imbllm_autogluon.regression.head import Head


RATIOS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0)
"""Synthetic features for each real row that are tried."""

LEAST_JUDGES = 50
"""Held-out rows below which nothing can be told apart."""


class RealFeatures(NamedTuple):
    """Rows as the head reads them."""

    features: FloatArray
    """Standardised, shape (n, d)."""
    targets: FloatArray
    """Standardised, shape (n,)."""
    weights: FloatArray
    """Shape (n,)."""
    assigned: IntArray
    """Bin of each, shape (n,)."""

    def take(self, rows: IntArray) -> RealFeatures:
        """Rows by position."""
        return RealFeatures(self.features[rows], self.targets[rows], self.weights[rows], self.assigned[rows])


class Amount(NamedTuple):
    """What was chosen, and why."""

    ratio: float | None
    """Synthetic features for each real row; None: no head trained anew was better beyond doubt, and the first stays."""
    trials: pd.DataFrame
    """Tried ratios as index; of the held-out rows, in deviations of the target: `overall`, mean absolute error over all
    rows; `by_bin`, the mean over bins; `noise`, the standard error of what `by_bin` gains. The row named NaN is the
    encoder's own head."""


def head_on_mix(start: Head, real: RealFeatures, made: SyntheticFeatures, config: LatentDiffConfig) -> Head | BentHead:
    """Head trained on real and synthetic features; synthetic ones weigh 1."""
    return retrained_head(
        start,
        np.concatenate([real.features, made.features]),
        np.concatenate([real.targets, made.targets]),
        np.concatenate([real.weights, np.ones(len(made.targets))]),
        config.treatment,
    )


def chosen_amount(
    start: Head,
    real: RealFeatures,
    held_out: IntArray,
    made: SyntheticFeatures,
    errors: FloatArray,
    config: LatentDiffConfig,
) -> Amount:
    """Try all ratios and choose the one that surely gains most by bin, within the budget.

    A ratio's gain counts after its standard error: a few held-out rows decide about rare bins, and where noise chooses,
    rare targets lose as often as they gain.

    Parameters
    ----------
    start
        The encoder's own head.
    real
        All training rows.
    held_out
        Positions of those that the encoder did not learn from.
    made
        Synthetic features for the highest of `RATIOS`.
    errors
        Normalised error of each bin, shape (n_bins,).
    config
        `overall_budget`, allocation and head.
    """
    counts = np.bincount(real.assigned, minlength=len(errors))
    judges = real.take(held_out)
    learned = real.take(np.setdiff1d(np.arange(len(real.targets)), held_out))
    heads: list[Head | BentHead] = [start]
    for ratio in RATIOS:
        part = made.first(allocate(errors, counts, config.allocation, ratio))
        heads.append(head_on_mix(start, learned, part, config))
    trials = _judged(heads, judges).set_axis([float("nan"), *RATIOS], axis=0).rename_axis("ratio")
    most = (1.0 + config.allocation.overall_budget) * trials["overall"].iloc[0]
    sure = trials["by_bin"].iloc[0] - trials["by_bin"] - trials["noise"]
    best = int(sure.where(trials["overall"] <= most, -np.inf).to_numpy().argmax())
    return Amount(None if best == 0 else RATIOS[best - 1], trials)


def _judged(heads: list[Head | BentHead], rows: RealFeatures) -> pd.DataFrame:
    """Errors of each head on some rows, and how sure the gains over the first one are."""
    errors = np.abs(np.stack([head.predict(rows.features) for head in heads]) - rows.targets)
    sizes = np.bincount(rows.assigned)
    shares = 1.0 / (sizes[rows.assigned] * (sizes > 0).sum())
    overall = np.average(errors, axis=1, weights=rows.weights if rows.weights.sum() else None)
    noise = np.sqrt(errors.shape[1]) * ((errors[0] - errors) * shares).std(axis=1)
    return pd.DataFrame({"overall": overall, "by_bin": errors @ shares, "noise": noise})
