from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.quality.charts.pictures import BINS, HEIGHT, WIDTH, distance_chart
from tests.quality.paths import corners

RNG = np.random.default_rng(0)


def test_outlines_stay_inside_and_carry_their_medians() -> None:
    chart = distance_chart({"a": RNG.exponential(size=500), "b": RNG.exponential(3, size=40)})
    assert chart is not None
    assert [line.name for line in chart.outlines] == ["a", "b"]
    for line in chart.outlines:
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners(line.path))
    assert chart.outlines[1].median > chart.outlines[0].median


def test_copies_are_a_peak_at_zero() -> None:
    chart = distance_chart({"copies": np.zeros(10), "others": np.linspace(1, 2, 10)})
    assert chart is not None
    assert corners(chart.outlines[0].path)[1] == (0.0, 0.0)
    assert chart.outlines[0].path.count(f"V{HEIGHT}.0") == BINS - 1


def test_one_far_row_does_not_stretch_the_axis() -> None:
    chart = distance_chart({"a": np.append(RNG.random(999), 1e9)})
    assert chart is not None
    assert max(float(tick.text) for tick in chart.x_ticks) <= 1


def test_what_lies_beyond_the_axis_is_added_to_the_last_bar() -> None:
    chart = distance_chart({"a": np.append(np.linspace(0, 1, 397), [1e9] * 3)})
    assert chart is not None
    assert "V0.0" in chart.outlines[0].path[-20:]


@pytest.mark.parametrize("values", [None, np.array([]), np.array([np.nan, np.inf])])
def test_without_a_finite_distance_there_is_no_chart(values: np.ndarray | None) -> None:
    assert distance_chart({"a": values}) is None


def test_classes_without_held_out_rows_do_not_count() -> None:
    chart = distance_chart({"a": np.array([1.0, np.nan, 3.0, np.inf])})
    assert chart is not None
    assert (chart.outlines[0].count, chart.outlines[0].median) == (2, 2.0)


def test_all_distances_may_be_zero() -> None:
    chart = distance_chart({"a": np.zeros(3)})
    assert chart is not None
    assert chart.outlines[0].median == 0
