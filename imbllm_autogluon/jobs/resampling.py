"""How far the difference between two models may be chance: a paired bootstrap over the scored rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from imbllm_autogluon.classification.logit_adjustment import redrawn_within_classes, resampled_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from imbllm_autogluon.classification.logit_adjustment import Score

    IntArray = npt.NDArray[np.intp]
    Samples = Iterator[IntArray]

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
    return _interval(lambda samples: [difference(rows) for rows in samples], classes, seed)


def decisions_interval(
    score: Score, classes: npt.NDArray[np.int64], better: npt.NDArray[np.int64], worse: npt.NDArray[np.int64]
) -> tuple[float, float] | None:
    """:func:`difference_interval` of a score of decided classes, from counts where the score allows it.

    Parameters
    ----------
    score
        Of (classes, decisions), see :func:`~imbllm_autogluon.classification.logit_adjustment.resampled_scores`.
    classes, better, worse
        Class of each row and what each of two models decides, shape (n,).
    """

    def differences(samples: Samples) -> npt.NDArray[np.float64]:
        scores = resampled_scores(score, classes, (better, worse), samples)
        return scores[:, 0] - scores[:, 1]

    return _interval(differences, classes, seed=0)


def _interval(
    differences: Callable[[Samples], Sequence[float] | npt.NDArray[np.float64]], classes: npt.NDArray[Any], seed: int
) -> tuple[float, float] | None:
    if len(classes) > MOST_ROWS:
        return None
    rng = np.random.default_rng(seed)
    low, high = np.quantile(differences(redrawn_within_classes(classes, rng, RESAMPLES)), [0.025, 0.975])
    return float(low), float(high)
