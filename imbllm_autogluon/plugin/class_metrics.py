"""Metrics that judge answered classes where nothing but the highest probability answers."""

from __future__ import annotations

from typing import Any


def answers_by_highest_probability(problem_type: str | None, eval_metric: Any) -> bool:
    """Whether a fit is judged by classes (balanced accuracy, macro F1 …) and AutoGluon tunes no threshold for them.

    With two classes it tunes one; with more, whatever moves decisions must be inside the probabilities.

    Parameters
    ----------
    problem_type
        AutoGluon's name of it.
    eval_metric
        Scorer of the fit; None: not known.
    """
    return problem_type == "multiclass" and bool(getattr(eval_metric, "needs_class", False))
