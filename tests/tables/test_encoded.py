"""EncodedTable: rows as plain arrays, with an identity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.tables import EncodedTable


def cells_of(rows: list[tuple[float | None, int | None]]) -> EncodedTable:
    missing = np.array([[cell is None for cell in row] for row in rows], dtype=bool).reshape(len(rows), 2)
    first = np.array([row[0] or 0 for row in rows], dtype=np.float64)
    return EncodedTable((first, np.array([row[1] or 0 for row in rows], dtype=np.int64)), missing)


cell = st.none() | st.sampled_from([0, 1, 256, -1, 2**40])
rows_of_two = st.lists(st.tuples(cell, cell), min_size=1, max_size=12)


@given(rows_of_two, rows_of_two)
def test_rows_have_equal_keys_exactly_if_all_cells_are_equal(
    left: list[tuple[int | None, int | None]], right: list[tuple[int | None, int | None]]
) -> None:
    keys = cells_of(left).row_keys(), cells_of(right).row_keys()
    assert np.isin(keys[0], keys[1]).tolist() == [row in right for row in left]
    assert len(np.unique(keys[0])) == len(set(left)) == len(set(keys[0].tolist()))


def test_keys_ignore_the_sign_of_zero_and_what_stands_under_a_missing_cell() -> None:
    missing = np.array([[False, True], [False, True]])
    cells = EncodedTable((np.array([0.0, -0.0]), np.array([7, 8])), missing)
    assert len(set(cells.row_keys().tolist())) == 1


def test_rows_without_columns_all_have_one_key() -> None:
    assert len(np.unique(EncodedTable((), np.zeros((3, 0), dtype=bool)).row_keys())) == 1


@pytest.mark.parametrize("rows", [[2, 0, 2], np.array([True, False, True]), []])
def test_rows_are_taken_by_position_or_by_mask(rows: list[int]) -> None:
    cells = cells_of([(1.5, 1), (None, 2), (3.5, None)])
    taken = cells.take(rows)
    assert taken.values[0].tolist() == cells.values[0][np.asarray(rows, dtype=None if len(rows) else int)].tolist()
    assert taken.n_rows == len(taken.missing) == len(taken.values[1])


def test_tables_are_put_one_below_the_other() -> None:
    cells = cells_of([(1.5, 1), (None, 2)])
    twice = EncodedTable.concat([cells, cells.take([0])])
    assert (twice.values[1].tolist(), twice.missing[:, 0].tolist()) == ([1, 2, 1], [False, True, False])


def test_a_replaced_column_holds_zero_where_missing_and_leaves_the_original_alone() -> None:
    cells = cells_of([(1.5, 1), (2.5, 2)])
    changed = cells.with_column(1, [8, 9], [True, False])
    assert (changed.values[1].tolist(), changed.missing.tolist()) == ([0, 9], [[False, True], [False, False]])
    assert (cells.values[1].tolist(), cells.missing.any()) == ([1, 2], False)
    assert changed.values[1].dtype == np.int64
