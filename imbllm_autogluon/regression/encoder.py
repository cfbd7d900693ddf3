"""The encoder: the arrays of a table that it reads, the network from rows to features, and how it is trained."""

from __future__ import annotations

import math
import time
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
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
    from collections.abc import Callable, Mapping, Sequence

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
        hidden = [part for a, b in layers for part in (nn.Linear(a, b), nn.ReLU(), _Dropout(dropout))]
    return [*hidden, nn.Linear(width, config.feature_size)]


class _ResidualBlock(nn.Module):
    """Normalize, widen twofold, activate, narrow, add (Gorishniy et al. 2021, section 3.2)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        wide = (nn.Linear(width, 2 * width), nn.ReLU(), _Dropout(dropout))
        self.change = nn.Sequential(nn.LayerNorm(width), *wide, nn.Linear(2 * width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = hidden + self.change(hidden)
        return changed


class _Dropout(nn.Dropout):
    """As torch's, whose Bernoulli draws take more than twice as long on a CPU."""

    def forward(self, hidden: Tensor) -> Tensor:
        if not self.training or not self.p:
            return hidden
        return hidden * (torch.rand_like(hidden) >= self.p).to(hidden.dtype).div_(1.0 - self.p)


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
    """Steps of an optimizer with clipped gradients, and the average of the weights, to which step n adds `share(n)`.

    Weights of several `networks` begin with an axis of these; the gradients of each network are clipped apart.
    """

    def __init__(
        self, weights: list[Tensor], optimizer: torch.optim.Optimizer, share: Callable[[int], float], networks: int = 1
    ) -> None:
        self.average = [weight.detach().clone() for weight in weights]
        self._weights, self._optimizer, self._share, self._networks = weights, optimizer, share, networks
        self._steps = 0

    def step(self, loss: Tensor) -> float:
        """One step down a loss, a scalar; returns its value."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._clip([weight.grad for weight in self._weights if weight.grad is not None])
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self._weights], self._share(self._steps))
        self._steps += 1
        return float(loss.detach())

    def _clip(self, gradients: list[Tensor]) -> None:
        norms = [torch.linalg.vector_norm(one.reshape(self._networks, -1), dim=1) for one in gradients]
        norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
        scale = (_LARGEST_GRADIENT / (norm + 1e-6)).clamp(max=1.0)
        for one in gradients:
            one.mul_(scale.view(-1, *[1] * (one.ndim - 1)))


@dataclass
class _EncoderCurve:
    """How the training of an encoder went."""

    train: list[float] = field(default_factory=list)  # mean loss of the training batches of each epoch
    held_out: list[float] = field(default_factory=list)  # loss of the held-out rows after each epoch
    best_epoch: int = -1  # epoch with the lowest held-out loss, from 0, whose weights were kept; -1: none was finite
    seconds: float = 0.0  # wall time of the training, that of encoders beside it included
    stopped: str = "epochs"  # why training ended: `"epochs"`, `"patience"`, `"time"` or `"diverged"`


def fit_encoders(
    numbers: npt.NDArray[np.float32],
    categories: IntArray,
    targets: FloatArray,
    held_out: Sequence[IntArray],
    methods: Sequence[ImbalanceMethod],
    config: EncoderConfig,
    *,
    cardinalities: Sequence[int],
    seed: int = 0,
    threads: int | None = None,
    limit: float | None = None,
) -> tuple[list[TabularEncoder], list[_EncoderCurve]]:
    """Train K encoders with their heads by AdamW, side by side, until the held-out rows of none gain any more.

    Rows are those of `TableMatrix.transform`, shapes (n, p) and (n, q), with standardized targets (n,). Each encoder
    has a method and held-out rows, by position (k,), of its own. Returns the encoders in evaluation mode with the
    weights of their best epochs. `OutOfTimeError` where the limit, in seconds, is too short for the least epochs.
    """
    with seeded_torch(child_seed(seed, "training", "encoder"), threads):
        floats = [torch.as_tensor(part, dtype=torch.float32) for part in (targets, methods[0].weights)]
        rows = _Rows(torch.as_tensor(numbers), torch.as_tensor(categories), *floats)
        encoders = [TabularEncoder(numbers.shape[1], cardinalities, config) for _ in held_out]
        training = _EncoderTraining(encoders, methods, config, rows, held_out)
        return encoders, training.run(math.inf if limit is None else limit)


class _Rows(NamedTuple):
    numbers: Tensor
    categories: Tensor
    targets: Tensor
    weights: Tensor

    def take(self, rows: IntArray | Tensor) -> _Rows:
        places = torch.as_tensor(rows)
        return _Rows(*(part[places] for part in self))


class _EncoderTraining:
    """Epochs of K encoders as one network, whose weights have an axis of K; the encoders hold averages of theirs."""

    def __init__(
        self,
        encoders: Sequence[TabularEncoder],
        methods: Sequence[ImbalanceMethod],
        config: EncoderConfig,
        rows: _Rows,
        held_out: Sequence[IntArray],
    ) -> None:
        self._encoders, self._methods, self._config, self._rows = encoders, methods, config, rows
        self._smoothers = [method.smoother for method in methods if method.smoother is not None]
        self._held_out = [rows.take(own) for own in held_out]
        self._learned = [torch.as_tensor(np.setdiff1d(np.arange(len(rows.targets)), own)) for own in held_out]
        self._n_rows = min(map(len, self._learned))
        self._n_batches = math.ceil(self._n_rows / _batch_rows(config, self._n_rows))
        self._weights = torch.func.stack_module_state(list(encoders))[0]
        own = [weight for method in methods for weight in method.loss.parameters()]
        groups = _groups(list(self._weights.values()), own, config)
        self._optimizer = torch.optim.AdamW(groups, lr=config.encoder_learning_rate, fused=True)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        # The first steps are a plain mean, so that the average begins without a bias.
        horizon = _AVERAGED_EPOCHS * self._n_batches
        weights, shares = [*self._weights.values(), *own], lambda step: 1.0 / min(step + 1, horizon)
        self._trainer = Trainer(weights, self._optimizer, shares, len(encoders))

    def run(self, limit: float = math.inf) -> list[_EncoderCurve]:
        curves, best = [_EncoderCurve() for _ in self._encoders], [deepcopy(one.state_dict()) for one in self._encoders]
        started, ends = time.perf_counter(), time.monotonic() + limit
        least = min(_LEAST_EPOCHS, self._config.encoder_epochs)
        with progress_bar(self._config.encoder_epochs * self._n_batches, "encoder") as bar:
            for epoch in range(self._config.encoder_epochs):
                self._set_rates(epoch, time.perf_counter() - started, limit)
                losses = self._epoch(ends if epoch < least else math.inf, bar.update)
                self._put(self._trainer.average)
                for number, curve in enumerate(curves):
                    curve.train.append(float(losses[number]))
                    curve.held_out.append(self._held_out_loss(number))
                    if curve.held_out[-1] < (math.inf if curve.best_epoch < 0 else curve.held_out[curve.best_epoch]):
                        best[number], curve.best_epoch = deepcopy(self._encoders[number].state_dict()), epoch
                reason = self._reason_to_stop(curves, time.perf_counter() - started, limit)
                if reason == "time" and epoch + 1 < least:
                    raise _too_short(f"enough for {epoch + 1} epochs")
                if reason:
                    break
        for encoder, curve, state in zip(self._encoders, curves, best, strict=True):
            encoder.load_state_dict(state)
            encoder.eval()
            curve.stopped, curve.seconds = reason or "epochs", time.perf_counter() - started
        return curves

    @torch.no_grad()
    def _put(self, weights: Sequence[Tensor]) -> None:
        """Give the encoders these weights, each of shape (K, ...)."""
        for number, encoder in enumerate(self._encoders):
            for own, new in zip(encoder.parameters(), weights, strict=False):  # the losses' own follow
                own.copy_(new[number])

    def _epoch(self, ends: float = math.inf, tell: Callable[[], object] = lambda: None) -> Tensor:
        """One pass over the rows in batches of nearly equal size; mean losses (K,). None lasts beyond `ends`."""
        for part in (*self._encoders, *(method.loss for method in self._methods)):
            part.train()
        order = torch.stack([own[torch.randperm(len(own))[: self._n_rows]] for own in self._learned])
        losses = []
        for places in order.chunk(self._n_batches, dim=1):
            loss = self._batch_losses(self._rows.take(places))
            self._trainer.step(loss.sum())
            losses.append(loss.detach())
            tell()
            if time.monotonic() > ends:
                raise _too_short("not enough for an epoch")
        if self._smoothers:
            self._put(list(self._weights.values()))
            for encoder, smoother, learned in zip(self._encoders, self._smoothers, self._learned, strict=True):
                rows = self._rows.take(learned)
                smoother.update(encoder.features(rows.numbers, rows.categories), rows.targets)
        return torch.stack(losses).mean(dim=0)

    def _batch_losses(self, batch: _Rows) -> Tensor:
        """Loss of each encoder on a batch of its own, shape (K,)."""
        call = torch.vmap(partial(torch.func.functional_call, self._encoders[0]), randomness="different")
        features = call(self._weights, (batch.numbers, batch.categories))
        if self._smoothers:
            pairs = zip(self._smoothers, features, batch.targets, strict=True)
            features = torch.stack([smoother.calibrate(own, targets) for smoother, own, targets in pairs])
        head, offset = self._weights["head.weight"], self._weights["head.bias"]
        predictions = (features * head).sum(dim=2) + offset
        each = zip(self._methods, predictions, batch.targets, batch.weights, features, strict=True)
        return torch.stack([method.loss(*own) for method, *own in each])

    @torch.no_grad()
    def _held_out_loss(self, number: int) -> float:
        """Mean loss of the held-out rows; blocks hold rows of the whole range of targets, as batches do."""
        encoder, loss, rows = self._encoders[number], self._methods[number].loss, self._held_out[number]
        loss.eval()
        features = encoder.features(rows.numbers, rows.categories)
        predictions, total = encoder.predict(features), 0.0
        n_blocks = math.ceil(len(features) / _COMPARED_AT_ONCE)
        for start in range(n_blocks):
            part = slice(start, None, n_blocks)
            found = loss(predictions[part], rows.targets[part], rows.weights[part], features[part])
            total += float(found) * len(features[part])
        return total / len(features)

    def _set_rates(self, epoch: int, elapsed: float, limit: float) -> None:
        """Half a cosine over all epochs, or over the time limit where that is nearer its end."""
        done = max(epoch / self._config.encoder_epochs, min(1.0, elapsed / limit) if limit else 0.0)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def _reason_to_stop(self, curves: list[_EncoderCurve], elapsed: float, limit: float) -> str:
        n_epochs = len(curves[0].train)
        if not all(math.isfinite(curve.train[-1]) for curve in curves):
            return "diverged"
        if all(n_epochs - 1 - curve.best_epoch >= self._config.encoder_patience for curve in curves):
            return "patience"
        # The next epoch takes as long as the mean one did.
        return "time" if elapsed + elapsed / n_epochs > limit else ""


def _too_short(what: str) -> OutOfTimeError:
    return OutOfTimeError(
        f"the time was {what} of the encoder; at least {_LEAST_EPOCHS} are needed. Give the fit more time, or make the "
        "encoder smaller (encoder_width)."
    )


def _batch_rows(config: EncoderConfig, n_rows: int) -> int:
    """Rows of a batch: fewer for small tables, so that an epoch has steps enough to learn by."""
    return max(2, min(config.encoder_batch, max(_SMALLEST_BATCH, n_rows // _LEAST_STEPS)))


def _groups(weights: list[Tensor], own: list[nn.Parameter], config: EncoderConfig) -> list[dict[str, Any]]:
    """Weight decay for matrices alone, of K networks; losses' own with ten times the step, as their authors do."""
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 2], "weight_decay": config.encoder_weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 2], "weight_decay": 0.0},
    ]
    rate = 10 * config.encoder_learning_rate
    return [*groups, {"params": own, "weight_decay": 0.0, "lr": rate}] if own else groups
