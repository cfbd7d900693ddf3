"""The process is left as it was found."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon.process_state import seeded_torch

if TYPE_CHECKING:
    from collections.abc import Iterator


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
