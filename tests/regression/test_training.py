"""The training loop of encoders: what ends it, which weights stay, what the loss's own parameters do."""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.regression import encoder as module
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.config import EncoderConfig
from imbllm_autogluon.regression.encoder import (
    TabularEncoder,
    Trainer,
    _EncoderTraining,
    _Rows,
    fit_encoders,
)
from imbllm_autogluon.regression.losses import (
    ImbalanceMethod,
    _BalancedMSE,
    _FeatureSmoothing,
    _RankSim,
    _WeightedMSE,
)


def rows(n: int, seed: int = 0) -> _Rows:
    numbers = torch.as_tensor(np.random.default_rng(seed).normal(size=(n, 2)), dtype=torch.float32)
    return _Rows(numbers, torch.zeros((n, 0), dtype=torch.int64), numbers[:, 0].clone(), torch.ones(n))


def training(
    loss: _WeightedMSE | None = None, learned: _Rows | None = None, held_out: _Rows | None = None, **settings: Any
) -> _EncoderTraining:
    torch.manual_seed(0)
    config = EncoderConfig(**{"feature_size": 4, "encoder_width": 8, "encoder_epochs": 6, **settings})
    own, unseen = learned or rows(64), held_out or rows(16, 1)
    both = _Rows(*(torch.cat(parts) for parts in zip(own, unseen, strict=True)))
    places = np.arange(len(own.targets), len(both.targets))
    how = ImbalanceMethod(loss or _WeightedMSE(), np.ones(0))
    return _EncoderTraining([TabularEncoder(2, (), config)], [how], config, both, [places])


def weights_of(trainer: _EncoderTraining) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in trainer._encoders[0].parameters()]


def test_all_epochs_are_trained_where_nothing_ends_them() -> None:
    (curve,) = training().run()
    assert (curve.stopped, len(curve.train)) == ("epochs", 6)
    assert curve.train[-1] < curve.train[0]


class _Worsening(_WeightedMSE):
    """Evaluates every later epoch as worse."""

    def __init__(self) -> None:
        super().__init__()
        self.evaluated = count(1)

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return super().forward(*args) if self.training else torch.tensor(float(next(self.evaluated)))


def test_patience_ends_training_and_the_best_weights_stay() -> None:
    trainer = training(_Worsening(), encoder_patience=2)
    (curve,) = trainer.run()
    assert (curve.stopped, curve.best_epoch, len(curve.train)) == ("patience", 0, 3)
    once = training(encoder_epochs=1)
    # The step size falls over all epochs; the first epoch's is the same for any number of them.
    once.run()
    assert all(torch.equal(a, b) for a, b in zip(weights_of(trainer), weights_of(once), strict=True))


def test_a_time_limit_begins_no_epoch_it_cannot_end_and_fewer_than_three_are_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(OutOfTimeError, match="not enough for an epoch of the encoder"):
        training().run(0.0)
    ticks = count(0, 1)
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(ticks)))
    with pytest.raises(OutOfTimeError, match="enough for 2 epochs"):
        training().run(5.0)
    assert len(training(encoder_epochs=2).run(5.0)[0].train) == 2
    # Two looks at the clock for each epoch: three epochs of two seconds go into seven.
    (curve,) = training().run(7.0)
    assert (curve.stopped, len(curve.train)) == ("time", 3)


class _Broken(_WeightedMSE):
    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return super().forward(*args) * math.nan


def test_a_loss_that_is_no_number_ends_training_with_the_first_weights() -> None:
    trainer = training(_Broken())
    before = weights_of(trainer)
    (curve,) = trainer.run()
    assert (curve.stopped, curve.best_epoch, len(curve.train)) == ("diverged", -1, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(trainer), strict=True))


def test_the_losss_own_parameters_learn_ten_times_as_fast_and_without_decay() -> None:
    loss = _BalancedMSE()
    trainer = training(loss, encoder_weight_decay=0.5)
    own = trainer._optimizer.param_groups[-1]
    assert [id(weight) for weight in own["params"]] == [id(loss.noise)]
    assert (own["lr"], own["weight_decay"]) == (10 * trainer._config.encoder_learning_rate, 0.0)
    trainer.run()
    assert loss.noise.item() != 1.0


