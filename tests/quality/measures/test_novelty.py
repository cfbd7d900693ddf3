from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.measures.novelty import copied_share, row_codes
from tests.quality.frames import mixed_rows


def test_a_copy_is_equal_in_every_column() -> None:
    real = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    written = pd.DataFrame({"a": [1, 1, 2, 2, 3], "b": ["x", "y", "y", "y", "x"]})
    assert copied_share(real, written) == pytest.approx(3 / 5)


def test_missing_equals_missing_and_nothing_else() -> None:
    real = pd.DataFrame({"a": [None, 0.0], "b": ["x", None]})
    written = pd.DataFrame({"a": [None, 0.0, None, 0.0], "b": ["x", np.nan, None, "x"]})
    assert copied_share(real, written) == 0.5


@pytest.mark.parametrize("gaps", [True, False])
def test_pure_copies_are_all_found_and_changed_ones_are_none(gaps: bool) -> None:
    real = mixed_rows(100, gaps=gaps)
    assert copied_share(real, real.sample(30, random_state=0)[real.columns[::-1]]) == 1.0
    assert copied_share(real, real.assign(plain=real["plain"] + 100)) == 0.0


def test_rows_of_other_dtypes_are_copies_if_their_cells_are_equal() -> None:
    real = mixed_rows(100)
    others = {"narrow": "float64", "whole": "float64", "plain": "Int64", "text": "category", "words": "string"}
    written = real.astype({**others, "level": object, "flag": object, "day": "datetime64[s]"})
    assert copied_share(real, written) == 1.0


def test_numbers_and_times_that_differ_by_little_are_no_copies() -> None:
    real = pd.DataFrame({"a": [1.0], "b": [2**60], "c": [pd.Timestamp("2024-01-01")]})
    assert copied_share(real, real) == 1.0
    for change in ({"a": [np.nextafter(1.0, 2)]}, {"b": [2**60 + 1]}, {"c": real["c"] + pd.Timedelta(1, "ns")}):
        assert copied_share(real, real.assign(**change)) == 0.0


def test_columns_that_the_real_table_lacks_do_not_count() -> None:
    real = mixed_rows(10)
    assert copied_share(real, real.assign(more=1)) == 1.0


def test_rows_share_a_code_exactly_if_they_are_equal() -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.integers(0, 3, (80, 3)), columns=list("abc")) for _ in range(2)]
    codes = np.concatenate(row_codes(*frames))
    keys = [tuple(row) for row in pd.concat(frames).to_numpy().tolist()]
    assert len(set(zip(codes.tolist(), keys, strict=True))) == len(set(codes.tolist())) == len(set(keys))


def test_many_wide_columns_do_not_overflow() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(3000, 30)))
    assert copied_share(real, pd.concat([real.iloc[:10], real.iloc[:10] + 1])) == 0.5


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(TableError, match="the synthetic table has shape"):
        copied_share(mixed_rows(3), mixed_rows(3).iloc[:0])
