"""Date automata know the calendar and stop at their bounds."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.sentences.automata import date_range

if TYPE_CHECKING:
    from imbllm_autogluon.sentences.automaton import Automaton

SYMBOLS = {character: symbol for symbol, character in enumerate("0123456789-T:.")}
DAY = datetime.timedelta(days=1)
dates = st.dates(datetime.date(1, 1, 2), datetime.date(9999, 12, 30))


def accepts(automaton: Automaton, text: str) -> bool:
    return automaton.accepts([SYMBOLS[character] for character in text])


@given(dates, dates, st.data())
def test_exactly_the_days_between_the_bounds_are_accepted(
    one: datetime.date, other: datetime.date, data: st.DataObject
) -> None:
    low, high = sorted([one, other])
    days = date_range(low.isoformat(), high.isoformat(), SYMBOLS)
    assert all(accepts(days, day.isoformat()) for day in (low, high, data.draw(st.dates(low, high))))
    assert not any(accepts(days, day.isoformat()) for day in (low - DAY, high + DAY))


def test_each_of_1200_days_and_no_other_text_of_that_form_is_accepted() -> None:
    low, high = datetime.date(1899, 1, 15), datetime.date(1902, 4, 28)
    days = date_range(low.isoformat(), high.isoformat(), SYMBOLS)
    forms = (f"{y}-{m:02}-{d:02}" for y in range(1898, 1904) for m in range(14) for d in range(34))
    accepted = [text for text in forms if accepts(days, text)]
    assert accepted == [(low + i * DAY).isoformat() for i in range((high - low).days + 1)]


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("2000-02-29", True),
        ("1900-02-29", False),
        ("2023-02-29", False),
        ("2024-04-31", False),
        ("2024-00-10", False),
        ("2024-13-10", False),
        ("2024-1-10", False),
        ("0000-01-01", False),
    ],
)
def test_the_calendar_decides(text: str, legal: bool) -> None:
    assert accepts(date_range("0001-01-01", "9999-12-31", SYMBOLS), text) == legal


moments = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))


@given(moments, moments, moments)
def test_times_are_compared_to_the_microsecond(
    one: datetime.datetime, other: datetime.datetime, third: datetime.datetime
) -> None:
    low, high = sorted([one, other])
    times = date_range(low.isoformat(timespec="microseconds"), high.isoformat(timespec="microseconds"), SYMBOLS)
    assert accepts(times, third.isoformat(timespec="microseconds")) == (low <= third <= high)
    assert times.n_states < 250


@pytest.mark.parametrize("clock", ["24:00:00", "23:60:00", "23:59:60", "3:10:00"])
def test_hours_that_no_clock_shows_are_refused(clock: str) -> None:
    times = date_range("2024-01-01T00:00:00", "2024-12-31T23:59:59", SYMBOLS)
    assert accepts(times, "2024-06-01T23:59:59")
    assert not accepts(times, f"2024-06-01T{clock}")
