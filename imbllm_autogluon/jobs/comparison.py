"""The plain ensemble against the whole one: which is better, by how much, and whether chance could do that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from imbllm_autogluon.quality.reports import metric_name, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autogluon.tabular import TabularPredictor

    from imbllm_autogluon.jobs.contenders import Contenders
    from imbllm_autogluon.jobs.score_curves import ClassCurves

Rows = Literal["test", "out-of-fold", "validation"]
Winner = Literal["whole", "plain", "neither"]

EQUAL = 1e-9
"""Difference, as a share of the larger score, up to which two scores count as equal."""


@dataclass(frozen=True)
class Score:
    """One metric of both ensembles."""

    metric: str
    higher_is_better: bool
    plain: float | None
    whole: float | None
    thresholds: tuple[float | None, float | None] = (None, None)
    """Decision thresholds of plain and whole, for binary metrics of labels."""

    rows: int | None = None
    """Scored rows that the metric looks at; `None`: all."""

    @property
    def gain(self) -> float | None:
        """How much better the whole ensemble is; negative if it is worse."""
        if self.plain is None or self.whole is None:
            return None
        return (self.whole - self.plain) * (1.0 if self.higher_is_better else -1.0)

    @property
    def better(self) -> Winner:
        """Which ensemble has the better value."""
        if self.gain is None or abs(self.gain) <= EQUAL * max(abs(self.plain or 0.0), abs(self.whole or 0.0)):
            return "neither"
        return "whole" if self.gain > 0 else "plain"


@dataclass(frozen=True)
class Comparison:
    """Both ensembles on the same rows."""

    contenders: Contenders
    scores: tuple[Score, ...]
    """The predictor's own metric first."""

    rows: Rows
    """``test``: rows that took no part in the fit. Otherwise the rows that weights and thresholds were chosen by."""

    counts: Mapping[str, int]
    """Scored rows of each class, or of each sort of target."""

    interval: tuple[float, float] | None = None
    """95 % interval of the first score's gain (paired bootstrap)."""

    notes: tuple[str, ...] = ()

    curves: tuple[ClassCurves, ...] = ()
    """Precision-recall and calibration curves; none for numbers."""

    def figure(self, value: float | None) -> str:
        """A score as readers see it."""
        return number(value)

    def signed(self, value: float) -> str:
        """A difference of scores, with its sign."""
        return f"{'-' if value < 0 else '+'}{self.figure(abs(value))}"

    @property
    def winner(self) -> Winner:
        """The ensemble that is better by the predictor's own metric."""
        return self.scores[0].better

    @property
    def verdict(self) -> str:
        """One sentence: which ensemble is better, by how much, on which rows."""
        first, where = self.scores[0], f"on {sum(self.counts.values())} {self.rows} rows"
        if self.contenders.plain is None or first.plain is None or first.whole is None:
            return f"Nothing to compare: {self.contenders.reason or 'a score is missing'}."
        ours = self.contenders.ours
        figures = (
            f"{metric_name(first.metric)} {self.figure(first.whole)} with {ours}, {self.figure(first.plain)} without, "
            f"{where}"
        )
        if first.better == "neither":
            return f"Both ensembles are equal ({figures}).{self._opposite('whole')}{self._opposite('plain')}"
        other = "plain" if first.better == "whole" else "whole"
        gain = f"The {self._named(first.better)} is better by {self.figure(abs(first.gain or 0.0))} ({figures})."
        return f"{gain}{self._chance()}{self._opposite(other)}"

    def table(self) -> pd.DataFrame:
        """One row for each metric: both values and the name of the better ensemble."""
        return pd.DataFrame(
            [{"metric": s.metric, "plain": s.plain, "whole": s.whole, "better": s.better} for s in self.scores]
        ).set_index("metric")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "verdict": self.verdict,
            "winner": self.winner,
            "models": {"plain": self.contenders.plain, "whole": self.contenders.whole},
            "scores": [{**vars(score), "gain": score.gain, "better": score.better} for score in self.scores],
            "rows": self.rows,
            "counts": dict(self.counts),
            "interval": self.interval,
            "notes": list(self.notes),
            "curves": [curves.to_dict() for curves in self.curves],
        }

    def _chance(self) -> str:
        """A sentence, if the gain could be chance."""
        if self.interval is None or not self.interval[0] <= 0.0 <= self.interval[1]:
            return ""
        low, high = map(self.signed, self.interval)
        return f" That is within chance: the 95 % interval of the gain is {low} to {high}."

    def _opposite(self, winner: str) -> str:
        """A sentence naming the other metrics by which `winner` is better, if any."""
        names = [metric_name(score.metric) for score in self.scores[1:] if score.better == winner]
        return f" The {self._named(winner)} is better by {', '.join(names)}." if names else ""

    def _named(self, ensemble: str) -> str:
        """What readers are told about."""
        ours = self.contenders.ours
        joined = f"plain models{',' if ' and ' in ours else ' and'} {ours}"
        return "plain ensemble" if ensemble == "plain" else f"whole ensemble ({joined})"


def kind_of_rows(predictor: TabularPredictor, test: pd.DataFrame | None) -> Rows:
    """Which rows were scored."""
    if test is not None:
        return "test"
    return "validation" if predictor._trainer.has_val else "out-of-fold"
