from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.measures.likeness import inverse_kl
from tests.quality.frames import mixed_rows


def column(cells: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(cells)})


def test_the_figure_of_a_category_is_the_one_computed_by_hand() -> None:
    # Counts (3, 1, 0) and (1, 2, 1), one added to each: (4, 2, 1) / 7 and (2, 3, 2) / 7.
    divergence = 4 / 7 * math.log(4 / 2) + 2 / 7 * math.log(2 / 3) + 1 / 7 * math.log(1 / 2)
    assert inverse_kl(column(list("xxxy")), column(list("xyyz"))) == pytest.approx(1 / (1 + divergence))


def test_it_is_the_mean_over_the_columns() -> None:
    real = mixed_rows(100)[["flag", "words"]]
    alone = inverse_kl(real[["words"]], real[["words"]].assign(words="x"))
    assert inverse_kl(real, real.assign(words="x")) == pytest.approx((1 + alone) / 2)


def test_the_same_rows_in_any_order_score_one() -> None:
    real = mixed_rows(200)
    assert inverse_kl(real, real.sample(frac=1, random_state=0)) == 1.0


def test_rows_drawn_anew_score_nearly_one_and_shuffled_columns_do_too() -> None:
    real = mixed_rows(2000)
    assert inverse_kl(real, mixed_rows(2000, 1)) > 0.99
    assert inverse_kl(real, real.assign(number=real["number"].sample(frac=1, random_state=0).to_numpy())) == 1.0


def test_disjoint_columns_score_worse_the_more_rows_show_it() -> None:
    scores = [inverse_kl(column(["x"] * n), column(["y"] * n)) for n in (10, 100, 10_000)]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < 0.12


def test_numbers_are_counted_in_the_deciles_of_the_real_ones() -> None:
    real = column(np.arange(100.0))
    assert inverse_kl(real, column(np.repeat(np.arange(4.5, 100, 10), 10))) == pytest.approx(1.0, abs=0.01)
    uneven = inverse_kl(real, column(np.full(100, 1e9)))
    # All rows in the last of ten bins: counts 10 each against 0 … 0, 100, one added.
    expected = sum(11 / 110 * math.log(11 / k) for k in [1] * 9 + [101])
    assert uneven == pytest.approx(1 / (1 + expected), rel=0.02)


def test_a_missing_value_is_a_level() -> None:
    real = column([1.0, 2.0] * 50 + [None] * 100)
    assert inverse_kl(real, real) == 1.0
    assert inverse_kl(real, column([1.0, 2.0] * 100)) < 0.5


@pytest.mark.parametrize(
    "real",
    [[None] * 20, [3.0] * 20, [np.nan] * 20, pd.array([None] * 20, dtype="Int64"), pd.to_datetime([None] * 20)],
)
def test_columns_of_one_value_or_none_are_compared(real: Any) -> None:
    assert inverse_kl(column(real), column(real)) == 1.0


def test_numbers_where_the_real_ones_are_all_missing_count_as_one_level() -> None:
    gone = column(np.full(50, np.nan))
    assert inverse_kl(gone, column(np.arange(50.0))) == inverse_kl(gone, column(np.full(50, np.inf))) < 0.5


def test_the_score_falls_from_new_rows_over_noise_to_disjoint_rows() -> None:
    rng = np.random.default_rng(0)
    real, anew = column(rng.normal(size=1000)), column(rng.normal(size=1000))
    noise, beyond = column(rng.uniform(-5, 5, 1000)), column(rng.normal(size=1000) + 99)
    scores = [inverse_kl(real, other) for other in (anew, noise, beyond)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[1] > 0.1 < scores[1] - scores[2]


def test_an_absent_column_is_refused() -> None:
    with pytest.raises(TableError, match="no column 'a'"):
        inverse_kl(column([1]), column([1]).rename(columns={"a": "b"}))
