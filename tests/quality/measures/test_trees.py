from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.quality.measures.trees import MOST_LEVELS, Forest, Trees, _look_up, _lookup


def test_levels_are_placed_by_their_frequency_and_the_rare_ones_share_the_last_place() -> None:
    codes = np.concatenate([np.arange(400.0), np.full(5, 300.0), np.full(3, 399.0), [np.nan]])
    places = _look_up(_lookup(codes), np.array([300.0, 399.0, 0.0, 398.0, 397.0, np.nan, 1e6]))
    np.testing.assert_array_equal(places, [0, 1, 2, MOST_LEVELS - 1, MOST_LEVELS - 1, np.nan, np.nan])


def test_a_level_that_was_not_learnt_is_missing() -> None:
    codes = np.array([0.0, 2.0, 2.0])
    np.testing.assert_array_equal(_look_up(_lookup(codes), np.array([0.0, 1.0, 2.0, 3.0])), [1, np.nan, 0, np.nan])


def test_one_class_is_predicted_without_a_model() -> None:
    trees = Trees([True], 0).fit(np.ones((3, 1)), np.array([2, 2, 2]))
    np.testing.assert_array_equal(trees.probabilities(np.zeros((2, 1)), 4), [[0, 0, 1, 0]] * 2)


def test_classes_that_were_not_learnt_have_probability_zero() -> None:
    values = np.column_stack([np.arange(100.0), np.full(100, np.nan), np.arange(100) % 3])
    trees = Trees([True, True, False], 0).fit(values, np.where(np.arange(100) < 50, 1, 3))
    found = trees.probabilities(values, 5)
    assert found[:, [0, 2, 4]].max() == 0.0
    assert found.sum(axis=1) == pytest.approx(np.ones(100))
    assert found[0, 1] > 0.9 < found[99, 3]


def test_a_category_of_a_thousand_levels_is_learnt() -> None:
    codes = np.concatenate([np.repeat(np.arange(10.0), 60), np.arange(10.0, 1010)])
    labels = (codes % 2).astype(np.int64)
    found = Trees([False], 0).fit(codes[:, None], labels).probabilities(np.arange(10.0)[:, None], 2)
    assert found.argmax(axis=1).tolist() == [0, 1] * 5


def test_openmp_has_its_threads_again_afterwards() -> None:
    from threadpoolctl import threadpool_info, threadpool_limits

    def counts() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]

    values = np.random.default_rng(0).normal(size=(80, 2))
    codes = (values[:, 0] > 0).astype(np.int64)
    Trees([True, True], 0).fit(values, codes)  # loads OpenMP
    with threadpool_limits(2, user_api="openmp"):
        before = counts()
        Trees([True, True], 0).fit(values, codes).probabilities(values, 2)
        assert counts() == before


@pytest.mark.parametrize("judge", [Trees, Forest])
def test_gaps_levels_and_empty_columns_are_learnt_by_both_judges(judge: type[Trees]) -> None:
    k = np.arange(160.0)
    values = np.column_stack([np.where(k < 80, np.nan, k % 5), k % 3, np.full(160, np.nan)])
    codes = np.where(k < 80, 0, 1) + 2 * (k % 3 == 1).astype(np.int64)
    found = judge([True, False, True], 0).fit(values, codes).probabilities(values, 4)
    assert (found.argmax(axis=1) == codes).all()


def test_a_level_that_the_forest_has_not_learnt_is_unlike_the_most_frequent_one() -> None:
    values = np.concatenate([np.zeros(60), np.arange(1.0, 61.0)])[:, None]
    model = Forest([False], 0).fit(values, np.repeat([1, 0], 60))
    assert model.probabilities(np.array([[0.0], [500.0]]), 2)[:, 1] == pytest.approx([1, 0], abs=0.2)
