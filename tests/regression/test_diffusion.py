"""Diffusion on features learns their distribution given the target."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imbllm_autogluon.regression.config import DiffusionConfig
from imbllm_autogluon.regression.diffusion import LatentDiffusion, fit_denoiser

QUICK = DiffusionConfig(denoiser_width=64, denoiser_blocks=2, diffusion_steps=600, diffusion_batch_size=256)


def _curve(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features on a bend that the target moves along, with correlated noise; roughly standardised."""
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=n)
    noise = rng.normal(size=(n, 2)) @ np.array([[0.3, 0.2], [0.0, 0.2]])
    return np.column_stack([targets, targets**2 - 1]) + noise, targets


@pytest.fixture(scope="module")
def fitted() -> LatentDiffusion:
    features, targets = _curve(1000)
    return fit_denoiser(features, targets, QUICK, seed=0, threads=1)


@pytest.mark.parametrize("target", [-1.0, 0.0, 1.5])
def test_features_of_a_target_have_the_real_mean_and_spread(fitted: LatentDiffusion, target: float) -> None:
    drawn = fitted.sample(np.full(1000, target), seed=1, threads=1)
    assert drawn.mean(0) == pytest.approx([target, target**2 - 1], abs=0.25)
    assert drawn.std(0) == pytest.approx([0.3, 0.28], rel=0.5)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.7, abs=0.25)


def test_draws_are_distinct(fitted: LatentDiffusion) -> None:
    assert len(np.unique(fitted.sample(np.zeros(200), seed=1, threads=1), axis=0)) == 200


def test_the_loss_falls(fitted: LatentDiffusion) -> None:
    assert len(fitted.curve) == 10
    assert fitted.curve[-1] < 0.7 * fitted.curve[0]


def test_the_same_seed_draws_the_same_features(fitted: LatentDiffusion) -> None:
    first, again, other = (fitted.sample(np.zeros(5), seed=s, threads=1) for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_training_is_repeatable_and_leaves_the_global_generator_alone() -> None:
    features, targets = _curve(60)
    quick = DiffusionConfig(denoiser_width=16, denoiser_blocks=1, diffusion_steps=5)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again = (fit_denoiser(features, targets, quick, seed=7).sample(targets, seed=1) for _ in range(2))
    assert np.array_equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


def test_guidance_draws_features_closer_together(fitted: LatentDiffusion) -> None:
    spreads = []
    for guidance in (1.0, 3.0):
        guided = fitted.with_config(DiffusionConfig(guidance=guidance))
        spreads.append(guided.sample(np.full(200, 1.0), seed=1).std(0).mean())
    assert spreads[1] < spreads[0]


def test_draws_stay_within_the_range_of_the_real_features(fitted: LatentDiffusion) -> None:
    features, _ = _curve(1000)
    drawn = fitted.sample(np.full(300, 6.0), seed=1, threads=1)
    assert (drawn >= features.min(0) - 1e-5).all()
    assert (drawn <= features.max(0) + 1e-5).all()


def test_a_time_limit_ends_the_training_early() -> None:
    features, targets = _curve(60)
    long = DiffusionConfig(denoiser_width=16, denoiser_blocks=1, diffusion_steps=1_000_000)
    assert fit_denoiser(features, targets, long, seed=0, time_limit=0.2).sample(np.zeros(2), seed=0).shape == (2, 2)


def test_one_row_is_enough_to_run() -> None:
    quick = DiffusionConfig(denoiser_width=16, denoiser_blocks=1, diffusion_steps=2)
    assert fit_denoiser(np.ones((1, 3)), np.zeros(1), quick, seed=0).sample(np.zeros(2), seed=0).shape == (2, 3)
