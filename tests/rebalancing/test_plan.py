from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.plan import plan_oversampling


def labels(**sizes: int) -> pd.Series:
    return pd.Series([label for label, n in sizes.items() for _ in range(n)])


@pytest.mark.parametrize(
    ("sizes", "config", "counts"),
    [
        ({"a": 90, "b": 10}, RebalanceConfig(), {"b": 20}),
        ({"a": 90, "b": 10}, RebalanceConfig(target_ratio=1.0), {"b": 80}),
        ({"a": 90, "b": 10}, RebalanceConfig(target_ratio=0.25), {"b": 12}),
        ({"a": 60, "b": 30, "c": 6}, RebalanceConfig(), {"b": 12, "c": 13}),
        ({"a": 60, "b": 30, "c": 6}, RebalanceConfig(target_ratio=0.5), {"c": 24}),
        ({"a": 98, "b": 2}, RebalanceConfig(target_ratio=1.0, max_growth=1.5), {"b": 50}),
    ],
)
def test_each_rarer_class_reaches_the_target_ratio(
    sizes: dict[str, int], config: RebalanceConfig, counts: dict[str, int]
) -> None:
    assert plan_oversampling(labels(**sizes), config).counts == counts


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"a": 50, "b": 40}, "balanced"),
        ({"a": 50}, "single class"),
        ({"a": 50, "b": 1}, "no class"),
    ],
)
def test_a_fold_that_needs_nothing_says_why(sizes: dict[str, int], reason: str) -> None:
    plan = plan_oversampling(labels(**sizes), RebalanceConfig())
    assert not plan.counts
    assert reason in plan.reason
    assert plan.growth == 1.0


def test_a_target_ratio_that_all_classes_have_is_named() -> None:
    assert "target ratio 0.5" in plan_oversampling(labels(a=50, b=30), RebalanceConfig(target_ratio=0.5)).reason
    assert plan_oversampling(labels(a=50, b=30), RebalanceConfig()).counts == {"b": 9}


def test_a_class_of_one_row_is_left_alone_and_noted_while_others_grow() -> None:
    plan = plan_oversampling(labels(a=50, b=10, c=1), RebalanceConfig())
    assert plan.counts == {"b": 12}
    assert "'c' has a single row" in plan.notes[0]


def test_growth_is_limited_in_proportion_and_noted() -> None:
    plan = plan_oversampling(labels(a=100, b=10, c=5), RebalanceConfig(target_ratio=1.0, max_growth=1.2))
    assert plan.growth <= 1.2
    assert plan.counts["b"] < plan.counts["c"]
    assert "max_growth" in plan.notes[0]


def test_an_unused_category_is_not_a_class() -> None:
    y = labels(a=50, b=10).astype(pd.CategoricalDtype(["a", "b", "unused"]))
    assert plan_oversampling(y, RebalanceConfig()).counts == {"b": 12}


def test_a_generator_learns_for_the_size_of_the_largest_class_whatever_the_target_ratio_is() -> None:
    plans = [plan_oversampling(labels(a=90, b=10), RebalanceConfig(target_ratio=ratio)) for ratio in (None, 0.25, 1.0)]
    assert [plan.balancing for plan in plans] == [{"b": 80}] * 3
