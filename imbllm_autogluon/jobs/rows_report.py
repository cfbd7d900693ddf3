"""What the report of a fit says about the rows themselves: those of one fold, judged and drawn."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import ImbLLMError
from imbllm_autogluon.jobs.written_rows import written_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.written_rows import WrittenFold
    from imbllm_autogluon.quality.reports import RowsSection

NOTHING = "No rows were written, or they are no longer in the cache of the predictor."

PLAIN = (bool, str, int, float, type(None))
"""What JSON keeps as it is."""


@dataclass(frozen=True)
class RowsReport:
    """Facts and pictures of the rows of one fold."""

    facts: dict[str, Any]
    """As values that ``json.dumps`` accepts.

    ``reason`` why there are no others, or an empty string; ``fold``, ``model``, ``method``, ``original``, ``others`` of
    :class:`~imbllm_autogluon.jobs.written_rows.WrittenFold`; ``seconds``; and what a
    :class:`~imbllm_autogluon.quality.reports.RowsSection` holds, ``measures`` foremost.
    """

    section: RowsSection | None = None
    """`None` where there is nothing to be drawn."""


def rows_report(
    predictor: TabularPredictor,
    train: pd.DataFrame | None = None,
    *,
    others: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> RowsReport:
    """Judge the rows written for the first fold of a predictor that has some.

    Parameters
    ----------
    predictor, train, others
        See :func:`~imbllm_autogluon.jobs.written_rows.written_rows`.
    seed
        Of the rows drawn from large tables, and of the judges.
    """
    fold = written_rows(predictor, train, others)
    if fold is None:
        return RowsReport({"reason": NOTHING})
    started = time.perf_counter()
    try:
        section = _section(fold, seed)
    except ImbLLMError as error:  # a fold of odd rows must not cost the report of the fit
        return RowsReport({"reason": f"The rows of fold {fold.name} could not be judged: {error}"})
    where = {"fold": fold.name, "model": fold.model, "method": fold.method, "original": fold.original}
    others_found = {name: getattr(value, "item", lambda value=value: value)() for name, value in fold.others.items()}
    plain = {name: value for name, value in others_found.items() if isinstance(value, PLAIN)}
    seconds = time.perf_counter() - started
    return RowsReport({"reason": "", **where, "others": plain, "seconds": seconds, **section.facts}, section)


def _section(fold: WrittenFold, seed: int) -> RowsSection:
    from imbllm_autogluon.quality.evaluation import evaluate
    from imbllm_autogluon.quality.reports import rows_section

    evaluation = evaluate(fold.real, fold.synthetic, label=fold.label, holdout=fold.held_out, seed=seed)
    return rows_section(evaluation, fold.real, fold.synthetic, fold.label, fold.held_out, seed=seed)
