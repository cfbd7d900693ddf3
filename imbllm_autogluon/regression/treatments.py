"""What an encoder is trained with, by the name of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imbllm_autogluon.regression.fds import FeatureDistributionSmoothing
from imbllm_autogluon.regression.losses import BalancedMSE, RankSim, RegressionLoss, WeightedMSE
from imbllm_autogluon.regression.weights import dense_weights, lds_weights

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.bins import TargetBins
    from imbllm_autogluon.regression.config import LatentDiffConfig
    from imbllm_autogluon.regression.encoder_training import FeatureSmoother


class Treatment(NamedTuple):
    """Loss, weights and smoother of an encoder's training."""

    loss: RegressionLoss
    weights: FloatArray
    """Shape (n,), mean 1."""
    smoother: FeatureSmoother | None = None


def treatment(config: LatentDiffConfig, targets: FloatArray, bins: TargetBins) -> Treatment:
    """Return what the encoder of a method is trained with.

    Parameters
    ----------
    config
        The method; for ``"latent_diff"`` the one of its encoder.
    targets
        Standardised training targets, shape (n,).
    bins
        Bins of standardised targets.
    """
    chosen = config.treatment
    method = chosen.encoder_method if chosen.method == "latent_diff" else chosen.method
    smoother = FeatureDistributionSmoothing(bins, config.encoder.feature_size) if method == "fds" else None
    return Treatment(_loss(method), _weights(method, targets, bins), smoother)


def _loss(method: str) -> RegressionLoss:
    losses: dict[str, type[RegressionLoss]] = {"balanced_mse": BalancedMSE, "rank_sim": RankSim}
    return losses.get(method, WeightedMSE)()


def _weights(method: str, targets: FloatArray, bins: TargetBins) -> FloatArray:
    """Weight of each row in the loss, shape (n,)."""
    if method == "lds":
        return lds_weights(targets, bins)
    return dense_weights(targets) if method == "dense_weight" else np.ones(len(targets))
