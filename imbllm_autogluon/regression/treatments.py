"""What an encoder is trained with, by the name of a method.

Feature distribution smoothing (Yang et al. 2021, section 3.2): nearby bins share statistics of features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.regression.losses import BalancedMSE, RankSim, RegressionLoss, WeightedMSE
from imbllm_autogluon.regression.weights import dense_weights, gaussian_window, lds_weights

if TYPE_CHECKING:
    from torch import Tensor

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


LEAST_RATIO, MOST_RATIO = 0.1, 10.0
"""Limits of smoothed over own variance, as in the authors' code."""


class FeatureDistributionSmoothing:
    """Calibrates features while an encoder learns: whitened by their bin's statistics, coloured by the smoothed ones.

    Unlike the authors' code, bins without rows take no part in the smoothing (there they stand for features of mean 0
    and variance 1), and in a bin of one row, which has no variance, only the mean is calibrated. The first epoch leaves
    features as they are, and so does prediction.

    Parameters
    ----------
    bins
        Bins of the target in the unit in which targets are given to `calibrate` and `update`
        (``bins.scaled(mean, deviation)`` for standardised ones).
    feature_size
        d.
    size, sigma
        Window over neighbouring bins, see :func:`~imbllm_autogluon.regression.weights.gaussian_window`; 5 and 2 are
        the authors'.
    momentum
        Share of the older statistics that an epoch keeps (0 to 1); 0.9 is the authors'.
    """

    def __init__(
        self, bins: TargetBins, feature_size: int, *, size: int = 5, sigma: float = 2.0, momentum: float = 0.9
    ) -> None:
        require_number("momentum", momentum, 0.0, 1.0)
        self._bins = bins
        self._momentum = momentum
        self._kernel = _smoothing_matrix(len(bins), size, sigma)
        self.means = torch.zeros(len(bins), feature_size)
        """Running mean of the features of each bin, shape (n_bins, d)."""
        self.variances = torch.zeros(len(bins), feature_size)
        """Running variance, shape (n_bins, d)."""
        self.counts = torch.zeros(len(bins))
        """Rows of each bin, shape (n_bins,); all 0 before the first epoch has ended."""

    @torch.no_grad()
    def update(self, features: Tensor, targets: Tensor) -> None:
        """Take in the features of all training rows, shape (n, d), after an epoch."""
        codes = self._codes(targets)
        counts = torch.bincount(codes, minlength=len(self._bins)).to(features.dtype)
        rows = counts.clamp(min=1.0)[:, None]
        means = torch.zeros_like(self.means).index_add_(0, codes, features) / rows
        variances = torch.zeros_like(means).index_add_(0, codes, (features - means[codes]) ** 2) / rows
        keep = self._momentum if self.counts.any() else 0.0
        self.means = keep * self.means + (1 - keep) * means
        self.variances = keep * self.variances + (1 - keep) * variances
        self.counts = counts

    def calibrate(self, features: Tensor, targets: Tensor) -> Tensor:
        """Features of a training batch, shape (n, d), with the smoothed mean and variance of their bins."""
        if not self.counts.any():
            return features
        codes = self._codes(targets)
        means, variances = self.smoothed()
        own = self.variances[codes]
        # Units without variance, as all are in a bin of one row, keep their scale.
        ratios = torch.where(own > 1e-10, variances[codes] / own.clamp(min=1e-10), 1.0).clamp(LEAST_RATIO, MOST_RATIO)
        return (features - self.means[codes]) * ratios.sqrt() + means[codes]

    def smoothed(self) -> tuple[Tensor, Tensor]:
        """Means and variances of the bins, shape (n_bins, d) each, averaged over neighbouring bins that hold rows."""
        return self._average(self.means, self.counts > 0), self._average(self.variances, self.counts > 1)

    def _average(self, statistics: Tensor, present: Tensor) -> Tensor:
        shares = self._kernel * present
        # A bin without any neighbour keeps its own.
        alone = ~present.any() | (shares.sum(dim=1) == 0)
        average = (shares @ statistics) / shares.sum(dim=1, keepdim=True).clamp(min=1e-12)
        return torch.where(alone[:, None], statistics, average)

    def _codes(self, targets: Tensor) -> Tensor:
        return torch.as_tensor(self._bins.assign(targets.detach().cpu().double().numpy()))


def _smoothing_matrix(n_bins: int, size: int, sigma: float) -> Tensor:
    """Share that each bin (column) has in the smoothed statistics of each bin (row); absent bins still count."""
    window = torch.as_tensor(gaussian_window(size, sigma), dtype=torch.float32)
    places = torch.arange(n_bins)
    offsets = places[None, :] - places[:, None] + size // 2
    return torch.where((offsets >= 0) & (offsets < size), window[offsets.clamp(0, size - 1)], 0.0)
