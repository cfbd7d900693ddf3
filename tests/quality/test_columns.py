from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.columns import _LARGEST, PairedColumn, check_pair, paired_columns, row_codes, shared_codes
from imbllm_autogluon.quality.privacy import _copied_share
from tests.quality.frames import mixed_rows


def pair(real: Any, synthetic: Any) -> PairedColumn:
    (column,) = paired_columns(pd.DataFrame({"a": real}), pd.DataFrame({"a": synthetic}))
    return column


def test_every_column_of_a_mixed_table_is_a_number_or_a_level_with_its_gaps() -> None:
    real, synthetic = mixed_rows(60), mixed_rows(40, 1)
    columns = paired_columns(real, synthetic[synthetic.columns[::-1]].assign(more=1))
    numbers = {column.name for column in columns if column.is_number}
    assert numbers == {"number", "narrow", "whole", "plain", "day"}
    for column in columns:
        assert np.isnan(column.real).tolist() == real[column.name].isna().tolist()
        assert np.isnan(column.synthetic).tolist() == synthetic[column.name].isna().tolist()


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [
        (pd.Series([1, 2, 3]), pd.Series([3.5, None, 1])),
        (pd.Series([1.0, 2, 3]), pd.Series([3.5, None, 1], dtype="Float64")),
        (pd.Series([1, 2, 3], dtype=object), pd.Series([3.5, None, 1.0], dtype=object)),
        (pd.Series([1, 2, 3], dtype="Int64"), pd.Series([3.5, None, 1], dtype="float32")),
        (pd.Series([1, 2, 3], dtype="int64[pyarrow]"), pd.Series([3.5, None, 1], dtype="double[pyarrow]")),
    ],
)
def test_numbers_of_any_dtype_are_compared_as_they_are(real: Any, synthetic: Any) -> None:
    column = pair(real, synthetic)
    assert column.is_number
    assert column.real.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(column.synthetic, [3.5, np.nan, 1])


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(pd.to_datetime(["1970-01-02 00:00", None, "1970-01-01 12:00"])),
        pd.Series(pd.to_datetime(["1970-01-02 00:00", None, "1970-01-01 12:00"])).astype("datetime64[s]"),
        pd.Series(pd.to_datetime(["1970-01-02 00:00", None, "1970-01-01 12:00"], utc=True)).dt.tz_convert("Asia/Tokyo"),
        pd.Series([datetime.datetime(1970, 1, 2), None, datetime.datetime(1970, 1, 1, 12)], dtype=object),
        pd.Series(pd.to_datetime(["1970-01-02 00:00", None, "1970-01-01 12:00"])).astype("timestamp[us][pyarrow]"),
    ],
    ids=["ns", "s", "zone", "objects", "arrow"],
)
def test_times_are_days(cells: pd.Series[Any]) -> None:
    column = pair(cells, cells)
    assert column.is_number
    np.testing.assert_array_equal(column.real, [1.0, np.nan, 0.5])


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [
        (pd.Series(["x", "y", None], dtype="category"), pd.Series(["y", None, "z"])),
        (pd.Series(["x", "y", None], dtype="string"), pd.Series(["y", None, "z"], dtype=object)),
        (pd.Series(["x", "y", None], dtype="string[pyarrow]"), pd.Series(["y", None, "z"], dtype="category")),
        (pd.Series(["x", "y", None], dtype=object), pd.Series(["y", np.nan, "z"], dtype="string")),
        (pd.Series([True, False, None], dtype="boolean"), pd.Series([False, None, "?"], dtype=object)),
        (pd.Series([7, 8, None], dtype="Int64").astype("category"), pd.Series([8.0, None, 9.0])),
    ],
)
def test_levels_of_any_dtype_share_their_codes(real: Any, synthetic: Any) -> None:
    column = pair(real, synthetic)
    assert not column.is_number
    np.testing.assert_array_equal(column.real, [0, 1, np.nan])
    np.testing.assert_array_equal(column.synthetic, [1, np.nan, 2])


def test_a_float32_number_equals_the_float64_that_was_written_for_it() -> None:
    real, written = shared_codes(pd.Series([0.1, 0.2], dtype="float32"), pd.Series([0.2, 0.1]), "a")
    assert real.tolist() == written[::-1].tolist()


def test_large_whole_numbers_keep_every_digit() -> None:
    real, written = shared_codes(pd.Series([2**53]), pd.Series([2**53 + 1]), "a")
    assert real[0] != written[0]


def test_an_infinite_written_number_stands_far_out_and_an_infinite_real_one_is_refused() -> None:
    assert pair([1.0], [np.inf]).synthetic.tolist() == [_LARGEST]
    with pytest.raises(TableError, match="'a' holds an infinite number"):
        pair([1.0, -np.inf], [1.0, 2.0])


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [([1, 2], ["1", "2"]), ([1, 2], [True, False]), (pd.to_datetime(["2024-01-01"]), ["2024-01-01"])],
)
def test_written_text_in_a_column_of_numbers_or_times_is_refused(real: Any, synthetic: Any) -> None:
    with pytest.raises(TableError, match=r"column 'a' of dtype .* convert it first"):
        pair(real, synthetic)


