"""Tables of a given size for benchmarks."""

from __future__ import annotations

import numpy as np
import pandas as pd


def mixed_table(rows: int, columns: int, minority: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """A seeded table: two thirds numbers (a third of them whole), the rest categories and booleans, 5 % missing.

    Parameters
    ----------
    rows, columns
        Shape.
    minority
        Rows of the class ``"rare"``.
    seed
        Seed.

    Returns
    -------
    X, y
        Features of shape (rows, columns) that depend on each other and on the label, and labels ``"rare"``/``"usual"``.
    """
    rng = np.random.default_rng(seed)
    rare = rng.permutation(np.arange(rows) < minority)
    hidden = rng.normal(size=(rows, 3)) + 1.2 * rare[:, None]
    X = pd.DataFrame({f"feature {j}": _column(j, hidden, rng) for j in range(columns)})
    return X, pd.Series(np.where(rare, "rare", "usual"), name="label")


def _column(j: int, hidden: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """One column that reads the hidden factors."""
    signal = hidden @ rng.normal(size=3) + rng.normal(size=len(hidden))
    if j % 6 == 4:
        return pd.Series(pd.cut(signal, 5, labels=[f"level {i}" for i in range(5)])).astype(object)
    if j % 6 == 5:
        return pd.Series(signal > 0)
    values = np.exp(signal / 2).round(2) if j % 2 else signal.round(3)
    if j % 6 == 2:
        return pd.Series(np.round(10 * signal).astype(np.int64))
    return pd.Series(values).mask(rng.random(len(values)) < 0.05)
