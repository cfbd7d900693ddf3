"""The network that turns rows into features and predicts from them, and the arrays of a table that it reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from imbllm_autogluon.tables import EncodedTable, TableSchema
from imbllm_autogluon.tables.dtypes import KINDS_OF, ColumnName, Kind, dense, physical_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.regression.config import EncoderConfig

_Numbers = npt.NDArray[np.float32]
_MOST_QUANTILES = 1000  # quantiles of a column at most; scikit-learn's default
_FURTHEST = 20.0  # scaled numbers lie within 20 deviations: a cell beyond all training cells must not drown the others
_LARGEST_EMBEDDING = 32  # units of a category's embedding at most
_READ_AT_ONCE = 8192  # rows that go through the encoder at once where nothing is learned
# Learned frequencies of each number (the paper tunes 8 to 96), and numbers that it becomes
_FREQUENCIES, _UNITS = 16, 12
# Standard deviation of the first frequencies, in periods per deviation of a number; small ones are best
_DEVIATION = 0.2


@dataclass(frozen=True, eq=False)
class TableMatrix:
    """How a table becomes two arrays, scaled numbers and codes of categories, learned from training rows.

    Numbers are whole, continuous and of time. A missing number becomes the column's median, and columns with missing
    training cells get one more column that says where. Each category column has one more level than training values,
    the last one, for missing cells and for values that training did not hold. Columns that :class:`TableSchema` sets
    aside (constants, free texts, identifiers of words) are not read.
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
        schema = TableSchema.from_frame(X, kinds=_chosen_kinds(X, kinds), max_columns=max(1, X.shape[1]))
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
        for name, part in learned.items():
            setattr(scaler, name, part)
        if scaler is not None:
            scaler.n_features_in_ = len(arrays["medians"])
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

        A column that is absent, infinite or of another kind than in training is a `TableError`.
        """
        cells = self.schema.encode(X, unknown="missing")
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

    The features are the last layer's sums, without an activation: a smooth distribution is what a diffusion model
    learns best, and a linear head loses nothing. Numbers may enter as sines and cosines of learned frequencies.
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
    """Normalise, widen twofold, activate, narrow, add (Gorishniy et al. 2021, section 3.2)."""

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
