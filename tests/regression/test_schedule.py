"""The cosine schedule and the velocity form."""

from __future__ import annotations

import pytest
import torch

from imbllm_autogluon.regression.diffusion import LEAST_SIGNAL, CosineSchedule


@pytest.fixture
def schedule() -> CosineSchedule:
    return CosineSchedule(1000)


def test_signal_and_noise_make_up_a_unit_of_variance(schedule: CosineSchedule) -> None:
    assert torch.allclose(schedule.alphas**2 + schedule.sigmas**2, torch.ones(1000))


def test_the_signal_falls_from_nearly_all_to_nearly_nothing(schedule: CosineSchedule) -> None:
    assert bool((schedule.alphas.diff() < 0).all())
    assert schedule.alphas[0] > 0.999
    assert schedule.alphas[-1] == pytest.approx(LEAST_SIGNAL)


def test_half_of_the_time_leaves_half_of_the_variance(schedule: CosineSchedule) -> None:
    assert float(schedule.alphas[500] ** 2) == pytest.approx(0.5, abs=0.02)


def test_the_true_velocity_leads_back_to_the_features_and_the_noise(schedule: CosineSchedule) -> None:
    torch.manual_seed(0)
    features, noise, times = torch.randn(40, 3), torch.randn(40, 3), torch.randint(1000, (40,))
    noisy = schedule.noisy(features, noise, times)
    clean = schedule.clean(noisy, schedule.velocity(features, noise, times), times)
    assert torch.allclose(clean, features, atol=1e-5)
    late = times > 50
    assert torch.allclose(schedule.noise(noisy, features, times)[late], noise[late], atol=1e-3)


@pytest.mark.parametrize(("timesteps", "steps", "expected"), [(1000, 25, 25), (10, 25, 10), (1000, 1, 1)])
def test_sampling_times_run_from_the_last_one_down(timesteps: int, steps: int, expected: int) -> None:
    times = CosineSchedule(timesteps).sampling_times(steps)
    assert len(times) == expected
    assert times == sorted(times, reverse=True)
    assert times[0] == timesteps - 1
    assert expected == 1 or times[-1] == 0
