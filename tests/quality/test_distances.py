from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.quality import distances as module
from imbllm_autogluon.quality.columns import paired_columns
from imbllm_autogluon.quality.distances import (
    HOLDOUT,
    REAL,
    SYNTHETIC,
    ClassRows,
    MatchedTables,
    Points,
    nearest,
    points,
)
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
        patch.setattr(module, "_HELD_DISTANCES", size)
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


REAL_ROWS = pd.DataFrame({"city": ["Oslo", "Rome", "Oslo", None], "y": ["b", "a", "b", None]})
WRITTEN = pd.DataFrame({"y": ["b", "b", "c"], "city": ["Lima", "Oslo", "Oslo"]})
HELD_OUT = pd.DataFrame({"y": ["a", "b"], "city": ["Bern", "Lima"]})


def matched(
    real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None = None, label: str | None = None
) -> MatchedTables:
    return MatchedTables.from_tables(
        {REAL: real, SYNTHETIC: synthetic, **({} if holdout is None else {HOLDOUT: holdout})}, label
    )


def test_rows_of_each_class_are_found_in_every_table() -> None:
    tables = matched(REAL_ROWS, WRITTEN, HELD_OUT, "y")
    assert len(tables.classes) == 1
    rows = ClassRows(tables, 0, 99, 0)
    assert {called: found.tolist() for called, found in rows.positions.items()} == {
        REAL: [0, 2], SYNTHETIC: [0, 1], HOLDOUT: [1],
    }  # fmt: skip
    assert rows.table(HOLDOUT)["city"].tolist() == ["Lima"]
    assert rows.count("interpolated") == 0


def test_levels_that_no_real_row_has_are_equal_across_the_other_tables() -> None:
    tables = matched(REAL_ROWS, WRITTEN, HELD_OUT, "y")
    (column,) = tables.columns
    assert tables.values(column, SYNTHETIC)[0] == tables.values(column, HOLDOUT)[1]
    assert tables.values(column, SYNTHETIC)[1] == tables.values(column, REAL)[0]


def test_classes_come_in_the_order_of_the_real_table_and_gaps_are_noted() -> None:
    tables = matched(REAL_ROWS, WRITTEN.assign(y=["a", "b", None]), label="y")
    assert [np.flatnonzero(tables.codes[REAL] == code).tolist() for code in tables.classes] == [[0, 2], [1]]
    assert tables.notes == [
        "1 rows of the real table have no label and were left out.",
        "1 rows of the synthetic table have no label and were left out.",
    ]


def line(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"a": values})


def found_for(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None = None, most: int = 99) -> Any:
    return ClassRows(matched(real, synthetic, holdout), 0, most, 0)


def test_distances_are_in_standard_deviations_of_the_real_rows() -> None:
    real = line(0.0, 2.0, 4.0, 10.0)
    unit = real["a"].std(ddof=0)
    found = found_for(real, line(1.5, 20.0), line(1.0, 11.0))
    assert found.to_real.distance * unit == pytest.approx([0.5, 10.0])
    assert found.to_real.position.tolist() == [1, 3]
    assert found.to_holdout.distance * unit == pytest.approx([0.5, 9.0])
    assert found.real_to_real * unit == pytest.approx([2.0, 2.0, 2.0, 6.0])
    assert found.real_to_holdout * unit == pytest.approx([1.0, 1.0, 3.0, 1.0])


@pytest.mark.parametrize("n_holdout", [1, 3, 6])
def test_the_larger_table_counts_what_is_nearer_than_the_smaller(n_holdout: int) -> None:
    found = found_for(line(0.0, 1.0, 2.0), line(0.0), line(*([1.0] * n_holdout)))
    larger, other = (found.to_real, found.to_holdout) if n_holdout <= 3 else (found.to_holdout, found.to_real)
    assert larger.closer.tolist() == ([1] if n_holdout <= 3 else [0])
    assert other.closer.tolist() == [0]


def test_only_queries_are_drawn_and_all_rows_are_compared_with() -> None:
    real = line(*range(100))
    found = found_for(real, real, most=10)
    assert len(found.to_real.distance) == len(found.real_to_real) == 10
    assert found.to_real.distance.max() == 0.0
    np.testing.assert_array_equal(found.to_real.position, found.looked_at[SYNTHETIC])
    assert found.to_holdout is None
    assert found.real_to_holdout is None
