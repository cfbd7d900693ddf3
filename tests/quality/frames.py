"""Tables of every sort of column, for the metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd


def mixed_rows(n: int, seed: int = 0, *, gaps: bool = True) -> pd.DataFrame:
    """Rows of nine dtypes; with `gaps`, every column that can has missing cells."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "narrow": rng.normal(size=n).round(2).astype("float32"),
            "whole": pd.Series(rng.integers(0, 50, n)).astype("Int64"),
            "plain": rng.integers(0, 9, n),
            "text": pd.Series(rng.choice(["a", "b"], n), dtype="string"),
            "words": pd.Series(rng.choice(["x", "y", "z"], n), dtype=object),
            "level": pd.Series(rng.choice(["low", "high"], n), dtype="category"),
            "flag": rng.random(n) < 0.5,
            "maybe": pd.Series(rng.random(n) < 0.5).astype("boolean"),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
        }
    )
    if gaps:
        for name in frame.columns.drop(["plain", "flag"]):
            frame[name] = frame[name].mask(rng.random(n) < 0.1)
    return frame
