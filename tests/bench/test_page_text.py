from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.page_text import hundredths, markdown, signed, significant, spread, tenths


def test_a_table_has_a_line_for_each_row() -> None:
    assert markdown(pd.DataFrame({"arm": ["none"], "n": [3]})) == "| arm | n |\n| --- | --- |\n| none | 3 |"


@pytest.mark.parametrize(
    ("values", "text"),
    [([-2.0, -4.0], "-3.0 ± 1.0 %"), ([1.04], "+1.0 %"), ([-2.0, np.nan, -4.0], "-3.0 ± 1.0 %"), ([np.nan], "")],
)
def test_a_spread_is_the_mean_and_its_standard_error(values: list[float], text: str) -> None:
    assert spread(pd.Series(values)) == text


def test_a_spread_may_have_no_unit() -> None:
    assert spread(pd.Series([-2.0, -4.0]), unit="") == "-3.0 ± 1.0"


@pytest.mark.parametrize(
    ("value", "text"), [(1_234_567.0, "1235000"), (0.0012345678, "0.001235"), (2.0, "2"), (0.0, "0")]
)
def test_four_digits_count_and_none_is_a_power_of_ten(value: float, text: str) -> None:
    assert significant(value) == text


def test_decimals_are_one_with_or_without_a_sign_or_two() -> None:
    assert (signed(1.26), tenths(1.26), hundredths(1.256)) == ("+1.3", "1.3", "1.26")


@pytest.mark.parametrize("write", [significant, signed, tenths, hundredths])
def test_nothing_stands_where_there_is_no_figure(write: type) -> None:
    assert write(np.nan) == ""
