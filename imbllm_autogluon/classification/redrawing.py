"""Bootstrap samples of rows, drawn within each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.randomness import child_rng

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

N_SAMPLES = 50
"""Bootstrap samples behind a standard error."""

MOST_ROWS = 20_000
"""Rows of such a sample, at most."""


@dataclass(frozen=True, eq=False)
class RedrawnRows:
    """Bootstrap samples of rows, as many of each class as there are."""

    samples: list[npt.NDArray[np.intp]]
    """Places of the rows of each sample."""

    share: float
    """Rows of a sample over all rows: below 1 where these are very many."""

    def error(self, values: Any) -> float:
        """Standard error of a figure of all rows, from its values on the samples."""
        return float(np.std(values) * np.sqrt(self.share))


def redrawn_rows(codes: npt.NDArray[np.int64], purpose: str) -> RedrawnRows:
    """Draw the samples of :class:`RedrawnRows`, the same each time; `purpose` tells apart what they are for."""
    rng = child_rng(0, "order", purpose)
    share = min(1.0, MOST_ROWS / len(codes))
    return RedrawnRows(list(redrawn_within_classes(codes, rng, N_SAMPLES, share)), share)


def redrawn_within_classes(
    classes: npt.NDArray[Any], rng: np.random.Generator, n_samples: int, share: float = 1.0
) -> Iterator[npt.NDArray[np.intp]]:
    """Places of rows drawn with replacement within each class, so that no class dies out.

    Parameters
    ----------
    classes
        Class of each row, shape (n,).
    rng
        Draws them.
    n_samples
        How many samples.
    share
        Of the rows of each class, at least one, that a sample has.
    """
    groups = [np.flatnonzero(classes == value) for value in np.unique(classes)]
    sizes = [max(1, round(share * len(group))) for group in groups]
    for _ in range(n_samples):
        yield np.concatenate([rng.choice(group, size) for group, size in zip(groups, sizes, strict=True)])
