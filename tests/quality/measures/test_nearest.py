from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.quality.measures import nearest as module
from imbllm_autogluon.quality.measures.nearest import Points, nearest, points
from imbllm_autogluon.quality.measures.pairs import paired_columns
from tests.quality.frames import mixed_rows


def plain_distance(real: pd.DataFrame, a: pd.Series, b: pd.Series) -> float:
    """The definition, cell by cell."""
    squared = 0.0
    for name in real.columns:
        one_missing = pd.isna(a[name]) + pd.isna(b[name])
        is_number = name in {"number", "narrow", "whole", "plain"}
        if one_missing:
            squared += one_missing == 1
            known = [cell for cell in (a[name], b[name]) if not pd.isna(cell)]
            if is_number and known:  # the missing one stands at the mean
                column = real[name].astype("float64")
                squared += ((known[0] - column.mean()) / column.std(ddof=0)) ** 2
        elif is_number:
            squared += ((float(a[name]) - float(b[name])) / real[name].astype("float64").std(ddof=0)) ** 2
        else:
            squared += a[name] != b[name]
    return float(np.sqrt(squared))


def test_distances_are_those_of_a_plain_loop() -> None:
    real, synthetic = (mixed_rows(12, seed).drop(columns="day") for seed in (0, 1))
    found = nearest(*reversed(points(paired_columns(real, synthetic))))
    plain = np.array([[plain_distance(real, a, b) for _, b in real.iterrows()] for _, a in synthetic.iterrows()])
    assert found.distance == pytest.approx(plain.min(axis=1), abs=1e-5)
    assert plain[np.arange(12), found.position] == pytest.approx(plain.min(axis=1), abs=1e-5)


def test_a_row_is_no_neighbour_of_itself() -> None:
    real, _ = points(paired_columns(mixed_rows(30), mixed_rows(30)))
    assert nearest(real, real).distance.max() == 0.0
    own = np.array([3, 7])
    found = nearest(real.take(own), real, own=own)
    assert found.distance.min() > 0
    assert not np.isin(own, found.position).any()


def test_a_lone_row_has_no_neighbour() -> None:
    lone = Points(np.zeros((1, 1)), np.zeros((1, 0)))
    assert np.isinf(nearest(lone, lone, own=np.array([0])).distance).all()


def test_rows_below_and_at_a_limit_are_counted() -> None:
    rows = Points(np.array([[0.0], [1.0], [1.0], [5.0]]), np.zeros((4, 0)))
    found = nearest(Points(np.zeros((2, 1)), np.zeros((2, 0))), rows, limits=np.array([1.0, 0.0]))
    assert (found.closer.tolist(), found.tied.tolist()) == ([1, 0], [2, 1])


@given(size=st.integers(1, 5_000), seed=st.integers(0, 5))
def test_blocks_of_any_size_give_the_same(size: int, seed: int) -> None:
    real, synthetic = points(paired_columns(mixed_rows(40, seed), mixed_rows(30, seed + 1)))
    whole = nearest(synthetic, real, limits=np.full(30, 2.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "HELD_DISTANCES", size)
        blocks = nearest(synthetic, real, limits=np.full(30, 2.0))
    for name in ("distance", "position", "closer", "tied"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(blocks, name))


def test_columns_that_never_vary_cost_nothing() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "only": [3.0, 3.0], "city": ["x", "x"], "gone": [None, None]})
    real, synthetic = points(paired_columns(frame, frame))
    assert real.numbers.shape == synthetic.numbers.shape == (2, 1)
    assert real.marks.shape == (2, 0)
    both = points(paired_columns(frame[["only"]], frame[["only"]]))
    assert nearest(*both).distance.tolist() == [0.0, 0.0]