@pytest.mark.parametrize("real", [[1.0, 2.0], ["x", "y"], pd.to_datetime(["2024-01-01"] * 2)])
def test_a_column_written_all_missing_has_any_dtype(real: Any) -> None:
    assert np.isnan(pair(real, [None, None]).synthetic).all()


FRAME = pd.DataFrame({"age": [1], "city": ["x"]})


@pytest.mark.parametrize(
    ("real", "synthetic", "message"),
    [
        (FRAME, FRAME.rename(columns={"city": "citi"}), r"no column 'city' \(did you mean 'citi'\?\)"),
        (FRAME.iloc[:0], FRAME, "the real table has 0 rows"),
        (FRAME, FRAME.iloc[:0], "the synthetic table has 0 rows"),
        (FRAME[[]], FRAME, "the real table has 0 feature columns"),
        (FRAME[["age", "age"]], FRAME, "the real table: column name 'age' occurs more than once"),
    ],
)
def test_tables_that_do_not_belong_together_are_refused(
    real: pd.DataFrame, synthetic: pd.DataFrame, message: str
) -> None:
    with pytest.raises(TableError, match=message):
        check_pair(real, synthetic)


def test_cells_that_are_lists_are_refused() -> None:
    with pytest.raises(TableError, match=r"'a'.*single value"):
        pair(["x", "y"], ["x", ["y"]])
    with pytest.raises(TableError, match=r"'a'.*single value"):
        pair([["x"], ["y"]], ["x", "y"])


def test_several_tables_share_levels_and_are_told_apart_in_errors() -> None:
    real = pd.DataFrame({"a": ["x", "y"], "n": [1.0, 2.0]})
    written, held_out = pd.DataFrame({"n": [3], "a": ["z"]}), pd.DataFrame({"a": ["w", "z"], "n": [4.0, None]})
    level, number = paired_columns(real, {"synthetic": written, "hold-out": held_out})
    assert level.synthetic.tolist() == [2.0, 3.0, 2.0]
    np.testing.assert_array_equal(number.synthetic, [3.0, 4.0, np.nan])
    with pytest.raises(TableError, match="the hold-out table has no column 'n'"):
        paired_columns(real, {"synthetic": written, "hold-out": held_out[["a"]]})
    with pytest.raises(TableError, match="holds words cells in the hold-out table"):
        paired_columns(real, {"synthetic": written, "hold-out": held_out.assign(n="x")})


@pytest.mark.parametrize("gap", [None, np.nan, pd.NaT])
def test_times_kept_as_objects_may_have_any_gap(gap: Any) -> None:
    day = pd.Timestamp("2024-01-02")
    real = pd.DataFrame({"day": pd.Series([day, gap, day + pd.Timedelta(days=1)], dtype=object)})
    (column,) = paired_columns(real, real.iloc[1:])
    assert column.real[2] - column.real[0] == 1.0
    assert np.isnan(column.real[1])


def test_missing_equals_missing_and_nothing_else() -> None:
    real = pd.DataFrame({"a": [None, 0.0], "b": ["x", None]})
    written = pd.DataFrame({"a": [None, 0.0, None, 0.0], "b": ["x", np.nan, None, "x"]})
    assert _copied_share(real, written) == 0.5


@pytest.mark.parametrize("gaps", [True, False])
def test_pure_copies_are_all_found_and_changed_ones_are_none(gaps: bool) -> None:
    real = mixed_rows(100, gaps=gaps)
    assert _copied_share(real, real.sample(30, random_state=0)[real.columns[::-1]]) == 1.0
    assert _copied_share(real, real.assign(plain=real["plain"] + 100)) == 0.0


def test_rows_of_other_dtypes_are_copies_if_their_cells_are_equal() -> None:
    real = mixed_rows(100)
    others = {"narrow": "float64", "whole": "float64", "plain": "Int64", "text": "category", "words": "string"}
    written = real.astype({**others, "level": object, "flag": object, "day": "datetime64[s]"})
    assert _copied_share(real, written) == 1.0


def test_numbers_and_times_that_differ_by_little_are_no_copies() -> None:
    real = pd.DataFrame({"a": [1.0], "b": [2**60], "c": [pd.Timestamp("2024-01-01")]})
    assert _copied_share(real, real) == 1.0
    for change in ({"a": [np.nextafter(1.0, 2)]}, {"b": [2**60 + 1]}, {"c": real["c"] + pd.Timedelta(1, "ns")}):
        assert _copied_share(real, real.assign(**change)) == 0.0


def test_rows_share_a_code_exactly_if_they_are_equal() -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.integers(0, 3, (80, 3)), columns=list("abc")) for _ in range(2)]
    codes = np.concatenate(row_codes(*frames))
    keys = [tuple(row) for row in pd.concat(frames).to_numpy().tolist()]
    assert len(set(zip(codes.tolist(), keys, strict=True))) == len(set(codes.tolist())) == len(set(keys))


def test_many_wide_columns_do_not_overflow() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(3000, 30)))
    assert _copied_share(real, pd.concat([real.iloc[:10], real.iloc[:10] + 1])) == 0.5
