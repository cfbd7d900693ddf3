"""What the encoders of the peers are trained with: losses, weights of rows, smoothed features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn

from imbllm_autogluon._config import require_choice, require_number
from imbllm_autogluon.regression.bins import TargetBins, checked_targets

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.config import LatentDiffConfig

_Reweighting = Literal["sqrt_inverse", "inverse"]
_GRID = 4096  # cells of the grid on which densities are estimated; a row's density is that of its cell
_BANDWIDTHS = 5  # bandwidths of the grid beyond the lowest and the highest target: less than 1e-6 of a kernel is cut
_NARROWEST = 0.5  # cells of a bandwidth at least: a narrower kernel would fall between the cells of the grid
# Largest change of a similarity by which the slope of its rank is measured: cosines differ by at most 2
_INTERPOLATION = 2.0
_MOMENTUM = 0.9  # share of the older statistics of features that an epoch keeps
# Limits of smoothed over own variance, as in the authors' code of feature distribution smoothing
_LEAST_RATIO, _MOST_RATIO = 0.1, 10.0


class ImbalanceMethod(NamedTuple):
    """What an encoder is trained with."""

    loss: _WeightedMSE  # what is minimised; its own parameters are learned with the encoder's
    weights: FloatArray  # weight of each row in the loss, shape (n,), mean 1
    smoother: _FeatureSmoothing | None = None  # calibrates features of training batches

    @classmethod
    def from_config(
        cls, config: LatentDiffConfig, targets: FloatArray, bins: TargetBins, row_weights: FloatArray | None = None
    ) -> ImbalanceMethod:
        """That of the method, or of `encoder_method` with ``"latent_diff"``, for standardized targets (n,).

        The user's `row_weights` (n,) multiply those of the method.
        """
        chosen = config.imbalance
        method = chosen.encoder_method if chosen.method == "latent_diff" else chosen.method
        losses: dict[str, type[_WeightedMSE]] = {"balanced_mse": _BalancedMSE, "rank_sim": _RankSim}
        smoother = _FeatureSmoothing(bins, config.encoder.feature_size) if method == "fds" else None
        own = np.ones(len(targets)) if row_weights is None else row_weights
        if method == "lds":
            own = own * lds_weights(targets, bins)
        if method == "dense_weight":
            own = own * dense_weights(targets)
        return cls(losses.get(method, _WeightedMSE)(), own, smoother)


class _WeightedMSE(nn.Module):
    """Mean of the weighted squared errors, and the base of the other losses.

    All read predictions, targets and weights of rows, each (n,), and the features (n, d) that were predicted from.
    """

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        return (weights * (prediction - target) ** 2).mean()


class _BalancedMSE(_WeightedMSE):
    """Batch-based Monte-Carlo Balanced MSE (Ren et al. 2022, equation 10) with a learned noise scale.

    Each prediction has to tell its own target from the others of the batch, so a frequent one gains nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noise = nn.Parameter(torch.ones(1))  # in deviations of the target; the authors' start

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        # A learned scale may come near 0, where the logits overflow.
        variance = self.noise[0] ** 2 + 1e-4
        logits = -((prediction[:, None] - target[None, :]) ** 2) / (2 * variance)
        each = nn.functional.cross_entropy(logits, torch.arange(len(target), device=target.device), reduction="none")
        loss: Tensor = (weights * each).mean()
        # The factor makes slopes a squared error's; in validation a smaller noise would look like a better model.
        return loss * (2 * variance.detach()) if self.training else loss


class _RankSim(_WeightedMSE):
    """Squared error, and features whose neighbors rank as their targets' neighbors do (Gong et al. 2022, equation 3).

    The ranks are made differentiable by blackbox interpolation (Vlastelica et al. 2020).
    """

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor, features: Tensor) -> Tensor:
        error = super().forward(prediction, target, weights, features)
        one_each = _one_row_each(target)
        if len(one_each) < 2:
            return error
        directions = nn.functional.normalize(features[one_each], dim=1)
        similar = -(target[one_each][:, None] - target[one_each][None, :]).abs()
        ranks: Tensor = _Ranks.apply(directions @ directions.T)  # type: ignore[no-untyped-call]
        return error + ((ranks - _normalized_ranks(similar)) ** 2).mean()


