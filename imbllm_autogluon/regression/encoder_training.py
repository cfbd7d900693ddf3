"""The training of an encoder and its head: steps, patience and seconds bounded, the best weights kept."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from imbllm_autogluon.process_state import seeded_torch
from imbllm_autogluon.randomness import child_rng, child_seed
from imbllm_autogluon.regression.encoder import LinearHead, TabularEncoder
from imbllm_autogluon.regression.losses import WeightedMSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import EncoderConfig
    from imbllm_autogluon.regression.losses import RegressionLoss


LARGEST_GRADIENT = 1.0
"""Norm to which gradients are clipped."""

AVERAGED_EPOCHS = 2
"""Epochs over which weights are averaged: single ones jump, and few held-out rows choose among jumps by luck."""

SMALLEST_BATCH, LEAST_STEPS = 16, 16
"""Batches of small tables are a 16th of the rows, but not below 16 rows."""

READ_AT_ONCE = 512
"""Held-out rows judged at once: the losses that compare rows with each other need the square of it."""


class FeatureSmoother(Protocol):
    """What calibrates features while an encoder learns; see `regression.fds`."""

    def calibrate(self, features: Tensor, targets: Tensor) -> Tensor:
        """Features of a training batch, shape (n, d), as the head is to read them."""

    def update(self, features: Tensor, targets: Tensor) -> None:
        """Take in the features of all training rows, after each epoch."""


@dataclass
class EncoderCurve:
    """How the training of an encoder went."""

    train: list[float] = field(default_factory=list)
    """Mean loss of the training batches of each epoch."""

    held_out: list[float] = field(default_factory=list)
    """Loss of the held-out rows after each epoch."""

    best_epoch: int = -1
    """Epoch with the lowest held-out loss, from 0, whose weights were kept; -1: none was finite."""

    seconds: float = 0.0
    """Wall time of the training."""

    stopped: str = "epochs"
    """Why training ended: ``"epochs"``, ``"patience"``, ``"time"`` or ``"diverged"``."""


class EncoderFit(NamedTuple):
    """A trained encoder, its head and how the training went."""

    encoder: TabularEncoder
    head: LinearHead
    curve: EncoderCurve
    held_out: npt.NDArray[np.int64]
    """Positions of the rows that judged, shape (k,)."""


class Rows(NamedTuple):
    """Rows as tensors."""

    numbers: Tensor
    categories: Tensor
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls,
        numbers: npt.NDArray[np.float32],
        categories: npt.NDArray[np.int64],
        targets: FloatArray,
        weights: FloatArray | None,
    ) -> Rows:
        """Tensors of arrays; no weights are weights of 1."""
        floats = [torch.as_tensor(part, dtype=torch.float32) for part in (numbers, targets)]
        own = torch.ones(len(targets)) if weights is None else torch.as_tensor(weights, dtype=torch.float32)
        return cls(floats[0], torch.as_tensor(categories, dtype=torch.int64), floats[1], own)

    def take(self, rows: IntArray | Tensor) -> Rows:
        """Rows by position."""
        places = torch.as_tensor(rows)
        return Rows(*(part[places] for part in self))


class Training:
    """Trains one encoder with its head.

    Parameters
    ----------
    encoder, head
        Trained in place.
    loss
        What is minimised; its own parameters, such as a noise scale, are learned with the others.
    config
        Batches, steps, patience.
    smoother
        Calibrates features of training batches; None: none does.
    """

    def __init__(
        self,
        encoder: TabularEncoder,
        head: LinearHead,
        loss: RegressionLoss,
        config: EncoderConfig,
        smoother: FeatureSmoother | None = None,
    ) -> None:
        self._encoder, self._head, self._loss = encoder, head, loss
        self._config, self._smoother = config, smoother
        self._learning = [*encoder.parameters(), *head.parameters(), *loss.parameters()]
        self._optimizer = torch.optim.AdamW(_groups(encoder, head, loss, config), lr=config.encoder_learning_rate)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._average = [parameter.detach().clone() for parameter in self._learning]
        self._steps = 0
        self._horizon = 1

    def run(
        self, learned: Rows, held_out: Rows, time_limit: float | None, progress: Callable[[int], None]
    ) -> EncoderCurve:
        """Train until a limit is met, and put the best weights back."""
        curve, started, best = EncoderCurve(), time.perf_counter(), self._copied()
        for epoch in range(self._config.encoder_epochs):
            self._set_rates(epoch, time.perf_counter() - started, time_limit)
            curve.train.append(self._epoch(learned))
            with self._averaged():
                curve.held_out.append(self._judge(held_out))
            if curve.held_out[-1] < _best(curve):
                best, curve.best_epoch = self._copied(), epoch
            progress(epoch + 1)
            reason = self._reason_to_stop(curve, time.perf_counter() - started, time_limit)
            if reason:
                curve.stopped = reason
                break
        self._set(best)
        curve.seconds = time.perf_counter() - started
        return curve

    def _epoch(self, rows: Rows) -> float:
        """One pass over the rows in batches of nearly equal size; returns the mean loss."""
        for module in (self._encoder, self._head, self._loss):
            module.train()
        order = torch.randperm(len(rows.targets))
        n_batches = math.ceil(len(order) / _batch_rows(self._config, len(order)))
        self._horizon = AVERAGED_EPOCHS * n_batches
        losses = [self._step(rows.take(part)) for part in order.chunk(n_batches)]
        if self._smoother is not None:
            features = self._encoder.features(rows.numbers, rows.categories)
            self._smoother.update(features, rows.targets)
        return sum(losses) / len(losses)

    def _step(self, batch: Rows) -> float:
        features = self._encoder(batch.numbers, batch.categories)
        if self._smoother is not None:
            features = self._smoother.calibrate(features, batch.targets)
        loss = self._loss(self._head(features), batch.targets, batch.weights, features)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._learning, LARGEST_GRADIENT)
        self._optimizer.step()
        self._move_average()
        return float(loss.detach())

    @torch.no_grad()
    def _move_average(self) -> None:
        """Exponential average of the weights; its first steps are a plain mean, so that it begins without a bias."""
        self._steps += 1
        share = 1.0 / min(self._steps, self._horizon)
        torch._foreach_lerp_(self._average, [weight.detach() for weight in self._learning], share)

    def _copied(self) -> list[Tensor]:
        return [weight.clone() for weight in self._average]

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the averaged weights in place for a while."""
        latest = [weight.detach().clone() for weight in self._learning]
        self._set(self._average)
        yield
        self._set(latest)

    @torch.no_grad()
    def _set(self, weights: Sequence[Tensor]) -> None:
        for own, new in zip(self._learning, weights, strict=True):
            own.copy_(new)

    @torch.no_grad()
    def _judge(self, rows: Rows) -> float:
        """Mean loss of the held-out rows; blocks hold rows of the whole range of targets, as batches do."""
        self._loss.eval()
        features = self._encoder.features(rows.numbers, rows.categories)
        predictions, total = self._head(features), 0.0
        n_blocks = math.ceil(len(features) / READ_AT_ONCE)
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

    def _reason_to_stop(self, curve: EncoderCurve, elapsed: float, time_limit: float | None) -> str:
        if not math.isfinite(curve.train[-1]):
            return "diverged"
        if len(curve.held_out) - 1 - curve.best_epoch >= self._config.encoder_patience:
            return "patience"
        # The next epoch takes as long as the mean one did.
        mean = elapsed / len(curve.train)
        return "time" if time_limit is not None and elapsed + mean > time_limit else ""


