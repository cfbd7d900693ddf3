"""The optimizer of few weights against that of torch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from imbllm_autogluon.language import adamw
from imbllm_autogluon.language.training import FlatAdamW, LargeAdamW, optimizer_of


def weights() -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in ((3, 4), (5,), (2, 2, 2))]


def take_steps(optimizer: Any, learning: list[torch.nn.Parameter], first: int, last: int, size: float = 1.0) -> None:
    for step in range(first, last):
        for number, weight in enumerate(learning):
            generator = torch.Generator().manual_seed(100 * step + number)
            weight.grad = size * torch.randn(weight.shape, generator=generator)
        optimizer.step(0.1 / (step + 1), 3)


@pytest.mark.parametrize("size", [0.01, 100.0])
def test_all_weights_in_one_piece_learn_as_with_torchs_own(size: float) -> None:
    """Gradients below the norm that is allowed, and above it."""
    one, other = weights(), weights()
    take_steps(FlatAdamW(one), one, 0, 6, size)
    take_steps(LargeAdamW(other), other, 0, 6, size)
    for own, expected in zip(one, other, strict=True):
        torch.testing.assert_close(own, expected)
        assert own.grad is None


@pytest.mark.parametrize("kind", [FlatAdamW, LargeAdamW])
def test_it_goes_on_from_stored_moments(kind: Any) -> None:
    whole, parted = weights(), weights()
    take_steps(kind(whole), whole, 0, 8)
    first = kind(parted)
    take_steps(first, parted, 0, 5)
    second = kind(parted)
    second.load_state_dict({"state": copy.deepcopy(first.state_dict()["state"])})
    take_steps(second, parted, 5, 8)
    assert all(torch.equal(one, other) for one, other in zip(whole, parted, strict=True))


def test_a_weight_without_a_gradient_only_decays() -> None:
    learning = weights()
    before = learning[1].detach().clone()
    learning[0].grad = torch.ones(3, 4)
    FlatAdamW(learning).step(0.1, 1)
    torch.testing.assert_close(learning[1].detach(), before * (1 - 0.1 * 0.01))


def test_large_models_get_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(optimizer_of(weights()), FlatAdamW)
    monkeypatch.setattr(adamw, "MOST_WEIGHTS", 10)
    assert isinstance(optimizer_of(weights()), LargeAdamW)
