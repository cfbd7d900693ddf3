"""Kinds follow the dtype, never the text of strings."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.tables.kinds import allowed_kinds, decimal_places, default_kind, dense, nature_of

NATURES: list[tuple[list[Any], Any, str]] = [
    ([1, 2], "int8", "integer"),
    ([1, None], "UInt16", "integer"),
    ([1, 2], "int32[pyarrow]", "integer"),
    ([1.5, None], "float16", "continuous"),
    ([1.5, None], "Float64", "continuous"),
    ([True, None], "boolean", "boolean"),
    ([True, False], "bool[pyarrow]", "boolean"),
    (["0900", "8001"], "string", "words"),
    (["0900", "8001"], object, "words"),
    (["2020-01-01"], object, "words"),
    ([True, None], object, "boolean"),
    ([1, None], object, "integer"),
    ([2**63, None], object, "levels"),
    ([1.5, None], object, "continuous"),
    ([1, 1.5], object, "levels"),
    ([1, True], object, "levels"),
    ([Decimal("1.10"), None], object, "continuous"),
    ([Decimal("0.1234567890123456")], object, "levels"),
    ([datetime.date(2020, 1, 1)], object, "datetime"),
    ([datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)], object, "levels"),
    ([pd.Timestamp(2020, 1, 1)], object, "datetime"),
    (["a"], "category", "levels"),
    ([True], "category", "levels"),
    ([pd.Timestamp(2020, 1, 1)], "datetime64[s]", "datetime"),
    ([pd.Timedelta(1)], "timedelta64[ns]", "duration"),
    ([pd.Period("2020-01", "M")], "period[M]", "levels"),
    ([None, None], object, "levels"),
]


@pytest.mark.parametrize(("cells", "dtype", "nature"), NATURES)
def test_the_nature_of_cells_follows_their_type(cells: list[Any], dtype: Any, nature: str) -> None:
    assert nature_of(pd.Series(cells, dtype=dtype), "x") == nature


@pytest.mark.parametrize(
    ("nature", "kind"),
    [
        ("integer", "integer"),
        ("continuous", "continuous"),
        ("boolean", "boolean"),
        ("datetime", "datetime"),
        ("duration", "integer"),
        ("words", "categorical"),
        ("levels", "categorical"),
    ],
)
def test_every_nature_has_a_kind_and_may_be_listed(nature: Any, kind: str) -> None:
    assert default_kind(nature) == kind
    assert "categorical" in allowed_kinds(nature)


@pytest.mark.parametrize(
    "cells", [[[1], [2]], [{"a": 1}], [np.array([1]), np.array([2])], [{1}, "a"]], ids=["list", "dict", "array", "set"]
)
def test_cells_that_hold_several_values_are_refused(cells: list[Any]) -> None:
    with pytest.raises(TableError, match=r"'tags' holds cells of type .* spread it"):
        nature_of(pd.Series(cells, dtype=object), "tags")


def test_arrow_lists_are_refused() -> None:
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(TableError, match="'tags'"):
        nature_of(pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))), "tags")


@pytest.mark.parametrize("series", [pd.Series([1j]), pd.Series([1j, "a"], dtype=object)])
def test_complex_numbers_are_refused_with_a_remedy(series: pd.Series) -> None:
    with pytest.raises(TableError, match=r"'z' holds complex .*\.real and \.imag"):
        nature_of(series, "z")


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long doubles have 64 bits here")
def test_floats_wider_than_64_bits_are_refused() -> None:
    with pytest.raises(TableError, match="float64"):
        nature_of(pd.Series(np.array([1.5], dtype=np.longdouble)), "x")


def test_sparse_series_become_dense_and_others_stay_themselves() -> None:
    plain = pd.Series([0, 1])
    assert dense(plain) is plain
    pd.testing.assert_series_equal(dense(plain.astype("Sparse[int64]")), plain)


@pytest.mark.parametrize(("text", "places"), [("1.10", 2), ("7", 0), ("1E+3", 0)])
def test_decimal_places_are_those_written(text: str, places: int) -> None:
    assert decimal_places(Decimal(text)) == places
