from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.paper.coding import TableCoding


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [61, 35, 48],
            "dose": pd.array([1.5, None, 2.5], dtype="Float64"),
            "city": ["Oslo", None, "Bergen"],
            "smokes": [True, False, True],
            "grade": pd.Categorical(["b", "a", None], categories=["c", "b", "a"], ordered=True),
            "seen": pd.to_datetime(["1970-01-01", None, "1970-01-02"]),
            "empty": pd.Series([None, None, None], dtype=object),
        }
    )


def test_numbers_and_dates_are_floats_and_all_else_is_a_category() -> None:
    coded = TableCoding.fit(rows()).coded(rows())
    assert list(coded.columns) == list(rows().columns)
    categories = [name for name, dtype in coded.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    assert categories == ["city", "smokes", "grade"]
    assert coded["dose"].tolist()[::2] == [1.5, 2.5]
    assert coded["seen"].tolist()[::2] == [0.0, 86400.0]
    for name in ("dose", "city", "seen"):
        assert coded[name].isna().tolist() == [False, True, False]


def test_a_coding_depends_on_no_order_and_unknown_categories_are_missing() -> None:
    coding, other = TableCoding.fit(rows()), TableCoding.fit(rows().iloc[::-1])
    pd.testing.assert_frame_equal(coding.coded(rows()), other.coded(rows()))
    new = coding.coded(rows().assign(city=["Paris", "Oslo", None], smokes=[True, True, True]))
    assert new["city"].isna().tolist() == [True, False, True]
    pd.testing.assert_series_equal(new.dtypes, coding.coded(rows()).dtypes)


def test_rows_as_numbers_come_back_in_their_own_dtypes() -> None:
    full = rows().assign(city=["Oslo", np.nan, "Bergen"], empty=pd.Series([np.nan] * 3, dtype=object))
    coding = TableCoding.fit(full)
    numbers = coding.as_numbers(full)
    assert numbers["city"].tolist() == [1, 2, 0], "a gap is one more category"
    assert all(np.issubdtype(numbers[name].dtype, np.integer) for name in coding.levels)
    pd.testing.assert_frame_equal(coding.from_numbers(numbers, full), full)


@pytest.mark.parametrize("dtype", ["string", "category", "object"])
def test_a_category_has_the_same_code_in_every_dtype(dtype: str) -> None:
    coding = TableCoding.fit(rows())
    coded = coding.coded(rows().astype({"city": dtype}))
    pd.testing.assert_frame_equal(coded, coding.coded(rows()))
