"""Encoders: shapes, learning, seeds, missing levels, and the process left as it was."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.config import EncoderConfig
from imbllm_autogluon.regression.encoder import LinearHead, TabularEncoder
from imbllm_autogluon.regression.encoder_training import EncoderFit, fit_encoder, held_out_split
from imbllm_autogluon.regression.latent_model import FeatureDistributionSmoothing
from imbllm_autogluon.regression.losses import BalancedMSE, RankSim, RegressionLoss

SMALL = EncoderConfig(feature_size=8, encoder_width=24, encoder_epochs=8)
rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=(400, 3)).astype(np.float32)
CATEGORIES = rng.integers(0, 2, (400, 1))
TARGETS = np.sin(2 * NUMBERS[:, 0].astype(np.float64)) + CATEGORIES[:, 0] + 0.1 * rng.normal(size=400)
TARGETS = (TARGETS - TARGETS.mean()) / TARGETS.std()


def fit(config: EncoderConfig = SMALL, seed: int = 0, **settings: object) -> EncoderFit:
    return fit_encoder(NUMBERS, CATEGORIES, TARGETS, config, cardinalities=(3,), seed=seed, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fitted() -> EncoderFit:
    return fit()


def predictions(found: EncoderFit) -> np.ndarray:
    with torch.no_grad():
        return found.head(found.encoder.features(NUMBERS, CATEGORIES)).numpy()


@pytest.mark.parametrize("architecture", ["resnet", "mlp"])
@pytest.mark.parametrize("embedding", ["none", "periodic"])
@pytest.mark.parametrize(("p", "levels"), [(3, (4, 2)), (1, ()), (0, (3,))])
def test_features_have_the_size_asked_for(architecture: str, embedding: str, p: int, levels: tuple[int, ...]) -> None:
    config = EncoderConfig(architecture=architecture, number_embedding=embedding, feature_size=5, encoder_width=8)  # type: ignore[arg-type]
    encoder = TabularEncoder(p, levels, config)
    features = encoder(torch.randn(7, p), torch.zeros(7, len(levels), dtype=torch.int64))
    assert features.shape == (7, 5)
    assert LinearHead(5)(features).shape == (7,)


@pytest.mark.parametrize("architecture", ["resnet", "mlp"])
def test_an_encoder_learns_a_wave_and_a_shift(architecture: str) -> None:
    config = EncoderConfig(architecture=architecture, feature_size=8, encoder_width=48, encoder_epochs=30)  # type: ignore[arg-type]
    found = fit(config)
    assert np.mean((predictions(found) - TARGETS) ** 2) < 0.15
    assert found.curve.held_out[found.curve.best_epoch] == min(found.curve.held_out)
    assert len(found.curve.train) == len(found.curve.held_out) <= 30


def test_the_same_seed_gives_the_same_encoder_and_another_one_another() -> None:
    short = EncoderConfig(feature_size=8, encoder_width=24, encoder_epochs=2)
    same, again, other = (predictions(fit(short, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


def test_features_in_blocks_are_those_of_one_pass(fitted: EncoderFit, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted.encoder.features(NUMBERS, CATEGORIES)
    monkeypatch.setattr("imbllm_autogluon.regression.encoder.READ_AT_ONCE", 64)
    assert torch.allclose(fitted.encoder.features(NUMBERS, CATEGORIES), whole, atol=1e-5)
    assert fitted.encoder.features(NUMBERS[:0], CATEGORIES[:0]).shape == (0, 8)
    assert not whole.requires_grad


def test_a_level_that_no_row_taught_is_neutral(fitted: EncoderFit) -> None:
    assert fitted.encoder.categories[0].weight[2].abs().max() == 0.0  # type: ignore[union-attr]
    assert fitted.encoder.categories[0].weight[:2].abs().min() > 0.0  # type: ignore[union-attr]


def test_rows_of_weight_zero_are_not_learned() -> None:
    first = CATEGORIES[:, 0] == 0
    found = fit(EncoderConfig(feature_size=8, encoder_width=48, encoder_epochs=20), weights=np.where(first, 2.0, 0.0))
    errors = (predictions(found) - TARGETS) ** 2
    assert errors[first].mean() < 0.3 * errors[~first].mean()


@pytest.mark.parametrize("loss", [BalancedMSE(), RankSim()])
def test_the_peers_losses_train_the_same_encoder(loss: RegressionLoss) -> None:
    before = {name: value.clone() for name, value in loss.named_parameters()}
    found = fit(loss=loss)
    assert np.corrcoef(predictions(found), TARGETS)[0, 1] > 0.7
    assert all(torch.equal(value, before[name]) for name, value in loss.named_parameters()), "the caller's is no copy"


def test_smoothed_features_train_the_same_encoder(fitted: EncoderFit) -> None:
    smoother = FeatureDistributionSmoothing(TargetBins.fit(TARGETS, 10), 8)
    found = fit(smoother=smoother)
    assert np.corrcoef(predictions(found), TARGETS)[0, 1] > 0.7
    assert not np.array_equal(predictions(found), predictions(fitted))
    assert smoother.counts.sum() == 360


def test_the_generators_and_threads_of_the_process_are_left_as_found() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(EncoderConfig(feature_size=4, encoder_width=8, encoder_epochs=1), threads=2)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == 1


def test_a_pickled_encoder_predicts_the_same(fitted: EncoderFit) -> None:
    again = EncoderFit(*pickle.loads(pickle.dumps(tuple(fitted))))
    assert np.array_equal(predictions(fitted), predictions(again))


@pytest.mark.parametrize(("n", "share", "expected"), [(400, 0.1, 40), (20, 0.1, 2), (5, 0.02, 1), (3, 0.5, 1)])
def test_held_out_rows_spread_over_the_range_of_targets(n: int, share: float, expected: int) -> None:
    targets = np.random.default_rng(1).exponential(size=n)
    learned, held_out = held_out_split(targets, share, np.random.default_rng(0))
    assert len(held_out) == expected
    assert sorted([*learned, *held_out]) == list(range(n))
    ranks = np.sort(np.argsort(np.argsort(targets))[held_out])
    assert (np.abs(ranks / n - (np.arange(expected) + 0.5) / expected) <= 0.5 / expected + 1 / n).all()
