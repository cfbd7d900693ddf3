"""From calibrated probabilities to decisions for a metric of classes, where there are more than two.

The most probable class is the right answer for accuracy alone. Balanced accuracy is highest, in expectation, for the
class of the highest probability divided by its share (Menon et al. 2013, for two classes); macro F1 wants something in
between. So one number, the degree, moves decisions from the one to the other: class k is decided for by
``p_k · share_k ** -degree``. Two classes need none of it: AutoGluon tunes their threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.classification.decision_scores import resampled_scores
from imbllm_autogluon.classification.prior import correct_prior
from imbllm_autogluon.classification.redrawing import redrawn_rows

if TYPE_CHECKING:
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.classification.decision_scores import Score


DEGREES = tuple(tenths / 10 for tenths in range(11))
"""0: the most probable class; 1: classes as if they were equally frequent."""


def tilt(shares: FloatArray, degree: float) -> FloatArray:
    """Factors of the classes, shape (k,), the mean of their logarithms being 0; classes without rows keep the least.

    Examples
    --------
    >>> tilt(np.array([0.8, 0.2]), 1.0)
    array([0.5, 2. ])
    """
    logs = -degree * np.log(np.where(shares > 0, shares, shares.max()))
    factors: FloatArray = np.exp(logs - logs.mean())
    return factors


def tilt_degree(probabilities: FloatArray, codes: IntArray, shares: FloatArray, score: Score, usual: float) -> float:
    """The degree nearest to the usual one that is as good as the best, as far as these rows can tell.

    Parameters
    ----------
    probabilities
        Calibrated, of rows that their models have not learned, shape (n, k).
    codes
        Classes of these rows, shape (n,).
    shares
        Of the classes, shape (k,).
    score
        Of (classes, decisions), higher being better.
    usual
        Degree that most tables want, see :func:`usual_degree`.

    Returns
    -------
    float
        Of those `DEGREES` whose score is below the best one by no more than the standard error of their difference,
        over bootstrap samples of the rows, the one nearest to the usual.
    """
    decisions = [correct_prior(probabilities, tilt(shares, degree)).argmax(axis=1) for degree in DEGREES]
    scores = np.array([score(codes, decided) for decided in decisions])
    best = int(scores.argmax())
    redrawn = redrawn_rows(codes, "tilt")
    found = resampled_scores(score, codes, decisions, redrawn.samples)
    errors = np.array([redrawn.error(each) for each in (found - found[:, [best]]).T])
    good = [degree for degree, is_good in zip(DEGREES, scores >= scores[best] - errors, strict=True) if is_good]
    return min(good, key=lambda degree: abs(degree - usual))


def usual_degree(metric: str) -> float:
    """Degree to begin with for a metric of AutoGluon: one half where it is a mean over the classes, else none.

    Mean change of balanced accuracy and macro F1 against the most probable class, ten tables, 28 splits, tuned for
    balanced accuracy, in points: near one half +6.5 and +3.0, the least good degree +4.1 and +1.4, the best on these
    rows +4.9 and +0.7, always one half +5.3 and +2.6, always 1 +6.4 and -1.1.

    Examples
    --------
    >>> usual_degree("balanced_accuracy"), usual_degree("f1_macro"), usual_degree("accuracy")
    (0.5, 0.5, 0.0)
    """
    return 0.5 if metric == "balanced_accuracy" or metric.endswith("_macro") else 0.0
