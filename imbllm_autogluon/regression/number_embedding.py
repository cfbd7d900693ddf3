"""Numbers as sines and cosines of learned frequencies (Gorishniy et al. 2022, "PLR (lite)", section 3.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FREQUENCIES = 16
"""Learned frequencies of each number; the paper tunes 8 to 96."""

UNITS = 12
"""Numbers that each column becomes."""

DEVIATION = 0.2
"""Standard deviation of the first frequencies, in periods per standard deviation of a number; the paper tunes 0.01 to
100 and finds small ones best on scaled numbers."""


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
