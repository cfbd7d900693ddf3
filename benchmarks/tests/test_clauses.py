from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.clauses import QUANTILES, marginal_distance


def test_the_distance_is_the_mean_over_the_columns_of_half_the_sum_of_the_gaps_between_shares() -> None:
    real, written = (pd.DataFrame({"a": list(text), "same": 1}) for text in ("xxxy", "xyyz"))
    assert marginal_distance(real, written) == pytest.approx((0.5 + 0.25 + 0.25) / 2 / 2)
    assert marginal_distance(real, real.sample(frac=1, random_state=0)) == 0.0


def test_a_missing_value_is_a_value_of_its_own() -> None:
    real = pd.DataFrame({"a": [1.0, 2.0, np.nan, np.nan]})
    assert marginal_distance(real, pd.DataFrame({"a": [1.0, 2.0, 1.0, 2.0]})) == pytest.approx(0.5)


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float32", "bool", "datetime64[ns]"])
def test_every_dtype_of_numbers_and_times_is_compared(dtype: str) -> None:
    values = np.arange(40) % 2 if dtype == "bool" else np.arange(40)
    real = pd.DataFrame({"a": pd.Series(values).astype(dtype)})
    assert marginal_distance(real, real.iloc[:20]) == pytest.approx(0.0 if dtype == "bool" else 0.5, abs=0.03)


def test_values_beyond_the_real_ones_count_in_the_outermost_bins() -> None:
    real = pd.DataFrame({"a": np.arange(100.0)})
    assert marginal_distance(real, real * 0 + 1e6) == pytest.approx(1 - 1 / QUANTILES, abs=0.011)
