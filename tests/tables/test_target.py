from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.target import TargetTable


def frame(targets: object, label: str = "price") -> pd.DataFrame:
    series = pd.Series(targets)
    return pd.DataFrame({"area": range(len(series)), label: series})


MANY = [0.5 * n for n in range(30)]
BAD_TARGETS = {
    "absent": (frame(MANY, "pirce"), r"no label column 'price' \(did you mean 'pirce'\?\)"),
    "no features": (pd.DataFrame({"price": MANY}), "no column beside the label"),
    "texts": (frame(["12 EUR"] * 30), r"holds no numbers \('12 EUR'\); regression needs.*--task classification"),
    "booleans": (frame([True, False] * 15), "holds no numbers"),
    "dates": (frame(pd.date_range("2020-01-01", periods=30)), "holds no numbers"),
    "complex numbers": (frame([1j] * 30), "holds complex numbers"),
    "infinite": (frame([*MANY, np.inf, -np.inf]), "the target 'price' is infinite in 2 rows; leave these cells empty"),
    "constant": (frame([2.5] * 30), "the target 'price' is 2.5 in all 30 rows; at least two different values"),
    "few rows": (frame([*MANY[:19], np.nan]), "the target 'price' is known in 19 rows; at least 20 are needed"),
    "all missing": (frame([None] * 30), "known in 0 rows"),
}


@pytest.mark.parametrize(("table", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_a_target_that_cannot_be_learned_is_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(TableError, match=f"houses.csv.*{message}"):
        TargetTable.of(table, "price", "houses.csv")


@pytest.mark.parametrize(
    "targets",
    [
        list(range(20)),
        pd.array([1, None, *range(20)], "Int64"),
        pd.array([1.5, None, *range(20)], "Float64"),
        [1.5, np.nan, *range(20)],
        np.arange(25, dtype="uint8"),
        pd.array(np.arange(25.0), "float32"),
    ],
)
def test_numbers_of_any_dtype_become_float64(targets: object) -> None:
    table = TargetTable.of(frame(targets), "price")
    assert table.frame["price"].dtype == "float64"
    assert table.targets.tolist() == pd.Series(targets).dropna().astype(float).tolist()


def test_rows_without_a_target_are_left_out_and_counted() -> None:
    original = frame([None, *MANY, np.nan])
    copy = original.copy()
    table = TargetTable.of(original, "price")
    assert table.dropped == 2
    assert table.features["area"].tolist() == list(range(1, 31))
    assert table.frame.index.tolist() == list(range(30))
    pd.testing.assert_frame_equal(original, copy)


def test_rows_to_be_scored_may_be_few_and_alike() -> None:
    assert TargetTable.known_rows(frame([3.0, 3.0, None]), "price").targets.tolist() == [3.0, 3.0]
    assert not len(TargetTable.known_rows(frame([None, None]), "price").frame)
