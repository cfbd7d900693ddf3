"""One random source per purpose, and a process left as it was found.

A seed becomes independent, named child seeds; what draws from global generators does so inside :func:`seeded_torch`.
"""

from __future__ import annotations

import hashlib
import numbers
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_Purpose = Literal["interpolation", "order", "training", "prompts", "decoding", "values", "search"]
RandomState = int | np.random.RandomState | np.random.Generator | None


def base_seed(random_state: RandomState) -> int:
    """Turn any usual random state into one integer below 2**32; `InvalidInputError` for anything else.

    `None` draws a fresh seed from the operating system; NumPy generators are advanced by one draw.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**32, dtype=np.uint64))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(0, 2**32))
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool) and random_state >= 0:
        return int(random_state) % 2**32
    raise InvalidInputError(
        f"random_state must be an integer of at least 0, a NumPy random generator or None; got {random_state!r}."
    )


def child_seed(seed: int, purpose: _Purpose, *parts: object) -> int:
    """Derive the seed of one purpose; `parts` tell apart several uses of it (for example two classes).

    >>> child_seed(7, "training") == child_seed(7, "training"), child_seed(7, "training") == child_seed(7, "decoding")
    (True, False)
    """
    text = "/".join(str(part) for part in (seed, purpose, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def child_rng(seed: int, purpose: _Purpose, *parts: object) -> np.random.Generator:
    """NumPy generator of one purpose, seeded by :func:`child_seed`."""
    return np.random.default_rng(child_seed(seed, purpose, *parts))


@contextmanager
def seeded_torch(seed: int, threads: int | None = None) -> Iterator[None]:
    """Run a block with torch's, NumPy's and Python's global generators seeded (below 2**32), and restore them.

    `threads` of torch are used inside (None: as before); more than the cores that are free cost a factor of 20, so a
    caller that shares cores must say so. Denormal floats are flushed to zero inside: late in training they slow CPUs
    down by up to 10 times.
    """
    import torch

    python_state, numpy_state, flushed = random.getstate(), np.random.get_state(), _flushes_denormals()  # noqa: NPY002
    old_threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=_used_cuda_devices()):
        try:
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002 - libraries may draw from it
            torch.set_flush_denormal(True)
            if threads is not None:
                torch.set_num_threads(max(1, threads))
            yield
        finally:
            torch.set_num_threads(old_threads)
            torch.set_flush_denormal(flushed)
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def _flushes_denormals() -> bool:
    """Torch has no getter: halve the smallest normal double and see whether anything is left."""
    import torch

    return bool((torch.tensor([2.2250738585072014e-308], dtype=torch.float64) / 2).item() == 0.0)


def _used_cuda_devices() -> list[int]:
    import torch

    used: bool = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return list(range(torch.cuda.device_count())) if used else []
