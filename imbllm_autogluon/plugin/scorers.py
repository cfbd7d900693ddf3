"""Errors over rare and frequent targets as metrics of AutoGluon, for ``eval_metric``.

:func:`shot_scorer` remembers bins and counts of the training targets, as the literature has it. The ready ones lay 20
bins of equal width over the true targets that they are given: a quick look, which depends on the fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from autogluon.core.metrics import Scorer, make_scorer

from imbllm_autogluon._config import require_choice
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.bins import SHOTS, TargetBins, shots
from imbllm_autogluon.regression.metrics import geometric_mean_error as _geometric_mean_error

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray

    _Shot = Literal["many", "medium", "few"]


@dataclass(frozen=True, eq=False)
class _ShotError:
    """Mean absolute error over targets of one sort; an object, since local functions reach no worker process."""

    shot: _Shot
    edges: FloatArray | None = None  # of the bins; None: laid over the true targets
    training_counts: IntArray | None = None

    def __call__(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        true = np.asarray(y_true, dtype=np.float64).reshape(-1)
        errors = np.abs(true - np.asarray(y_pred, dtype=np.float64).reshape(-1))
        chosen = self._of_this_sort(true)
        chosen = chosen if chosen.any() else np.ones_like(chosen)
        weights = np.ones(len(true)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        return float(np.average(errors[chosen], weights=weights[chosen] if weights[chosen].any() else None))

    def _of_this_sort(self, true: FloatArray) -> npt.NDArray[np.bool_]:
        if self.edges is not None and self.training_counts is not None:
            bins, counts = TargetBins(self.edges), self.training_counts
        elif np.ptp(true) > 0:
            bins = TargetBins.fit(true, 20)
            counts = bins.counts(true)
        else:
            return np.ones(len(true), dtype=bool)
        of_sort: npt.NDArray[np.bool_] = (shots(counts) == self.shot)[bins.assign(true)]
        return of_sort


def shot_scorer(bins: TargetBins, counts: npt.ArrayLike, shot: _Shot = "few") -> Scorer:
    """Mean absolute error over the rows whose bin had few, medium or many training rows.

    Parameters
    ----------
    bins
        Bins fixed on the training targets.
    counts
        Training rows of each bin, shape (n_bins,): ``bins.counts(y_train)``. They stay as they are, whatever part of
        the table a fold trains on.
    shot
        ``"few"`` (under 20 rows in the bin), ``"medium"`` or ``"many"`` (over 100).

    Returns
    -------
    Scorer
        Named such as ``few_mae``; it can be pickled. Where a validation fold has no row of this sort, it is the error
        over all its rows, since AutoGluon needs a number: ``counts`` without any such bin are refused for that reason.

    Raises
    ------
    InvalidInputError
        `shot` is none of the three, `counts` are not those of the bins, or no bin of that sort has rows.

    Examples
    --------
    >>> y = np.append(np.zeros(200), [50.0, 51.0, 100.0])
    >>> bins = TargetBins.fit(y, n_bins=2)
    >>> scorer = shot_scorer(bins, bins.counts(y))
    >>> scorer.name, float(scorer(np.array([0.0, 100.0]), np.array([5.0, 90.0])))
    ('few_mae', -10.0)
    """
    require_choice("shot", shot, SHOTS)
    training_counts = np.asarray(counts, dtype=np.int64)
    if training_counts.shape != (len(bins),):
        raise InvalidInputError(
            f"counts must hold one count for each of the {len(bins)} bins; got shape {training_counts.shape}: use "
            "bins.counts(y_train)."
        )
    if not ((shots(training_counts) == shot) & (training_counts > 0)).any():
        found = sorted(set(shots(training_counts[training_counts > 0]).tolist()))
        raise InvalidInputError(
            f"no bin with training rows is {shot}-shot; there are: {', '.join(found)}. Choose one of these, or other "
            "bins."
        )
    return _scorer(_ShotError(shot, bins.edges, training_counts))


def _scorer(error: _ShotError) -> Scorer:
    return make_scorer(f"{error.shot}_mae", error, optimum=0, greater_is_better=False)


def _geometric(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
    # AutoGluon's models hand over columns too.
    return _geometric_mean_error(np.asarray(y_true).reshape(-1), np.asarray(y_pred).reshape(-1))


# Over bins of fewer than 20, of 20 to 100, and of more than 100 of the given rows.
few_mae, medium_mae, many_mae = (_scorer(_ShotError(_shot)) for _shot in ("few", "medium", "many"))

# Small errors count as much as large ones do, by their ratio.
geometric_mean_error: Scorer = make_scorer("geometric_mean_error", _geometric, optimum=0, greater_is_better=False)
