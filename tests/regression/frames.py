"""Tables that the tests of this room share, and a quick LatentDiff."""

from __future__ import annotations

from typing import Any

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


QUICK: dict[str, Any] = {
    "encoder_folds": 2,
    "encoder_width": 32,
    "encoder_epochs": 15,
    "encoder_batch": 64,
    "encoder_learning_rate": 5e-3,
    "feature_size": 8,
    "denoiser_width": 32,
    "denoiser_blocks": 2,
    "diffusion_steps": 200,
    "diffusion_batch_size": 128,
    "sampling_steps": 8,
    "n_bins": 10,
    "generation_ratio": 0.7,
}

BRIEF: dict[str, Any] = {**QUICK, "encoder_epochs": 2, "diffusion_steps": 20, "diffusion_batch_size": 32}
"""For tests of what does not depend on how well anything was learned."""


def skewed_table(n: int = 400, seed: int = 0) -> tuple[pd.DataFrame, pd.Series[float]]:
    """Numbers with gaps, a category and a target whose high values are rare."""
    rng = np.random.default_rng(seed)
    size, age = rng.normal(size=n), rng.uniform(0, 50, n)
    town = rng.choice(["Oslo", "Bergen", "Tromsø"], n)
    y = 100 * np.exp(0.7 * size + 0.3 * (town == "Oslo")) - age + rng.normal(0, 5, n)
    X = pd.DataFrame({"size": pd.Series(size).mask(rng.random(n) < 0.05), "age": age.round(1), "town": town})
    return X, pd.Series(y, name="price")
