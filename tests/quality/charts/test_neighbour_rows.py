from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from imbllm_autogluon.quality.charts.neighbour_rows import MOST_CHARACTERS, MOST_COLUMNS, neighbour_rows
from tests.quality.evaluations import Distances, evaluation_of
from tests.quality.frames import mixed_rows

REAL = pd.DataFrame({"x": np.arange(40.0), "city": ["Oslo", "Bergen"] * 20})


def by_hand(to_real: list[float], nearest: list[int], looked_at: list[int] | None = None) -> Any:
    places = list(range(len(to_real))) if looked_at is None else looked_at
    return Distances(np.array(to_real), None, np.array([1.0]), np.array(nearest), np.array(places))


def test_the_farthest_row_comes_first_beside_its_real_row_and_what_differs_is_marked() -> None:
    written = pd.DataFrame({"x": [*np.arange(10.0), 99.0], "city": [*["Oslo", "Bergen"] * 5, "Oslo"]})
    found = neighbour_rows(REAL, written, by_hand([0.0] * 10 + [9.0], [*range(10), 39]))
    worst = found.farthest[0]
    assert (worst.synthetic, worst.real, worst.differs, worst.distance) == (
        ("99", "Oslo"), ("39", "Bergen"), (True, True), 9.0,
    )  # fmt: skip
    assert found.nearest[0].differs == (False, False)
    assert found.nearest[0].synthetic == found.nearest[0].real
    assert found.copies == 10
    assert (len(found.farthest), len(found.nearest)) == (5, 5)


def test_equal_synthetic_rows_are_shown_once_and_no_row_at_both_ends() -> None:
    written = REAL.iloc[[0] * 20 + [1] * 20 + [2]]
    found = neighbour_rows(REAL, written, by_hand([0.0] * 41, [0] * 20 + [1] * 20 + [2]))
    assert (len(found.nearest), len(found.farthest), found.copies) == (3, 0, 41)


def test_only_the_rows_looked_at_are_shown_by_their_place_in_the_table() -> None:
    found = neighbour_rows(REAL, REAL.assign(x=-1.0), by_hand([3.0], [7], looked_at=[5]))
    assert (found.nearest[0].real[0], found.nearest[0].synthetic) == ("7", ("-1", "Bergen"))


def test_of_many_columns_those_that_differ_are_shown_in_the_order_of_the_table() -> None:
    real = pd.DataFrame(np.zeros((10, 30)), columns=[f"c{k}" for k in range(30)])
    written = real.assign(c20=1.0, c3=1.0)
    found = neighbour_rows(real, written, by_hand([1.0] * 10, [0] * 10))
    assert {"c3", "c20"} <= set(found.columns)
    assert list(found.columns) == sorted(found.columns, key=lambda name: int(name[1:]))
    assert (len(found.columns), found.left_out) == (MOST_COLUMNS, 30 - MOST_COLUMNS)
    assert found.nearest[0].differing == 2


def test_cells_of_every_dtype_are_texts_of_bounded_length() -> None:
    real, written = mixed_rows(30), mixed_rows(20, seed=1)
    real["long"] = written["long"] = "word " * 50
    found = neighbour_rows(real, written, evaluation_of(real, written).distances)
    cells = [cell for pair in (*found.farthest, *found.nearest) for cell in (*pair.real, *pair.synthetic)]
    assert all(isinstance(cell, str) and len(cell) <= MOST_CHARACTERS for cell in cells)
    assert found.to_dict()["nearest"][0]["distance"] >= 0


def test_missing_equals_missing_and_is_named() -> None:
    real = pd.DataFrame({"x": [None, 1.0], "y": ["a", None]})
    found = neighbour_rows(real, real, by_hand([0.0, 0.0], [0, 1]))
    assert found.copies == 2
    assert found.nearest[0].synthetic == ("missing", "a")
