"""Cells, dtypes and columns survive JSON with their type."""

from __future__ import annotations

import datetime
import json
import uuid
import zoneinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.tables import Column
from imbllm_autogluon.tables.stored import (
    _dtype_from_json,
    _dtype_to_json,
    _scalar_from_json,
    _scalar_to_json,
    column_from_dict,
    column_to_dict,
    with_texts,
    with_values,
)
from tests.tables.frames import ODD, series_of

UTC = datetime.timezone.utc
VALUES: list[Any] = [
    None,
    True,
    2**70,
    "a, b is c",
    float("inf"),
    Decimal("1.10"),
    b"\x00\xff",
    uuid.UUID(int=7),
    datetime.date(2020, 2, 29),
    datetime.datetime(2020, 2, 29, 1, 2, 3, 4),
    datetime.datetime(2020, 2, 29, tzinfo=UTC),
    datetime.time(1, 2, 3),
    datetime.timedelta(-1, 5, 7),
    pd.Timestamp("2020-02-29 01:02:03.000000004"),
    pd.Timestamp("2020-02-29", tz="Europe/Berlin"),
    pd.Timestamp("3020-02-28").as_unit("s"),
    pd.Timedelta(5, "ns"),
    pd.Period("2020-02", "M"),
    pd.Interval(0.5, 1.5, closed="left"),
    pd.Interval(pd.Timestamp(0), pd.Timestamp(1)),
    np.int8(-3),
    np.float32(0.1),
    np.bool_(True),
    np.str_("a"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_equal_and_of_its_type(value: Any) -> None:
    restored = _scalar_from_json(json.loads(json.dumps(_scalar_to_json(value), allow_nan=False)))
    assert restored == value
    assert type(restored) is type(value)


@given(st.floats(allow_nan=False) | st.text() | st.integers() | st.decimals(allow_nan=False) | st.binary())
def test_numbers_and_strings_come_back_exactly(value: Any) -> None:
    assert _scalar_from_json(json.loads(json.dumps(_scalar_to_json(value)))) == value


@pytest.mark.parametrize(
    "value",
    [(1, 2), object(), np.longdouble(1), datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused_with_a_remedy(value: Any) -> None:
    if isinstance(value, np.longdouble) and value.dtype.itemsize == 8:
        pytest.skip("long doubles have 64 bits here")
    with pytest.raises(InvalidInputError, match=r"cannot be stored.*convert the column"):
        _scalar_to_json(value)


def test_an_unknown_tag_is_refused() -> None:
    with pytest.raises(StoredStateError, match="newer version"):
        _scalar_from_json({"colour": "red"})


NAMES = ["int8", "uint64", "float16", "bool", "object", "Int64", "Float32", "boolean", "datetime64[s]", "period[M]"]
NAMES += ["datetime64[ns, Europe/Berlin]", "datetime64[us, UTC+01:00]", "timedelta64[ms]", "interval[int64, left]"]
DTYPES: list[Any] = [
    *map(pd.api.types.pandas_dtype, NAMES),
    pd.StringDtype("python"),
    pd.StringDtype("pyarrow"),
    pd.CategoricalDtype(["b", "a"], ordered=True),
    pd.CategoricalDtype([3, 1]),
    pd.CategoricalDtype(pd.Index([0.1, 2.5], dtype="float32")),
    pd.CategoricalDtype(pd.to_datetime(["2020-01-01"])),
    pd.CategoricalDtype(pd.IntervalIndex.from_breaks([0, 1, 2])),
    pd.CategoricalDtype(pd.Index(["u", 1, 2.5], dtype=object)),
    pd.SparseDtype("float64", np.nan),
    pd.SparseDtype("int8", 3),
    pd.SparseDtype("bool", False),
    pd.ArrowDtype(pa.timestamp("us", "Europe/Berlin")),
    pd.ArrowDtype(pa.decimal128(12, 3)),
    pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_dtype_comes_back_equal(dtype: Any) -> None:
    restored = _dtype_from_json(json.loads(json.dumps(_dtype_to_json(dtype), allow_nan=False)))
    assert restored == dtype
    assert type(restored) is type(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        pd.testing.assert_index_equal(restored.categories, dtype.categories, exact=True)
        assert restored.ordered == dtype.ordered
    if isinstance(dtype, pd.StringDtype):
        assert restored.storage == dtype.storage


def test_an_unknown_form_of_a_dtype_is_refused() -> None:
    with pytest.raises(StoredStateError, match="newer version"):
        _dtype_from_json({"colour": "red"})


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([0.25, None], dtype="float32"),
        pd.Series([2**62, -5]),
        pd.Series(["a", None], dtype="category"),
        pd.Series([True, None], dtype=object),
        pd.Series([pd.Timestamp(0, tz="UTC")]),
    ],
    ids=lambda series: str(series.dtype),
)
def test_a_column_comes_back_equal(series: pd.Series) -> None:
    column = Column.from_series(series, "x")
    assert column_from_dict(json.loads(json.dumps(column_to_dict(column), allow_nan=False))) == column


def test_categories_that_json_cannot_hold_are_refused_by_name_of_their_type() -> None:
    column = Column.from_series(pd.Series([(1, 2), (3, 4)]), "x")
    with pytest.raises(InvalidInputError, match=r"\(1, 2\) of type tuple cannot be stored"):
        column_to_dict(column)


@pytest.mark.parametrize("kind", ODD)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_texts_that_stand_for_values_give_them_back(kind: str, data: st.DataObject) -> None:
    df = pd.DataFrame({"x": data.draw(series_of(kind, 6)), "y": range(6)}).set_axis([7, 7, 3, 2, 1, 0])
    rows = with_texts(df).iloc[data.draw(st.permutations(range(6)))]
    values = with_values(rows.set_axis(["a", "b"], axis=1), df)
    expected = df.iloc[rows["y"].to_numpy()]
    assert values.dtypes.equals(df.dtypes)
    assert values.index.equals(expected.index)
    assert list(map(repr, values["x"])) == list(map(repr, expected["x"]))


def test_columns_that_files_hold_stay_as_they_are() -> None:
    df = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical([3, 4]), "d": [Decimal("1.5"), None]})
    pd.testing.assert_frame_equal(with_texts(df), df)
