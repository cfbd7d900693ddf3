from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.quality.measures.closeness import close_probability, nearer_share
from imbllm_autogluon.quality.measures.nearest import Nearest, Points, nearest


def cloud(n: int, seed: int) -> Points:
    return Points(np.random.default_rng(seed).normal(size=(n, 3)), np.zeros((n, 0)))


def share(queries: Points, small: Points, large: Points) -> float:
    return nearer_share(
        nearest(queries, large, limits=nearest(queries, small).distance), n_small=len(small), n_large=len(large)
    )


def test_close_rows_are_those_within_the_quantile_of_real_distances() -> None:
    usual = np.arange(1.0, 101.0)
    assert close_probability(np.array([0.0, 95.0, 96.5, 200.0]), usual) == 0.5
    assert close_probability(usual, usual) == 0.95


def test_rows_of_one_source_are_near_to_most_real_rows_as_real_rows_are() -> None:
    real, other = cloud(800, 0), cloud(800, 1)
    usual = nearest(real, real, own=np.arange(800)).distance
    assert close_probability(nearest(other, real).distance, usual) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("n_small", [400, 40])
def test_rows_of_one_source_are_nearer_to_either_table_as_often_whatever_their_sizes(n_small: int) -> None:
    shares = [share(cloud(400, 3 * seed), cloud(n_small, 3 * seed + 1), cloud(400, 3 * seed + 2)) for seed in range(8)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


def test_the_share_is_the_mean_over_draws_from_the_larger_table() -> None:
    queries, small, large = cloud(60, 0), cloud(20, 1), cloud(100, 2)
    rng = np.random.default_rng(0)
    limits = nearest(queries, small).distance
    drawn = [nearest(queries, large.take(rng.choice(100, 20, replace=False))).distance < limits for _ in range(400)]
    assert share(queries, small, large) == pytest.approx(np.mean(drawn), abs=0.01)


def test_ties_count_half() -> None:
    same = Points(np.zeros((5, 1)), np.zeros((5, 0)))
    assert share(same, same, same) == 0.5


def test_copies_of_the_larger_table_are_nearer_to_it_as_often_as_their_original_is_drawn() -> None:
    large = cloud(100, 0)
    # The original is among the 50 drawn in half of the cases, and in half of the others another one is nearer.
    assert share(large, cloud(50, 1), large) == pytest.approx(0.75, abs=0.05)
    assert share(large, cloud(100, 1), large) == 1.0


def test_no_row_nearer_and_all_rows_nearer_are_the_ends() -> None:
    ends = [Nearest(np.zeros(1), np.zeros(1, int), np.array([n]), np.array([0])) for n in (0, 100)]
    assert [nearer_share(end, 7, 100) for end in ends] == pytest.approx([0.0, 1.0], abs=1e-9)
