"""Diffusion on features learns their distribution given the target."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imbllm_autogluon.regression.config import DiffusionConfig
from imbllm_autogluon.regression.diffusion import (
    _LEAST_SIGNAL,
    LatentDiffusion,
    _CosineSchedule,
    _Denoiser,
    _sinusoidal,
)

SMALL = DiffusionConfig(denoiser_width=16, denoiser_blocks=2, timesteps=100)
QUICK = DiffusionConfig(denoiser_width=64, denoiser_blocks=2, diffusion_steps=600, diffusion_batch_size=256)


def _curve(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features on a bend that the target moves along, with correlated noise; roughly standardized."""
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=n)
    noise = rng.normal(size=(n, 2)) @ np.array([[0.3, 0.2], [0.0, 0.2]])
    return np.column_stack([targets, targets**2 - 1]) + noise, targets


@pytest.fixture(scope="module")
def fitted() -> LatentDiffusion:
    features, targets = _curve(1000)
    return LatentDiffusion.fit(features, targets, np.ones(1000), QUICK, seed=0, threads=1)


@pytest.mark.parametrize("target", [-1.0, 0.0, 1.5])
def test_features_of_a_target_have_the_real_mean_and_spread(fitted: LatentDiffusion, target: float) -> None:
    drawn = fitted.sample(np.full(1000, target), QUICK, seed=1, threads=1)
    assert drawn.mean(0) == pytest.approx([target, target**2 - 1], abs=0.25)
    assert drawn.std(0) == pytest.approx([0.3, 0.28], rel=0.5)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.7, abs=0.25)


def test_the_loss_falls(fitted: LatentDiffusion) -> None:
    assert len(fitted.curve) == 10
    assert fitted.curve[-1] < 0.7 * fitted.curve[0]


def test_the_same_seed_draws_the_same_features(fitted: LatentDiffusion) -> None:
    first, again, other = (fitted.sample(np.zeros(5), QUICK, seed=s, threads=1) for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_training_is_repeatable_and_leaves_the_global_generator_alone() -> None:
    features, targets = _curve(60)
    quick = DiffusionConfig(denoiser_width=16, denoiser_blocks=1, diffusion_steps=5)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again = (
        LatentDiffusion.fit(features, targets, np.ones(len(targets)), quick, seed=7).sample(targets, QUICK, seed=1)
        for _ in range(2)
    )
    assert np.array_equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


def test_guidance_draws_features_closer_together(fitted: LatentDiffusion) -> None:
    spreads = []
    for guidance in (1.0, 3.0):
        guided = fitted.sample(np.full(200, 1.0), DiffusionConfig(guidance=guidance), seed=1)
        spreads.append(guided.std(0).mean())
    assert spreads[1] < spreads[0]


def test_draws_stay_within_the_range_of_the_real_features(fitted: LatentDiffusion) -> None:
    features, _ = _curve(1000)
    drawn = fitted.sample(np.full(300, 6.0), QUICK, seed=1, threads=1)
    assert (drawn >= features.min(0) - 1e-5).all()
    assert (drawn <= features.max(0) + 1e-5).all()


def test_a_time_limit_ends_the_training_early() -> None:
    features, targets = _curve(60)
    long = DiffusionConfig(denoiser_width=16, denoiser_blocks=1, diffusion_steps=1_000_000)
    assert LatentDiffusion.fit(features, targets, np.ones(len(targets)), long, seed=0, time_limit=0.2).sample(
        np.zeros(2), QUICK, seed=0
    ).shape == (
        2,
        2,
    )


def test_one_row_is_enough_to_run() -> None:
    quick = DiffusionConfig(denoiser_width=16, denoiser_blocks=1, diffusion_steps=2)
    assert LatentDiffusion.fit(np.ones((1, 3)), np.zeros(1), np.ones(1), quick, seed=0).sample(
        np.zeros(2), QUICK, seed=0
    ).shape == (2, 3)


@pytest.fixture
def denoiser() -> _Denoiser:
    torch.manual_seed(0)
    model = _Denoiser(5, SMALL)
    torch.nn.init.normal_(model.leave[1].weight)  # type: ignore[arg-type]
    return model.eval()


def _velocity(model: _Denoiser, time: int, target: float, without: bool = False) -> torch.Tensor:
    noisy = torch.linspace(-1, 1, 5)[None]
    result: torch.Tensor = model(noisy, torch.tensor([time]), torch.tensor([target]), torch.tensor([without]))
    return result


def test_time_and_target_change_the_velocity(denoiser: _Denoiser) -> None:
    reference = _velocity(denoiser, 10, 0.0)
    assert not torch.allclose(reference, _velocity(denoiser, 90, 0.0), atol=1e-4)
    assert not torch.allclose(reference, _velocity(denoiser, 10, 1.0), atol=1e-4)


def test_a_withheld_target_does_not_matter(denoiser: _Denoiser) -> None:
    assert torch.equal(_velocity(denoiser, 10, 0.0, without=True), _velocity(denoiser, 10, 2.0, without=True))
    assert not torch.allclose(_velocity(denoiser, 10, 0.0), _velocity(denoiser, 10, 0.0, without=True), atol=1e-4)


def test_a_fresh_denoiser_predicts_no_velocity() -> None:
    fresh = _Denoiser(5, SMALL)
    assert float(_velocity(fresh, 10, 0.0).detach().abs().max()) < 1.0


def test_near_numbers_have_near_embeddings_and_far_ones_do_not() -> None:
    embedded = _sinusoidal(torch.tensor([0.0, 0.01, 3.0]), 0.1, 30.0)
    assert embedded.shape == (3, 64)
    assert float((embedded[0] - embedded[1]).norm()) < 0.3 * float((embedded[0] - embedded[2]).norm())


@pytest.fixture
def schedule() -> _CosineSchedule:
    return _CosineSchedule(1000)


def test_signal_and_noise_make_up_a_unit_of_variance(schedule: _CosineSchedule) -> None:
    assert torch.allclose(schedule.alphas**2 + schedule.sigmas**2, torch.ones(1000))


def test_the_signal_falls_from_nearly_all_to_nearly_nothing(schedule: _CosineSchedule) -> None:
    assert bool((schedule.alphas.diff() < 0).all())
    assert schedule.alphas[0] > 0.999
    assert schedule.alphas[-1] == pytest.approx(_LEAST_SIGNAL)


def test_half_of_the_time_leaves_half_of_the_variance(schedule: _CosineSchedule) -> None:
    assert float(schedule.alphas[500] ** 2) == pytest.approx(0.5, abs=0.02)


def test_the_true_velocity_leads_back_to_the_features_and_the_noise(schedule: _CosineSchedule) -> None:
    torch.manual_seed(0)
    features, noise, times = torch.randn(40, 3), torch.randn(40, 3), torch.randint(1000, (40,))
    noisy = schedule.noisy(features, noise, times)
    clean = schedule.clean(noisy, schedule.velocity(features, noise, times), times)
    assert torch.allclose(clean, features, atol=1e-5)
    late = times > 50
    assert torch.allclose(schedule.noise(noisy, features, times)[late], noise[late], atol=1e-3)


@pytest.mark.parametrize(("timesteps", "steps", "expected"), [(1000, 25, 25), (10, 25, 10), (1000, 1, 1)])
def test_sampling_times_run_from_the_last_one_down(timesteps: int, steps: int, expected: int) -> None:
    times = _CosineSchedule(timesteps).sampling_times(steps)
    assert len(times) == expected
    assert times == sorted(times, reverse=True)
    assert times[0] == timesteps - 1
    assert expected == 1 or times[-1] == 0
