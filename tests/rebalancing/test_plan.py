from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing import OversamplingPlan, RebalanceConfig, plan_fold
from tests.regression.frames import skewed


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
    assert plan_fold(labels(**sizes), config).counts == counts


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"a": 50, "b": 40}, "balanced"),
        ({"a": 50}, "single class"),
        ({"a": 50, "b": 1}, "no class"),
    ],
)
def test_a_fold_that_needs_nothing_says_why(sizes: dict[str, int], reason: str) -> None:
    plan = plan_fold(labels(**sizes), RebalanceConfig())
    assert not plan.counts
    assert reason in plan.reason
    assert plan.growth == 1.0


@pytest.mark.parametrize(
    ("sizes", "judged_by", "config", "counts"),
    [
        ({"a": 900, "b": 100}, "probabilities", {}, {"b": 100}),
        ({"a": 900, "b": 100}, "classes", {}, {"b": 200}),
        ({"a": 900, "b": 100, "c": 9}, "probabilities", {}, {"b": 200, "c": 81}),
        ({"a": 900, "b": 500}, "probabilities", {}, {"b": 400}),  # never beyond the largest class
        ({"a": 900, "b": 100}, "classes", {"rows_per_real_row": 2.5}, {"b": 250}),
        ({"a": 900, "b": 100, "c": 9}, "classes", {"rows_per_real_row": 0.5}, {"b": 50, "c": 5}),
        ({"a": 900, "b": 100}, "probabilities", {"target_ratio": 0.5}, {"b": 350}),
    ],
)
def test_a_class_gets_so_many_rows_for_each_real_one_by_what_the_metric_reads(
    sizes: dict[str, int], judged_by: Any, config: dict[str, Any], counts: dict[str, int]
) -> None:
    plan = plan_fold(labels(**sizes), RebalanceConfig.from_flat(config), judged_by=judged_by)
    assert plan.counts == counts


def test_a_majority_is_not_cut_further_because_few_rows_are_made() -> None:
    plan = plan_fold(labels(a=8100, b=100), RebalanceConfig(), judged_by="probabilities")
    assert plan.left_out == {"a": 8100 - 40 * 100}


def test_a_dose_of_less_than_a_row_is_named() -> None:
    plan = plan_fold(labels(a=50, b=4), RebalanceConfig(rows_per_real_row=0.1))
    assert plan.reason == "no class can or needs to be continued (rows for each real one: 0.1)"


def test_a_target_ratio_that_all_classes_have_is_named() -> None:
    assert "target ratio 0.5" in plan_fold(labels(a=50, b=30), RebalanceConfig(target_ratio=0.5)).reason
    assert plan_fold(labels(a=50, b=30), RebalanceConfig()).counts == {"b": 9}


def test_a_class_of_one_row_is_left_alone_and_noted_while_others_grow() -> None:
    plan = plan_fold(labels(a=50, b=10, c=1), RebalanceConfig())
    assert plan.counts == {"b": 12}
    assert "'c' has a single row" in plan.notes[0]


def test_growth_is_limited_in_proportion_and_noted() -> None:
    plan = plan_fold(labels(a=100, b=10, c=5), RebalanceConfig(target_ratio=1.0, max_growth=1.2))
    assert plan.growth <= 1.2
    assert plan.counts["b"] < plan.counts["c"]
    assert "max_growth" in plan.notes[0]


def test_an_unused_category_is_not_a_class() -> None:
    y = labels(a=50, b=10).astype(pd.CategoricalDtype(["a", "b", "unused"]))
    assert plan_fold(y, RebalanceConfig()).counts == {"b": 12}


def test_a_generator_learns_for_the_size_of_the_largest_class_whatever_the_dose_is() -> None:
    configs = [RebalanceConfig(target_ratio=ratio) for ratio in (None, 0.25, 1.0)]
    configs += [RebalanceConfig(rows_per_real_row=dose) for dose in ("auto", 0.5, 8.0)]
    for judged_by in ("probabilities", "classes"):
        plans = [plan_fold(labels(a=90, b=10), config, judged_by=judged_by) for config in configs]
        assert [plan.balancing for plan in plans] == [{"b": 80}] * 6


def targets(**sizes: int) -> pd.Series:
    """So many rows of each whole target, by names such as ``t7``."""
    return pd.Series([float(name[1:]) for name, n in sizes.items() for _ in range(n)], name="price")


def plan_of(y: pd.Series, **settings: Any) -> OversamplingPlan:
    return plan_fold(y, RebalanceConfig.from_flat(settings), "regression")


def test_rarer_bins_get_more_rows_and_the_fullest_none() -> None:
    plan = plan_of(targets(t0=60, t1=30, t2=10), bins="unit")
    assert plan.counts == {1: 19, 2: 31}
    assert plan.before == {0: 60, 1: 30, 2: 10}
    assert sum(plan.counts.values()) == 50
    assert plan.growth == 1.5
    assert plan.bins is not None
    assert plan.bins.edges.tolist() == [-0.5, 0.5, 1.5, 2.5]


def test_bins_without_rows_get_none() -> None:
    plan = plan_of(targets(t0=40, t5=10), bins="unit")
    assert plan.before == {0: 40, 5: 10}
    assert set(plan.counts) == {5}


def test_bins_lie_on_the_targets_of_the_fold_itself() -> None:
    plan = plan_of(targets(t0=30, t10=5), n_bins=4)
    assert plan.bins is not None
    assert plan.bins.edges.tolist() == [0.0, 2.5, 5.0, 7.5, 10.0]


@pytest.mark.parametrize("dtype", ["int64", "float32", "uint8"])
def test_targets_of_any_dtype_are_planned_alike(dtype: str) -> None:
    y = targets(t0=60, t1=30, t2=10)
    assert plan_of(y.astype(dtype)).counts == plan_of(y).counts


