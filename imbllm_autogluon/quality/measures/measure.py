"""One measured figure of written rows, with what is needed to read it: range, direction, verdict, meaning."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Direction = Literal["higher", "lower", "nearest"]
Verdict = Literal["good", "fair", "poor", "unknown"]

ONE_SIDED_95 = 1.645
"""Standard errors that chance alone exceeds on one side in 5 % of the cases."""


@dataclass(frozen=True)
class Measure:
    """A figure and how to read it."""

    name: str
    """As in :data:`imbllm_autogluon.quality.measures.catalogue.CATALOGUE`."""

    value: float | None
    """None where it could not be measured; `note` says why."""

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

    note: str = ""
    """Why it could not be measured, or what limits it: rows left out, stand-ins, small samples."""

    good_from: float | None = None
    """Where an acceptable value may also be chance: what is shown to be good. Below it, it is fair."""

    is_poor: bool = False
    """Whether something that the value hides is poor; `note` says what."""

    @property
    def verdict(self) -> Verdict:
        """Whether the value lies in the acceptable range, and is shown to be good.

        Examples
        --------
        >>> Measure("coverage", 0.7, 0, 1, "higher", 1, (0.8, 1), "Real rows that are reached.").verdict
        'poor'
        """
        if self.value is None:
            return "unknown"
        if self.is_poor or not self.acceptable[0] <= self.value <= self.acceptable[1]:
            return "poor"
        return "good" if self.good_from is None or self.value > self.good_from else "fair"

    @property
    def range_text(self) -> str:
        """The range for readers.

        Examples
        --------
        >>> Measure("density", 0.7, 0, math.inf, "higher", 1, (0.7, math.inf), "").range_text
        '0 or more'
        """
        return f"{self.low:g} or more" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite end is None."""
        plain = {**asdict(self), "acceptable": [_plain(end) for end in self.acceptable], "verdict": self.verdict}
        return {name: _plain(value) if isinstance(value, float) else value for name, value in plain.items()}


@dataclass(frozen=True)
class Finding:
    """What one class of rows says about a measure."""

    value: float | None
    """None where it could not be measured."""

    note: str = ""
    """As in :class:`Measure`."""

    acceptable: tuple[float, float] | None = None
    """Where the data decide what is good; else that of the catalogue."""

    best: float | None = None
    """Where the data decide what is best."""

    good_from: float | None = None
    """As in :class:`Measure`."""

    is_poor: bool = False
    """As in :class:`Measure`."""


def chance(share: float, n: float) -> float:
    """How far a share found among n rows is off by chance alone, at most, in 95 % of the cases on one side.

    Examples
    --------
    >>> round(chance(0.5, 100), 3)
    0.082
    """
    inside = min(max(share, 0.0), 1.0)
    return ONE_SIDED_95 * math.sqrt(inside * (1.0 - inside) / max(1.0, n))


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
