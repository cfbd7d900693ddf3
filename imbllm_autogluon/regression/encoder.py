"""The network that turns rows into features, its linear head, and their training."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from imbllm_autogluon.process_state import seeded_torch
from imbllm_autogluon.randomness import child_rng, child_seed
from imbllm_autogluon.regression.encoder_training import Rows, Training
from imbllm_autogluon.regression.losses import WeightedMSE
from imbllm_autogluon.regression.number_embedding import PeriodicEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.regression.config import EncoderConfig
    from imbllm_autogluon.regression.encoder_training import EncoderCurve, FeatureSmoother
    from imbllm_autogluon.regression.losses import RegressionLoss

    FloatArray = npt.NDArray[np.float64]

LARGEST_EMBEDDING = 32
"""Units of a category's embedding at most."""

READ_AT_ONCE = 8192
"""Rows that go through the encoder at once where nothing is learned."""


class EncoderFit(NamedTuple):
    """A trained encoder, its head and how the training went."""

    encoder: TabularEncoder
    head: LinearHead
    curve: EncoderCurve
    held_out: npt.NDArray[np.int64]
    """Positions of the rows that judged, shape (k,)."""


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
