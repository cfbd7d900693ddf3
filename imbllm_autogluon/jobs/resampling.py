"""How far the difference between two models may be chance: a paired bootstrap over the scored rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.classification.redrawing import redrawn_within_classes

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    IntArray = npt.NDArray[np.intp]

RESAMPLES = 200
"""Enough for the ends of a 95 % interval to be stable to about a tenth of its width."""

MOST_ROWS = 100_000
"""Rows above which no interval is made: 200 resamples take over a minute there, and chance is small."""


def difference_interval(
    difference: Callable[[IntArray], float], classes: npt.NDArray[Any], *, seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of a difference of scores under resampling of the rows.

    Parameters
    ----------
    difference
        Score of one model minus score of the other on the rows at the given positions.
    classes
        Class of each row, shape (n,). Rows are drawn within each class, so that no class dies out.
    seed
        Seed of the resampling.

    Returns
    -------
    tuple of float or None
        The 2.5 % and 97.5 % quantiles of :data:`RESAMPLES` resamples; `None` for more than :data:`MOST_ROWS` rows.

    Notes
    -----
    Efron and Tibshirani (1993), *An Introduction to the Bootstrap*, chapter 13 (percentile interval).

    Examples
    --------
    >>> better = np.ones(40)
    >>> difference_interval(lambda rows: float(better[rows].mean()), np.arange(40) % 2)
    (1.0, 1.0)
    """
    if len(classes) > MOST_ROWS:
        return None
    rng = np.random.default_rng(seed)
    values = [difference(rows) for rows in redrawn_within_classes(classes, rng, RESAMPLES)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
