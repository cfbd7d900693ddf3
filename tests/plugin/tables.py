"""Seeded tables for fits of whole predictors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.shared import TINY

QUICK = {f"imbllm.{key}": value for key, value in TINY.items()}


def imbalanced_table(n_rows: int = 300, rare: float = 0.15, seed: int = 0, *, signal: float = 1.5) -> pd.DataFrame:
    """A mixed table with the label column ``paid`` ("no" is rare) and a shuffled string index."""
    rng = np.random.default_rng(seed)
    late = rng.permutation(np.arange(n_rows) < rare * n_rows)
    frame = pd.DataFrame(
        {
            "income": (rng.normal(30, 8, n_rows) - signal * 5 * late).round(2),
            "calls": rng.poisson(2 + signal * late),
            "city": rng.choice(["Oslo", "Bergen", "Tromsø"], n_rows),
            "member": rng.random(n_rows) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D"),
            "paid": np.where(late, "no", "yes"),
        }
    )
    frame.loc[rng.random(n_rows) < 0.1, "income"] = np.nan
    return frame.set_index(pd.Index([f"row {i}" for i in rng.permutation(n_rows)]))
