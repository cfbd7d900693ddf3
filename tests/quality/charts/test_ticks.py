from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.quality.charts.ticks import (
    Tick,
    day_text,
    round_ticks,
    shortened,
    text_width,
    tick_text,
    without_overlaps,
)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_round_values_lie_inside_the_axis_in_even_steps_and_are_few(low: float, size: float) -> None:
    high = low + size
    ticks = round_ticks(low, high)
    if high > low and size > abs(low) * 1e-6:
        assert 1 <= len(ticks) <= 7
        assert all(low - size * 1e-6 <= tick <= high + size * 1e-6 for tick in ticks)
        steps = [b - a for a, b in pairwise(ticks)]
        assert all(step == pytest.approx(steps[0], rel=1e-3) for step in steps)


def test_an_axis_of_one_value_has_one_tick() -> None:
    assert round_ticks(3.0, 3.0) == [3.0]


def test_zero_has_no_sign() -> None:
    assert [tick_text(value) for value in round_ticks(-1, 1)] == ["-1", "-0.5", "0", "0.5", "1"]


@pytest.mark.parametrize(("span", "text"), [(30.0, "2024-03-01"), (5000.0, "2024-03")])
def test_days_are_dates_and_months_over_years(span: float, text: str) -> None:
    assert day_text(19783.2, span) == text


def test_days_before_1970_and_far_ahead_are_dates_too() -> None:
    assert (day_text(-1.0, 3.0), day_text(1e6, 3.0)) == ("1969-12-31", "4707-11-29")


@given(st.text(), st.floats(20, 200))
def test_a_shortened_text_fits_its_room(text: str, room: float) -> None:
    short = shortened(text, room)
    assert text_width(short) <= room
    assert "\n" not in short


def test_a_text_that_fits_stays_whole() -> None:
    assert shortened("age", 100) == "age"


@given(st.lists(st.tuples(st.floats(0, 300), st.text("0123456789", min_size=1, max_size=12)), max_size=30))
def test_labels_of_an_axis_never_touch(given_ticks: list[tuple[float, str]]) -> None:
    ticks = without_overlaps(Tick(at, text) for at, text in sorted(given_ticks))
    for left, right in pairwise(ticks):
        assert right.at - text_width(right.text) / 2 > left.at + text_width(left.text) / 2
    assert not given_ticks or ticks
