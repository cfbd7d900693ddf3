from __future__ import annotations

import numpy as np
import pandas as pd

from imbllm_autogluon.quality.measures.class_rows import HOLDOUT, REAL, SYNTHETIC, matched_tables

REAL_ROWS = pd.DataFrame({"city": ["Oslo", "Rome", "Oslo", None], "y": ["b", "a", "b", None]})
WRITTEN = pd.DataFrame({"y": ["b", "b", "c"], "city": ["Lima", "Oslo", "Oslo"]})
HELD_OUT = pd.DataFrame({"y": ["a", "b"], "city": ["Bern", "Lima"]})


def test_rows_of_each_written_class_are_found_in_every_table() -> None:
    matched = matched_tables({REAL: REAL_ROWS, SYNTHETIC: WRITTEN, HOLDOUT: HELD_OUT}, "y")
    (rows,) = matched.classes
    assert {called: found.tolist() for called, found in rows.positions.items()} == {
        REAL: [0, 2],
        SYNTHETIC: [0, 1],
        HOLDOUT: [1],
    }
    assert rows.table(HOLDOUT)["city"].tolist() == ["Lima"]
    assert rows.count("interpolated") == 0


def test_levels_that_no_real_row_has_are_equal_across_the_other_tables() -> None:
    matched = matched_tables({REAL: REAL_ROWS, SYNTHETIC: WRITTEN, HOLDOUT: HELD_OUT}, "y")
    (rows,), (column,) = matched.classes, matched.classes[0].columns
    assert rows.values(column, SYNTHETIC)[0] == rows.values(column, HOLDOUT)[0]
    assert rows.values(column, SYNTHETIC)[1] == rows.values(column, REAL)[0]


def test_without_a_label_every_row_counts() -> None:
    matched = matched_tables({REAL: REAL_ROWS[["city"]], SYNTHETIC: WRITTEN}, None)
    np.testing.assert_array_equal(matched.classes[0].positions[REAL], np.arange(4))
    assert matched.notes == []


def test_classes_come_in_the_order_of_the_real_table_and_gaps_are_noted() -> None:
    matched = matched_tables({REAL: REAL_ROWS, SYNTHETIC: WRITTEN.assign(y=["a", "b", None])}, "y")
    assert [rows.positions[REAL].tolist() for rows in matched.classes] == [[0, 2], [1]]
    assert matched.notes == [
        "1 rows of the real table have no label and were left out.",
        "1 rows of the synthetic table have no label and were left out.",
    ]