def test_the_step_size_falls_along_half_a_cosine_and_ends_with_the_time_limit() -> None:
    trainer = training(_BalancedMSE(), encoder_epochs=10, encoder_learning_rate=0.1)

    def rates(epoch: int, elapsed: float = 0.0, limit: float = math.inf) -> list[float]:
        trainer._set_rates(epoch, elapsed, limit)
        return [group["lr"] for group in trainer._optimizer.param_groups]

    assert rates(0) == pytest.approx([0.1, 0.1, 1.0])
    assert rates(5) == pytest.approx([0.05, 0.05, 0.5])
    assert rates(9)[0] == pytest.approx(0.05 * (1 + math.cos(0.9 * math.pi)))
    assert rates(5, elapsed=1.0, limit=100.0) == rates(5)
    assert rates(1, elapsed=50.0, limit=100.0) == rates(5)


def test_weights_of_rows_reach_the_loss() -> None:
    losses = []
    for weight in (1e6, 1.0):
        trainer = training(learned=rows(32)._replace(weights=torch.full((32,), weight)))
        torch.manual_seed(1)
        losses.append(float(trainer._epoch()))
    assert losses[0] > 1e4 * losses[1]


def test_weights_are_averaged_over_steps() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    trainer = Trainer([weight], torch.optim.SGD([weight], lr=1.0), lambda step: 1 / (step + 1))
    losses = [trainer.step((weight - goal).abs().sum()) for goal in (3.0, 3.0, -1.0)]
    assert losses == pytest.approx([3.0, 2.0, 3.0])
    assert trainer.average[0].item() == pytest.approx((1.0 + 2.0 + 1.0) / 3, abs=1e-5)


def test_the_gradients_of_each_network_are_clipped_apart() -> None:
    weight, other = torch.nn.Parameter(torch.zeros(2, 1)), torch.nn.Parameter(torch.zeros(2, 3, 1))
    trainer = Trainer([weight, other], torch.optim.SGD([weight, other], lr=1.0), lambda _: 1.0, networks=2)
    trainer.step((torch.tensor([[100.0], [0.1]]) * (weight + other.sum(1))).sum())
    assert weight.detach()[:, 0].tolist() == pytest.approx([-0.5, -0.1], abs=1e-4)
    assert other.detach()[:, 0, 0].tolist() == pytest.approx([-0.5, -0.1], abs=1e-4)


@pytest.mark.parametrize(("n", "size"), [(10, 16), (200, 16), (800, 50), (100_000, 256)])
def test_small_tables_have_small_batches(n: int, size: int) -> None:
    assert module._batch_rows(EncoderConfig(encoder_batch=256), n) == size


def test_the_loss_of_held_out_rows_does_not_depend_on_blocks_for_errors_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = training(held_out=rows(50))
    whole = trainer._held_out_loss(0)
    monkeypatch.setattr(module, "_COMPARED_AT_ONCE", 7)
    assert trainer._held_out_loss(0) == pytest.approx(whole, rel=1e-5)


SMALL = EncoderConfig(feature_size=8, encoder_width=24, encoder_epochs=8)
rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=(400, 3)).astype(np.float32)
CATEGORIES = rng.integers(0, 2, (400, 1))
TARGETS = np.sin(2 * NUMBERS[:, 0].astype(np.float64)) + CATEGORIES[:, 0] + 0.1 * rng.normal(size=400)
TARGETS = (TARGETS - TARGETS.mean()) / TARGETS.std()


def fit(config: EncoderConfig = SMALL, seed: int = 0, how: ImbalanceMethod | None = None, **settings: Any) -> Any:
    method = how or ImbalanceMethod(_WeightedMSE(), np.ones(400))
    held_out = [np.arange(0, 400, 10)]
    found = fit_encoders(
        NUMBERS, CATEGORIES, TARGETS, held_out, [method], config, cardinalities=(3,), seed=seed, **settings
    )
    return [one for (one,) in found]


@pytest.fixture(scope="module")
def fitted() -> TabularEncoder:
    encoder: TabularEncoder = fit()[0]
    return encoder


