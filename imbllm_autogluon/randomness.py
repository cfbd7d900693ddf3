"""One random source per purpose: a user's seed becomes independent, named child seeds."""

from __future__ import annotations

import hashlib
import numbers
from typing import Literal

import numpy as np

from imbllm_autogluon.errors import InvalidInputError

Purpose = Literal["interpolation", "order", "training", "prompts", "decoding", "values", "search"]
RandomState = int | np.random.RandomState | np.random.Generator | None


def base_seed(random_state: RandomState) -> int:
    """Turn any usual random state into one integer below 2**32.

    `None` draws a fresh seed from the operating system; NumPy generators are advanced by one draw.

    Raises
    ------
    InvalidInputError
        The random state is none of these.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**32, dtype=np.uint64))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(0, 2**32))
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        return int(random_state) % 2**32
    raise InvalidInputError(f"random_state must be an integer, a NumPy random generator or None; got {random_state!r}.")


def child_seed(seed: int, purpose: Purpose, *parts: object) -> int:
    """Derive the seed of one purpose; `parts` tell apart several uses of it (for example two classes).

    Examples
    --------
    >>> child_seed(7, "training") == child_seed(7, "training"), child_seed(7, "training") == child_seed(7, "decoding")
    (True, False)
    """
    text = "/".join(str(part) for part in (seed, purpose, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def child_rng(seed: int, purpose: Purpose, *parts: object) -> np.random.Generator:
    """NumPy generator of one purpose, seeded by :func:`child_seed`."""
    return np.random.default_rng(child_seed(seed, purpose, *parts))
