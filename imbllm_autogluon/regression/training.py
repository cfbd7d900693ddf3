"""Training: steps with clipped gradients and averaged weights; of an encoder until held-out rows stop gaining."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from imbllm_autogluon._random import child_rng, child_seed, seeded_torch
from imbllm_autogluon.regression.network import TabularEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import EncoderConfig
    from imbllm_autogluon.regression.losses import ImbalanceMethod

_LARGEST_GRADIENT = 1.0  # norm to which gradients are clipped
# Epochs over which weights are averaged: single ones jump, and few held-out rows choose among jumps by luck
_AVERAGED_EPOCHS = 2
_SMALLEST_BATCH, _LEAST_STEPS = 16, 16  # batches of small tables are a 16th of the rows, but not below 16 rows
# Held-out rows evaluated at once: the losses that compare rows with each other need the square of it
_READ_AT_ONCE = 512


class Trainer:
    """Steps of an optimizer with clipped gradients, and the average of the weights, to which step n adds `share(n)`."""

    def __init__(
        self, weights: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer, share: Callable[[int], float]
    ) -> None:
        self.average = [weight.detach().clone() for weight in weights]
        self._weights, self._optimizer, self._share = weights, optimizer, share
        self._steps = 0

    def step(self, loss: Tensor) -> float:
        """One step down a loss, a scalar; returns its value."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._weights, _LARGEST_GRADIENT)
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self._weights], self._share(self._steps))
        self._steps += 1
        return float(loss.detach())

    @torch.no_grad()
    def put(self, weights: Sequence[Tensor]) -> None:
        """Give the networks these weights."""
        for own, new in zip(self._weights, weights, strict=True):
            own.copy_(new)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights in place for a while."""
        latest = [weight.detach().clone() for weight in self._weights]
        self.put(self.average)
        yield
        self.put(latest)


@dataclass
class _EncoderCurve:
    """How the training of an encoder went."""

    train: list[float] = field(default_factory=list)  # mean loss of the training batches of each epoch
    held_out: list[float] = field(default_factory=list)  # loss of the held-out rows after each epoch
    best_epoch: int = -1  # epoch with the lowest held-out loss, from 0, whose weights were kept; -1: none was finite
    seconds: float = 0.0  # wall time of the training
    stopped: str = "epochs"  # why training ended: `"epochs"`, `"patience"`, `"time"` or `"diverged"`


def fit_encoder(
    numbers: npt.NDArray[np.float32],
    categories: IntArray,
    targets: FloatArray,
    method: ImbalanceMethod,
    config: EncoderConfig,
    *,
    cardinalities: Sequence[int],
    seed: int = 0,
    threads: int | None = None,
    time_limit: float | None = None,
) -> tuple[TabularEncoder, _EncoderCurve, IntArray]:
    """Train an encoder with its head by AdamW until held-out rows stop gaining; at least one epoch is trained.

    Rows are those of `TableMatrix.transform`, shapes (n, p) and (n, q), with standardised targets (n,). Returns the
    encoder in evaluation mode with the weights of the best epoch, and positions of the held-out rows, (k,).
    """
    learned, held_out = _held_out_split(targets, config.validation_fraction, child_rng(seed, "training", "held out"))
    with seeded_torch(child_seed(seed, "training", "encoder"), threads):
        floats = [torch.as_tensor(part, dtype=torch.float32) for part in (targets, method.weights)]
        rows = _Rows(torch.as_tensor(numbers), torch.as_tensor(categories), *floats)
        encoder = TabularEncoder(numbers.shape[1], cardinalities, config)
        training = _EncoderTraining(encoder, method, config, rows.take(learned), rows.take(held_out))
        return encoder, training.run(time_limit), held_out


class _Rows(NamedTuple):
    numbers: Tensor
    categories: Tensor
    targets: Tensor
    weights: Tensor

    def take(self, rows: IntArray | Tensor) -> _Rows:
        places = torch.as_tensor(rows)
        return _Rows(*(part[places] for part in self))


class _EncoderTraining:
    """Epochs of one encoder, trained in place with the parameters of its loss."""

    def __init__(
        self, encoder: TabularEncoder, method: ImbalanceMethod, config: EncoderConfig, learned: _Rows, held_out: _Rows
    ) -> None:
        self._encoder, self._loss, self._smoother = encoder, method.loss, method.smoother
        self._config, self._learned, self._held_out = config, learned, held_out
        n_rows = len(learned.targets)
        self._n_batches = math.ceil(n_rows / _batch_rows(config, n_rows))
        self._optimizer = torch.optim.AdamW(_groups(encoder, self._loss, config), lr=config.encoder_learning_rate)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        # The first steps are a plain mean, so that the average begins without a bias.
        horizon = _AVERAGED_EPOCHS * self._n_batches
        weights = [*encoder.parameters(), *self._loss.parameters()]
        self._trainer = Trainer(weights, self._optimizer, lambda step: 1.0 / min(step + 1, horizon))

    def run(self, time_limit: float | None) -> _EncoderCurve:
        curve, started, best = _EncoderCurve(), time.perf_counter(), self._averages()
        for epoch in range(self._config.encoder_epochs):
            self._set_rates(epoch, time.perf_counter() - started, time_limit)
            curve.train.append(self._epoch())
            with self._trainer.averaged():
                curve.held_out.append(self._held_out_loss())
            if curve.held_out[-1] < (math.inf if curve.best_epoch < 0 else curve.held_out[curve.best_epoch]):
                best, curve.best_epoch = self._averages(), epoch
            reason = self._reason_to_stop(curve, time.perf_counter() - started, time_limit)
            if reason:
                curve.stopped = reason
                break
        self._trainer.put(best)
        self._encoder.eval()
        curve.seconds = time.perf_counter() - started
        return curve

    def _averages(self) -> list[Tensor]:
        return [weight.clone() for weight in self._trainer.average]

    def _epoch(self) -> float:
        """One pass over the rows in batches of nearly equal size; returns the mean loss."""
        self._encoder.train()
        self._loss.train()
        parts = torch.randperm(len(self._learned.targets)).chunk(self._n_batches)
        losses = [self._trainer.step(self._batch_loss(self._learned.take(part))) for part in parts]
        if self._smoother is not None:
            features = self._encoder.features(self._learned.numbers, self._learned.categories)
            self._smoother.update(features, self._learned.targets)
        return sum(losses) / len(losses)

    def _batch_loss(self, batch: _Rows) -> Tensor:
        features = self._encoder(batch.numbers, batch.categories)
        if self._smoother is not None:
            features = self._smoother.calibrate(features, batch.targets)
        loss: Tensor = self._loss(self._encoder.predict(features), batch.targets, batch.weights, features)
        return loss

    @torch.no_grad()
    def _held_out_loss(self) -> float:
        """Mean loss of the held-out rows; blocks hold rows of the whole range of targets, as batches do."""
        self._loss.eval()
        rows = self._held_out
        features = self._encoder.features(rows.numbers, rows.categories)
        predictions, total = self._encoder.predict(features), 0.0
        n_blocks = math.ceil(len(features) / _READ_AT_ONCE)
        for start in range(n_blocks):
            part = slice(start, None, n_blocks)
            loss = self._loss(predictions[part], rows.targets[part], rows.weights[part], features[part])
            total += float(loss) * len(features[part])
        return total / len(features)

    def _set_rates(self, epoch: int, elapsed: float, time_limit: float | None) -> None:
        """Half a cosine over all epochs, or over the time limit where that is nearer its end."""
        done = max(epoch / self._config.encoder_epochs, min(1.0, elapsed / time_limit) if time_limit else 0.0)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def _reason_to_stop(self, curve: _EncoderCurve, elapsed: float, time_limit: float | None) -> str:
        if not math.isfinite(curve.train[-1]):
            return "diverged"
        if len(curve.held_out) - 1 - curve.best_epoch >= self._config.encoder_patience:
            return "patience"
        # The next epoch takes as long as the mean one did.
        mean = elapsed / len(curve.train)
        return "time" if time_limit is not None and elapsed + mean > time_limit else ""


def _held_out_split(targets: FloatArray, share: float, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Rows to learn and rows to hold out: one of each block of rows with neighbouring targets, at random."""
    order = np.argsort(targets, kind="stable").astype(np.int64)
    blocks = np.array_split(order, max(1, min(len(order) // 2, round(share * len(order)))))
    held_out = np.array([rng.choice(block) for block in blocks])
    return np.setdiff1d(order, held_out), held_out


def _batch_rows(config: EncoderConfig, n_rows: int) -> int:
    """Rows of a batch: fewer for small tables, so that an epoch has steps enough to learn by."""
    return max(2, min(config.encoder_batch, max(_SMALLEST_BATCH, n_rows // _LEAST_STEPS)))


def _groups(encoder: TabularEncoder, loss: torch.nn.Module, config: EncoderConfig) -> list[dict[str, Any]]:
    """Weight decay for matrices alone; the loss's own parameters with ten times the step size, as their authors do."""
    weights, own = list(encoder.parameters()), list(loss.parameters())
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": config.encoder_weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = 10 * config.encoder_learning_rate
    return [*groups, {"params": own, "weight_decay": 0.0, "lr": rate}] if own else groups
