"""One column there and back, its overrides and its refusals."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables import Column


def test_categories_are_the_values_seen_most_frequent_first() -> None:
    series = pd.Series(pd.Categorical(["b", "a", "a", None], categories=["c", "b", "a"]))
    column = Column.from_series(series, "x")
    assert (column.categories, column.has_missing) == (("a", "b"), True)


@pytest.mark.parametrize(
    ("series", "values"),
    [
        (pd.Series([0.1, None], dtype="float32"), [0.1, 0.0]),
        (pd.Series([7, None], dtype="Int8"), [7, 0]),
        (pd.Series(["a", None]), [0, 0]),
        (pd.Series([pd.Timestamp(1970, 1, 2), None]).astype("datetime64[s]"), [86_400, 0]),
        (pd.Series([datetime.date(1970, 1, 3), None]), [2, 0]),
    ],
)
def test_values_are_zero_where_missing(series: pd.Series, values: list[float]) -> None:
    column = Column.from_series(series, "x")
    encoded, missing = column.encode(series)
    assert (encoded.tolist(), missing.tolist()) == (values, [False, True])
    assert encoded.dtype == (np.float64 if column.kind == "continuous" else np.int64)


@pytest.mark.parametrize(
    ("series", "kind", "first"),
    [
        (pd.Series([1, 3], dtype="int16"), "continuous", 1.0),
        (pd.Series([1.0, np.nan, 3.0]), "integer", 1),
        (pd.Series([1.5, 2.5]), "categorical", 0),
        (pd.Series([0.1, 2.3], dtype="float32"), "categorical", 0),
        (pd.Series([0.1, 2.3], dtype="float16"), "categorical", 0),
        (pd.Series([0.1, 2.3], dtype="Float32"), "categorical", 0),
        (pd.Series(["no", "yes"]), "boolean", 0),
        (pd.Series([pd.Timestamp(2020, 1, 1), pd.Timestamp(2021, 1, 1)]), "categorical", 0),
        (pd.Series([3, 7], dtype="Int64"), "boolean", 0),
    ],
)
def test_a_kind_of_the_users_choice_keeps_the_dtype(series: pd.Series, kind: Any, first: float) -> None:
    column = Column.from_series(series, "x", kind)
    values, missing = column.encode(series)
    assert (column.kind, values[0]) == (kind, first)
    assert (column.grid is not None) == column.is_number == (not column.is_category)
    pd.testing.assert_series_equal(column.decode(values, missing), series, check_names=False, check_exact=True)


@pytest.mark.parametrize(
    ("series", "kind", "remedy"),
    [
        (pd.Series(["a", "b"]), "continuous", "pd.to_numeric"),
        (pd.Series(["1", "2"]), "integer", "pd.to_numeric"),
        (pd.Series(["2020-01-01"]), "datetime", "pd.to_datetime"),
        (pd.Series([1, 2]), "datetime", "pd.to_datetime"),
        (pd.Series([1, 2]), "text", "astype"),
        (pd.Series([1, 2, 3]), "boolean", "'categorical'"),
        (pd.Series([1.5, 2.0]), "integer", "'continuous'"),
    ],
)
def test_impossible_kinds_are_refused_with_a_remedy(series: pd.Series, kind: Any, remedy: str) -> None:
    with pytest.raises(TableError, match=f"'x'.*{remedy}"):
        Column.from_series(series, "x", kind)


@pytest.mark.parametrize(
    ("seen", "new", "message"),
    [
        (pd.Series(["yes", "no"]), pd.Series(["yess"]), r"holds 'yess'.*did you mean 'yes'.*Make the schema"),
        (pd.Series([1, 2]), pd.Series(["a"]), r"'x' is integer .* pd\.to_numeric"),
        (pd.Series([1, 2]), pd.Series([2.5]), "no 64-bit integer"),
        (pd.Series([1.5, 2.0]), pd.Series([np.inf]), "infinite"),
        (pd.Series([1.5, 2.0]), pd.Series([True]), r"'x' is continuous"),
        (pd.Series([pd.Timestamp(0)]), pd.Series([pd.Timestamp(0, tz="UTC")]), "tz_convert"),
        (pd.Series([pd.Timestamp(0)]), pd.Series([pd.Timedelta(0)]), "pd.to_datetime"),
    ],
)
def test_cells_that_do_not_fit_the_column_are_refused(seen: pd.Series, new: pd.Series, message: str) -> None:
    with pytest.raises(TableError, match=message):
        Column.from_series(seen, "x").encode(new)


@pytest.mark.parametrize(
    ("seen", "new", "values"),
    [
        (pd.Series([1, 2]), pd.Series([2.0, np.nan]), [2, 0]),
        (pd.Series([1.5, 2.0]), pd.Series([2], dtype="Int8"), [2.0]),
        (pd.Series(["a", "b"]), pd.Series(["b"], dtype="category"), [1]),
        (pd.Series([1, 2]).astype("category"), pd.Series([2.0]), [1]),
        (pd.Series([pd.Timestamp(0)]).astype("datetime64[s]"), pd.Series([pd.Timestamp(1970, 1, 2)]), [86_400]),
        (pd.Series([1, 2]), pd.Series([None], dtype=object), [0]),
    ],
)
def test_the_same_values_in_another_dtype_are_encoded(seen: pd.Series, new: pd.Series, values: list[float]) -> None:
    assert Column.from_series(seen, "x").encode(new)[0].tolist() == values


@pytest.mark.parametrize(
    ("texts", "unit", "step"),
    [
        (["2020-01-01", "2020-01-09"], "ns", 86_400 * 10**9),
        (["2020-01-01 10:00", "2020-01-09 11:00"], "s", 3_600),
        (["2020-01-01 10:00:00.25", "2020-01-09"], "ms", 1),
    ],
)
def test_datetimes_keep_the_coarsest_resolution_in_their_own_unit(texts: list[str], unit: str, step: int) -> None:
    column = Column.from_series(pd.Series(pd.to_datetime(texts, format="ISO8601")).astype(f"datetime64[{unit}]"), "x")
    assert column.grid is not None
    assert (column.kind, column.unit, column.grid.step) == ("datetime", unit, step)


def test_a_column_of_text_has_neither_grid_nor_categories() -> None:
    column = Column.from_series(pd.Series(["a b", "c"]), "x", "text")
    assert (column.is_number, column.is_category, column.grid, column.categories) == (False, False, None, ())
    with pytest.raises(TableError, match="'x' is text"):
        column.encode(pd.Series(["a b"]))


def test_tuples_are_categories_too() -> None:
    series = pd.Series([(1, 2), (3, 4), (1, 2)], name="x")
    column = Column.from_series(series, "x")
    pd.testing.assert_series_equal(column.decode(*column.encode(series)), series)


def test_a_decoded_column_has_the_index_asked_for() -> None:
    column = Column.from_series(pd.Series([1, 2]), "x")
    assert column.decode([2], [False], index=pd.Index(["row"])).to_dict() == {"row": 2}


@pytest.mark.parametrize("dtype", [object, "category", "string"])
def test_new_categories_may_count_as_missing(dtype: Any) -> None:
    column = Column.from_series(pd.Series(["a", "b", "b"]), "x")
    codes, missing = column.encode(pd.Series(["a", "z", None, "b"], dtype=dtype), unknown="missing")
    assert missing.tolist() == [False, True, True, False]
    assert [column.categories[code] for code in codes[~missing]] == ["a", "b"]
    assert codes[missing].tolist() == [0, 0]


def test_where_new_categories_count_as_missing_numbers_are_refused_as_ever() -> None:
    column = Column.from_series(pd.Series([1.5, 2.0]), "x")
    assert column.encode(pd.Series([99.0]), unknown="missing")[0].tolist() == [99.0]
    with pytest.raises(TableError, match="infinite"):
        column.encode(pd.Series([np.inf]), unknown="missing")


@pytest.mark.parametrize("dtype", ["float32", "Float64", "double[pyarrow]", "Int8", object])
def test_missing_numbers_are_read_as_zero(dtype: Any) -> None:
    series = pd.Series([2, None], dtype=dtype)
    values, _ = Column.from_series(series, "x", "continuous").encode(series)
    assert (values.tolist(), values.dtype) == ([2.0, 0.0], np.float64)


@pytest.mark.parametrize("dtype", ["float64", "Float32", "double[pyarrow]", object])
@pytest.mark.parametrize("sign", [1, -1])
def test_infinite_numbers_are_refused_with_a_remedy(dtype: Any, sign: int) -> None:
    with pytest.raises(TableError, match=r"'x' holds the infinite value -?inf; .*df\.replace"):
        Column.from_series(pd.Series([1.0, sign * float("inf")], dtype=dtype), "x")


@pytest.mark.parametrize(
    ("cells", "kind", "remedy"), [([2**60 + 1], "continuous", "'integer'"), ([1.0, 1e30], "integer", "'continuous'")]
)
def test_numbers_that_another_kind_would_spoil_are_refused(cells: Any, kind: Any, remedy: str) -> None:
    with pytest.raises(TableError, match=f"make its kind {remedy}"):
        Column.from_series(pd.Series(cells), "x", kind)


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]", object])
def test_large_integers_keep_every_digit(dtype: Any) -> None:
    series = pd.Series([2**62 + 1, 7, *([] if dtype == "int64" else [None])], dtype=dtype)
    column = Column.from_series(series, "x")
    values, missing = column.encode(series)
    assert values[:2].tolist() == [2**62 + 1, 7]
    pd.testing.assert_series_equal(column.decode(values, missing), series, check_names=False)


@pytest.mark.parametrize(
    ("own", "other", "count"),
    [
        ("datetime64[s]", "datetime64[ms]", 86_400),
        ("datetime64[ms]", "datetime64[s]", 86_400_000),
        ("datetime64[s, Europe/Berlin]", "datetime64[ns, UTC]", 86_400),
        (object, "datetime64[us]", 1),
    ],
)
def test_times_are_counted_in_the_unit_of_the_column(own: Any, other: str, count: int) -> None:
    days = [datetime.date(1970, 1, 2), None]
    seen = pd.Series(days, dtype=object) if own is object else pd.Series(pd.to_datetime(days)).astype("datetime64[s]")
    new = pd.Series(pd.to_datetime(days)).astype("datetime64[s]")
    seen, new = (
        series.dt.tz_localize("UTC").astype(dtype) if "," in str(dtype) else series.astype(dtype)
        for series, dtype in ((seen, own), (new, other))
    )
    assert Column.from_series(seen, "x").encode(new)[0].tolist() == [count, 0]


def test_times_finer_than_the_unit_are_refused() -> None:
    column = Column.from_series(pd.Series([pd.Timestamp(0)]).astype("datetime64[s]"), "x")
    with pytest.raises(TableError, match="round them"):
        column.encode(pd.Series([pd.Timestamp("1970-01-01 00:00:00.5")]))


@pytest.mark.parametrize(
    ("series", "values"),
    [
        (pd.Series([3, 4], dtype="int8"), [2.9, 4.2]),
        (pd.Series([Decimal("2.90"), None], dtype=object), [2.9, 0.0]),
        (pd.Series([3, None], dtype=object), [3.0, 0.0]),
        (pd.Series([datetime.date(1970, 1, 2), None], dtype=object), [1, 0]),
    ],
)
def test_numbers_return_rounded_as_their_column_holds_them(series: pd.Series, values: list[float]) -> None:
    restored = Column.from_series(series, "x").decode(values, series.isna())
    assert restored.tolist() == series.tolist()
    assert [type(cell) for cell in restored] == [type(cell) for cell in series]


def test_a_missing_integer_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(TableError, match="int64 cannot hold the missing cell"):
        Column.from_series(pd.Series([1, 2]), "x").decode([1, 0], [False, True])


def categories(cells: Any, dtype: Any = object) -> tuple[Any, ...]:
    return Column.from_series(pd.Series(cells, dtype=dtype), "x", "categorical").categories


def test_one_and_true_and_one_point_zero_are_three_categories() -> None:
    assert [type(level) for level in categories([1, True, 1.0, None, 1])] == [int, bool, float]


@pytest.mark.parametrize("dtype", ["float32", "float16", "Float32", "float[pyarrow]"])
def test_short_floats_become_their_short_decimal(dtype: str) -> None:
    assert categories([0.1, 2.3], dtype) == (0.1, 2.3)


@pytest.mark.parametrize("dtype", ["int8", "Int64", "int64[pyarrow]", "uint64"])
def test_categories_are_python_objects(dtype: str) -> None:
    assert [type(level) for level in categories([3, 1, 3], dtype)] == [int, int]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([("a", []), "b"], "no single value"),
        ([("a", [])], "no single value"),
    ],
)
def test_cells_that_are_no_category_are_refused(cells: list[Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        categories(cells)


@pytest.mark.parametrize("dtype", [object, "string[python]", "string[pyarrow]"])
def test_texts_with_nul_characters_are_categories_of_their_own(dtype: Any) -> None:
    series = pd.Series(["", "\0", None, "a", "a\0b"], dtype=dtype)
    column = Column.from_series(series, "c")
    assert set(column.categories) == {"", "\0", "a", "a\0b"}
    pd.testing.assert_series_equal(column.decode(*column.encode(series)), series, check_names=False)


def test_an_infinite_decimal_is_refused_like_any_infinite_number() -> None:
    with pytest.raises(TableError, match="infinite"):
        Column.from_series(pd.Series([Decimal("1.5"), Decimal("inf")]), "price")


def test_categories_are_found_by_type_first_then_by_value_but_never_across_booleans() -> None:
    column = Column.from_series(pd.Series([1, 1, 1, 1.0, 1.0, 2.0], dtype=object), "x")
    codes, missing = column.encode(pd.Series([1.0, 1, True, 2, "z"], dtype=object), unknown="missing")
    assert (codes[~missing].tolist(), missing.tolist()) == ([1, 0, 2], [False, False, True, False, True])
