from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.quality.distances import Points, nearest
from imbllm_autogluon.quality.privacy import _membership_advantage, _near_copies, _nearer_share


def cloud(n: int, seed: int) -> Points:
    return Points(np.random.default_rng(seed).normal(size=(n, 3)), np.zeros((n, 0)))


def share(queries: Points, small: Points, large: Points) -> float:
    return _nearer_share(
        nearest(queries, large, limits=nearest(queries, small).distance), n_small=len(small), n_large=len(large)
    )


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


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [10, 20, 100])
def test_an_honest_generator_gives_nearly_nothing_away_even_with_few_rows(n: int) -> None:
    found = [_membership_advantage(rng(s).random(n), rng(s + 500).random(n), rng(s)) for s in range(30)]
    naive = [
        max((rng(s).random(n) <= t).mean() - (rng(s + 500).random(n) <= t).mean() for t in np.linspace(0, 1, 201))
        for s in range(30)
    ]
    assert np.mean(found) < 0.08
    assert np.mean(naive) > 2 * np.mean(found)


def test_copies_give_everything_away() -> None:
    assert _membership_advantage(np.zeros(50), rng().random(50) + 0.1, rng()) == 1.0


def test_a_known_overlap_is_found() -> None:
    # Members are below 0.5, others even: the best threshold finds all members and half of the others.
    found = _membership_advantage(rng(1).random(2000) / 2, rng(2).random(1500), rng())
    assert found == pytest.approx(0.5, abs=0.04)


def test_members_that_are_farther_give_no_advantage() -> None:
    assert _membership_advantage(np.ones(30), np.zeros(30), rng()) == 0.0


def test_near_copies_are_those_within_the_smallest_real_distances() -> None:
    assert near_copies_of([0.0, 1.5, 2.5, 80.0], np.arange(1.0, 101.0)) == (0.5, 0.01)


def test_where_real_rows_repeat_only_equal_rows_are_near_copies() -> None:
    assert near_copies_of([0.0, 0.1, 5.0, 5.0], np.r_[np.zeros(30), np.ones(70)]) == (0.25, 0.3)


def near_copies_of(to_real: list[float], usual: np.ndarray) -> tuple[float | None, float | None]:
    rows: Any = SimpleNamespace(to_real=SimpleNamespace(distance=np.array(to_real)), real_to_real=usual)
    found = _near_copies(rows)
    return found.value, found.best
