"""Losses of encoders: their formulas, their slopes, what they reward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.losses import BalancedMSE, RankSim, RegressionLoss, WeightedMSE, normalised_ranks

if TYPE_CHECKING:
    from collections.abc import Callable

LOSSES: dict[str, Callable[[], RegressionLoss]] = {
    "mse": WeightedMSE,
    "balanced_mse": BalancedMSE,
    "rank_sim": RankSim,
}


def batch(n: int = 32, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    features = torch.randn(n, 5, requires_grad=True)
    return features.sum(dim=1), torch.randn(n), torch.ones(n), features


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_finite_scalar_with_finite_slopes(name: str) -> None:
    for n in (1, 2, 32):
        prediction, target, weights, features = batch(n)
        loss = LOSSES[name]()(prediction, target, weights, features)
        assert loss.shape == ()
        loss.backward()
        assert features.grad is not None
        assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_row_of_weight_zero_does_not_change_the_errors(name: str) -> None:
    loss = LOSSES[name]()
    prediction, target, weights, features = batch(6)
    weights[0] = 0.0
    moved = prediction.detach().clone()
    moved[0] += 100.0
    torch.manual_seed(0)
    one = loss(prediction, target, weights, features)
    torch.manual_seed(0)
    assert loss(moved, target, weights, features).item() == pytest.approx(one.item())


def test_balanced_mse_is_the_equation_of_the_paper() -> None:
    prediction, target = torch.tensor([0.1, 0.9]), torch.tensor([0.0, 1.0])
    loss = BalancedMSE(noise=0.5).eval()
    variance = 0.25 + 1e-4

    def density(i: int, j: int) -> float:
        return math.exp(-((float(prediction[i]) - float(target[j])) ** 2) / (2 * variance))

    expected = -sum(math.log(density(i, i) / (density(i, 0) + density(i, 1))) for i in range(2)) / 2
    found = loss(prediction, target, torch.ones(2), torch.zeros(2, 1)).item()
    assert found == pytest.approx(expected, rel=1e-4)
    assert loss.train()(prediction, target, torch.ones(2), torch.zeros(2, 1)).item() == pytest.approx(
        expected * 2 * variance, rel=1e-4
    )


def best_constant(loss: RegressionLoss, target: torch.Tensor) -> float:
    """The one prediction for all rows that a loss likes best."""
    constants = torch.linspace(-1, 4, 201)
    rows = torch.ones(len(target))
    values = [loss(torch.full_like(target, float(c)), target, rows, rows[:, None]).item() for c in constants]
    return float(constants[int(torch.tensor(values).argmin())])


def test_balanced_mse_does_not_gain_by_predicting_the_frequent_target() -> None:
    target = torch.tensor([0.0] * 90 + [3.0] * 10)
    loss = BalancedMSE().eval()
    rows = torch.ones(100)
    at_mode = loss(torch.zeros(100), target, rows, rows[:, None]).item()
    anywhere = loss(torch.full((100,), 1.5), target, rows, rows[:, None]).item()
    # 0.3 is the mean that squared errors want; here all rows of one prediction tell nothing: log of the counts.
    assert best_constant(WeightedMSE(), target) == pytest.approx(0.3, abs=0.03)
    assert anywhere == pytest.approx(math.log(100), abs=1e-4)
    slope = torch.tensor([0.3, 3.0], requires_grad=True)
    loss(torch.cat([slope[:1].expand(90), slope[1:].expand(10)]), target, rows, rows[:, None]).backward()
    assert at_mode > 0
    assert slope.grad is not None
    assert slope.grad[1] < 0, "a rare target is pushed away from the frequent ones, not towards them"


def test_the_noise_of_balanced_mse_is_learned() -> None:
    loss = BalancedMSE()
    prediction, target, weights, features = batch()
    loss(prediction, target, weights, features).backward()
    assert [name for name, _ in loss.named_parameters()] == ["noise"]
    assert loss.noise.grad is not None
    assert loss.noise.grad.abs() > 0


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20, unique=True))
def test_ranks_go_from_one_nth_for_the_largest_to_one(values: list[int]) -> None:
    ranks = normalised_ranks(torch.tensor([values], dtype=torch.float32))[0]
    expected = [(sorted(values, reverse=True).index(value) + 1) / len(values) for value in values]
    assert ranks.tolist() == pytest.approx(expected)


def test_features_in_the_order_of_their_targets_have_no_rank_error() -> None:
    target = torch.tensor([0.0, 1.0, 3.0, 7.0])
    angles = target / 10
    ordered = torch.stack([angles.cos(), angles.sin()], dim=1)
    loss = RankSim(rank_weight=1.0)
    assert loss(target, target, torch.ones(4), ordered).item() == 0.0
    assert loss(target, target, torch.ones(4), ordered[[2, 0, 3, 1]]).item() > 0.01


def test_the_slope_of_the_ranks_leads_features_into_the_order_of_their_targets() -> None:
    torch.manual_seed(0)
    target, features = torch.linspace(-1, 1, 24), torch.randn(24, 4, requires_grad=True)
    loss, optimizer = RankSim(), torch.optim.Adam([features], lr=0.05)
    errors = []
    for _ in range(150):
        error = loss(target, target, torch.ones(24), features)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.3 * errors[0]


def test_the_slope_of_the_ranks_grows_with_their_weight_alone() -> None:
    slopes = []
    for weight in (1.0, 10.0):
        prediction, target, weights, features = batch()
        RankSim(weight)(prediction.detach(), target, weights, features).backward()
        slopes.append(features.grad)
    assert torch.allclose(10 * slopes[0], slopes[1], rtol=1e-4, atol=1e-7)
    assert slopes[0].abs().max() > 0


def test_equal_targets_have_no_order_to_be_kept() -> None:
    features = torch.randn(4, 3)
    assert RankSim()(torch.zeros(4), torch.zeros(4), torch.ones(4), features).item() == 0.0


@pytest.mark.parametrize("make", [lambda: BalancedMSE(0.0), lambda: RankSim(-1.0), lambda: RankSim(1.0, 0.0)])
def test_settings_out_of_range_are_refused(make: Callable[[], RegressionLoss]) -> None:
    with pytest.raises(InvalidInputError, match="must be a number at least"):
        make()
