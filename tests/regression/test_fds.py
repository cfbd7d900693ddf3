"""Feature distribution smoothing: statistics by bin, shared between neighbours, applied from the second epoch on."""

from __future__ import annotations

import pytest
import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.latent_model import FeatureDistributionSmoothing


def bins(n: int = 4) -> TargetBins:
    import numpy as np

    return TargetBins(np.arange(n + 1.0))


def rows(*counts: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of 3 numbers around their bin's number, as wide as the bin's number plus one."""
    torch.manual_seed(seed)
    codes = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    features = codes[:, None] + (1.0 + codes[:, None]) * torch.randn(len(codes), 3)
    return features, codes + 0.5


def test_the_first_epoch_leaves_features_as_they_are() -> None:
    features, targets = rows(5, 5)
    assert FeatureDistributionSmoothing(bins(), 3).calibrate(features, targets) is features


def test_means_and_variances_are_those_of_the_bins_and_move_slowly() -> None:
    smoothing = FeatureDistributionSmoothing(bins(), 3)
    features, targets = rows(50, 20)
    smoothing.update(features, targets)
    assert torch.allclose(smoothing.means[1], features[50:].mean(dim=0), atol=1e-5)
    assert torch.allclose(smoothing.variances[1], features[50:].var(dim=0, unbiased=False), atol=1e-4)
    assert smoothing.counts.tolist() == [50, 20, 0, 0]
    before = smoothing.means[0].clone()
    smoothing.update(features + 10.0, targets)
    assert torch.allclose(smoothing.means[0], before + 1.0, atol=1e-4)


def test_calibrated_features_have_the_smoothed_mean_and_variance() -> None:
    smoothing = FeatureDistributionSmoothing(bins(), 3)
    features, targets = rows(400, 300, 200, 100)
    smoothing.update(features, targets)
    calibrated, (means, variances) = smoothing.calibrate(features, targets), smoothing.smoothed()
    for b, part in enumerate(calibrated.split([400, 300, 200, 100])):
        assert torch.allclose(part.mean(dim=0), means[b], atol=1e-4)
        assert torch.allclose(part.var(dim=0, unbiased=False), variances[b], rtol=1e-3)
    # The outermost bin has neighbours on one side: it is drawn towards them.
    assert (means[3] < smoothing.means[3]).all()


def test_bins_without_rows_take_no_part_in_the_smoothing() -> None:
    smoothing = FeatureDistributionSmoothing(bins(3), 2)
    features = torch.tensor([[10.0, 10.0], [12.0, 12.0]])
    smoothing.update(features, torch.tensor([0.5, 0.6]))
    means, variances = smoothing.smoothed()
    assert means[0].tolist() == [11.0, 11.0]
    assert variances[0].tolist() == [1.0, 1.0]
    assert torch.allclose(smoothing.calibrate(features, torch.tensor([0.5, 0.6])), features)


def test_in_a_bin_of_one_row_only_the_mean_is_calibrated() -> None:
    smoothing = FeatureDistributionSmoothing(bins(2), 3)
    features, targets = rows(30, 1)
    smoothing.update(features, targets)
    moved = smoothing.calibrate(features, targets)[-1]
    assert torch.allclose(moved, smoothing.smoothed()[0][1], atol=1e-5)
    away = smoothing.calibrate(features[-1:] + 1.0, targets[-1:])[0]
    assert torch.allclose(away, moved + 1.0, atol=1e-5)


def test_a_narrow_bin_is_widened_by_ten_times_its_variance_at_most() -> None:
    smoothing = FeatureDistributionSmoothing(bins(2), 1)
    features = torch.cat([torch.randn(50, 1) * 100, torch.randn(50, 1) * 0.01])
    targets = torch.tensor([0.5] * 50 + [1.5] * 50)
    smoothing.update(features, targets)
    calibrated = smoothing.calibrate(features, targets)[50:]
    assert calibrated.var().item() == pytest.approx(10 * features[50:].var().item(), rel=0.05)


def test_slopes_pass_through_the_calibration() -> None:
    smoothing = FeatureDistributionSmoothing(bins(2), 3)
    features, targets = rows(10, 10)
    smoothing.update(features, targets)
    features.requires_grad_()
    smoothing.calibrate(features, targets).sum().backward()
    assert features.grad is not None
    assert (features.grad > 0).all()


def test_a_momentum_beyond_one_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="momentum must be a number between"):
        FeatureDistributionSmoothing(bins(), 3, momentum=1.5)
