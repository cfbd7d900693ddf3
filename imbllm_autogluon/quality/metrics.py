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

ONE_SIDED_95 = 1.645  # standard errors that chance alone exceeds on one side in 5 % of the cases
_MOST_NOTES = 3  # different notes of classes that are shown one after the other


@dataclass(frozen=True)
class Finding:
    """What the rows of one class say about a metric; as :class:`MetricResult`, None where the metric's own counts."""

    value: float | None
    note: str = ""
    acceptable: tuple[float, float] | None = None
    best: float | None = None
    good_from: float | None = None
    is_poor: bool = False


@dataclass(frozen=True)
class _Scale:
    low: float  # lowest possible value
    high: float  # highest possible value, may be infinite
    direction: Literal["higher", "lower", "nearest"]  # which values are better; "nearest": those near `best`
    best: float  # of rows that could not be better: about that of real rows drawn again
    acceptable: tuple[float, float]  # ends of the values that are good, or at least fair, both included
    meaning: str  # what the figure says, in a sentence

    @property
    def range_text(self) -> str:
        """The range for readers, such as "0 to 1" or "0 or more"."""
        return f"{self.low:g} or more" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Metric(_Scale):
    """How a figure is measured and read."""

    function: Callable[[ClassRows], Finding]
    """Measures the rows of one class."""

    group: Literal["fidelity", "privacy", "utility"]
    """Whether it tells if rows look real and vary, are new, or are useful."""


@dataclass(frozen=True, kw_only=True)
class MetricResult(_Scale):
    """A measured figure and how to read it."""

    name: str
    """As in :data:`imbllm_autogluon.quality.METRICS`."""

    value: float | None
    """None where it could not be measured."""

    note: str = ""
    """Why it could not be measured, or what limits it: rows left out, stand-ins, small samples."""

    good_from: float | None = None
    """Where an acceptable value may also be chance: what is shown to be good. Up to it, it is fair."""

    is_poor: bool = False
    """Whether something that the value hides is poor; `note` says what."""

    @property
    def verdict(self) -> Verdict:
        """Whether the value lies in the acceptable range, and is shown to be good."""
        if self.value is None:
            return "unknown"
        if self.is_poor or not self.acceptable[0] <= self.value <= self.acceptable[1]:
            return "poor"
        return "good" if self.good_from is None or self.value > self.good_from else "fair"

    @classmethod
    def from_findings(
        cls, name: str, metric: Metric, findings: Sequence[Finding], weights: Sequence[float]
    ) -> MetricResult:
        """The mean of the classes that could be measured, weighted by their synthetic rows."""
        poor_first = sorted(findings, key=lambda finding: not finding.is_poor)
        note = _joined(list(dict.fromkeys(finding.note for finding in poor_first if finding.note)))
        scale: dict[str, Any] = {field: getattr(metric, field) for field in _Scale.__annotations__}
        pairs = zip(findings, weights, strict=True)
        known = [(finding, weight) for finding, weight in pairs if finding.value is not None]
        if not known:
            return cls(name=name, value=None, note=note, **scale)
        shares = np.array([weight for _, weight in known]) / sum(weight for _, weight in known)
        scale["best"] = float(shares @ [metric.best if finding.best is None else finding.best for finding, _ in known])
        ends = zip(*(finding.acceptable or metric.acceptable for finding, _ in known), strict=True)
        scale["acceptable"] = tuple(float(np.sum(np.where(shares > 0, shares * np.array(end), 0.0))) for end in ends)
        return cls(
            name=name,
            value=float(shares @ [finding.value for finding, _ in known]),
            note=note,
            good_from=max((finding.good_from for finding, _ in known if finding.good_from is not None), default=None),
            is_poor=any(finding.is_poor for finding in findings),
            **scale,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite end is None."""
        plain = {**asdict(self), "acceptable": [_plain(end) for end in self.acceptable], "verdict": self.verdict}
        return {name: _plain(value) if isinstance(value, float) else value for name, value in plain.items()}


def chance(share: float, n: float) -> float:
    """How far a share found among n rows is off by chance alone, at most, in 95 % of the cases on one side."""
    inside = min(max(share, 0.0), 1.0)
    return ONE_SIDED_95 * math.sqrt(inside * (1.0 - inside) / max(1.0, n))


def _joined(notes: list[str]) -> str:
    """All notes, or how many they are: those of many classes would fill a page."""
    if len(notes) <= _MOST_NOTES:
        return " ".join(notes)
    return f"{notes[0]} The other classes have {len(notes) - 1} more notes of this sort."


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
