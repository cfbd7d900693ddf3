"""Losses of encoders: their formulas, their slopes, what they reward."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.losses import (
    ImbalanceMethod,
    _BalancedMSE,
    _FeatureSmoothing,
    _gaussian_window,
    _normalized_ranks,
    _RankSim,
    _WeightedMSE,
    dense_weights,
    lds_weights,
)

if TYPE_CHECKING:
    from collections.abc import Callable


LOSSES: dict[str, Callable[[], _WeightedMSE]] = {
    "mse": _WeightedMSE,
    "balanced_mse": _BalancedMSE,
    "rank_sim": _RankSim,
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
    loss = _BalancedMSE().eval()
    torch.nn.init.constant_(loss.noise, 0.5)
    variance = 0.25 + 1e-4

    def density(i: int, j: int) -> float:
        return math.exp(-((float(prediction[i]) - float(target[j])) ** 2) / (2 * variance))

    expected = -sum(math.log(density(i, i) / (density(i, 0) + density(i, 1))) for i in range(2)) / 2
    found = loss(prediction, target, torch.ones(2), torch.zeros(2, 1)).item()
    assert found == pytest.approx(expected, rel=1e-4)
    assert loss.train()(prediction, target, torch.ones(2), torch.zeros(2, 1)).item() == pytest.approx(
        expected * 2 * variance, rel=1e-4
    )


def best_constant(loss: _WeightedMSE, target: torch.Tensor) -> float:
    """The one prediction for all rows that a loss likes best."""
    constants = torch.linspace(-1, 4, 201)
    rows = torch.ones(len(target))
    values = [loss(torch.full_like(target, float(c)), target, rows, rows[:, None]).item() for c in constants]
    return float(constants[int(torch.tensor(values).argmin())])


def test_balanced_mse_does_not_gain_by_predicting_the_frequent_target() -> None:
    target = torch.tensor([0.0] * 90 + [3.0] * 10)
    loss = _BalancedMSE().eval()
    rows = torch.ones(100)
    at_mode = loss(torch.zeros(100), target, rows, rows[:, None]).item()
    anywhere = loss(torch.full((100,), 1.5), target, rows, rows[:, None]).item()
    # 0.3 is the mean that squared errors want; here all rows of one prediction tell nothing: log of the counts.
    assert best_constant(_WeightedMSE(), target) == pytest.approx(0.3, abs=0.03)
    assert anywhere == pytest.approx(math.log(100), abs=1e-4)
    slope = torch.tensor([0.3, 3.0], requires_grad=True)
    loss(torch.cat([slope[:1].expand(90), slope[1:].expand(10)]), target, rows, rows[:, None]).backward()
    assert at_mode > 0
    assert slope.grad is not None
    assert slope.grad[1] < 0, "a rare target is pushed away from the frequent ones, not towards them"


def test_the_noise_of_balanced_mse_is_learned() -> None:
    loss = _BalancedMSE()
    prediction, target, weights, features = batch()
    loss(prediction, target, weights, features).backward()
    assert [name for name, _ in loss.named_parameters()] == ["noise"]
    assert loss.noise.grad is not None
    assert loss.noise.grad.abs() > 0


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20, unique=True))
def test_ranks_go_from_one_nth_for_the_largest_to_one(values: list[int]) -> None:
    ranks = _normalized_ranks(torch.tensor([values], dtype=torch.float32))[0]
    expected = [(sorted(values, reverse=True).index(value) + 1) / len(values) for value in values]
    assert ranks.tolist() == pytest.approx(expected)


def test_features_in_the_order_of_their_targets_have_no_rank_error() -> None:
    target = torch.tensor([0.0, 1.0, 3.0, 7.0])
    angles = target / 10
    ordered = torch.stack([angles.cos(), angles.sin()], dim=1)
    loss = _RankSim()
    assert loss(target, target, torch.ones(4), ordered).item() == 0.0
    assert loss(target, target, torch.ones(4), ordered[[2, 0, 3, 1]]).item() > 0.01


def test_the_slope_of_the_ranks_leads_features_into_the_order_of_their_targets() -> None:
    torch.manual_seed(0)
    target, features = torch.linspace(-1, 1, 24), torch.randn(24, 4, requires_grad=True)
    loss, optimizer = _RankSim(), torch.optim.Adam([features], lr=0.05)
    errors = []
    for _ in range(150):
        error = loss(target, target, torch.ones(24), features)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.3 * errors[0]


def test_equal_targets_have_no_order_to_be_kept() -> None:
    features = torch.randn(4, 3)
    assert _RankSim()(torch.zeros(4), torch.zeros(4), torch.ones(4), features).item() == 0.0


TARGETS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=80).filter(lambda y: len(set(y)) > 1)


@given(y=TARGETS)
def test_all_weights_are_positive_with_mean_one(y: list[float]) -> None:
    bins = TargetBins.fit(y)
    for weights in (lds_weights(y, bins), lds_weights(y, bins, "inverse"), dense_weights(y)):
        assert weights.shape == (len(y),)
        assert (weights > 0).all()
        assert weights.mean() == pytest.approx(1.0)


def test_without_smoothing_lds_weighs_by_the_inverse_of_counts_or_of_their_roots() -> None:
    y = np.array([0.0] * 90 + [1.0] * 10)
    bins = TargetBins.fit(y, 2)
    inverse, roots = lds_weights(y, bins, "inverse", size=1), lds_weights(y, bins, size=1)
    assert inverse[-1] / inverse[0] == pytest.approx(9.0)
    assert roots[-1] / roots[0] == pytest.approx(3.0)


def test_lds_counts_the_neighbours_of_a_bin() -> None:
    y = np.array([0.5] * 80 + [1.5] * 5 + [8.5] * 5 + [9.5])
    bins = TargetBins(np.arange(11.0))
    weights = lds_weights(y, bins, "inverse")
    beside_the_crowd, far_from_it = weights[80], weights[85]
    assert beside_the_crowd < 0.5 * far_from_it
    window = np.exp(-0.5 * (np.arange(-2, 3) / 2.0) ** 2)
    expected = (window[2] * 5 + window[3] * 1) / (window[2] * 80 + window[3] * 5)
    assert weights[0] / far_from_it == pytest.approx(expected)


def test_dense_weights_fall_linearly_with_the_density() -> None:
    y = np.random.default_rng(0).normal(size=2000)
    at = np.argsort(np.abs(y[:, None] - [0.0, 1.0, 2.0]), axis=0)[0]
    weights = dense_weights(y, alpha=0.8)
    # Density of a standard normal, widened by the kernel (Silverman: about 0.2), against its peak.
    wide = 1 + (0.9 * 2000**-0.2) ** 2
    expected = 1 - 0.8 * np.exp(-0.5 * np.array([0.0, 1.0, 4.0]) / wide)
    assert weights[at] / weights[at[2]] == pytest.approx(expected / expected[2], abs=0.04)


def test_alpha_zero_weighs_all_rows_alike_and_a_large_alpha_ends_at_the_floor() -> None:
    y = np.random.default_rng(0).normal(size=500)
    assert dense_weights(y, alpha=0.0) == pytest.approx(np.ones(500))
    strong = dense_weights(y, alpha=2.0, floor=0.01)
    assert strong.max() / strong.min() == pytest.approx(100.0, rel=0.01)


def test_dense_weights_do_not_depend_on_the_unit_of_the_target() -> None:
    y = np.random.default_rng(0).exponential(size=300)
    assert dense_weights(y) == pytest.approx(dense_weights(y * 1e200 - 1e200), rel=0.02)


def test_a_far_outlier_and_a_target_mostly_of_one_value_have_weights_too() -> None:
    outlier = dense_weights(np.r_[np.random.default_rng(0).normal(size=200), 1e9])
    assert np.isfinite(outlier).all()
    assert outlier.argmax() == 200
    mostly = dense_weights(np.r_[np.zeros(190), np.arange(1.0, 11.0)])
    assert mostly[:190].max() < mostly[190:].min()


def test_two_equally_frequent_targets_weigh_alike() -> None:
    assert dense_weights(np.array([0.0, 1.0] * 20)) == pytest.approx(np.ones(40), rel=1e-6)


def test_the_window_is_symmetric_and_sums_to_one() -> None:
    window = _gaussian_window(5, 2.0)
    assert window == pytest.approx(window[::-1])
    assert window.sum() == pytest.approx(1.0)


BAD: list[Callable[[], object]] = [
    lambda: _gaussian_window(4, 2.0),
    lambda: _gaussian_window(5, 0.0),
    lambda: dense_weights([0.0, 1.0], alpha=-1.0),
    lambda: dense_weights([0.0, 1.0], floor=0.0),
    lambda: dense_weights([1.0, 1.0]),
    lambda: lds_weights([0.0, 1.0], TargetBins.fit([0.0, 1.0]), "root"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("make", BAD)
def test_weights_with_settings_out_of_range_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidInputError, match="must "):
        make()


def bins(n: int = 4) -> TargetBins:
    return TargetBins(np.arange(n + 1.0))


def rows(*counts: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of 3 numbers around their bin's number, as wide as the bin's number plus one."""
    torch.manual_seed(seed)
    codes = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    features = codes[:, None] + (1.0 + codes[:, None]) * torch.randn(len(codes), 3)
    return features, codes + 0.5


