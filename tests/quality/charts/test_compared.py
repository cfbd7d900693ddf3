from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.charts.compared import compared_rows

REAL = pd.DataFrame({"x": range(100), "y": ["a"] * 70 + ["b"] * 20 + ["c"] * 10})


def test_real_rows_of_other_classes_stand_apart() -> None:
    rows = compared_rows(REAL, REAL.iloc[75:85], "y", REAL.iloc[60:80])
    assert rows.real["x"].tolist() == list(range(70, 90))
    assert rows.holdout is not None
    assert rows.holdout["x"].tolist() == list(range(70, 80))
    assert rows.others is not None
    assert len(rows.others) == 80
    assert list(rows.synthetic.columns) == ["x"]


def test_real_classes_weigh_as_much_as_they_do_among_synthetic_rows() -> None:
    written = pd.concat([REAL.iloc[70:75], REAL.iloc[95:]])
    rows = compared_rows(REAL, written, "y")
    is_b = rows.real["x"] < 90
    assert rows.weights[is_b].sum() == pytest.approx(0.5)
    assert rows.weights.sum() == pytest.approx(1.0)


def test_synthetic_rows_of_no_real_class_are_left_out() -> None:
    written = REAL.iloc[70:75].assign(y=["b", "b", "new", None, "b"])
    assert compared_rows(REAL, written, "y").synthetic["x"].tolist() == [70, 71, 74]
    with pytest.raises(TableError, match="no synthetic row has a class of 'y'"):
        compared_rows(REAL, written.assign(y="new"), "y")


def test_without_a_label_all_columns_and_rows_are_compared() -> None:
    rows = compared_rows(REAL, REAL.head(3))
    assert (len(rows.real), list(rows.real.columns), rows.others, rows.holdout) == (100, ["x", "y"], None, None)


def test_of_large_tables_some_rows_are_drawn_and_always_the_same() -> None:
    many = pd.DataFrame({"x": np.arange(500)})
    drawn = [compared_rows(many, many, seed=seed, most_rows=50) for seed in (1, 1, 2)]
    assert [len(rows.real) for rows in drawn] == [50, 50, 50]
    assert drawn[0].real["x"].tolist() == drawn[1].real["x"].tolist() != drawn[2].real["x"].tolist()
    assert drawn[0].weights.sum() == pytest.approx(1.0)


def test_a_table_without_a_column_of_the_real_one_is_refused() -> None:
    with pytest.raises(TableError, match="no column 'x'"):
        compared_rows(REAL, REAL[["y"]], "y")
