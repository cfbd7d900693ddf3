"""Rows to predict that are not as the rows of training were."""

from __future__ import annotations

import datetime
import logging
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.tables import Column, TableSchema
from imbllm_autogluon.tables.unseen import read_unseen

ROWS = 40
LEARNED = pd.DataFrame(
    {
        "count": np.arange(ROWS) % 7,
        "share": np.linspace(0, 1, ROWS),
        "city": np.where(np.arange(ROWS) % 2, "Oslo", "Bergen"),
        "member": np.arange(ROWS) % 3 == 0,
        "day": pd.date_range("2020-01-01", periods=ROWS, unit="s"),
        "zoned": pd.date_range("2020-01-01 10:00", periods=ROWS, tz="Europe/Oslo"),
        "date": [datetime.date(2020, 1, 1 + i % 20) for i in range(ROWS)],
        "took": pd.to_timedelta(np.arange(ROWS) * 3, "h"),
        "small": pd.array([1, 2, None, 5] * 10, dtype="Int8"),
        "level": pd.Categorical([1, 2] * 20),
    }
)
SCHEMA = TableSchema.from_frame(LEARNED)
JAN_5, NOON = datetime.date(2020, 1, 5), pd.Timestamp("2020-01-05 12:00", tz="UTC")


def column(name: str) -> Column:
    return next(found for found in SCHEMA.columns if found.name == name)


@pytest.mark.parametrize(
    ("name", "cells", "read"),
    [
        ("count", [2.5, 3.6, np.inf, -np.inf, np.nan], [2, 4, 6, 0, None]),
        ("count", ["3", "2.7", "x", None], [3, 3, None, None]),
        ("count", [True, False], [1, 0]),
        ("count", [1e30, 3.0], [2**63 - 1024, 3]),
        ("count", np.array([2**64 - 1, 3], dtype="uint64"), [2**63 - 1024, 3]),
        ("count", [Decimal("1.4"), Fraction(1, 3), 1j, [1]], [1, 0, None, None]),
        ("share", [np.inf, -np.inf, 5.0], [1.0, 0.0, 5.0]),
        ("share", ["0.5", "inf", "nan", ""], [0.5, 1.0, None, None]),
        ("share", pd.array(["0.5", None, "a"], dtype="string"), [0.5, None, None]),
        ("city", ["Oslo", " OSLO", "Rome", None], ["Oslo", "Oslo", None, None]),
        ("city", [np.inf, "Oslo", {}, 1j], [None, "Oslo", None, None]),
        ("member", [0, 1, 1.0, 2], [False, True, True, None]),
        ("member", ["True", "false", "1", "yes"], [True, False, True, None]),
        ("level", ["1", "2.0", 2.0, "a"], [1, 2, 2, None]),
        ("day", ["2020-01-05", "5 Jan 2020", "soon"], [pd.Timestamp(JAN_5), pd.Timestamp(JAN_5), None]),
        ("day", [20200105, 5], [None, None]),
        ("day", [NOON], [pd.Timestamp("2020-01-05 12:00")]),
        ("zoned", ["2020-01-05T13:00+01:00", "2020-01-05 12:00", None], [NOON, NOON, None]),
        ("date", ["2020-01-05", NOON, None], [JAN_5, JAN_5, None]),
        ("took", ["3h", "soon", 3], [pd.Timedelta("3h"), None, None]),
        ("small", [1.4, "2", None], [1, 2, None]),
    ],
)
def test_each_cell_is_read_as_the_nearest_there_is(name: str, cells: Any, read: list[Any]) -> None:
    found, missing = read_unseen(column(name), pd.Series(cells))
    decoded = column(name).decode(found, np.zeros(len(found), dtype=bool)).tolist()
    assert [None if gone else cell for cell, gone in zip(decoded, missing, strict=True)] == read


def test_cells_as_in_training_are_read_as_they_are_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found, plain = SCHEMA.encode_unseen(LEARNED), SCHEMA.encode(LEARNED)
    assert np.array_equal(found.row_keys(), plain.row_keys())
    assert not caplog.messages


def test_the_log_says_once_for_each_column_what_was_odd_and_new_categories_are_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    SCHEMA.encode_unseen(LEARNED.astype({"count": float}).assign(count=lambda df: df["count"] + 0.4, city="Rome"))
    (warned, count), (told, city) = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert (warned, told) == ("WARNING", "INFO")
    assert "'count': 40 of 40 cells are not as in training (int64), such as 0.4; read as" in count
    assert "'city': 40 of 40 cells are not as in training (object), such as 'Rome'; read as" in city
    assert city.endswith("40 as missing.")


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.sampled_from(["nan", "inf", "1e999", "2020-13-01", "2262-04-12", "0001-01-01", "\ud800", "١٢"]),
    st.decimals().filter(lambda number: not number.is_snan()),  # pandas cannot tell whether it is missing
    st.fractions(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from([pd.NA, pd.NaT, pd.Interval(0, 1), pd.Period("2020"), np.datetime64("9999", "D"), np.float32(0.1)]),
)
DTYPES = ["int8", "uint64", "float16", "float32", "bool", "M8[s]", "m8[ns]", "category", "string", "boolean", "Float64"]


@settings(max_examples=40)
@given(st.lists(ODD, min_size=1, max_size=4), st.sampled_from([None, *DTYPES]), st.integers(0, 2**32 - 1))
def test_whatever_stands_in_a_column_it_is_read(cells: list[Any], dtype: str | None, seed: int) -> None:
    odd = pd.Series(np.fromiter(cells, dtype=object, count=len(cells)), dtype=object)
    if dtype is not None:
        numbers = pd.Series(np.random.default_rng(seed).integers(0, 2, len(cells)))
        odd = numbers.astype("string") if dtype == "string" else numbers.astype(dtype)
    for known in SCHEMA.columns:
        values, missing = read_unseen(known, odd)
        assert values.dtype == (np.float64 if known.kind == "continuous" else np.int64)
        assert np.all(np.isfinite(values))
        assert not values[missing].any()
        assert not known.is_category or np.all((values >= 0) & (values < len(known.categories)))
