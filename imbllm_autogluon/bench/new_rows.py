"""Rows of rarer classes by the methods that benchmarks compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.ctgan import ctgan
from imbllm_autogluon.oversampling.baselines import BASELINES
from imbllm_autogluon.oversampling.methods import generator_of
from imbllm_autogluon.randomness import child_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import pandas as pd

PEERS: Mapping[str, Callable[..., tuple[pd.DataFrame, pd.Series[Any]]]] = {**BASELINES, "ctgan": ctgan}
"""Methods that are no generators of this package, by name; all take (X, y, counts, seed=…)."""


def new_rows(
    X: pd.DataFrame,
    y: pd.Series[Any],
    counts: Mapping[Hashable, int],
    spec: Mapping[str, Any],
    seed: int,
    threads: int,
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Rows by a baseline or by a generator that learns the real ones first.

    Parameters
    ----------
    X, y
        Real rows and their labels, with a fresh index.
    counts
        Rows to write of each class.
    spec
        ``method``, one of :data:`PEERS` or of a generator, and the generator's settings by their flat names.
    seed
        Of everything random.
    threads
        torch threads.

    Returns
    -------
    tuple
        Features and labels of the new rows.

    Raises
    ------
    InvalidInputError
        There is no such method, a setting is unknown, or a value is not allowed.
    """
    method = spec["method"]
    if method in PEERS:
        return PEERS[method](X, y, counts, seed=child_seed(seed, "values", method))
    return generator_of(spec, random_state=seed, threads=threads).fit(X, y, counts).sample()
