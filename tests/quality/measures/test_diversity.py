from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.quality.measures.diversity import category_coverage, distinct_share, near_copies, row_entropy
from imbllm_autogluon.quality.measures.evaluation import evaluate
from imbllm_autogluon.quality.measures.pairs import paired_columns

if TYPE_CHECKING:
    from imbllm_autogluon.quality.measures.measure import Measure


def measure(name: str, real: pd.DataFrame, synthetic: pd.DataFrame, **options: Any) -> Measure:
    return evaluate(real, synthetic, **options).measure(name)


def categories(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.choice(["x", "y", "z"], n, p=[0.6, 0.3, 0.1]) for name in "abc"})


@pytest.mark.parametrize(("rows", "share", "entropy"), [([1, 1, 1], 1 / 3, 0.0), ([3, 1, 2], 1.0, np.log(3))])
def test_equal_rows_have_no_entropy_and_different_ones_the_most(rows: list[int], share: float, entropy: float) -> None:
    assert distinct_share(np.array(rows)) == share
    assert row_entropy(np.array(rows)) == pytest.approx(entropy)


def test_near_copies_are_those_within_the_smallest_real_distances() -> None:
    usual = np.arange(1.0, 101.0)
    assert near_copies(np.array([0.0, 1.5, 2.5, 80.0]), usual) == (0.5, 0.01)


def test_where_real_rows_repeat_only_equal_rows_are_near_copies() -> None:
    assert near_copies(np.array([0.0, 0.1, 5.0, 5.0]), np.r_[np.zeros(30), np.ones(70)]) == (0.25, 0.3)


def test_tables_of_categories_repeat_rows_without_being_copies() -> None:
    found = evaluate(categories(300, 0), categories(300, 1), holdout=categories(150, 2))
    for name in ("exact copies", "near copies", "distinct rows", "entropy"):
        assert found.measure(name).verdict == "good", found.measure(name)
    assert "repeat each other" in found.measure("exact copies").note


def test_the_same_row_over_and_over_is_neither_distinct_nor_varied() -> None:
    real = categories(300, 0)
    found = evaluate(real, real.iloc[[0] * 300])
    assert found.measure("distinct rows").verdict == "poor"
    assert found.measure("entropy").value == 0.0
    assert found.measure("category coverage").value == pytest.approx(1 / 3)
    assert found.measure("category coverage").verdict == "poor"


def test_variety_is_that_of_as_many_rows_of_each_side() -> None:
    real = pd.DataFrame({"a": np.random.default_rng(0).normal(size=100)})
    found = measure("distinct rows", real, pd.concat([real] * 20))
    assert "Among 100 rows" in found.note
    assert found.value == pytest.approx(1 - 0.05, abs=0.06) or found.verdict == "poor"
    assert measure("distinct rows", real, pd.DataFrame({"a": np.arange(2000.0)})).value == 1.0


def test_real_rows_that_are_all_equal_have_no_entropy_to_compare_with() -> None:
    real = pd.DataFrame({"a": ["x"] * 20})
    assert measure("entropy", real, real).value == 1.0
    found = measure("entropy", real, pd.DataFrame({"a": ["x", "y"] * 10}))
    assert found.value is None
    assert "all equal" in found.note


def test_rare_levels_are_not_asked_of_few_rows() -> None:
    real = pd.DataFrame({"city": ["Oslo"] * 990 + [f"village {i}" for i in range(10)], "n": range(1000)})
    found = category_coverage(paired_columns(real, real.iloc[:20]))
    assert found is not None
    assert found[0] == pytest.approx(1 / 11)
    assert found[1] == pytest.approx((1 + 10 * (1 - 0.999**20)) / 11)
    assert measure("category coverage", real, real.iloc[:20]).verdict == "poor" or found[0] >= 0.9 * found[1]


def test_missing_is_a_level_and_numbers_and_free_text_are_none() -> None:
    real = pd.DataFrame({"a": ["x", None] * 30, "n": range(60), "name": [f"name {i}" for i in range(60)]})
    found = category_coverage(paired_columns(real, real.iloc[::2]))
    assert found == (0.5, pytest.approx(1.0))
    assert category_coverage(paired_columns(real[["n", "name"]], real[["n", "name"]])) is None