@pytest.mark.parametrize(
    ("y", "settings", "reason"),
    [
        (targets(t0=10, t1=9), {}, "19 rows, and 20 are needed"),
        (targets(t3=40), {}, "at least 2 distinct values; got 3.0 in all 40 rows"),
        (pd.Series([np.inf, *range(30)]), {}, "must be finite in every row; got inf in row 0"),
        (pd.Series([np.nan, *range(30)]), {}, "must be finite in every row; got nan"),
        (pd.Series([None, *range(30)], dtype="Int64"), {}, "must be finite"),
        (targets(t0=30, t1=9), {"method": "none"}, "the method is none"),
        (targets(t0=30, t1=9), {"generation_ratio": 0}, "generation_ratio is 0"),
        (targets(t0=30, t1=9), {"max_growth": 1.0}, "less than one row"),
        (targets(t0=100, t1=1), {"bins": "quantile", "n_bins": 2}, "one bin"),
    ],
)
def test_a_fold_of_which_nothing_is_made_says_why(y: pd.Series, settings: dict[str, Any], reason: str) -> None:
    plan = plan_of(y, **settings)
    assert not plan.counts
    assert reason in plan.reason
    assert plan.growth == 1.0


def test_growth_is_limited_and_noted() -> None:
    plan = plan_of(targets(t0=80, t1=20), generation_ratio=5, max_growth=1.3)
    assert plan.growth == pytest.approx(1.3)
    assert "max_growth=1.3" in plan.notes[0]


def test_one_generator_serves_every_ratio() -> None:
    y = skewed(300)[1]
    plans = [plan_of(y, generation_ratio=ratio, max_growth=20) for ratio in (0.01, 0.5, 1.0, 7.3)]
    assert len({tuple(plan.balancing.items()) for plan in plans}) == 1
    for plan in plans:
        assert set(plan.counts) <= set(plan.balancing)


def test_bins_of_one_size_share_the_rows() -> None:
    plan = plan_of(targets(t0=20, t1=20), bins="unit")
    assert plan.counts == {0: 10, 1: 10}
    assert plan.balancing == {0: 20, 1: 20}


def test_a_written_target_between_filled_bins_belongs_to_the_nearest_one() -> None:
    plan = plan_of(targets(t0=40, t5=10), bins="unit")
    written = pd.Series([-9.0, 0.2, 2.4, 3.1, 5.0, 99.0], index=range(7, 13))
    assert plan.classes_of(written).to_dict() == {7: 0, 8: 0, 9: 0, 10: 5, 11: 5, 12: 5}


def test_classes_are_what_they_are() -> None:
    y = pd.Series(["a"] * 30 + ["b"] * 5)
    plan = plan_fold(y, RebalanceConfig(), "classification")
    assert plan.counts == {"b": 7}
    assert plan.classes_of(y) is y


@pytest.mark.parametrize(("task", "method"), [("regression", "great"), ("classification", "smogn")])
def test_a_method_of_the_other_task_is_refused(task: Any, method: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{method}' is none for {task}"):
        plan_fold(targets(t0=30, t1=9), RebalanceConfig.from_flat({"method": method}), task)


@pytest.mark.parametrize(
    ("sizes", "ratio", "left_out", "counts"),
    [
        ({"a": 8100, "b": 100}, "auto", {"a": 8100 - 5 * 900}, {"b": 800}),
        ({"a": 6000, "b": 100}, "auto", {"a": 6000 - 40 * 100}, {"b": 675}),
        ({"a": 5000, "b": 100}, "auto", {}, {"b": 607}),
        ({"a": 6000, "b": 100}, None, {}, {"b": 675}),
        ({"a": 900, "b": 100}, 2.0, {"a": 300}, {"b": 200}),
        ({"a": 9000, "b": 5000, "c": 100}, "auto", {"a": 4255, "b": 255}, {"c": 849}),  # b is not written as well
        ({"a": 9000, "b": 4000, "c": 100}, "auto", {"a": 4255}, {"b": 745, "c": 849}),
    ],
)
def test_the_majority_is_limited_to_a_multiple_of_the_smallest_written_class(
    sizes: dict[str, int], ratio: Any, left_out: dict[str, int], counts: dict[str, int]
) -> None:
    plan = plan_fold(labels(**sizes), RebalanceConfig(majority_ratio=ratio))
    assert plan.left_out == left_out
    assert plan.counts == counts
    rows = len(plan.learned(labels(**sizes), seed=0)) + sum(counts.values())
    assert plan.growth == pytest.approx(rows / sum(sizes.values()))


def test_each_fold_leaves_rows_of_its_own_out_and_repeats_its_choice() -> None:
    y = labels(a=600, b=10).set_axis(np.arange(610) * 3)
    plan = plan_fold(y, RebalanceConfig(majority_ratio=2.0))
    learned = plan.learned(y, seed=0)
    assert len(learned) == 610 - plan.left_out["a"]
    assert (y.iloc[learned] == "b").sum() == 10
    assert plan.learned(y, seed=0).tolist() == learned.tolist() == sorted(set(learned.tolist()))
    others = [plan.learned(y, seed=1), plan.learned(y.set_axis(np.arange(610)), seed=0)]
    assert all(other.tolist() != learned.tolist() for other in others)


def test_a_target_has_no_majority() -> None:
    y = pd.Series(np.r_[np.zeros(2000), np.arange(1.0, 21.0)])
    plan = plan_fold(y, RebalanceConfig(majority_ratio=1.0), "regression")
    assert plan.counts
    assert len(plan.learned(y, seed=0)) == len(y)
