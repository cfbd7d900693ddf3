"""Single values survive JSON with their type."""

from __future__ import annotations

import datetime
import json
import uuid
import zoneinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.tables.scalars import scalar_from_json, scalar_to_json

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
    restored = scalar_from_json(json.loads(json.dumps(scalar_to_json(value), allow_nan=False)))
    assert restored == value
    assert type(restored) is type(value)


@given(st.floats(allow_nan=False) | st.text() | st.integers() | st.decimals(allow_nan=False) | st.binary())
def test_numbers_and_strings_come_back_exactly(value: Any) -> None:
    assert scalar_from_json(json.loads(json.dumps(scalar_to_json(value)))) == value


@pytest.mark.parametrize(
    "value",
    [(1, 2), object(), np.longdouble(1), datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused_with_a_remedy(value: Any) -> None:
    if isinstance(value, np.longdouble) and value.dtype.itemsize == 8:
        pytest.skip("long doubles have 64 bits here")
    with pytest.raises(InvalidInputError, match=r"cannot be stored.*convert the column"):
        scalar_to_json(value)


def test_an_unknown_tag_is_refused() -> None:
    with pytest.raises(StoredStateError, match="newer version"):
        scalar_from_json({"colour": "red"})
