"""The cosine noise schedule and the velocity form of what a denoiser predicts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

OFFSET = 0.008
"""Keeps the noise of the first step from vanishing (Nichol and Dhariwal 2021, section 3.2)."""

LEAST_SIGNAL = 1e-3
"""Share of the signal left in the last step: exactly 0 would divide by 0 where noise is turned back into features."""


class CosineSchedule:
    """Shares of signal and noise over time (Nichol and Dhariwal 2021, equation 17).

    A noisy feature is ``x_t = alpha_t x_0 + sigma_t noise`` with ``alpha_t² + sigma_t² = 1``. The denoiser predicts the
    velocity ``v_t = alpha_t noise - sigma_t x_0`` (Salimans and Ho 2022, appendix D), well scaled at both ends.

    Parameters
    ----------
    timesteps : int
        Number of steps from features to noise.

    Attributes
    ----------
    alphas, sigmas : Tensor of shape (timesteps,), float32
        Shares of signal and of noise; `alphas` falls.

    Examples
    --------
    >>> schedule = CosineSchedule(100)
    >>> bool((schedule.alphas.diff() < 0).all())
    True
    """

    def __init__(self, timesteps: int) -> None:
        self.timesteps = timesteps
        share = torch.arange(1, timesteps + 1, dtype=torch.float64) / timesteps
        first = math.cos(OFFSET / (1 + OFFSET) * math.pi / 2)
        alphas = (torch.cos((share + OFFSET) / (1 + OFFSET) * math.pi / 2) / first).clamp(LEAST_SIGNAL, 1.0)
        self.alphas: Tensor = alphas.float()
        self.sigmas: Tensor = (1 - alphas**2).sqrt().float()

    def noisy(self, features: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Features at times ``times`` (n,), shape (n, d)."""
        return self.alphas[times, None] * features + self.sigmas[times, None] * noise

    def velocity(self, features: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """What the denoiser learns to predict, shape (n, d)."""
        return self.alphas[times, None] * noise - self.sigmas[times, None] * features

    def clean(self, noisy: Tensor, velocity: Tensor, times: Tensor) -> Tensor:
        """Features that a velocity points to, shape (n, d)."""
        return self.alphas[times, None] * noisy - self.sigmas[times, None] * velocity

    def noise(self, noisy: Tensor, clean: Tensor, times: Tensor) -> Tensor:
        """Noise between noisy and clean features, shape (n, d)."""
        return (noisy - self.alphas[times, None] * clean) / self.sigmas[times, None]

    def sampling_times(self, steps: int) -> list[int]:
        """At most `steps` times from the last one down to the first one, evenly spaced."""
        steps = min(steps, self.timesteps)
        return list(dict.fromkeys(torch.linspace(self.timesteps - 1, 0, steps).round().long().tolist()))
