"""Every usual random state is accepted, each purpose has its own stream, the process is left as it was found."""

from __future__ import annotations

import random
import typing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon._random import _Purpose, base_seed, child_rng, child_seed, seeded_torch
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

PURPOSES: tuple[_Purpose, ...] = typing.get_args(_Purpose)


@pytest.mark.parametrize(("state", "seed"), [(7, 7), (np.int64(7), 7), (2**32 + 7, 7), (0, 0), (np.uint8(3), 3)])
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


@pytest.mark.parametrize("state", [True, "7", 1.5, [1], -1, np.int64(-1)])
def test_anything_else_is_refused(state: Any) -> None:
    with pytest.raises(
        InvalidInputError, match="random_state must be an integer of at least 0, a NumPy random generator or None; got"
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


def test_the_same_seed_is_derived_in_every_process_and_version() -> None:
    assert child_seed(7, "training", "a class") == 1245384059


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)


def flushes() -> bool:
    return bool((torch.tensor([1e-310], dtype=torch.float64) * 0.5).item() == 0.0)


def draws() -> list[float]:
    """The next number of each global generator, without advancing them."""
    states: list[Any] = [torch.get_rng_state(), np.random.get_state(), random.getstate()]  # noqa: NPY002 - the global generator is meant
    drawn = [torch.rand(1).item(), float(np.random.random()), random.random()]  # noqa: NPY002 - the global generator is meant
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002 - the global generator is meant
    random.setstate(states[2])
    return drawn


def test_the_block_is_seeded_and_the_generators_go_on_as_if_it_had_not_been() -> None:
    before = draws()
    inside = []
    for seed in (3, 3, 4):
        with seeded_torch(seed):
            inside.append(draws())
            torch.rand(5)
            np.random.random(5)  # noqa: NPY002 - the global generator is meant
            random.random()
        assert draws() == before
    assert inside[0] == inside[1]
    assert all(a != b for a, b in zip(inside[0], inside[2], strict=True))


@pytest.mark.parametrize(("threads", "inside"), [(2, 2), (1, 1), (0, 1), (None, 1)])
def test_threads_are_set_inside_and_given_back(threads: int | None, inside: int) -> None:
    before = torch.get_num_threads()
    with seeded_torch(0, threads):
        assert torch.get_num_threads() == inside
    assert torch.get_num_threads() == before == 1


@pytest.mark.parametrize("flag", [True, False])
def test_denormals_are_flushed_inside_and_the_flag_is_given_back(flag: bool) -> None:
    torch.set_flush_denormal(flag)
    with seeded_torch(0):
        assert flushes()
    assert flushes() is flag


def test_an_error_inside_restores_everything_too() -> None:
    torch.set_flush_denormal(False)
    before = draws()
    with pytest.raises(RuntimeError, match="size"), seeded_torch(1, 2):
        torch.rand(3) + torch.rand(2)
    assert draws() == before
    assert torch.get_num_threads() == 1
    assert not flushes()


def test_the_largest_seed_is_accepted() -> None:
    with seeded_torch(2**32 - 1):
        pass
