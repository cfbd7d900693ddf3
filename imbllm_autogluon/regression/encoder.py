"""The network that turns rows into features, and its linear head.

Numbers may enter as sines and cosines of learned frequencies (Gorishniy et al. 2022, "PLR (lite)", section 3.3).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from imbllm_autogluon.regression.config import EncoderConfig


LARGEST_EMBEDDING = 32
"""Units of a category's embedding at most."""

READ_AT_ONCE = 8192
"""Rows that go through the encoder at once where nothing is learned."""

FREQUENCIES = 16
"""Learned frequencies of each number; the paper tunes 8 to 96."""

UNITS = 12
"""Numbers that each column becomes."""

DEVIATION = 0.2
"""Standard deviation of the first frequencies, in periods per standard deviation of a number; the paper tunes 0.01 to
100 and finds small ones best on scaled numbers."""


class TabularEncoder(nn.Module):
    """Residual network or multi-layer perceptron on scaled numbers and embedded categories.

    The features are the last layer's sums, without an activation: a smooth distribution is what a diffusion model
    learns best, and a linear head loses nothing.

    Parameters
    ----------
    n_numbers
        Number columns, p.
    cardinalities
        Levels of each of the q category columns.
    config
        Sizes.
    """

    def __init__(self, n_numbers: int, cardinalities: Sequence[int], config: EncoderConfig) -> None:
        super().__init__()
        periodic = config.number_embedding == "periodic" and n_numbers > 0
        self.numbers = PeriodicEmbedding(n_numbers) if periodic else nn.Identity()
        embeddings = [_embedding(levels) for levels in cardinalities]
        self.categories = nn.ModuleList(embeddings)
        width = self.numbers.size if isinstance(self.numbers, PeriodicEmbedding) else n_numbers
        width += sum(embedding.embedding_dim for embedding in embeddings)
        self.layers = nn.Sequential(*_layers(width, config))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Features of rows, float32 of shape (n, d).

        Parameters
        ----------
        numbers
            float32 of shape (n, p).
        categories
            int64 of shape (n, q).
        """
        embedded = [embedding(categories[:, j]) for j, embedding in enumerate(self.categories)]
        features: Tensor = self.layers(torch.cat([self.numbers(numbers), *embedded], dim=1))
        return features

    @torch.no_grad()
    def features(self, numbers: npt.NDArray[np.float32] | Tensor, categories: npt.NDArray[np.int64] | Tensor) -> Tensor:
        """Features of any number of rows, in evaluation mode and in blocks; nothing is learned."""
        self.eval()
        rows = torch.as_tensor(numbers), torch.as_tensor(categories)
        starts = range(0, max(1, len(rows[0])), READ_AT_ONCE)
        return torch.cat([self(*(part[start : start + READ_AT_ONCE] for part in rows)) for start in starts])


class LinearHead(nn.Linear):
    """Prediction from features: one weight for each and an intercept.

    Parameters
    ----------
    feature_size
        d.
    """

    def __init__(self, feature_size: int) -> None:
        super().__init__(feature_size, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Predictions of shape (n,) for features of shape (n, d)."""
        return super().forward(features)[:, 0]


def _embedding(levels: int) -> nn.Embedding:
    """Embedding whose last level, for missing and unseen values, is neutral until rows teach it otherwise."""
    embedding = nn.Embedding(levels, min(LARGEST_EMBEDDING, 1 + round(1.6 * levels**0.56)))
    with torch.no_grad():
        embedding.weight[-1] = 0.0
    return embedding


def _layers(n_inputs: int, config: EncoderConfig) -> list[nn.Module]:
    width, dropout = config.encoder_width, config.encoder_dropout
    if config.architecture == "resnet":
        blocks: list[nn.Module] = [_ResidualBlock(width, dropout) for _ in range(config.encoder_depth)]
        hidden = [nn.Linear(n_inputs, width), *blocks, nn.LayerNorm(width), nn.ReLU()]
    else:
        sizes = [n_inputs, *[width] * config.encoder_depth]
        layers = pairwise(sizes)
        hidden = [part for a, b in layers for part in (nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))]
    return [*hidden, nn.Linear(width, config.feature_size)]


class _ResidualBlock(nn.Module):
    """Normalise, widen twofold, activate, narrow, add."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = hidden + self.change(hidden)
        return changed


class PeriodicEmbedding(nn.Module):
    """Embeds each of p numbers; the layer from frequencies to units is shared by all columns.

    Parameters
    ----------
    n_numbers
        p.
    """

    def __init__(self, n_numbers: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(n_numbers, FREQUENCIES) * DEVIATION)
        self.shared = nn.Linear(2 * FREQUENCIES, UNITS)
        self.size = n_numbers * (UNITS + 1)
        """Units of the whole embedding: those of each column, and the number itself."""

    def forward(self, numbers: Tensor) -> Tensor:
        """Embedding of shape (n, size) of numbers of shape (n, p)."""
        angles = 2 * math.pi * numbers[:, :, None] * self.frequencies
        waves = torch.relu(self.shared(torch.cat([angles.sin(), angles.cos()], dim=2)))
        return torch.cat([waves.flatten(1), numbers], dim=1)
