"""What a fit led to, as plain text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.jobs.fit_report import leaderboard
from imbllm_autogluon.jobs.target_job import TargetJob
from imbllm_autogluon.quality.reports import metric_name, number

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.jobs.base_job import FitOutcome
    from imbllm_autogluon.jobs.comparison import Comparison, Score


def summary(outcome: FitOutcome, report: Path) -> str:
    """Leaderboard, comparison, verdict, cost, and where predictor and report lie.

    Parameters
    ----------
    outcome
        A finished job.
    report
        The HTML file written for it.
    """
    parts = [
        f"Leaderboard ({metric_name(outcome.job.eval_metric)} in AutoGluon's sign: higher is better)",
        leaderboard_text(outcome),
        "",
        f"Scores on {sum(outcome.comparison.counts.values())} {outcome.comparison.rows} rows",
        comparison_text(outcome.comparison),
        "",
        outcome.comparison.verdict,
        *_use(outcome),
        *_generators(outcome),
        f"Fit and comparison: {outcome.seconds:.0f} s.",
        f"Predictor: {outcome.job.out}",
        f"Report: {report}",
    ]
    return "\n".join(parts)


def leaderboard_text(outcome: FitOutcome) -> str:
    """One line for each model; twins and ensembles are marked."""
    board, figure = leaderboard(outcome), outcome.comparison.figure
    columns = {
        "model": [row["model"] for row in board],
        "kind": [row["kind"] for row in board],
        "validation": [figure(row["score_val"]) for row in board],
        "test": [figure(row["score_test"]) for row in board],
        "weight": ["" if row["weight"] is None else number(row["weight"], 2) for row in board],
        "seconds": [number(row["fit_seconds"], 1) for row in board],
    }
    if outcome.job.test is None:
        del columns["test"]
    return _aligned(pd.DataFrame(columns))


def comparison_text(comparison: Comparison) -> str:
    """One line for each metric: plain ensemble, whole ensemble, the rows it looks at, and the better one."""
    rows = [
        {
            "metric": _name(score),
            "plain ensemble": comparison.figure(score.plain),
            "whole ensemble": comparison.figure(score.whole),
            **({} if score.rows is None else {"rows": str(score.rows)}),
            "better": {"neither": "equal" if score.gain is not None else ""}.get(score.better, score.better),
        }
        for score in comparison.scores
    ]
    return _aligned(pd.DataFrame(rows))


def _name(score: Score) -> str:
    """Metric, the sense that is not usual, and the thresholds that were used."""
    thresholds = [number(value, 3) for value in score.thresholds if value is not None]
    at = f" at threshold {' / '.join(thresholds)}" if thresholds else ""
    return f"{metric_name(score.metric)}{at}{'' if score.higher_is_better else ' (lower is better)'}"


def _use(outcome: FitOutcome) -> list[str]:
    """What predictions come from."""
    predictor = outcome.predictor
    threshold = predictor.decision_threshold
    above = "" if threshold is None else f", {predictor.positive_class!r} above a probability of {threshold:.3f}"
    return [f"Predictions use {predictor.model_best}{above}."]


def _generators(outcome: FitOutcome) -> list[str]:
    """How many were trained; a fit of numbers need not train any."""
    n = outcome.generator_fits
    if not n and isinstance(outcome.job, TargetJob):
        return []
    return [f"Generators trained: {n} (shared by all families and trials of a training fold)."]


def _aligned(frame: pd.DataFrame) -> str:
    """Text columns to the left, figures to the right."""
    widths = {name: max(len(str(name)), *(len(text) for text in frame[name])) for name in frame.columns}
    left = ("model", "kind", "metric", "better")
    lines = [list(map(str, frame.columns)), *frame.astype(str).to_numpy().tolist()]
    placed = [
        "  ".join(
            text.ljust(widths[name]) if name in left else text.rjust(widths[name])
            for text, name in zip(line, frame.columns, strict=True)
        )
        for line in lines
    ]
    return "\n".join("  " + line.rstrip() for line in placed)
