"""Each value has one text that reads back exactly, on the column's lattice and off it."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imbllm_autogluon.sentences.cell_texts import CellText, cell_text
from imbllm_autogluon.tables import Column


def texts_of(cells: Any) -> CellText:
    return cell_text(Column.from_series(pd.Series(cells), "c"))


@pytest.mark.parametrize(
    ("cells", "value", "text"),
    [
        ([0.5, 1.25], 1.0, "1.00"),
        ([0.5, 1.25], 0.123, "0.123"),
        ([0.5, 1.25], -0.0, "0.00"),
        ([0.5, 1.25], -0.001, "-0.001"),
        ([0.5, 1.25], 1e300, "1e+300"),
        ([200.0, 1200.0], 300.0, "300"),
        ([200.0, 1200.0], 310.0, "310.0"),
        ([1, 2], 2**63 - 1, "9223372036854775807"),
        ([False, True, True], 0, "True"),
        (np.array([0, 86400], "M8[s]"), 3 * 86400, "1970-01-04"),
        (np.array([0, 86400], "M8[s]"), 86400 + 3600, "1970-01-02T01"),
        (np.array([0, 86400], "M8[s]"), -1, "1969-12-31T23:59:59"),
        (np.array([60, 86400], "M8[s]"), 0, "1970-01-01T00:00"),
        (np.array([1, 86400], "M8[ms]"), 5, "1970-01-01T00:00:00.005"),
        (np.array([0, 1], "M8[ns]"), 2**62, "2116-02-20T23:53:38.427387904"),
        ([datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)], 0, "1970-01-01"),
        (np.array([0, 86400], "M8[s]"), 10**12, "1000000000000"),
        (np.array([1, 3], "m8[h]").astype("m8[s]"), 7200, "7200"),
    ],
)
def test_a_value_has_the_text_of_its_column(cells: Any, value: float, text: str) -> None:
    texts = texts_of(cells)
    assert texts.write(value) == text
    assert texts.read(text) == value


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (np.array([0, 86400], "M8[s]"), "5"),
        (np.array([0, 86400], "M8[s]"), "1970-01-01T00:00:00.001"),
        ([datetime.date(2024, 2, 29), datetime.date(2024, 3, 1)], "2024-02-29T01"),
        (np.array([0, 86400], "M8[s]"), "1970-01-01 00:00"),
        (np.array([0, 86400], "M8[s]"), "1970-01-01T00:00:00.0"),
        ([0.5, 1.25], "1_000.0"),
        ([0.5, 1.25], "inf"),
        ([1, 2], "1.0"),
        ([1, 2], " 1"),
        ([False, True], "1"),
    ],
)
def test_other_texts_are_no_values(cells: Any, text: str) -> None:
    assert texts_of(cells).read(text) is None


@pytest.mark.parametrize("size", [1e-305, 1e-40, 1e-12, 1.0, 1e12, 1e40, 1e300])
def test_every_lattice_point_of_numbers_of_any_size_has_a_plain_decimal_text(size: float) -> None:
    values = np.random.default_rng(0).normal(size=50) * size
    column = Column.from_series(pd.Series(values), "c")
    assert column.lattice is not None
    texts = cell_text(column)
    for point in column.lattice.snap(values).tolist():
        assert "e" not in texts.write(point)
        assert texts.read(texts.write(point)) == point


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1e-200, 0.01, 1.0, 100.0, 1e200]))
def test_every_float_reads_back_whatever_the_lattice(number: float, size: float) -> None:
    texts = texts_of([size, 3 * size])
    assert texts.read(texts.write(number)) == number


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["s", "ms", "us", "ns"]))
def test_every_time_reads_back_whatever_the_unit(time: int, unit: str) -> None:
    texts = texts_of(np.array([0, 86400 * 1000], f"M8[{unit}]"))
    assert texts.read(texts.write(time)) == time
