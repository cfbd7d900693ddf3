"""Tables that the tests of this room share."""

from __future__ import annotations

import numpy as np
import pandas as pd


def skewed(n_rows: int = 200, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Mixed features with gaps, and a skewed target that they tell: high prices are rare."""
    rng = np.random.default_rng(seed)
    size = rng.exponential(1.0, n_rows)
    X = pd.DataFrame(
        {
            "area": pd.Series((40 + 30 * size).round(1)).mask(rng.random(n_rows) < 0.1),
            "rooms": (1 + size * 2 + rng.random(n_rows)).astype("int64"),
            "town": pd.Series(np.where(size > 1.5, "Oslo", rng.choice(["Bergen", "Tromsø"], n_rows)), dtype="category"),
            "garden": rng.random(n_rows) < 0.3,
            "built": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 9000, n_rows), unit="D"),
        }
    )
    return X, pd.Series((100 * size + rng.normal(0, 5, n_rows)).round(2), name="price")
