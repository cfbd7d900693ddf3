"""Diffusion on features (LatentDiff, arXiv 2509.23240): fit a denoiser of velocities, sample by DDIM."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._random import child_seed, seeded_torch
from imbllm_autogluon.regression.encoder import Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.regression.config import DiffusionConfig

_SAMPLED_AT_ONCE = 4096  # features of one batch of sampling: its hidden layers stay within a few megabytes
_OFFSET = 0.008  # keeps the noise of the first step from vanishing (Nichol and Dhariwal 2021, section 3.2)
_LEAST_SIGNAL = 1e-3  # share of the signal left in the last step: 0 would divide by 0 on the way back to features
_EMBEDDED = 64  # sines and cosines for one number
_FASTEST = 1000.0  # longest period of the time embedding, as in transformers' positions, over its shortest


class LatentDiffusion:
    """A fitted denoiser; draws features from `low` to `high` (d,). `curve`: mean losses of the tenths of training."""

    def __init__(self, denoiser: _Denoiser, *, low: Tensor, high: Tensor, curve: list[float]) -> None:
        self.low, self.high, self.curve = low, high, curve
        self._denoiser, self._schedule = denoiser, _CosineSchedule(denoiser.timesteps)

    @classmethod
    def fit(
        cls,
        features: FloatArray,
        targets: FloatArray,
        shares: FloatArray,
        config: DiffusionConfig,
        seed: int,
        threads: int | None = None,
        time_limit: float | None = None,
    ) -> LatentDiffusion:
        """Learn the distribution of features (n, d) given the targets (n,), both standardized, within some seconds.

        Rows are drawn for training by their `shares` (n,).
        """
        rows = _Rows(*(torch.as_tensor(np.asarray(part), dtype=torch.float32) for part in (features, targets, shares)))
        with seeded_torch(child_seed(seed, "training", "denoiser"), threads):
            denoiser = _Denoiser(rows.features.shape[1], config)
            curve = _train(denoiser, rows, config, time_limit)
        return cls(denoiser, low=rows.features.amin(0), high=rows.features.amax(0), curve=curve)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: DiffusionConfig) -> LatentDiffusion:
        """The diffusion whose :meth:`tensors` these are."""
        own = dict(tensors)
        low, high, curve = own.pop("low"), own.pop("high"), own.pop("curve").tolist()
        denoiser = _Denoiser(len(low), config)
        denoiser.load_state_dict(own)
        return cls(denoiser.eval(), low=low, high=high, curve=curve)

    def tensors(self) -> dict[str, Tensor]:
        """All that was learned, by name."""
        curve = torch.as_tensor(self.curve, dtype=torch.float64)
        return {"low": self.low, "high": self.high, "curve": curve, **self._denoiser.state_dict()}

    def sample(
        self, targets: FloatArray, config: DiffusionConfig, seed: int, threads: int | None = None
    ) -> npt.NDArray[np.float32]:
        """Draw one feature vector, float32 of shape (n, d), for each target (n,), standardized as in training.

        DDIM without fresh noise (Song et al. 2021, equation 12) with classifier-free guidance (Ho and Salimans 2022).
        """
        wanted = torch.as_tensor(np.asarray(targets), dtype=torch.float32)
        with seeded_torch(child_seed(seed, "decoding", "features"), threads), torch.inference_mode():
            noise = torch.randn(len(wanted), len(self.low))
            starts = range(0, len(wanted), _SAMPLED_AT_ONCE)
            parts = [slice(start, start + _SAMPLED_AT_ONCE) for start in starts]
            told = progress_bar(len(parts), "sampling", parts)
            return np.asarray(torch.cat([self._denoised(noise[part], wanted[part], config) for part in told]).numpy())

    def _denoised(self, features: Tensor, targets: Tensor, config: DiffusionConfig) -> Tensor:
        times = self._schedule.sampling_times(config.sampling_steps)
        clean = features
        for now, following in zip(times, [*times[1:], None], strict=True):
            at = torch.full((len(features),), now)
            clean = self._schedule.clean(features, self._velocity(features, at, targets, config.guidance), at)
            clean = clean.clamp(self.low, self.high)
            if following is not None:
                noise = self._schedule.noise(features, clean, at)
                features = self._schedule.noisy(clean, noise, torch.full_like(at, following))
        return clean

    def _velocity(self, features: Tensor, times: Tensor, targets: Tensor, guidance: float) -> Tensor:
        """Guided velocity; guidance 1 needs no second pass without the target."""
        with_target: Tensor = self._denoiser(features, times, targets)
        if guidance == 1.0:
            return with_target
        without: Tensor = self._denoiser(features, times, targets, torch.ones_like(times, dtype=torch.bool))
        return without + guidance * (with_target - without)


class _Rows(NamedTuple):
    features: Tensor  # (n, d)
    targets: Tensor  # (n,)
    shares: Tensor  # of draws, (n,)


def _train(denoiser: _Denoiser, rows: _Rows, config: DiffusionConfig, time_limit: float | None) -> list[float]:
    """Train in place, up to the averaged weights; returns the loss of each tenth."""
    began, steps, rate = time.monotonic(), config.diffusion_steps, config.diffusion_learning_rate
    schedule, weights = _CosineSchedule(config.timesteps), list[Tensor](denoiser.parameters())
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0, fused=True)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(2, steps), pct_start=0.1)
    # Early steps forget faster, so that short trainings do not keep the start.
    trainer = Trainer(weights, optimizer, lambda step: 1 - min(config.ema_decay, (1 + step) / (10 + step)))
    losses: list[float] = []
    for _ in progress_bar(steps, "denoiser", range(steps)):
        losses.append(trainer.step(_loss(denoiser, schedule, rows, config)))
        rates.step()
        if time_limit is not None and time.monotonic() - began > time_limit:
            break
    denoiser.requires_grad_(False).eval()
    for weight, average in zip(weights, trainer.average, strict=True):
        weight.copy_(average)
    return [float(part.mean()) for part in np.array_split(losses, 10) if len(part)]


def _loss(denoiser: _Denoiser, schedule: _CosineSchedule, rows: _Rows, config: DiffusionConfig) -> Tensor:
    """Mean squared error of the velocity on one batch of rows, times and noise."""
    size = min(config.diffusion_batch_size, max(64, len(rows.shares)))
    drawn = torch.multinomial(rows.shares, size, replacement=True)
    times = torch.randint(schedule.timesteps, (size,))
    clean = rows.features[drawn]
    noise = torch.randn_like(clean)
    without = torch.rand(size) < config.condition_dropout
    predicted = denoiser(schedule.noisy(clean, noise, times), times, rows.targets[drawn], without)
    return nn.functional.mse_loss(predicted, schedule.velocity(clean, noise, times))


class _CosineSchedule:
    """Shares of signal and noise, float32 of shape (timesteps,), over time (Nichol and Dhariwal 2021, equation 17).

    A noisy feature is ``x_t = alpha_t x_0 + sigma_t noise`` with ``alpha_t² + sigma_t² = 1``, the velocity of features
    (n, d) at times (n,) is ``v_t = alpha_t noise - sigma_t x_0`` (Salimans and Ho 2022, appendix D).
    """

    def __init__(self, timesteps: int) -> None:
        self.timesteps = timesteps
        share = torch.arange(1, timesteps + 1, dtype=torch.float64) / timesteps
        first = math.cos(_OFFSET / (1 + _OFFSET) * math.pi / 2)
        alphas = (torch.cos((share + _OFFSET) / (1 + _OFFSET) * math.pi / 2) / first).clamp(_LEAST_SIGNAL, 1.0)
        self.alphas: Tensor = alphas.float()
        self.sigmas: Tensor = (1 - alphas**2).sqrt().float()

    def noisy(self, features: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        return self.alphas[times, None] * features + self.sigmas[times, None] * noise

    def velocity(self, features: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        return self.alphas[times, None] * noise - self.sigmas[times, None] * features

    def clean(self, noisy: Tensor, velocity: Tensor, times: Tensor) -> Tensor:
        return self.alphas[times, None] * noisy - self.sigmas[times, None] * velocity

    def noise(self, noisy: Tensor, clean: Tensor, times: Tensor) -> Tensor:
        return (noisy - self.alphas[times, None] * clean) / self.sigmas[times, None]

    def sampling_times(self, steps: int) -> list[int]:
        """At most `steps` times from the last one down to the first one, evenly spaced."""
        steps = min(steps, self.timesteps)
        return list(dict.fromkeys(torch.linspace(self.timesteps - 1, 0, steps).round().long().tolist()))


class _Denoiser(nn.Module):
    """Velocity of noisy features, given the time and a target (LatentDiff, section 3).

    Time and target are each 64 sines and cosines, then a layer of the given width; their sum shifts and scales the
    normalized input of every block.
    """

    def __init__(self, features: int, config: DiffusionConfig) -> None:
        super().__init__()
        self.timesteps, width = config.timesteps, config.denoiser_width
        self.enter = nn.Linear(features, width)
        self.time = nn.Sequential(nn.Linear(_EMBEDDED, width), nn.SiLU(), nn.Linear(width, width))
        self.target = nn.Sequential(nn.Linear(_EMBEDDED, width), nn.SiLU(), nn.Linear(width, width))
        self.no_target = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(_Block(width) for _ in range(config.denoiser_blocks))
        last = nn.Linear(width, features)
        nn.init.zeros_(last.weight)
        self.leave = nn.Sequential(nn.LayerNorm(width), last)

    def forward(self, noisy: Tensor, times: Tensor, targets: Tensor, without: Tensor | None = None) -> Tensor:
        """Velocities (n, d) of features at their times (n,); `without` (n,) says where the target is withheld."""
        # A standardized target moves within some units: periods from about 60 units to a fifth of one.
        wanted = self.target(_sinusoidal(targets, 0.1, 30.0))
        if without is not None:
            wanted = torch.where(without[:, None], self.no_target, wanted)
        condition = nn.functional.silu(self.time(_sinusoidal(times / self.timesteps, 1.0, _FASTEST)) + wanted)
        hidden = self.enter(noisy)
        for block in self.blocks:
            hidden = block(hidden, condition)
        velocity: Tensor = self.leave(hidden)
        return velocity


class _Block(nn.Module):
    """A residual block: normalize, shift and scale by the condition, two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulation(condition).chunk(2, dim=1)
        changed: Tensor = self.layers(self.norm(hidden) * (1 + scale) + shift)
        return hidden + changed


def _sinusoidal(values: Tensor, low: float, high: float) -> Tensor:
    """Sines and cosines of numbers (n,) at angular frequencies from `low` to `high`, shape (n, 64)."""
    steps = torch.linspace(math.log(low), math.log(high), _EMBEDDED // 2, dtype=values.dtype)
    angles = values[:, None] * torch.exp(steps)[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
