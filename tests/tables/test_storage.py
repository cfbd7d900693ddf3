"""Columns survive JSON; damaged states are refused."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.tables import Column, SetAside
from imbllm_autogluon.tables.storage import (
    STATE_VERSION,
    column_from_dict,
    column_to_dict,
    reading_state,
    set_aside_from_dict,
    set_aside_to_dict,
)


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


@pytest.mark.parametrize("column", [None, Column.from_series(pd.Series([5]), 3, "categorical")])
def test_a_set_aside_column_comes_back_equal(column: Column | None) -> None:
    part = SetAside(3, "because.", "constant" if column else "copied", column)
    assert set_aside_from_dict(json.loads(json.dumps(set_aside_to_dict(part)))) == part


def test_categories_that_json_cannot_hold_are_refused_by_name_of_their_type() -> None:
    column = Column.from_series(pd.Series([(1, 2), (3, 4)]), "x")
    with pytest.raises(InvalidInputError, match=r"\(1, 2\) of type tuple cannot be stored"):
        column_to_dict(column)


@pytest.mark.parametrize("error", [KeyError("columns"), TypeError("no"), ValueError("no")])
def test_whatever_goes_wrong_while_reading_is_a_stored_state_error(error: Exception) -> None:
    with pytest.raises(StoredStateError, match="make it anew"), reading_state({"version": STATE_VERSION}):
        raise error


def test_another_version_is_refused() -> None:
    with pytest.raises(StoredStateError, match=f"readable is {STATE_VERSION}"), reading_state({"version": 99}):
        pass
