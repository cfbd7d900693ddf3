"""The denoiser: a residual network on features that knows the time and the wanted target."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

EMBEDDED = 64
"""Sines and cosines for one number."""

FASTEST = 1000.0
"""Longest period of the time embedding, as in transformers' positions, over its shortest."""


def sinusoidal(values: Tensor, low: float, high: float) -> Tensor:
    """Sines and cosines of numbers (n,) at angular frequencies from `low` to `high`, shape (n, 64)."""
    steps = torch.linspace(math.log(low), math.log(high), EMBEDDED // 2, dtype=values.dtype)
    angles = values[:, None] * torch.exp(steps)[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Block(nn.Module):
    """A residual block: normalise, shift and scale by the condition, two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        """Both of shape (n, width)."""
        scale, shift = self.modulation(condition).chunk(2, dim=1)
        changed: Tensor = self.layers(self.norm(hidden) * (1 + scale) + shift)
        return hidden + changed


class Denoiser(nn.Module):
    """Velocity of noisy features, given the time and a target (LatentDiff, arXiv 2509.23240, section 3).

    Time and target are each 64 sines and cosines, then a layer of the given width; their sum shifts and scales the
    normalised input of every block. With 64 features, width 128 and 3 blocks it has about 0.27 million weights.

    Parameters
    ----------
    features : int
        Length d of a feature vector.
    width : int
        Units of every layer.
    blocks : int
        Residual blocks of two layers each.
    timesteps : int
        Times run from 0 to ``timesteps - 1``.
    """

    def __init__(self, features: int, *, width: int, blocks: int, timesteps: int) -> None:
        super().__init__()
        self.timesteps = timesteps
        self.enter = nn.Linear(features, width)
        self.time = nn.Sequential(nn.Linear(EMBEDDED, width), nn.SiLU(), nn.Linear(width, width))
        self.target = nn.Sequential(nn.Linear(EMBEDDED, width), nn.SiLU(), nn.Linear(width, width))
        self.no_target = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, features))
        nn.init.zeros_(self.leave[1].weight)  # type: ignore[arg-type]

    def forward(self, noisy: Tensor, times: Tensor, targets: Tensor, without: Tensor | None = None) -> Tensor:
        """Predict velocities.

        Parameters
        ----------
        noisy
            Features at their times, shape (n, d).
        times
            Whole numbers below `timesteps`, shape (n,).
        targets
            Standardised targets, shape (n,).
        without
            Where the target is withheld, shape (n,), bool; nowhere by default.

        Returns
        -------
        Tensor of shape (n, d)
        """
        # A standardised target moves within some units: periods from about 60 units to a fifth of one.
        wanted = self.target(sinusoidal(targets, 0.1, 30.0))
        if without is not None:
            wanted = torch.where(without[:, None], self.no_target, wanted)
        condition = nn.functional.silu(self.time(sinusoidal(times / self.timesteps, 1.0, FASTEST)) + wanted)
        hidden = self.enter(noisy)
        for block in self.blocks:
            hidden = block(hidden, condition)
        velocity: Tensor = self.leave(hidden)
        return velocity
