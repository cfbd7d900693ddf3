from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.measures.coverage import QUANTILES, coverage, marginal_distance


def test_a_real_row_is_covered_if_a_synthetic_one_is_no_farther_than_its_ball_reaches() -> None:
    radii, nearest = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.5, 1.0, 1.5, 0.0])
    assert coverage(radii, nearest) == 0.75


def test_the_same_rows_in_another_order_have_distance_zero() -> None:
    real = mixed_rows(50)
    assert marginal_distance(real, real.sample(frac=1, random_state=0)) == 0.0


def test_columns_with_nothing_in_common_have_distance_one() -> None:
    real = pd.DataFrame({"a": ["x"] * 4, "b": [1.0, 2.0, 3.0, 4.0]})
    written = pd.DataFrame({"a": ["y"] * 4, "b": [None] * 4})
    assert marginal_distance(real, written.astype({"b": "float64"})) == pytest.approx(1.0)


def test_the_distance_of_a_category_is_half_the_sum_of_the_gaps_between_shares() -> None:
    real, written = (pd.DataFrame({"a": list(text)}) for text in ("xxxy", "xyyz"))
    assert marginal_distance(real, written) == pytest.approx((0.5 + 0.25 + 0.25) / 2)


def test_the_distance_is_the_mean_over_the_columns() -> None:
    real = pd.DataFrame({"same": ["x"] * 4, "other": ["x"] * 4})
    assert marginal_distance(real, real.assign(other="y")) == 0.5


def test_a_missing_value_is_a_value_of_its_own() -> None:
    real = pd.DataFrame({"a": [1.0, 2.0, np.nan, np.nan]})
    assert marginal_distance(real, pd.DataFrame({"a": [1.0, 2.0, 1.0, 2.0]})) == pytest.approx(0.5)
    assert marginal_distance(real, real.copy()) == 0.0


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float32", "bool", "datetime64[ns]"])
def test_every_dtype_of_numbers_and_times_is_compared(dtype: str) -> None:
    values = np.arange(40) % 2 if dtype == "bool" else np.arange(40)
    real = pd.DataFrame({"a": pd.Series(values).astype(dtype)})
    half = real.iloc[:20]
    expected = 0.0 if dtype == "bool" else 0.5
    assert marginal_distance(real, half) == pytest.approx(expected, abs=0.03)


def test_values_beyond_the_real_ones_count_in_the_outermost_bins() -> None:
    real = pd.DataFrame({"a": np.arange(100.0)})
    written = pd.DataFrame({"a": np.full(100, 1e6)})
    assert marginal_distance(real, written) == pytest.approx(1 - 1 / QUANTILES, abs=0.011)


def test_two_samples_of_one_source_are_about_as_far_apart_as_the_docstring_says() -> None:
    distance = np.mean([marginal_distance(mixed_rows(200, k)[["a"]], mixed_rows(200, k + 50)[["a"]]) for k in range(9)])
    # Both are samples, so the gap of each bin has twice the variance.
    assert distance == pytest.approx(0.4 * np.sqrt(2 * QUANTILES / 200) * np.sqrt(0.9), rel=0.35)


def mixed_rows(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y"], n), "c": rng.integers(0, 3, n) > 0})
