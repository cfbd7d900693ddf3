"""Small tables that several tests use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.protocol import Options, Protocol, Task
from benchmarks.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def classes_table(sizes: Mapping[str, int], seed: int = 0) -> Table:
    """Three features that tell the classes apart a little, and the label ``label``."""
    rng = np.random.default_rng(seed)
    label = np.repeat(list(sizes), list(sizes.values()))
    place = np.repeat(range(len(sizes)), list(sizes.values()))
    frame = pd.DataFrame(
        {
            "amount": (rng.normal(size=len(label)) + place).round(3),
            "visits": rng.poisson(2 + place).astype("int64"),
            "city": rng.choice(["Oslo", "Bergen", "Narvik"], len(label)),
            "label": label.astype(object),
        }
    )
    return Table(frame.sample(frac=1, random_state=seed).reset_index(drop=True), "label", "visits")


def houses_table(rows: int = 160) -> Table:
    """A skewed price of three features."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"area": rng.gamma(2, 40, rows), "rooms": rng.integers(1, 7, rows), "old": rng.random(rows) < 0.5})
    return Table(X.assign(price=X["area"] * 3 + X["rooms"] * 9 + rng.normal(0, 9, rows)), "price", "houses")


def task_of(protocol: Protocol, table: Table, *methods: str, **own: Any) -> Task:
    """The first split of a table, measured by some methods of a protocol."""
    options = protocol.with_defaults(Options(own=own))
    known = protocol.all_methods(options)
    return Task(table, 0, {name: known[name] for name in methods}, 1, options)
