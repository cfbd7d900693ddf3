"""Sentences about figures: lists, counts, wins and losses."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.page_text import tenths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WIDTH = 140
"""Characters of a line of README.md."""


def paragraph(text: str) -> str:
    """One paragraph, its lines broken at spaces."""
    return fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def counted(number: int, what: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "split"), counted(3, "split")
    ('one split', '3 splits')
    """
    return f"one {what}" if number == 1 else f"{number} {what}s"


def listed(items: Iterable[str]) -> str:
    """Items as a sentence has them, or that there is none.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', 'none')
    """
    *most, last = list(items) or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


def named(values: pd.Series[float], text: Callable[[float], str] | None = None) -> str:
    """Tables with their figures.

    Examples
    --------
    >>> named(pd.Series({"visits": -1.25, "stays": 3.0})), named(pd.Series(dtype=float))
    ('visits (-1.2) and stays (+3.0)', 'none')
    """
    told = text or signed_or_zero
    return listed(f"{name} ({told(value)})" for name, value in values.items())


def marked(values: pd.Series[float], text: Callable[[float], str] = tenths, *, lowest: bool = False) -> pd.Series[str]:
    """Figures as text; all that equal the best one as printed are bold.

    Examples
    --------
    >>> marked(pd.Series([1.0, 2.0, 2.01])).tolist()
    ['1.0', '**2.0**', '**2.0**']
    """
    texts = values.map(text)
    if values.isna().all():
        return texts
    best = texts.iloc[values.argmin() if lowest else values.argmax()]
    return texts.map(lambda told: f"**{told}**" if told == best else told)


def between(values: pd.Series[float], text: Callable[[float], str] = tenths) -> str:
    """The lowest and the highest figure, or the only one.

    Examples
    --------
    >>> between(pd.Series([3.0, 1.0])), between(pd.Series([1.0, 1.01]))
    ('1.0 to 3.0', '1.0')
    """
    low, high = text(values.min()), text(values.max())
    return low if low == high else f"{low} to {high}"


def whole(value: float) -> str:
    """No decimals, thousands apart; an empty text where there is no figure."""
    return "" if pd.isna(value) else f"{value:,.0f}"


def signed_or_zero(value: float, decimals: int = 1) -> str:
    """A change with its sign, which a zero has not.

    Examples
    --------
    >>> signed_or_zero(-0.04), signed_or_zero(-0.04, 2), signed_or_zero(float("nan"))
    ('0.0', '-0.04', '')
    """
    told = "" if pd.isna(value) else f"{value:+.{decimals}f}"
    return told if told.strip("+-0.") else told[1:]


def hundredths_changed(value: float) -> str:
    """A change with two decimals."""
    return signed_or_zero(value, 2)


def thousandths_changed(value: float) -> str:
    """A change with three decimals."""
    return signed_or_zero(value, 3)
