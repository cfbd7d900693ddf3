"""Seeds: every usual random state is accepted, and each purpose has a stream of its own."""

from __future__ import annotations

import typing
from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.randomness import Purpose, base_seed, child_rng, child_seed
from tests.fresh import run_afresh

PURPOSES: tuple[Purpose, ...] = typing.get_args(Purpose)


@pytest.mark.parametrize(
    ("state", "seed"), [(7, 7), (np.int64(7), 7), (2**32 + 7, 7), (0, 0), (-1, 2**32 - 1), (np.uint8(3), 3)]
)
def test_integers_become_a_seed_below_two_to_the_32(state: Any, seed: int) -> None:
    assert base_seed(state) == seed
    assert type(base_seed(state)) is int


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_a_generator_gives_its_next_draw(make: Any) -> None:
    state, twin = make(5), make(5)
    first, second = base_seed(state), base_seed(state)
    assert (first, second) == (base_seed(twin), base_seed(twin))
    assert first != second
    assert 0 <= first < 2**32


def test_no_random_state_means_a_fresh_seed_each_time() -> None:
    assert len({base_seed(None) for _ in range(4)}) == 4


@pytest.mark.parametrize("state", [True, "7", 1.5, [1]])
def test_anything_else_is_refused(state: Any) -> None:
    with pytest.raises(
        InvalidInputError, match="random_state must be an integer, a NumPy random generator or None; got"
    ):
        base_seed(state)


def test_every_purpose_part_and_seed_has_a_stream_of_its_own() -> None:
    seeds = [
        child_seed(seed, purpose, *parts) for seed in (0, 1) for purpose in PURPOSES for parts in ((), (0,), ("a",))
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_parts_are_not_run_together() -> None:
    assert child_seed(1, "order", 1, 23) != child_seed(1, "order", 12, 3)


def test_child_generators_repeat_and_differ_by_purpose() -> None:
    draws = [child_rng(3, purpose, "x").random() for purpose in ("order", "order", "values")]
    assert draws[0] == draws[1] != draws[2]


def test_a_fresh_process_derives_the_same_seed() -> None:
    code = "from imbllm_autogluon.randomness import child_seed; print(child_seed(7, 'training', 'a class'))"
    assert int(run_afresh(code).stdout.split()[-1]) == child_seed(7, "training", "a class")
