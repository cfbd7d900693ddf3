"""Leave the process as it was found: random generators, torch threads and the denormal flag."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def seeded_torch(seed: int, threads: int | None = None) -> Iterator[None]:
    """Run a block with seeded generators and a thread count, and restore both afterwards.

    Parameters
    ----------
    seed
        Seed of torch's, NumPy's and Python's global generators inside the block (below 2**32).
    threads
        torch threads inside the block; `None` leaves the count alone. More threads than processor cores in use
        by all processes cost a factor of 20 (measured on 2 cores), so a caller that shares cores must say so.

    Notes
    -----
    Denormal floats are flushed to zero inside the block: late in training they slow CPUs down by up to 10 times.
    """
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
    return bool((torch.tensor([2.2250738585072014e-308], dtype=torch.float64) / 2).item() == 0.0)


def _used_cuda_devices() -> list[int]:
    used: bool = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return list(range(torch.cuda.device_count())) if used else []
