"""Distances between rows of mixed type, against a plain loop over cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imbllm_autogluon.oversampling import interpolation
from imbllm_autogluon.oversampling.interpolation import MixedSpace
from tests.oversampling.tables import mixed, read

if TYPE_CHECKING:
    from imbllm_autogluon.tables import EncodedTable, TableSchema


def brute_force(schema: TableSchema, fitted: EncodedTable, a: EncodedTable, i: int, b: EncodedTable, j: int) -> float:
    """Distance of row i of a and row j of b: standardized numbers, 1 for each differing category or missing number."""
    total = 0.0
    for c, column in enumerate(schema.columns):
        gone = bool(a.missing[i, c]), bool(b.missing[j, c])
        if column.is_category:
            total += gone[0] != gone[1] or (not any(gone) and a.values[c][i] != b.values[c][j])
            continue
        seen = fitted.values[c][~fitted.missing[:, c]].astype(float)
        assert column.grid is not None
        width = float(column.grid.maximum - column.grid.minimum)
        middle = float(column.grid.minimum) + width / 2
        mean, spread = (seen.mean(), seen.std() or width) if len(seen) else (middle, width)
        places = [
            0.0 if lost else (float(cells.values[c][row]) - mean) / spread
            for lost, cells, row in zip(gone, (a, b), (i, j), strict=True)
        ]
        total += (places[0] - places[1]) ** 2 + (gone[0] != gone[1])
    return math.sqrt(total)


def matrix(space: MixedSpace, queries: EncodedTable, rows: EncodedTable) -> Any:
    return np.concatenate([distances for _, distances in space.distances(queries, rows)])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 6))
@example(6, 2, 1)  # a column that is missing in both rows
def test_distances_equal_a_plain_loop(seed: int, n_rows: int, n_queries: int) -> None:
    schema, cells = read(mixed(40, seed).round({"score": 3}), {"visits": "integer", "city": "categorical"})
    rows, queries = cells.take(np.arange(n_rows)), cells.take(np.arange(n_rows, n_rows + n_queries))
    space = MixedSpace.fit(schema, rows)
    expected = [[brute_force(schema, rows, queries, i, rows, j) for j in range(n_rows)] for i in range(n_queries)]
    assert matrix(space, queries, rows) == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 15), st.integers(1, 20), st.booleans())
def test_the_nearest_rows_are_the_nearest_of_a_plain_loop(seed: int, n_rows: int, k: int, same: bool) -> None:
    schema, cells = read(mixed(30, seed).round({"score": 3}))
    rows = cells.take(np.arange(n_rows))
    queries = rows if same else cells.take(np.arange(n_rows, 30))
    space = MixedSpace.fit(schema, rows)
    indices, distances = space.nearest(queries, rows, k, same=same)
    assert indices.shape == distances.shape == (queries.n_rows, min(k, n_rows - same))
    for i in range(queries.n_rows):
        all_rows = [j for j in range(n_rows) if not (same and i == j)]
        plain = {j: brute_force(schema, rows, queries, i, rows, j) for j in all_rows}
        assert distances[i] == pytest.approx(sorted(plain.values())[: indices.shape[1]], abs=1e-6)
        assert distances[i] == pytest.approx([plain[j] for j in indices[i].tolist()], abs=1e-6)
        assert len(set(indices[i].tolist())) == indices.shape[1]
        assert not (same and i in indices[i])


def test_neighbours_come_nearest_first_in_large_tables_too() -> None:
    """So many that no partition happens to be sorted."""
    schema, cells = read(mixed(900))
    space = MixedSpace.fit(schema, cells)
    indices, distances = space.nearest(cells, cells, 800, same=True)
    everything = matrix(space, cells, cells)
    np.fill_diagonal(everything, np.inf)
    assert np.array_equal(distances, np.sort(everything, axis=1)[:, :800])
    assert np.array_equal(np.take_along_axis(everything, indices, axis=1), distances)


def test_blocks_of_any_size_give_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    schema, cells = read(mixed(30))
    space = MixedSpace.fit(schema, cells)
    whole = space.nearest(cells, cells, 4, same=True)
    for held in (1, 30, 200):
        monkeypatch.setattr(interpolation, "_HELD_DISTANCES", held)
        sizes = [block.stop - block.start for block, _ in space.distances(cells, cells)]
        assert max(sizes) == max(1, held // 30)
        assert sum(sizes) == 30
        blocks = space.nearest(cells, cells, 4, same=True)
        assert blocks[0].tolist() == whole[0].tolist()
        assert blocks[1] == pytest.approx(whole[1])


@pytest.mark.parametrize(
    ("first", "second", "squared"),
    [
        (("a", 1.0), ("a", 1.0), 0),
        (("a", 1.0), ("b", 1.0), 1),
        (("a", 1.0), (None, 1.0), 1),
        ((None, 1.0), (None, 1.0), 0),
        (("a", None), ("a", None), 0),
        (("a", 2.0), ("a", None), 1),
        (("a", 1.0), ("a", 3.0), 6),
        (("a", 1.0), ("b", None), 3.5),
    ],
)
def test_categories_and_missing_cells_are_counted(first: Any, second: Any, squared: float) -> None:
    # Known numbers are 1, 2 and 3: mean 2, variance 2/3, so 1 and 3 stand at -1.5 ** 0.5 and 1.5 ** 0.5.
    frame = pd.DataFrame({"c": ["a", "b", None, "a"], "x": [1.0, 2.0, 3.0, None]})
    schema, cells = read(frame)
    pair = schema.encode(pd.DataFrame([first, second], columns=["c", "x"]).astype(frame.dtypes))
    space = MixedSpace.fit(schema, cells)
    assert matrix(space, pair, pair)[0, 1] ** 2 == pytest.approx(squared)


def test_a_column_that_does_not_vary_in_the_class_counts_by_its_share_of_the_tables_range() -> None:
    schema, cells = read(pd.DataFrame({"x": [10.0, 10.0, 40.0, 110.0], "y": [0.0, 1.0, 5.0, 0.0]}))
    space = MixedSpace.fit(schema, cells.take([0, 1]))
    assert matrix(space, cells.take([2]), cells.take([0]))[0, 0] == pytest.approx(math.hypot(30 / 100, 5.0 / 0.5))


@pytest.mark.parametrize("numbers", [[-1.7e308, 1.7e308, 0.0], [2**62, -(2**62), 0], [5e-324, 0.0, 1e-323]])
def test_the_largest_and_smallest_numbers_have_distances(numbers: list[float]) -> None:
    schema, cells = read(pd.DataFrame({"x": numbers, "y": [0.0, 1.0, 2.0]}))
    found = matrix(MixedSpace.fit(schema, cells), cells, cells)
    assert np.isfinite(found).all()
    assert (found[~np.eye(3, dtype=bool)] > 0.1).all()


@pytest.mark.parametrize("same", [True, False])
def test_a_lone_row_has_no_neighbour_but_itself(same: bool) -> None:
    schema, cells = read(mixed(5))
    alone = cells.take([0])
    indices, distances = MixedSpace.fit(schema, alone).nearest(alone, alone, 3, same=same)
    assert indices.tolist() == ([[]] if same else [[0]])
    assert distances.shape == indices.shape


def test_tables_of_one_kind_of_column_alone_have_distances_too() -> None:
    for columns in (["score"], ["city"]):
        schema, cells = read(mixed(12)[columns])
        found = matrix(MixedSpace.fit(schema, cells), cells, cells)
        assert found.shape == (12, 12)
        assert found.max() > 0


def test_scales_come_from_the_fitted_rows_and_not_from_the_query() -> None:
    schema, cells = read(pd.DataFrame({"x": [0.0, 10.0, 1000.0]}))
    space = MixedSpace.fit(schema, cells.take([0, 1]))
    assert matrix(space, cells.take([2]), cells.take([0]))[0, 0] == pytest.approx(200.0)
