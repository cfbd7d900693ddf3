"""Axes of charts: round values, short texts, and no label that touches its neighbour."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

CHARACTER = 7.2
"""Width of a character of the charts' font in SVG units: 12 px of a wide sans-serif."""

GAP = 8.0
"""Room between two labels of an axis, in SVG units."""

_LARGE = 1e12
_SUFFIXES = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
"""From which size on, the divisor, and its sign."""


@dataclass(frozen=True)
class Tick:
    """One label of an axis."""

    at: float
    """In SVG units along the axis."""

    text: str


def round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from `low` to `high`, at most about `most` of them.

    Examples
    --------
    >>> round_ticks(0, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    if not high > low:
        return [float(low)]
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if size * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(step * k, digits) + 0.0 for k in range(first, last + 1)] or [float(low)]


def tick_text(value: float) -> str:
    """A number as an axis shows it.

    Examples
    --------
    >>> tick_text(0.25), tick_text(9000), tick_text(25000), tick_text(1.5e6), tick_text(3e15)
    ('0.25', '9000', '25k', '1.5M', '3e+15')
    """
    if abs(value) >= _LARGE:
        return f"{value:.3g}"
    for size, divisor, suffix in _SUFFIXES:
        if abs(value) >= size:
            return f"{value / divisor:.4g}{suffix}"
    return f"{value:.4g}"


def day_text(days: float, span: float) -> str:
    """A day since 1970 as an axis of `span` days shows it."""
    text = str(np.datetime64(round(days), "D"))
    return text[:-3] if span > 700 else text


def text_width(text: str) -> float:
    """Room of a text in SVG units; characters of East Asian scripts are twice as wide.

    Examples
    --------
    >>> text_width("ab") < text_width("漢字")
    True
    """
    return CHARACTER * sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def shortened(text: str, room: float) -> str:
    """A text cut to `room` SVG units, with an ellipsis where something is missing; line breaks become spaces.

    Examples
    --------
    >>> shortened("a long name of a column", 75)
    'a long na…'
    """
    line = " ".join(str(text).split())
    if text_width(line) <= room:
        return line
    while line and text_width(line) + CHARACTER > room:
        line = line[:-1]
    return line.rstrip() + "…"


def without_overlaps(ticks: Iterable[Tick]) -> tuple[Tick, ...]:
    """Ticks in their order, without those whose centred text would touch the one before.

    Examples
    --------
    >>> [tick.text for tick in without_overlaps([Tick(0, "2020"), Tick(10, "2021"), Tick(60, "2022")])]
    ['2020', '2022']
    """
    kept: list[Tick] = []
    for tick in ticks:
        half = text_width(tick.text) / 2
        if not kept or tick.at - half >= kept[-1].at + text_width(kept[-1].text) / 2 + GAP:
            kept.append(tick)
    return tuple(kept)
