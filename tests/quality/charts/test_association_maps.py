from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.charts.association_maps import MAP, MOST_COLUMNS, NAMES_ROOM, association_chart
from imbllm_autogluon.quality.charts.compared import Compared, compared_rows
from imbllm_autogluon.quality.charts.ticks import text_width
from tests.quality.paths import corners

RNG = np.random.default_rng(0)


def tables(n_columns: int) -> Compared:
    x = RNG.normal(size=(100, n_columns))
    x[:, -1] = x[:, 0]
    names = [f"a long name of column {k}" for k in range(n_columns)]
    real = pd.DataFrame(x, columns=names)
    return compared_rows(real, real.assign(**{names[-1]: RNG.permutation(x[:, -1])}))


def test_cells_stay_inside_their_maps_and_the_diagonal_is_full() -> None:
    rows = tables(5)
    chart = association_chart(rows, list(rows.real.columns))
    assert chart is not None
    for found in chart.maps:
        assert all(0 <= value <= MAP for shade in found.shades for point in corners(shade.path) for value in point)
        assert found.shades[-1].opacity == 1.0
    assert chart.maps[0].shades[-1].path.count("M") == 7
    assert chart.maps[1].shades[-1].path.count("M") == 5


def test_the_mean_difference_is_that_of_all_pairs() -> None:
    rows = tables(5)
    chart = association_chart(rows, list(rows.real.columns))
    assert chart is not None
    assert chart.mean_gap == pytest.approx(1 / 10, abs=0.03)


def test_of_many_columns_the_worst_are_shown_in_the_order_of_the_table() -> None:
    rows = tables(30)
    worst = list(rows.real.columns)[::-1]
    chart = association_chart(rows, worst)
    assert chart is not None
    assert [full for _, _, full in chart.names] == list(rows.real.columns)[10:]
    assert chart.left_out == 30 - MOST_COLUMNS
    assert sum(len(shade.path) for found in chart.maps for shade in found.shades) < 40_000


def test_names_fit_their_room_together_with_their_numbers() -> None:
    rows = tables(20)
    chart = association_chart(rows, list(rows.real.columns))
    assert chart is not None
    assert all(text_width(f"{text} 20") <= NAMES_ROOM for _, text, _ in chart.names)


def test_pairs_of_too_few_rows_are_empty_and_no_gap() -> None:
    real = pd.DataFrame({"x": range(50), "y": [None] * 40 + list(range(10))})
    chart = association_chart(compared_rows(real, real), ["x", "y"])
    assert chart is not None
    assert ([shade.path.count("M") for shade in chart.maps[0].shades], chart.mean_gap) == ([1], 0.0)


def test_one_column_has_no_associations() -> None:
    one = pd.DataFrame({"x": range(5)})
    assert association_chart(compared_rows(one, one), ["x"]) is None