def test_the_first_epoch_leaves_features_as_they_are() -> None:
    features, targets = rows(5, 5)
    assert _FeatureSmoothing(bins(), 3).calibrate(features, targets) is features


def test_means_and_variances_are_those_of_the_bins_and_move_slowly() -> None:
    smoothing = _FeatureSmoothing(bins(), 3)
    features, targets = rows(50, 20)
    smoothing.update(features, targets)
    assert torch.allclose(smoothing.means[1], features[50:].mean(dim=0), atol=1e-5)
    assert torch.allclose(smoothing.variances[1], features[50:].var(dim=0, unbiased=False), atol=1e-4)
    assert smoothing.counts.tolist() == [50, 20, 0, 0]
    before = smoothing.means[0].clone()
    smoothing.update(features + 10.0, targets)
    assert torch.allclose(smoothing.means[0], before + 1.0, atol=1e-4)


def test_calibrated_features_have_the_smoothed_mean_and_variance() -> None:
    smoothing = _FeatureSmoothing(bins(), 3)
    features, targets = rows(400, 300, 200, 100)
    smoothing.update(features, targets)
    calibrated, (means, variances) = smoothing.calibrate(features, targets), smoothing.smoothed()
    for b, part in enumerate(calibrated.split([400, 300, 200, 100])):
        assert torch.allclose(part.mean(dim=0), means[b], atol=1e-4)
        assert torch.allclose(part.var(dim=0, unbiased=False), variances[b], rtol=1e-3)
    # The outermost bin has neighbors on one side: it is drawn towards them.
    assert (means[3] < smoothing.means[3]).all()


