"""How close generated features of LatentDiff are to the real ones of the same bins, and whether they differ enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.quality.measures.discriminator import discriminator_auc
from imbllm_autogluon.randomness import child_rng, child_seed
from imbllm_autogluon.regression.feature_generation import FeatureGenerator

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.regression.latent_model import LatentModel

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

FEATURE_METRICS = ("AUC", "mean gap", "covariance gap", "covariance gap of draws", "distinct", "distinct of draws")

LEAST_ROWS = 20
"""Rows of a bin from which on its mean and covariance are compared."""


def feature_quality(model: LatentModel, X: pd.DataFrame, targets: FloatArray, seed: int = 0) -> dict[str, float]:
    """Compare as many generated features as there are real ones, bin by bin.

    Parameters
    ----------
    model
        Fitted with generated features; otherwise there is nothing to say.
    X, targets
        The rows it was fitted on, shapes (n, m) and (n,).
    seed
        Of generation and of the trees that tell both sides apart.

    Returns
    -------
    dict
        `AUC`: of boosted trees that tell generated features, with their targets, from real ones (0.5 is best).
        `mean gap`: mean distance of the features' means, bin by bin, in deviations of the whole (0 is best).
        `covariance gap`: Frobenius distance of the covariances over the norm of the real one, mean over bins (0 is
        best); `… of draws`: the same for a drawing with replacement of the real ones.
        `distinct`: real features that are the nearest of a generated one, over the generated ones; `… of draws`: the
        same for a drawing with replacement, whose value a generator without collapse reaches.
    """
    if not isinstance(model.generator, FeatureGenerator):
        return {}
    features = model._features(X)
    scaled = model.standardised(targets)
    assigned = model.bins.assign(targets)
    counts = model.bins.counts(targets)
    made = model.generator.generate(counts, child_seed(seed, "decoding", "quality"), model.threads).first(counts)
    rows = _redrawn(assigned, seed)
    columns = [*(f"feature {place}" for place in range(features.shape[1])), "target"]
    real = pd.DataFrame(np.column_stack((features, scaled)), columns=columns)
    generated = pd.DataFrame(np.column_stack((made.features, made.targets)), columns=columns)
    gaps = _gaps(features, assigned, made.features, made.assigned)
    own = _gaps(features, assigned, features[rows], assigned[rows])
    return {
        "AUC": discriminator_auc(real, generated, seed),
        "mean gap": gaps[0],
        "covariance gap": gaps[1],
        "covariance gap of draws": own[1],
        "distinct": _distinct(features, made.features),
        "distinct of draws": _distinct(features, features[rows]),
    }


def _redrawn(assigned: IntArray, seed: int) -> IntArray:
    """Rows drawn with replacement, as many of each bin as it has."""
    rng = child_rng(seed, "values", "redrawn")
    parts = [rng.choice(np.flatnonzero(assigned == number), (assigned == number).sum()) for number in set(assigned)]
    return np.concatenate(parts)


def _gaps(real: FloatArray, real_bins: IntArray, made: FloatArray, made_bins: IntArray) -> tuple[float, float]:
    """Mean distances of means and of covariances over the bins that are large enough on both sides."""
    means, covariances = [], []
    for number in np.unique(real_bins):
        own, other = real[real_bins == number], made[made_bins == number]
        if min(len(own), len(other)) < LEAST_ROWS:
            continue
        means.append(float(np.abs(own.mean(axis=0) - other.mean(axis=0)).mean()))
        spread: Any = np.cov(own, rowvar=False)
        covariances.append(float(np.linalg.norm(spread - np.cov(other, rowvar=False)) / np.linalg.norm(spread)))
    nothing = float("nan")
    return (float(np.mean(means)), float(np.mean(covariances))) if means else (nothing, nothing)


def _distinct(real: FloatArray, made: FloatArray) -> float:
    """Distinct nearest real rows over the number of rows."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(real).kneighbors(made, return_distance=False)[:, 0]
    return len(np.unique(nearest)) / max(1, len(made))