def _normalized_ranks(rows: Tensor) -> Tensor:
    """Rank of each number within its row, divided by the row's length: the largest number has the smallest rank."""
    order = rows.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(1, rows.shape[1] + 1, dtype=rows.dtype, device=rows.device) / rows.shape[1]
    return torch.empty_like(rows).scatter_(1, order, places.expand_as(rows))


def _one_row_each(target: Tensor) -> Tensor:
    """One random row for each distinct target: equal targets have no order to be kept."""
    shuffled = torch.randperm(len(target), device=target.device)
    _, group = torch.unique(target[shuffled], return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(target), device=target.device)
    return shuffled[first.scatter_reduce(0, group, torch.arange(len(target), device=target.device), "amin")]


class _Ranks(torch.autograd.Function):
    """Ranks whose slope is that between the given numbers and numbers moved along the gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ranks = _normalized_ranks(rows)
        ctx.save_for_backward(rows, ranks)
        return ranks

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        rows, ranks = ctx.saved_tensors
        steepest = gradient.abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
        strength = _INTERPOLATION / steepest
        slope: Tensor = (_normalized_ranks(rows + strength * gradient) - ranks) / strength
        return slope


def lds_weights(
    y: npt.ArrayLike, bins: TargetBins, kind: _Reweighting = "sqrt_inverse", size: int = 5, sigma: float = 2.0
) -> FloatArray:
    """Label distribution smoothing: weights of mean 1, the inverse of how frequent a bin and its neighbors are, (n,).

    Yang et al. 2021, "Delving into Deep Imbalanced Regression", section 3.1. As in their code the root is taken first.

    Parameters
    ----------
    y
        Training targets, shape (n,).
    kind
        ``"inverse"`` of the counts, or of their square roots, which the authors recommend for skewed targets.
    size, sigma
        Gaussian window over neighboring bins: its bins, an odd number, and its standard deviation in bins, above 0.
    """
    from scipy.ndimage import convolve1d

    require_choice("kind", kind, get_args(_Reweighting))
    window = _gaussian_window(size, sigma)
    counts = bins.counts(y).astype(np.float64)
    effective = convolve1d(np.sqrt(counts) if kind == "sqrt_inverse" else counts, window, mode="constant")
    weights = 1.0 / effective[bins.assign(y)]
    return np.asarray(weights / weights.mean())


def _gaussian_window(size: int, sigma: float) -> FloatArray:
    """Gaussian over neighboring bins, of sum 1, shape (size,)."""
    require_number("size", size, 1, whole=True)
    require_number("(size - 1) / 2", (size - 1) / 2, 0, whole=True)
    require_number("sigma", sigma, 1e-6)
    offsets = np.arange(size) - size // 2
    window = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(window / window.sum())


def dense_weights(y: npt.ArrayLike, alpha: float = 1.0, floor: float = 1e-3) -> FloatArray:
    """DenseWeight: weights of mean 1, shape (n,), that fall linearly with the density of the target.

    Steininger et al. 2021, "Density-based weighting for imbalanced regression", equations 2 to 5.

    Parameters
    ----------
    y
        Training targets, shape (n,), finite and not all equal.
    alpha
        How strongly, 0 (all weights are 1) or more; the authors study 0 to 2.
    floor
        Smallest weight before scaling to mean 1, 1e-6 to 1: ``max(1 - alpha * density, floor)``, densities scaled to
        0 .. 1. The authors use 1e-6.
    """
    require_number("alpha", alpha, 0.0)
    require_number("floor", floor, 1e-6, 1.0)
    density = _densities(checked_targets(y))
    spread = density.max() - density.min()
    # Where all densities are equal no target is rare.
    rarity = (density - density.min()) / spread if spread > 0 else np.zeros(len(density))
    weights = np.maximum(1.0 - alpha * rarity, floor)
    return np.asarray(weights / weights.mean())


def _densities(targets: FloatArray) -> FloatArray:
    """Gaussian kernel density at each target, up to a factor, with Silverman's bandwidth."""
    from scipy.ndimage import gaussian_filter1d

    unit = (targets - targets.min()) / (targets.max() - targets.min())
    # Silverman's rule of thumb; targets of which half are equal have no quartiles to go by.
    lower, upper = np.quantile(unit, [0.25, 0.75])
    deviation, quartiles = float(unit.std()), float(upper - lower) / 1.34
    bandwidth = float(0.9 * min(deviation, quartiles or deviation) * len(unit) ** -0.2)
    width = (1.0 + 2 * _BANDWIDTHS * bandwidth) / _GRID
    cells = ((unit + _BANDWIDTHS * bandwidth) / width).astype(np.int64)
    counts = np.bincount(cells, minlength=_GRID).astype(np.float64)
    smooth = gaussian_filter1d(counts, max(_NARROWEST, bandwidth / width), mode="constant", truncate=6.0)
    return np.asarray(smooth[cells])


