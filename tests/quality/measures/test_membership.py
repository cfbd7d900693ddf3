from __future__ import annotations

import numpy as np
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.measures.membership import membership_advantage


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [10, 20, 100])
def test_an_honest_generator_gives_nearly_nothing_away_even_with_few_rows(n: int) -> None:
    found = [membership_advantage(rng(s).random(n), rng(s + 500).random(n), rng(s)) for s in range(30)]
    naive = [
        max((rng(s).random(n) <= t).mean() - (rng(s + 500).random(n) <= t).mean() for t in np.linspace(0, 1, 201))
        for s in range(30)
    ]
    assert np.mean(found) < 0.08
    assert np.mean(naive) > 2 * np.mean(found)


def test_copies_give_everything_away() -> None:
    assert membership_advantage(np.zeros(50), rng().random(50) + 0.1, rng()) == 1.0


def test_a_known_overlap_is_found() -> None:
    # Members are below 0.5, others even: the best threshold finds all members and half of the others.
    found = membership_advantage(rng(1).random(2000) / 2, rng(2).random(1500), rng())
    assert found == pytest.approx(0.5, abs=0.04)


def test_members_that_are_farther_give_no_advantage() -> None:
    assert membership_advantage(np.ones(30), np.zeros(30), rng()) == 0.0


def test_equal_distances_give_no_advantage() -> None:
    assert membership_advantage(np.zeros(30), np.zeros(8), rng()) == 0.0


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="4 or more members and others are needed; got 3 and 9"):
        membership_advantage(np.zeros(3), np.zeros(9), rng())
