"""The training loop of encoders: what ends it, which weights stay, what the loss's own parameters do."""

from __future__ import annotations

import math
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.regression import encoder_training
from imbllm_autogluon.regression.config import EncoderConfig
from imbllm_autogluon.regression.encoder import LinearHead, TabularEncoder
from imbllm_autogluon.regression.encoder_training import EncoderCurve, Rows, Training
from imbllm_autogluon.regression.losses import BalancedMSE, RegressionLoss, WeightedMSE


def rows(n: int, seed: int = 0) -> Rows:
    numbers = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    return Rows.of(numbers, np.zeros((n, 0), dtype=np.int64), numbers[:, 0].astype(np.float64), None)


def training(loss: RegressionLoss | None = None, **settings: Any) -> Training:
    torch.manual_seed(0)
    config = EncoderConfig(**{"feature_size": 4, "encoder_width": 8, "encoder_epochs": 6, **settings})
    encoder, head = TabularEncoder(2, (), config), LinearHead(4)
    return Training(encoder, head, loss or WeightedMSE(), config)


def run(trainer: Training, time_limit: float | None = None) -> tuple[EncoderCurve, list[int]]:
    finished: list[int] = []
    return trainer.run(rows(64), rows(16, seed=1), time_limit, finished.append), finished


def test_all_epochs_are_trained_where_nothing_ends_them() -> None:
    curve, finished = run(training())
    assert (curve.stopped, finished) == ("epochs", [1, 2, 3, 4, 5, 6])
    assert curve.train[-1] < curve.train[0]


class _Worsening(WeightedMSE):
    """Judges every later epoch as worse."""

    def __init__(self) -> None:
        super().__init__()
        self.judged = count(1)

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return super().forward(*args) if self.training else torch.tensor(float(next(self.judged)))


def test_patience_ends_training_and_the_best_weights_stay() -> None:
    trainer = training(_Worsening(), encoder_patience=2)
    curve, finished = run(trainer)
    assert (curve.stopped, curve.best_epoch, finished) == ("patience", 0, [1, 2, 3])
    once = training(encoder_epochs=1)
    # The step size falls over all epochs; the first epoch's is the same for any number of them.
    run(once)
    pairs = zip(trainer._head.parameters(), once._head.parameters(), strict=True)
    assert all(torch.equal(kept, first) for kept, first in pairs)


def test_a_time_limit_leaves_at_least_one_epoch_and_begins_none_it_cannot_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(0, 1)
    monkeypatch.setattr(encoder_training.time, "perf_counter", lambda: float(next(ticks)))
    assert run(training(), time_limit=0.001)[1] == [1]
    # Two looks at the clock for each epoch: three epochs of two seconds go into seven.
    curve, finished = run(training(), time_limit=7.0)
    assert (curve.stopped, len(finished)) == ("time", 3)


class _Broken(WeightedMSE):
    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return super().forward(*args) * math.nan


def test_a_loss_that_is_no_number_ends_training_with_the_first_weights() -> None:
    trainer = training(_Broken())
    before = [weight.detach().clone() for weight in trainer._head.parameters()]
    curve, finished = run(trainer)
    assert (curve.stopped, curve.best_epoch, finished) == ("diverged", -1, [1])
    assert all(torch.equal(a, b) for a, b in zip(before, trainer._head.parameters(), strict=True))


def test_the_losss_own_parameters_learn_ten_times_as_fast_and_without_decay() -> None:
    loss = BalancedMSE()
    trainer = training(loss, encoder_weight_decay=0.5)
    own = trainer._optimizer.param_groups[-1]
    assert [id(weight) for weight in own["params"]] == [id(loss.noise)]
    assert (own["lr"], own["weight_decay"]) == (10 * trainer._config.encoder_learning_rate, 0.0)
    run(trainer)
    assert loss.noise.item() != 1.0


def test_the_step_size_falls_along_half_a_cosine_and_ends_with_the_time_limit() -> None:
    trainer = training(BalancedMSE(), encoder_epochs=10, encoder_learning_rate=0.1)

    def rates(epoch: int, elapsed: float = 0.0, limit: float | None = None) -> list[float]:
        trainer._set_rates(epoch, elapsed, limit)
        return [group["lr"] for group in trainer._optimizer.param_groups]

    assert rates(0) == pytest.approx([0.1, 0.1, 1.0])
    assert rates(5) == pytest.approx([0.05, 0.05, 0.5])
    assert rates(9)[0] == pytest.approx(0.05 * (1 + math.cos(0.9 * math.pi)))
    assert rates(5, elapsed=1.0, limit=100.0) == rates(5)
    assert rates(1, elapsed=50.0, limit=100.0) == rates(5)


def test_weights_of_rows_reach_the_loss() -> None:
    heavy, light = training(), training()
    numbers = rows(32)
    torch.manual_seed(1)
    heavy_loss = heavy._epoch(numbers._replace(weights=torch.full((32,), 1e6)))
    torch.manual_seed(1)
    assert heavy_loss > 1e4 * light._epoch(numbers)


def test_weights_are_averaged_over_steps() -> None:
    trainer = training()
    seen = []
    keep = trainer._move_average

    def watch() -> None:
        seen.append(next(iter(trainer._head.parameters())).detach().clone())
        keep()

    trainer._move_average = watch  # type: ignore[method-assign]
    trainer._epoch(rows(32))
    average = trainer._average[-2]
    assert len(seen) == 2
    assert torch.allclose(average, torch.stack(seen).mean(dim=0), atol=1e-6)


@pytest.mark.parametrize(("n", "size"), [(10, 16), (200, 16), (800, 50), (100_000, 256)])
def test_small_tables_have_small_batches(n: int, size: int) -> None:
    assert encoder_training._batch_rows(EncoderConfig(encoder_batch=256), n) == size


def test_the_loss_of_held_out_rows_does_not_depend_on_blocks_for_errors_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = training()
    whole = trainer._judge(rows(50))
    monkeypatch.setattr(encoder_training, "READ_AT_ONCE", 7)
    assert trainer._judge(rows(50)) == pytest.approx(whole, rel=1e-5)
