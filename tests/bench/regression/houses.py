"""A small table with a skewed target for the tests of ``imbllm bench regression``."""

from __future__ import annotations

import numpy as np
import pandas as pd


def house_table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Prices grow exponentially with size, so that dear houses are rare; one size in twenty is missing."""
    rng = np.random.default_rng(seed)
    size, rooms, town = rng.normal(size=rows), rng.integers(1, 9, rows), rng.choice(["Oslo", "Bergen"], rows)
    price = (100 * np.exp(size) + 10 * rooms + 20 * (town == "Oslo")).round(1)
    frame = pd.DataFrame({"size": size.round(3), "rooms": rooms, "town": town, "price": price})
    frame.loc[::20, "size"] = np.nan
    return frame
