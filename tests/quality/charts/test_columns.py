from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.charts.columns import (
    BINS,
    MOST_LEVELS,
    NAMES_ROOM,
    WIDTH,
    ColumnChart,
    column_charts,
)
from imbllm_autogluon.quality.charts.compared import compared_rows
from imbllm_autogluon.quality.charts.ticks import text_width
from tests.quality.frames import mixed_rows
from tests.quality.paths import corners

RNG = np.random.default_rng(0)


def chart(real: Any, synthetic: Any) -> ColumnChart:
    rows = compared_rows(pd.DataFrame({"a": real}), pd.DataFrame({"a": synthetic}))
    return column_charts(rows)[0]


def test_columns_of_every_dtype_stay_inside_their_charts() -> None:
    charts = column_charts(compared_rows(mixed_rows(300), mixed_rows(200, seed=1)))
    assert len(charts) == 10
    for found in charts:
        for path in (found.real, found.synthetic):
            assert path
            assert all(-0.01 <= x <= WIDTH + 0.01 and -0.01 <= y <= found.height + 0.01 for x, y in corners(path))
        assert 0 <= found.total_variation < 0.4


def test_the_worst_column_comes_first() -> None:
    real = pd.DataFrame({"same": range(50), "far": range(50), "near": range(50)})
    written = real.assign(far=1000, near=range(10, 60))
    charts = column_charts(compared_rows(real, written))
    assert [found.name for found in charts] == ["far", "near", "same"]
    assert (charts[0].total_variation, charts[-1].total_variation) == (pytest.approx(1), pytest.approx(0))


def test_equal_columns_have_equal_bars_of_no_distance() -> None:
    values = RNG.normal(size=100)
    found = chart(values, values)
    assert found.real == found.synthetic
    assert found.total_variation == pytest.approx(0)


def test_one_outlier_does_not_hide_the_rest() -> None:
    found = chart(np.append(RNG.normal(size=999), 1e9), RNG.normal(size=999))
    assert found.real.count("M") > BINS / 2
    assert all(abs(float(tick.text)) < 10 for tick in found.x_ticks)


@pytest.mark.parametrize("value", [1e100, -1e100, float("inf")])
def test_wild_numbers_stand_in_the_outermost_bar(value: float) -> None:
    found = chart(RNG.normal(size=100), np.full(100, value))
    assert found.total_variation > 0.9
    assert found.synthetic.count("M") == 1


def test_whole_numbers_of_few_values_have_one_bar_each() -> None:
    found = chart([1, 2, 2, 3], [1, 1, 2, 2])
    assert found.real.count("M") == 3
    assert found.synthetic.count("M") == 2
    assert found.total_variation == pytest.approx(0.25)


@pytest.mark.parametrize("value", [0.0, 5.0, 1e18, -1e-9])
def test_a_constant_column_is_one_bar(value: float) -> None:
    found = chart([value] * 30, [value] * 10)
    assert found.real == found.synthetic
    assert found.real.count("M") == 1


def test_missing_numbers_have_a_bar_of_their_own() -> None:
    found = chart([1.5, None, 2.5, None], [1.5, 1.7, 2.5, 2.6])
    assert found.x_ticks[-1].text == "missing"
    assert found.total_variation == pytest.approx(0.5)
    bars = [[x for x, _ in corners(path) if x > WIDTH - 40] for path in (found.real, found.synthetic)]
    assert [bool(found_bars) for found_bars in bars] == [True, False]


def test_a_column_without_a_value_is_the_bar_of_missing_cells_alone() -> None:
    found = chart([None, None], [np.nan, np.nan])
    assert found.total_variation == 0


def test_days_are_labelled_as_dates() -> None:
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(range(300), unit="D")
    texts = [tick.text for tick in chart(days, days).x_ticks]
    assert texts[0].startswith("2020-0")


def test_many_levels_share_a_bar_and_count_whole_in_the_distance() -> None:
    real = [f"level {k}" for k in range(40)] * 2
    found = chart(real, [f"new {k}" for k in range(40)])
    assert len(found.levels) == MOST_LEVELS + 1
    assert found.levels[-1].full == "72 others"
    assert found.total_variation == pytest.approx(1)


def test_names_of_levels_fit_and_are_kept_whole_for_the_tooltip() -> None:
    name = "a level with a name that never ends"
    level = chart([name], [name]).levels[0]
    assert level.full == name
    assert text_width(level.text) <= NAMES_ROOM
    assert level.text.endswith("…")


def test_missing_categories_are_named() -> None:
    assert [level.text for level in chart(["x", None, "x"], ["x", "x", "x"]).levels] == ["x", "missing"]


def test_labels_never_touch_and_stay_near_the_chart() -> None:
    for found in column_charts(compared_rows(mixed_rows(300), mixed_rows(200, seed=1))):
        ends = [(tick.at - text_width(tick.text) / 2, tick.at + text_width(tick.text) / 2) for tick in found.x_ticks]
        assert all(left[1] < right[0] for left, right in pairwise(ends))
        assert all(left > -30 and right < WIDTH + 30 for left, right in ends)