class _FeatureSmoothing:
    """Feature distribution smoothing: features whitened by their bin's statistics, coloured by the smoothed ones.

    Yang et al. 2021, section 3.2; window and momentum are the authors'. Unlike in their code, bins without rows take no
    part, and in a bin of one row, which has no variance, only the mean is calibrated. The first epoch leaves features
    as they are, and so does prediction.
    """

    def __init__(self, bins: TargetBins, feature_size: int) -> None:
        self._bins, self._kernel = bins, _smoothing_matrix(len(bins))
        self.means = torch.zeros(len(bins), feature_size)  # running, of the features of each bin
        self.variances = torch.zeros(len(bins), feature_size)
        self.counts = torch.zeros(len(bins))  # rows of each bin; all 0 before the first epoch has ended

    @torch.no_grad()
    def update(self, features: Tensor, targets: Tensor) -> None:
        """Take in the features of all training rows, shape (n, d), after an epoch."""
        codes = self._codes(targets)
        counts = torch.bincount(codes, minlength=len(self._bins)).to(features.dtype)
        rows = counts.clamp(min=1.0)[:, None]
        means = torch.zeros_like(self.means).index_add_(0, codes, features) / rows
        variances = torch.zeros_like(means).index_add_(0, codes, (features - means[codes]) ** 2) / rows
        keep = _MOMENTUM if self.counts.any() else 0.0
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
        ratios = torch.where(own > 1e-10, variances[codes] / own.clamp(min=1e-10), 1.0).clamp(_LEAST_RATIO, _MOST_RATIO)
        return (features - self.means[codes]) * ratios.sqrt() + means[codes]

    def smoothed(self) -> tuple[Tensor, Tensor]:
        """Means and variances of the bins, shape (n_bins, d) each, averaged over neighboring bins that hold rows."""
        return self._average(self.means, self.counts > 0), self._average(self.variances, self.counts > 1)

    def _average(self, statistics: Tensor, present: Tensor) -> Tensor:
        shares = self._kernel * present
        # A bin without any neighbor keeps its own.
        alone = ~present.any() | (shares.sum(dim=1) == 0)
        average = (shares @ statistics) / shares.sum(dim=1, keepdim=True).clamp(min=1e-12)
        return torch.where(alone[:, None], statistics, average)

    def _codes(self, targets: Tensor) -> Tensor:
        return torch.as_tensor(self._bins.assign(targets.detach().cpu().double().numpy()))


def _smoothing_matrix(n_bins: int) -> Tensor:
    """Share that each bin (column) has in the smoothed statistics of each bin (row); absent bins still count."""
    window, places = torch.as_tensor(_gaussian_window(5, 2.0), dtype=torch.float32), torch.arange(n_bins)
    offsets = places[None, :] - places[:, None] + 2
    return torch.where((offsets >= 0) & (offsets < 5), window[offsets.clamp(0, 4)], 0.0)
