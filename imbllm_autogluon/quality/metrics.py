"""What a metric is, and one figure of synthetic rows with what is needed to read it: range, verdict, meaning."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imbllm_autogluon.quality.distances import ClassRows

Verdict = Literal["good", "fair", "poor", "unknown"]

ONE_SIDED_95 = 1.645
"""Standard errors that chance alone exceeds on one side in 5 % of the cases."""

_MOST_NOTES = 3
"""Different notes of classes that are shown one after the other."""


@dataclass(frozen=True)
class Finding:
    """What the rows of one class say about a metric."""

    value: float | None
    """None where it could not be measured."""

    note: str = ""
    """Why it could not be measured, or what limits it: rows left out, stand-ins, small samples."""

    acceptable: tuple[float, float] | None = None
    """Where the data decide what is good; else that of the metric."""

    best: float | None = None
    """Where the data decide what is best; else that of the metric."""

    good_from: float | None = None
    """Where an acceptable value may also be chance: what is shown to be good. Below it, it is fair."""

    is_poor: bool = False
    """Whether something that the value hides is poor; `note` says what."""


@dataclass(frozen=True)
class Metric:
    """How a figure is measured and read."""

    function: Callable[[ClassRows], Finding]
    """Measures the rows of one class."""

    group: Literal["fidelity", "privacy", "utility"]
    """Whether it tells if rows look real and vary, are new, or are useful."""

    low: float
    """Lowest possible value."""

    high: float
    """Highest possible value, may be infinite."""

    direction: Literal["higher", "lower", "nearest"]
    """Which values are better; "nearest": those near `best`."""

    best: float
    """The value of rows that could not be better: about that of real rows drawn anew."""

    acceptable: tuple[float, float]
    """Ends of the values that are good, or at least fair, both included."""

    meaning: str
    """What the figure says, in a sentence."""

    @property
    def range_text(self) -> str:
        """The range for readers, such as "0 to 1" or "0 or more"."""
        return _range_text(self.low, self.high)


@dataclass(frozen=True)
class MetricResult:
    """A measured figure and how to read it."""

    name: str
    """As in :data:`imbllm_autogluon.quality.METRICS`."""

    value: float | None
    """None where it could not be measured; `note` says why."""

    low: float
    """Lowest possible value."""

    high: float
    """Highest possible value, may be infinite."""

    direction: Literal["higher", "lower", "nearest"]
    """Which values are better; "nearest": those near `best`."""

    best: float
    """The value of rows that could not be better."""

    acceptable: tuple[float, float]
    """Ends of the values that are good, or at least fair, both included."""

    meaning: str
    """What the figure says, in a sentence."""

    note: str = ""
    """Why it could not be measured, or what limits it."""

    good_from: float | None = None
    """Above which a value is shown to be good; at most it, it is fair."""

    is_poor: bool = False
    """Whether something that the value hides is poor; `note` says what."""

    @property
    def verdict(self) -> Verdict:
        """Whether the value lies in the acceptable range, and is shown to be good.

        Examples
        --------
        >>> MetricResult("coverage", 0.7, 0, 1, "higher", 1, (0.8, 1), "Real rows that are reached.").verdict
        'poor'
        """
        if self.value is None:
            return "unknown"
        if self.is_poor or not self.acceptable[0] <= self.value <= self.acceptable[1]:
            return "poor"
        return "good" if self.good_from is None or self.value > self.good_from else "fair"

    @property
    def range_text(self) -> str:
        """The range for readers, such as "0 to 1" or "0 or more"."""
        return _range_text(self.low, self.high)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite end is None."""
        plain = {**asdict(self), "acceptable": [_plain(end) for end in self.acceptable], "verdict": self.verdict}
        return {name: _plain(value) if isinstance(value, float) else value for name, value in plain.items()}


def combined(name: str, metric: Metric, findings: Sequence[Finding], weights: Sequence[float]) -> MetricResult:
    """One result of several classes: the mean of those that could be measured, weighted by their synthetic rows."""
    poor_first = sorted(findings, key=lambda finding: not finding.is_poor)
    note = _joined(list(dict.fromkeys(finding.note for finding in poor_first if finding.note)))
    known = [(finding, weight) for finding, weight in zip(findings, weights, strict=True) if finding.value is not None]
    low, high, direction, best, ends = metric.low, metric.high, metric.direction, metric.best, metric.acceptable
    if not known:
        return MetricResult(name, None, low, high, direction, best, ends, metric.meaning, note)
    shares = np.array([weight for _, weight in known]) / sum(weight for _, weight in known)
    value = float(shares @ [finding.value for finding, _ in known])
    best = float(shares @ [metric.best if finding.best is None else finding.best for finding, _ in known])
    both = zip(*(finding.acceptable or metric.acceptable for finding, _ in known), strict=True)
    ends = tuple(float(np.sum(np.where(shares > 0, shares * np.array(end), 0.0))) for end in both)  # type: ignore[assignment]
    good_from = max((finding.good_from for finding, _ in known if finding.good_from is not None), default=None)
    is_poor = any(finding.is_poor for finding in findings)
    return MetricResult(name, value, low, high, direction, best, ends, metric.meaning, note, good_from, is_poor)


def chance(share: float, n: float) -> float:
    """How far a share found among n rows is off by chance alone, at most, in 95 % of the cases on one side.

    Examples
    --------
    >>> round(chance(0.5, 100), 3)
    0.082
    """
    inside = min(max(share, 0.0), 1.0)
    return ONE_SIDED_95 * math.sqrt(inside * (1.0 - inside) / max(1.0, n))


def _joined(notes: list[str]) -> str:
    """All notes, or how many they are: those of many classes would fill a page."""
    if len(notes) <= _MOST_NOTES:
        return " ".join(notes)
    return f"{notes[0]} The other classes have {len(notes) - 1} more notes of this sort."


def _range_text(low: float, high: float) -> str:
    return f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