def predictions(encoder: TabularEncoder) -> np.ndarray:
    with torch.no_grad():
        return encoder.predict(encoder.features(NUMBERS, CATEGORIES)).numpy()


@pytest.mark.parametrize("architecture", ["resnet", "mlp"])
def test_an_encoder_learns_a_wave_and_a_shift(architecture: str) -> None:
    config = EncoderConfig(architecture=architecture, feature_size=8, encoder_width=48, encoder_epochs=30)  # type: ignore[arg-type]
    encoder, curve = fit(config)
    assert np.mean((predictions(encoder) - TARGETS) ** 2) < 0.15
    assert curve.held_out[curve.best_epoch] == min(curve.held_out)
    assert len(curve.train) == len(curve.held_out) <= 30


def test_the_same_seed_gives_the_same_encoder_and_another_one_another() -> None:
    short = EncoderConfig(feature_size=8, encoder_width=24, encoder_epochs=2)
    same, again, other = (predictions(fit(short, seed=seed)[0]) for seed in (1, 1, 2))
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


def test_encoders_side_by_side_learn_each_without_rows_of_its_own() -> None:
    config = EncoderConfig(feature_size=8, encoder_width=24, encoder_epochs=16)
    marked, moved = NUMBERS.copy(), TARGETS.copy()
    marked[:133, 2], moved[:133] = 1.0, 5.0
    folds = [np.arange(133), np.arange(133, 266), np.arange(266, 400)]
    methods = [ImbalanceMethod(_WeightedMSE(), np.ones(400)) for _ in folds]
    encoders, curves = fit_encoders(marked, CATEGORIES, moved, folds, methods, config, cardinalities=(3,))
    assert curves[0].train[-1] < 0.1
    assert min(curves[0].held_out) > 20.0, "rows unlike all others are held out for the first encoder alone"
    assert max(curve.held_out[0] for curve in curves[1:]) < 5.0
    for encoder, curve, own in zip(encoders, curves, folds, strict=True):
        with torch.no_grad():
            errors = encoder.predict(encoder.features(marked[own], CATEGORIES[own])).numpy() - moved[own]
        assert np.mean(errors**2) == pytest.approx(curve.held_out[curve.best_epoch], rel=1e-4)


def test_a_level_that_no_row_taught_is_neutral(fitted: TabularEncoder) -> None:
    assert fitted.categories[0].weight[2].abs().max() == 0.0  # type: ignore[union-attr]
    assert fitted.categories[0].weight[:2].abs().min() > 0.0  # type: ignore[union-attr]


def test_rows_of_weight_zero_are_not_learned() -> None:
    first = CATEGORIES[:, 0] == 0
    how = ImbalanceMethod(_WeightedMSE(), np.where(first, 2.0, 0.0))
    encoder, _ = fit(EncoderConfig(feature_size=8, encoder_width=48, encoder_epochs=20), how=how)
    errors = (predictions(encoder) - TARGETS) ** 2
    assert errors[first].mean() < 0.3 * errors[~first].mean()


@pytest.mark.parametrize("loss", [_BalancedMSE(), _RankSim()])
def test_the_peers_losses_train_the_same_encoder(loss: _WeightedMSE) -> None:
    encoder, _ = fit(how=ImbalanceMethod(loss, np.ones(400)))
    assert np.corrcoef(predictions(encoder), TARGETS)[0, 1] > 0.7


def test_smoothed_features_train_the_same_encoder(fitted: TabularEncoder) -> None:
    smoother = _FeatureSmoothing(TargetBins.fit(TARGETS, 10), 8)
    encoder, _ = fit(how=ImbalanceMethod(_WeightedMSE(), np.ones(400), smoother))
    assert np.corrcoef(predictions(encoder), TARGETS)[0, 1] > 0.7
    assert not np.array_equal(predictions(encoder), predictions(fitted))
    assert smoother.counts.sum() == 360


def test_the_generators_and_threads_of_the_process_are_left_as_found() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(EncoderConfig(feature_size=4, encoder_width=8, encoder_epochs=1), threads=2)
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == 1
