"""The encoder: the arrays of a table that it reads, the network from rows to features, and how it is trained."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from imbllm_autogluon._config import progress_bar
from imbllm_autogluon._random import child_seed, seeded_torch
from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.tables import EncodedTable, TableSchema
from imbllm_autogluon.tables.dtypes import KINDS_OF, ColumnName, Kind, dense, physical_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import EncoderConfig
    from imbllm_autogluon.regression.losses import ImbalanceMethod

_Numbers = npt.NDArray[np.float32]
_MOST_QUANTILES = 1000  # quantiles of a column at most; scikit-learn's default
_FURTHEST = 20.0  # scaled numbers lie within 20 deviations: a cell beyond all training cells must not drown the others
_LARGEST_EMBEDDING = 32  # units of a category's embedding at most
_READ_AT_ONCE = 8192  # rows that go through the encoder at once where nothing is learned
# Learned frequencies of each number (the paper tunes 8 to 96), and numbers that it becomes
_FREQUENCIES, _UNITS = 16, 12
_DEVIATION = 0.2  # standard deviation of the first frequencies, in periods per deviation of a number
_LARGEST_GRADIENT = 1.0  # norm to which gradients are clipped
_AVERAGED_EPOCHS = 2  # over which weights are averaged: few held-out rows choose among single ones by luck
_SMALLEST_BATCH, _LEAST_STEPS = 16, 16  # batches of small tables are a 16th of the rows, but not below 16 rows
_LEAST_EPOCHS = 3  # below which a training that ran out of time is no model; fewer if fewer were asked for
_COMPARED_AT_ONCE = 512  # held-out rows evaluated at once: losses that compare rows need the square of it


@dataclass(frozen=True, eq=False)
class TableMatrix:
    """How a table becomes two arrays, scaled numbers and codes of categories, learned from training rows.

    A missing number becomes the column's median, and columns with missing training cells get one more column that says
    where. Each category column has a last level for missing cells and unseen values. Columns that
    :class:`TableSchema` sets aside (constants, free texts, identifiers of words) are not read.
    """

    schema: TableSchema
    medians: FloatArray  # median of each number column's known training cells
    scaler: Any  # scikit-learn transformer of the number columns; None if there are none
    marked: IntArray  # number columns, by position among them, whose missingness is a column of its own

    @classmethod
    def fit(
        cls,
        X: pd.DataFrame,
        kinds: Mapping[ColumnName, Kind] | None = None,
        *,
        scaling: Literal["quantile", "standard"] = "quantile",
    ) -> TableMatrix:
        """Learn medians, scales (see `EncoderConfig.number_scaling`) and levels from at least one row."""
        schema = TableSchema.from_frame(X, kinds=_chosen_kinds(X, kinds))
        raw = _numbers(schema, schema.encode(X))
        marked = np.flatnonzero(np.isnan(raw).any(axis=0)).astype(np.int64)
        if not raw.shape[1]:
            return cls(schema, np.zeros(0), None, marked)
        return cls(schema, np.nanmedian(raw, axis=0), _scaler(scaling, len(raw)).fit(raw), marked)

    @classmethod
    def from_arrays(cls, schema: TableSchema, scaling: str, arrays: Mapping[str, npt.NDArray[Any]]) -> TableMatrix:
        """The matrix whose :meth:`arrays` these are."""
        learned = {name.removeprefix("scaler."): part for name, part in arrays.items() if name.startswith("scaler.")}
        scaler = _scaler(scaling) if learned else None
        if scaler is not None:
            vars(scaler).update(learned, n_features_in_=len(arrays["medians"]))
        return cls(schema, arrays["medians"], scaler, arrays["marked"])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All numbers by name: with the schema and the scaling they make the matrix again."""
        learned = {} if self.scaler is None else vars(self.scaler)
        scaler = {f"scaler.{name}": part for name, part in learned.items() if isinstance(part, np.ndarray)}
        return {"medians": self.medians, "marked": self.marked, **scaler}

    @property
    def n_numbers(self) -> int:
        """Columns of the numbers, p, at least 1: a table without a usable column has one of zeros."""
        return max(len(self.medians) + len(self.marked), int(not self.cardinalities))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Levels of each category column, the one for missing and unseen values included."""
        return tuple(len(column.categories) + 1 for column in self.schema.columns if column.is_category)

    def transform(self, X: pd.DataFrame) -> tuple[_Numbers, IntArray]:
        """Finite numbers, float32 of shape (n, p), and codes below their cardinalities, int64 of shape (n, q).

        Cells that training did not have are read as the nearest value; an absent column is a `TableError`.
        """
        cells = self.schema.encode_unseen(X)
        return self._scaled(_numbers(self.schema, cells)), self._codes(cells)

    def _scaled(self, raw: FloatArray) -> _Numbers:
        gaps = np.isnan(raw)
        filled = np.where(gaps, self.medians, raw)
        scaled = filled if self.scaler is None else np.clip(self.scaler.transform(filled), -_FURTHEST, _FURTHEST)
        numbers = np.column_stack([scaled, gaps[:, self.marked]]).astype(np.float32)
        return numbers if numbers.shape[1] else np.zeros((len(raw), self.n_numbers), dtype=np.float32)

    def _codes(self, cells: EncodedTable) -> IntArray:
        places = [j for j, column in enumerate(self.schema.columns) if column.is_category]
        levels = zip(places, self.cardinalities, strict=True)
        codes = [np.where(cells.missing[:, j], levels - 1, cells.values[j]) for j, levels in levels]
        return np.column_stack(codes).astype(np.int64) if codes else np.zeros((cells.n_rows, 0), dtype=np.int64)


def _chosen_kinds(X: pd.DataFrame, kinds: Mapping[ColumnName, Kind] | None) -> dict[ColumnName, Kind]:
    """Name the kind of every number: else a running number, a trend for a regression, is taken for an identifier."""
    chosen = dict(kinds or {})
    for place, name in enumerate(getattr(X, "columns", ())):
        kind = KINDS_OF[physical_type_of(dense(X.iloc[:, place]), name)][0]
        if kind in ("integer", "continuous") and name not in chosen:
            chosen[name] = kind
    return chosen


def _numbers(schema: TableSchema, cells: EncodedTable) -> FloatArray:
    """Numbers and times as float64 of shape (n, p), NaN where missing."""
    places = [j for j, column in enumerate(schema.columns) if column.is_number]
    columns = [np.where(cells.missing[:, j], np.nan, cells.values[j].astype(np.float64)) for j in places]
    return np.column_stack(columns) if columns else np.zeros((cells.n_rows, 0))


def _scaler(scaling: str, n_rows: int = _MOST_QUANTILES) -> Any:
    """scikit-learn's transformer, which ignores missing numbers."""
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    if scaling == "standard":
        return StandardScaler()
    # A fixed seed, for it only chooses which of more than 10,000 rows lay the quantiles.
    return QuantileTransformer(n_quantiles=min(_MOST_QUANTILES, n_rows), output_distribution="normal", random_state=0)


