"""Losses of regression encoders, of one signature: ``loss(prediction, target, weights, features)``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from imbllm_autogluon._config import require_number


class RegressionLoss(nn.Module):
    """What an encoder minimises; its parameters, if it has any, are learned too."""

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor, features: Tensor) -> Tensor:
        """Loss of a batch, a scalar.

        Parameters
        ----------
        prediction, target
            Standardised, shape (n,).
        weights
            Weight of each row, shape (n,), of mean 1 over all training rows.
        features
            What the predictions were made from, shape (n, d).
        """
        raise NotImplementedError


class WeightedMSE(RegressionLoss):
    """Mean of the weighted squared errors.

    Examples
    --------
    >>> one = torch.tensor([1.0, 3.0])
    >>> WeightedMSE()(one, torch.zeros(2), torch.tensor([2.0, 0.0]), one[:, None]).item()
    1.0
    """

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        """See the base class."""
        return (weights * (prediction - target) ** 2).mean()


class BalancedMSE(RegressionLoss):
    """Batch-based Monte-Carlo Balanced MSE (Ren et al. 2022, equation 10) with a learned noise scale.

    Each prediction has to tell its own target from the other targets of the batch, which stand for the training
    distribution; so a frequent target gains nothing from being frequent.

    Parameters
    ----------
    noise
        First standard deviation of the noise, in standard deviations of the target, at least 0.001;
        the authors begin with 1.
    """

    def __init__(self, noise: float = 1.0) -> None:
        super().__init__()
        require_number("noise", noise, 1e-3)
        self.noise = nn.Parameter(torch.tensor(float(noise)))

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor, features: Tensor) -> Tensor:  # noqa: ARG002
        """See the base class; in training, times twice the noise's variance, so that slopes are a squared error's."""
        # A learned scale may come near 0, where the logits overflow.
        variance = self.noise**2 + 1e-4
        logits = -((prediction[:, None] - target[None, :]) ** 2) / (2 * variance)
        each = nn.functional.cross_entropy(logits, torch.arange(len(target), device=target.device), reduction="none")
        loss: Tensor = (weights * each).mean()
        # In judging, the factor would make every smaller noise look like a better model.
        return loss * (2 * variance.detach()) if self.training else loss


class RankSim(RegressionLoss):
    """Squared error, and features whose neighbours rank as their targets' neighbours do (Gong et al. 2022, equation 3).

    The ranks are made differentiable by blackbox interpolation (Vlastelica et al. 2020).

    Parameters
    ----------
    rank_weight
        Weight of the ranks' error against the squared error, 0 or more.
    interpolation
        Largest change of a similarity by which the slope of its rank is measured, above 0; cosines differ by at most
        2, the authors' strength. Measured against the largest slope of the row, so that it does not depend on
        the size of batches or on `rank_weight`.
    """

    def __init__(self, rank_weight: float = 1.0, interpolation: float = 2.0) -> None:
        super().__init__()
        require_number("rank_weight", rank_weight, 0.0)
        require_number("interpolation", interpolation, 1e-6)
        self.rank_weight = rank_weight
        self.interpolation = interpolation

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor, features: Tensor) -> Tensor:
        """See the base class."""
        error = (weights * (prediction - target) ** 2).mean()
        one_each = _one_row_each(target)
        if len(one_each) < 2:
            return error
        directions = nn.functional.normalize(features[one_each], dim=1)
        similar = -(target[one_each][:, None] - target[one_each][None, :]).abs()
        ranks: Tensor = _Ranks.apply(directions @ directions.T, self.interpolation)  # type: ignore[no-untyped-call]
        return error + self.rank_weight * ((ranks - normalised_ranks(similar)) ** 2).mean()


def normalised_ranks(rows: Tensor) -> Tensor:
    """Rank of each number within its row, divided by the row's length: the largest number has the smallest rank.

    Examples
    --------
    >>> normalised_ranks(torch.tensor([[0.5, 3.0, 1.0, 2.0]])).tolist()
    [[1.0, 0.25, 0.75, 0.5]]
    """
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
    def forward(ctx: Any, rows: Tensor, interpolation: float) -> Tensor:
        ranks = normalised_ranks(rows)
        ctx.save_for_backward(rows, ranks)
        ctx.interpolation = interpolation
        return ranks

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        rows, ranks = ctx.saved_tensors
        steepest = gradient.abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
        strength = ctx.interpolation / steepest
        return (normalised_ranks(rows + strength * gradient) - ranks) / strength, None