def fit_encoder(
    numbers: npt.NDArray[np.float32],
    categories: npt.NDArray[np.int64],
    targets: FloatArray,
    config: EncoderConfig,
    *,
    cardinalities: Sequence[int],
    loss: RegressionLoss | None = None,
    weights: FloatArray | None = None,
    smoother: FeatureSmoother | None = None,
    seed: int = 0,
    threads: int | None = None,
    time_limit: float | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> EncoderFit:
    """Train an encoder and its head with AdamW until held-out rows stop gaining.

    Parameters
    ----------
    numbers, categories
        Training rows as `TableMatrix.transform` gives them, shapes (n, p) and (n, q).
    targets
        Standardised, shape (n,).
    cardinalities
        Levels of each category column.
    loss
        What is minimised, and what held-out rows are judged by; a copy is used, for some losses learn. None: the mean
        squared error.
    weights
        Weight of each row in the loss, shape (n,); None: 1.
    smoother
        Calibrates the features of training batches.
    seed, threads
        Seed of everything drawn; torch threads, None: as they are.
    time_limit
        Seconds after which no further epoch begins; at least one is trained.
    progress
        Called with the number of finished epochs.

    Returns
    -------
    EncoderFit
        Encoder and head, in evaluation mode, with the weights of the best epoch; and the curve.
    """
    learned, held_out = held_out_split(targets, config.held_out_share, child_rng(seed, "training", "held out"))
    with seeded_torch(child_seed(seed, "training", "encoder"), threads):
        rows = Rows.of(numbers, categories, targets, weights)
        encoder, head = TabularEncoder(numbers.shape[1], cardinalities, config), LinearHead(config.feature_size)
        training = Training(encoder, head, deepcopy(loss) or WeightedMSE(), config, smoother)
        curve = training.run(rows.take(learned), rows.take(held_out), time_limit, progress)
    return EncoderFit(encoder.eval(), head.eval(), curve, held_out)


def held_out_split(
    targets: FloatArray, share: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows to learn and rows to hold out: one of each block of rows with neighbouring targets, at random."""
    order = np.argsort(targets, kind="stable").astype(np.int64)
    blocks = np.array_split(order, max(1, min(len(order) // 2, round(share * len(order)))))
    held_out = np.array([rng.choice(block) for block in blocks])
    return np.setdiff1d(order, held_out), held_out


def _best(curve: EncoderCurve) -> float:
    return math.inf if curve.best_epoch < 0 else curve.held_out[curve.best_epoch]


def _batch_rows(config: EncoderConfig, n_rows: int) -> int:
    """Rows of a batch: fewer for small tables, so that an epoch has steps enough to learn by."""
    return max(2, min(config.encoder_batch, max(SMALLEST_BATCH, n_rows // LEAST_STEPS)))


def _groups(
    encoder: TabularEncoder, head: LinearHead, loss: RegressionLoss, config: EncoderConfig
) -> list[dict[str, Any]]:
    """Weight decay for matrices alone; the loss's own parameters with ten times the step size, as their authors do."""
    weights = [*encoder.parameters(), *head.parameters()]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": config.encoder_weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    own = list(loss.parameters())
    rate = 10 * config.encoder_learning_rate
    return [*groups, {"params": own, "weight_decay": 0.0, "lr": rate}] if own else groups