class TabularEncoder(nn.Module):
    """Residual network or multi-layer perceptron on scaled numbers and embedded categories, with a linear head.

    The features are the last layer's sums, without an activation: a diffusion model learns smooth distributions best.
    `cardinalities` are the levels of each category column.
    """

    def __init__(self, n_numbers: int, cardinalities: Sequence[int], config: EncoderConfig) -> None:
        super().__init__()
        periodic = config.number_embedding == "periodic" and n_numbers > 0
        self.numbers = _PeriodicEmbedding(n_numbers) if periodic else nn.Identity()
        embeddings = [_embedding(levels) for levels in cardinalities]
        self.categories = nn.ModuleList(embeddings)
        width = n_numbers * (_UNITS + 1) if periodic else n_numbers
        width += sum(embedding.embedding_dim for embedding in embeddings)
        self.layers = nn.Sequential(*_layers(width, config))
        self.head = nn.Linear(config.feature_size, 1)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Features (n, d) of rows: numbers (n, p) and categories (n, q)."""
        embedded = [embedding(categories[:, j]) for j, embedding in enumerate(self.categories)]
        features: Tensor = self.layers(torch.cat([self.numbers(numbers), *embedded], dim=1))
        return features

    def predict(self, features: Tensor) -> Tensor:
        """Predictions of the head, shape (n,), from features (n, d)."""
        predictions: Tensor = self.head(features)[:, 0]
        return predictions

    @torch.no_grad()
    def features(self, numbers: npt.NDArray[np.floating] | Tensor, categories: IntArray | Tensor) -> Tensor:
        """Features of any number of rows, in evaluation mode and in blocks; nothing is learned."""
        self.eval()
        rows = torch.as_tensor(numbers), torch.as_tensor(categories)
        starts = range(0, max(1, len(rows[0])), _READ_AT_ONCE)
        return torch.cat([self(*(part[start : start + _READ_AT_ONCE] for part in rows)) for start in starts])


def _embedding(levels: int) -> nn.Embedding:
    """Embedding whose last level, for missing and unseen values, is neutral until rows teach it otherwise."""
    embedding = nn.Embedding(levels, min(_LARGEST_EMBEDDING, 1 + round(1.6 * levels**0.56)))
    with torch.no_grad():
        embedding.weight[-1] = 0.0
    return embedding


def _layers(n_inputs: int, config: EncoderConfig) -> list[nn.Module]:
    width, dropout = config.encoder_width, config.encoder_dropout
    if config.architecture == "resnet":
        blocks: list[nn.Module] = [_ResidualBlock(width, dropout) for _ in range(config.encoder_depth)]
        hidden = [nn.Linear(n_inputs, width), *blocks, nn.LayerNorm(width), nn.ReLU()]
    else:
        layers = pairwise([n_inputs, *[width] * config.encoder_depth])
        hidden = [part for a, b in layers for part in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))]
    return [*hidden, nn.Linear(width, config.feature_size)]


class _ResidualBlock(nn.Module):
    """Normalize, widen twofold, activate, narrow, add (Gorishniy et al. 2021, section 3.2)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        wide = (nn.Linear(width, 2 * width), nn.ReLU(), nn.Dropout(dropout))
        self.change = nn.Sequential(nn.LayerNorm(width), *wide, nn.Linear(2 * width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = hidden + self.change(hidden)
        return changed


class _PeriodicEmbedding(nn.Module):
    """Units of each of p numbers, then the numbers; all share a layer (Gorishniy et al. 2022, "PLR (lite)", 3.3)."""

    def __init__(self, n_numbers: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(n_numbers, _FREQUENCIES) * _DEVIATION)
        self.shared = nn.Linear(2 * _FREQUENCIES, _UNITS)

    def forward(self, numbers: Tensor) -> Tensor:
        angles = 2 * math.pi * numbers[:, :, None] * self.frequencies
        waves = torch.relu(self.shared(torch.cat([angles.sin(), angles.cos()], dim=2)))
        return torch.cat([waves.flatten(1), numbers], dim=1)


class Trainer:
    """Steps of an optimizer with clipped gradients, and the average of the weights, to which step n adds `share(n)`."""

    def __init__(
        self, weights: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer, share: Callable[[int], float]
    ) -> None:
        self.average = [weight.detach().clone() for weight in weights]
        self._weights, self._optimizer, self._share = weights, optimizer, share
        self._steps = 0

    def step(self, loss: Tensor) -> float:
        """One step down a loss, a scalar; returns its value."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._weights, _LARGEST_GRADIENT)
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
    held_out: IntArray,
    method: ImbalanceMethod,
    config: EncoderConfig,
    *,
    cardinalities: Sequence[int],
    seed: int = 0,
    threads: int | None = None,
    limits: tuple[float, float] | None = None,
) -> tuple[TabularEncoder, _EncoderCurve]:
    """Train an encoder with its head by AdamW until held-out rows, given by position (k,), stop gaining.

    Rows are those of `TableMatrix.transform`, shapes (n, p) and (n, q), with standardized targets (n,). Returns the
    encoder in evaluation mode with the weights of the best epoch. Limits are seconds for all epochs, and for the first
    three, or all of them if they are fewer; `OutOfTimeError` where these take longer.
    """
    learned = np.setdiff1d(np.arange(len(targets)), held_out)
    with seeded_torch(child_seed(seed, "training", "encoder"), threads):
        floats = [torch.as_tensor(part, dtype=torch.float32) for part in (targets, method.weights)]
        rows = _Rows(torch.as_tensor(numbers), torch.as_tensor(categories), *floats)
        encoder = TabularEncoder(numbers.shape[1], cardinalities, config)
        training = _EncoderTraining(encoder, method, config, rows.take(learned), rows.take(held_out))
        return encoder, training.run(limits)


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
        groups = _groups(encoder, self._loss, config)
        self._optimizer = torch.optim.AdamW(groups, lr=config.encoder_learning_rate, fused=True)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        # The first steps are a plain mean, so that the average begins without a bias.
        horizon = _AVERAGED_EPOCHS * self._n_batches
        weights = [*encoder.parameters(), *self._loss.parameters()]
        self._trainer = Trainer(weights, self._optimizer, lambda step: 1.0 / min(step + 1, horizon))

    def run(self, limits: tuple[float, float] | None) -> _EncoderCurve:
        with progress_bar(self._config.encoder_epochs * self._n_batches, "encoder") as bar:
            return self._run(limits or (math.inf, math.inf), bar)

    def _run(self, limits: tuple[float, float], bar: Any) -> _EncoderCurve:
        curve, started, best = _EncoderCurve(), time.perf_counter(), self._averages()
        ends = time.monotonic() + limits[1]
        least = min(_LEAST_EPOCHS, self._config.encoder_epochs)
        for epoch in range(self._config.encoder_epochs):
            self._set_rates(epoch, time.perf_counter() - started, limits[0])
            curve.train.append(self._epoch(ends if epoch < least else math.inf, bar.update))
            with self._trainer.averaged():
                curve.held_out.append(self._held_out_loss())
            if curve.held_out[-1] < (math.inf if curve.best_epoch < 0 else curve.held_out[curve.best_epoch]):
                best, curve.best_epoch = self._averages(), epoch
            limit = limits[len(curve.train) < least]
            reason = self._reason_to_stop(curve, time.perf_counter() - started, limit)
            if reason == "time" and len(curve.train) < least:
                raise _too_short(f"enough for {len(curve.train)} epochs")
            if reason:
                curve.stopped = reason
                break
        self._trainer.put(best)
        self._encoder.eval()
        curve.seconds = time.perf_counter() - started
        return curve

    def _averages(self) -> list[Tensor]:
        return [weight.clone() for weight in self._trainer.average]

    def _epoch(self, ends: float = math.inf, tell: Callable[[], object] = lambda: None) -> float:
        """One pass over the rows in batches of nearly equal size; returns the mean loss. None lasts beyond `ends`."""
        self._encoder.train()
        self._loss.train()
        parts = torch.randperm(len(self._learned.targets)).chunk(self._n_batches)
        losses = []
        for part in parts:
            losses.append(self._trainer.step(self._batch_loss(self._learned.take(part))))
            tell()
            if time.monotonic() > ends:
                raise _too_short("not enough for an epoch")
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
        n_blocks = math.ceil(len(features) / _COMPARED_AT_ONCE)
        for start in range(n_blocks):
            part = slice(start, None, n_blocks)
            loss = self._loss(predictions[part], rows.targets[part], rows.weights[part], features[part])
            total += float(loss) * len(features[part])
        return total / len(features)

    def _set_rates(self, epoch: int, elapsed: float, time_limit: float) -> None:
        """Half a cosine over all epochs, or over the time limit where that is nearer its end."""
        done = max(epoch / self._config.encoder_epochs, min(1.0, elapsed / time_limit) if time_limit else 0.0)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def _reason_to_stop(self, curve: _EncoderCurve, elapsed: float, time_limit: float) -> str:
        if not math.isfinite(curve.train[-1]):
            return "diverged"
        if len(curve.held_out) - 1 - curve.best_epoch >= self._config.encoder_patience:
            return "patience"
        # The next epoch takes as long as the mean one did.
        mean = elapsed / len(curve.train)
        return "time" if elapsed + mean > time_limit else ""


def _too_short(what: str) -> OutOfTimeError:
    return OutOfTimeError(
        f"the time was {what} of the encoder; at least {_LEAST_EPOCHS} are needed. Give the fit more time, or make the "
        "encoder smaller (encoder_width)."
    )


def _batch_rows(config: EncoderConfig, n_rows: int) -> int:
    """Rows of a batch: fewer for small tables, so that an epoch has steps enough to learn by."""
    return max(2, min(config.encoder_batch, max(_SMALLEST_BATCH, n_rows // _LEAST_STEPS)))


def _groups(encoder: TabularEncoder, loss: nn.Module, config: EncoderConfig) -> list[dict[str, Any]]:
    """Weight decay for matrices alone; the loss's own parameters with ten times the step size, as their authors do."""
    weights, own = list(encoder.parameters()), list(loss.parameters())
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": config.encoder_weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = 10 * config.encoder_learning_rate
    return [*groups, {"params": own, "weight_decay": 0.0, "lr": rate}] if own else groups
