"""Diffusion on features: fit a denoiser, keep the moving average of its weights, sample by DDIM.

The noise schedule is the cosine one; the denoiser predicts velocities.
"""

from __future__ import annotations

import copy
import math
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from imbllm_autogluon.process_state import seeded_torch
from imbllm_autogluon.randomness import child_seed
from imbllm_autogluon.regression.denoiser import Denoiser

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from imbllm_autogluon.regression.config import DiffusionConfig

    FloatArray = npt.NDArray[np.floating]


SAMPLED_AT_ONCE = 4096
"""Features of one batch of sampling: its hidden layers stay within a few megabytes."""

GRADIENT_NORM = 1.0
"""Longer gradients are cut to it."""

OFFSET = 0.008
"""Keeps the noise of the first step from vanishing (Nichol and Dhariwal 2021, section 3.2)."""

LEAST_SIGNAL = 1e-3
"""Share of the signal left in the last step: exactly 0 would divide by 0 where noise is turned back into features."""


class LatentDiffusion:
    """A fitted denoiser of features, ready to draw new ones.

    Parameters
    ----------
    denoiser : Denoiser
        With the moving average of the trained weights.
    config : DiffusionConfig
        Sampling steps and guidance.
    low, high : Tensor of shape (d,)
        Range of the real features: estimates of clean features are kept within it.
    curve : list of float
        Mean loss of each tenth of the training.
    """

    def __init__(
        self, denoiser: Denoiser, config: DiffusionConfig, *, low: Tensor, high: Tensor, curve: list[float]
    ) -> None:
        self.denoiser = denoiser
        self.config = config
        self.low, self.high = low, high
        self.curve = curve
        self.schedule = CosineSchedule(config.timesteps)

    def with_config(self, config: DiffusionConfig) -> LatentDiffusion:
        """The same denoiser, sampled with other steps and guidance."""
        return LatentDiffusion(self.denoiser, config, low=self.low, high=self.high, curve=self.curve)

    def sample(self, targets: FloatArray, seed: int, threads: int | None = None) -> npt.NDArray[np.float32]:
        """Draw one feature vector for each target.

        DDIM without fresh noise (Song et al. 2021, equation 12) with classifier-free guidance (Ho and Salimans 2022).

        Parameters
        ----------
        targets
            Wanted targets, standardised as in training, shape (n,).
        seed
            The same seed gives the same features.
        threads
            torch threads; `None` leaves the process's count alone.

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        wanted = torch.as_tensor(np.asarray(targets), dtype=torch.float32)
        with seeded_torch(child_seed(seed, "decoding", "features"), threads), torch.inference_mode():
            noise = torch.randn(len(wanted), len(self.low))
            starts = range(0, len(wanted), SAMPLED_AT_ONCE)
            parts = [slice(start, start + SAMPLED_AT_ONCE) for start in starts]
            drawn = [self._denoised(noise[part], wanted[part]) for part in parts]
        features: npt.NDArray[np.float32] = torch.cat(drawn).numpy()
        return features

    def _denoised(self, features: Tensor, targets: Tensor) -> Tensor:
        """Walk from noise down to features."""
        times = self.schedule.sampling_times(self.config.sampling_steps)
        clean = features
        for now, following in zip(times, [*times[1:], None], strict=True):
            at = torch.full((len(features),), now)
            clean = self.schedule.clean(features, self._velocity(features, at, targets), at)
            clean = clean.clamp(self.low, self.high)
            if following is not None:
                noise = self.schedule.noise(features, clean, at)
                features = self.schedule.noisy(clean, noise, torch.full_like(at, following))
        return clean

    def _velocity(self, features: Tensor, times: Tensor, targets: Tensor) -> Tensor:
        """Guided velocity; guidance 1 needs no second pass without the target."""
        with_target: Tensor = self.denoiser(features, times, targets)
        if self.config.guidance == 1.0:
            return with_target
        without: Tensor = self.denoiser(features, times, targets, torch.ones_like(times, dtype=torch.bool))
        return without + self.config.guidance * (with_target - without)


def fit_denoiser(
    features: FloatArray,
    targets: FloatArray,
    config: DiffusionConfig,
    seed: int,
    *,
    threads: int | None = None,
    time_limit: float | None = None,
) -> LatentDiffusion:
    """Learn the distribution of features given the target.

    Parameters
    ----------
    features
        Standardised features, shape (n, d).
    targets
        Standardised targets, shape (n,).
    config
        Sizes and training.
    seed
        The same seed on the same machine gives the same weights.
    threads
        torch threads; `None` leaves the process's count alone.
    time_limit
        Seconds after which training ends with the weights it has; `None` for no limit.

    Returns
    -------
    LatentDiffusion

    Examples
    --------
    >>> import numpy as np
    >>> from imbllm_autogluon.regression.config import DiffusionConfig
    >>> rng = np.random.default_rng(0)
    >>> quick = DiffusionConfig(diffusion_steps=5, denoiser_width=16, denoiser_blocks=1)
    >>> diffusion = fit_denoiser(rng.normal(size=(50, 3)), rng.normal(size=50), quick, seed=0)
    >>> diffusion.sample(np.zeros(4), seed=1).shape
    (4, 3)
    """
    real = torch.as_tensor(np.asarray(features), dtype=torch.float32)
    wanted = torch.as_tensor(np.asarray(targets), dtype=torch.float32)
    with seeded_torch(child_seed(seed, "training", "denoiser"), threads):
        denoiser = Denoiser(
            real.shape[1], width=config.denoiser_width, blocks=config.denoiser_blocks, timesteps=config.timesteps
        )
        average, curve = _trained(denoiser, real, wanted, config, time_limit)
    return LatentDiffusion(average, config, low=real.amin(0), high=real.amax(0), curve=curve)


def _trained(
    denoiser: Denoiser, real: Tensor, wanted: Tensor, config: DiffusionConfig, time_limit: float | None
) -> tuple[Denoiser, list[float]]:
    """Train; returns the denoiser with averaged weights, and the loss of each tenth."""
    began, steps = time.monotonic(), config.diffusion_steps
    schedule, average = CosineSchedule(config.timesteps), copy.deepcopy(denoiser).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        denoiser.parameters(), lr=config.diffusion_learning_rate, weight_decay=0.0, fused=True
    )
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.diffusion_learning_rate, total_steps=max(2, steps), pct_start=0.1
    )
    losses: list[float] = []
    for step in range(steps):
        loss = _loss(denoiser, schedule, real, wanted, config)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), GRADIENT_NORM)
        optimizer.step()
        rates.step()
        _follow(average, denoiser, config.ema_decay, step)
        losses.append(float(loss.detach()))
        if time_limit is not None and time.monotonic() - began > time_limit:
            break
    return average.eval(), [float(part.mean()) for part in np.array_split(losses, 10) if len(part)]


def _loss(
    denoiser: Denoiser, schedule: CosineSchedule, real: Tensor, wanted: Tensor, config: DiffusionConfig
) -> Tensor:
    """Mean squared error of the velocity on one batch of rows, times and noise."""
    size = min(config.diffusion_batch_size, max(64, len(real)))
    rows = torch.randint(len(real), (size,))
    times = torch.randint(schedule.timesteps, (size,))
    clean = real[rows]
    noise = torch.randn_like(clean)
    without = torch.rand(size) < config.condition_dropout
    predicted = denoiser(schedule.noisy(clean, noise, times), times, wanted[rows], without)
    return torch.nn.functional.mse_loss(predicted, schedule.velocity(clean, noise, times))


@torch.no_grad()
def _follow(average: Denoiser, denoiser: Denoiser, decay: float, step: int) -> None:
    """One step of the moving average; early steps forget faster, so that short trainings do not keep the start."""
    share = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(denoiser.parameters()), 1 - share)


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
