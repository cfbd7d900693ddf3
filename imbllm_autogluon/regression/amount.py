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
    import numpy.typing as npt

    from imbllm_autogluon.regression.bent_head import BentHead
    from imbllm_autogluon.regression.config import LatentDiffConfig
    from imbllm_autogluon.regression.feature_generation import SyntheticFeatures
    from imbllm_autogluon.regression.head import Head

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

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
    """Synthetic features for each real row; None: every head trained anew broke the budget, and the first one stays."""
    trials: pd.DataFrame
    """Tried ratios as index; columns `overall` and `by_bin`, mean absolute errors of the held-out rows in deviations
    of the target: over all rows, and the mean over bins. The row named NaN is the encoder's own head."""


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
    """Try all ratios and choose the one whose mean error over bins is the least, within the budget.

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
    trials = {float("nan"): _errors_of(start, judges)}
    for ratio in RATIOS:
        part = made.first(allocate(errors, counts, config.allocation, ratio))
        trials[ratio] = _errors_of(head_on_mix(start, learned, part, config), judges)
    table = pd.DataFrame.from_dict(trials, orient="index", columns=["overall", "by_bin"]).rename_axis("ratio")
    most = (1.0 + config.allocation.overall_budget) * table["overall"].iloc[0]
    best = table["by_bin"].where(table["overall"] <= most).to_numpy().argsort()[0]
    return Amount(None if best == 0 else RATIOS[best - 1], table)


def _errors_of(head: Head | BentHead, rows: RealFeatures) -> tuple[float, float]:
    """Mean absolute error over all rows, weighted, and over bins, each as much as any other."""
    errors = np.abs(head.predict(rows.features) - rows.targets)
    sizes = np.bincount(rows.assigned)
    means = np.bincount(rows.assigned, weights=errors)[sizes > 0] / sizes[sizes > 0]
    return float(np.average(errors, weights=rows.weights if rows.weights.sum() else None)), float(means.mean())
