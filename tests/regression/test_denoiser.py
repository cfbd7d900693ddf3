"""The denoiser of features."""

from __future__ import annotations

import pytest
import torch

from imbllm_autogluon.regression.denoiser import EMBEDDED, Denoiser, sinusoidal


@pytest.fixture
def denoiser() -> Denoiser:
    torch.manual_seed(0)
    model = Denoiser(5, width=16, blocks=2, timesteps=100)
    torch.nn.init.normal_(model.leave[1].weight)  # type: ignore[arg-type]
    return model.eval()


def _velocity(model: Denoiser, time: int, target: float, without: bool = False) -> torch.Tensor:
    noisy = torch.linspace(-1, 1, 5)[None]
    result: torch.Tensor = model(noisy, torch.tensor([time]), torch.tensor([target]), torch.tensor([without]))
    return result


def test_a_velocity_has_the_shape_of_the_features(denoiser: Denoiser) -> None:
    assert _velocity(denoiser, 3, 0.5).shape == (1, 5)


def test_time_and_target_change_the_velocity(denoiser: Denoiser) -> None:
    reference = _velocity(denoiser, 10, 0.0)
    assert not torch.allclose(reference, _velocity(denoiser, 90, 0.0), atol=1e-4)
    assert not torch.allclose(reference, _velocity(denoiser, 10, 1.0), atol=1e-4)


def test_a_withheld_target_does_not_matter(denoiser: Denoiser) -> None:
    assert torch.equal(_velocity(denoiser, 10, 0.0, without=True), _velocity(denoiser, 10, 2.0, without=True))
    assert not torch.allclose(_velocity(denoiser, 10, 0.0), _velocity(denoiser, 10, 0.0, without=True), atol=1e-4)


def test_a_fresh_denoiser_predicts_no_velocity() -> None:
    fresh = Denoiser(5, width=16, blocks=2, timesteps=100)
    assert float(_velocity(fresh, 10, 0.0).detach().abs().max()) < 1.0


def test_near_numbers_have_near_embeddings_and_far_ones_do_not() -> None:
    embedded = sinusoidal(torch.tensor([0.0, 0.01, 3.0]), 0.1, 30.0)
    assert embedded.shape == (3, EMBEDDED)
    assert float((embedded[0] - embedded[1]).norm()) < 0.3 * float((embedded[0] - embedded[2]).norm())


def test_the_documented_size_is_true() -> None:
    weights = sum(p.numel() for p in Denoiser(64, width=128, blocks=3, timesteps=1000).parameters())
    assert weights == pytest.approx(0.27e6, rel=0.05)