def test_bins_without_rows_take_no_part_in_the_smoothing() -> None:
    smoothing = _FeatureSmoothing(bins(3), 2)
    features = torch.tensor([[10.0, 10.0], [12.0, 12.0]])
    smoothing.update(features, torch.tensor([0.5, 0.6]))
    means, variances = smoothing.smoothed()
    assert means[0].tolist() == [11.0, 11.0]
    assert variances[0].tolist() == [1.0, 1.0]
    assert torch.allclose(smoothing.calibrate(features, torch.tensor([0.5, 0.6])), features)


def test_in_a_bin_of_one_row_only_the_mean_is_calibrated() -> None:
    smoothing = _FeatureSmoothing(bins(2), 3)
    features, targets = rows(30, 1)
    smoothing.update(features, targets)
    moved = smoothing.calibrate(features, targets)[-1]
    assert torch.allclose(moved, smoothing.smoothed()[0][1], atol=1e-5)
    away = smoothing.calibrate(features[-1:] + 1.0, targets[-1:])[0]
    assert torch.allclose(away, moved + 1.0, atol=1e-5)


def test_a_narrow_bin_is_widened_by_ten_times_its_variance_at_most() -> None:
    smoothing = _FeatureSmoothing(bins(2), 1)
    features = torch.cat([torch.randn(50, 1) * 100, torch.randn(50, 1) * 0.01])
    targets = torch.tensor([0.5] * 50 + [1.5] * 50)
    smoothing.update(features, targets)
    calibrated = smoothing.calibrate(features, targets)[50:]
    assert calibrated.var().item() == pytest.approx(10 * features[50:].var().item(), rel=0.05)


def test_slopes_pass_through_the_calibration() -> None:
    smoothing = _FeatureSmoothing(bins(2), 3)
    features, targets = rows(10, 10)
    smoothing.update(features, targets)
    features.requires_grad_()
    smoothing.calibrate(features, targets).sum().backward()
    assert features.grad is not None
    assert (features.grad > 0).all()


SKEWED = np.random.default_rng(0).exponential(size=300)


def _imbalance_method(**settings: str) -> ImbalanceMethod:
    return ImbalanceMethod.from_config(LatentDiffConfig.from_flat(settings), SKEWED, TargetBins.fit(SKEWED, 10))


@pytest.mark.parametrize("method", ["latent_diff", "none"])
def test_an_untreated_encoder_minimises_the_squared_error_of_all_rows_alike(method: str) -> None:
    how = _imbalance_method(method=method)
    assert type(how.loss) is _WeightedMSE
    assert (how.weights == 1).all()
    assert how.smoother is None


@pytest.mark.parametrize("method", ["lds", "dense_weight"])
@pytest.mark.parametrize("on_top", [False, True])
def test_weights_are_higher_for_rare_targets(method: str, on_top: bool) -> None:
    how = _imbalance_method(encoder_method=method) if on_top else _imbalance_method(method=method)
    assert how.weights.mean() == pytest.approx(1.0)
    assert how.weights[SKEWED.argmax()] > how.weights[np.abs(SKEWED - 0.2).argmin()]


@pytest.mark.parametrize(("method", "loss"), [("balanced_mse", _BalancedMSE), ("rank_sim", _RankSim)])
def test_losses_belong_to_their_methods(method: str, loss: type) -> None:
    assert type(_imbalance_method(method=method).loss) is loss


def test_fds_smooths_features() -> None:
    assert isinstance(_imbalance_method(method="fds").smoother, _FeatureSmoothing)
    assert isinstance(_imbalance_method(encoder_method="fds").smoother, _FeatureSmoothing)


def test_the_encoders_method_is_for_latent_diff_alone() -> None:
    assert (_imbalance_method(method="none", encoder_method="lds").weights == 1).all()
