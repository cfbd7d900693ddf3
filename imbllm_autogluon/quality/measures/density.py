"""Density: whether written rows lie where real rows are close together; and coverage of whole tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.coverage import NEIGHBOURS, coverage
from imbllm_autogluon.quality.measures.nearest import distances as distances_between
from imbllm_autogluon.quality.measures.nearest import points
from imbllm_autogluon.quality.measures.pairs import paired_columns

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.arrays import FloatArray
    from imbllm_autogluon.quality.measures.nearest import Points


@dataclass(frozen=True)
class DensityCoverage:
    """Fidelity and diversity of one table."""

    density: float
    """As :func:`density` returns it."""

    coverage: float
    """As :func:`imbllm_autogluon.quality.measures.coverage.coverage` returns it."""


def density(radii: FloatArray, distances: FloatArray, k: int = NEIGHBOURS) -> float:
    """Balls around real rows in which a synthetic row lies, on average, over k (Naeem et al. 2020, equation 6).

    Parameters
    ----------
    radii
        Distance of each real row to its k-th nearest other real row, shape (n,).
    distances
        Distance of each real row to each synthetic row, shape (n, m).
    k
        Of the balls.

    Returns
    -------
    float
        From 0, without upper end; higher is better up to 1, about what real rows drawn anew reach: every synthetic row
        lies where real ones are. It says nothing of variety; see coverage. Where many real rows are equal, rows drawn
        anew exceed 1: compare with real rows that were held out.

    Raises
    ------
    InvalidInputError
        The shapes do not belong together, or k is below 1.

    Examples
    --------
    >>> density(np.array([1.0, 1.0]), np.array([[0.5, 3.0], [1.0, 0.0]]), k=1)
    1.5
    """
    if radii.ndim != 1 or distances.ndim != 2 or len(radii) != len(distances) or not distances.size:
        raise InvalidInputError(
            f"radii must have shape (n,) and distances (n, m), none empty; got {radii.shape} and {distances.shape}."
        )
    _check_k(k)
    return float(_hits(radii, distances) / (k * distances.shape[1]))


def density_and_coverage(real: pd.DataFrame, synthetic: pd.DataFrame, k: int = NEIGHBOURS) -> DensityCoverage:
    """Density and coverage of a table of mixed type.

    The distance is Euclidean over numbers and times in standard deviations of the real ones, plus 1 (squared) for each
    category that differs and for each number that is missing on one side only. A number that is the same in all real
    rows counts as a category. About n * (n + m) distances are computed, never more than 2.5 million held.

    Parameters
    ----------
    real, synthetic
        n and m rows of the same columns; n is more than k.
    k
        The k-th nearest other real row is the end of a row's ball.

    Returns
    -------
    DensityCoverage
        Density from 0 up, about 1 for rows drawn anew; coverage from 0 to 1 (best). The same table as both gives
        coverage 1 and density ``(k + 1) / k`` (more where real rows are equal).

    Raises
    ------
    InvalidInputError
        There are not more than k real rows, or k is below 1.
    TableError
        The tables cannot be compared; see :func:`imbllm_autogluon.quality.measures.pairs.paired_columns`.

    Examples
    --------
    >>> import pandas as pd
    >>> real = pd.DataFrame({"age": [20, 30, 40, 50]})
    >>> density_and_coverage(real, pd.DataFrame({"age": [20, 21]}), k=1)
    DensityCoverage(density=1.5, coverage=0.5)
    """
    columns = paired_columns(real, synthetic)
    _check_k(k)
    if len(real) <= k:
        raise InvalidInputError(f"balls of k = {k} neighbours need more than {k} real rows; got {len(real)}.")
    return density_and_coverage_of_points(*points(columns), k)


def density_and_coverage_of_points(real: Points, synthetic: Points, k: int = NEIGHBOURS) -> DensityCoverage:
    """As :func:`density_and_coverage`, of more than k real and at least one synthetic point of one space."""
    # The nearest row of all is the row itself.
    radii = np.concatenate([np.partition(block, k, axis=1)[:, k] for _, block in distances_between(real, real)])
    hits, nearest = 0, np.empty(len(real))
    for place, block in distances_between(real, synthetic):
        hits += _hits(radii[place], block)
        nearest[place] = block.min(axis=1)
    return DensityCoverage(hits / (k * len(synthetic)), coverage(radii, nearest))


def _hits(radii: FloatArray, distances: FloatArray) -> int:
    return int((distances <= radii[:, None]).sum())


def _check_k(k: int) -> None:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InvalidInputError(f"k must be a whole number of at least 1; got {k!r}.")
