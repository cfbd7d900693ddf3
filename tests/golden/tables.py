"""Three small tables: mixed with gaps and dates, numbers alone, categories alone; each with two classes or a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

N_ROWS, N_RARE = 60, 14


def mixed(rng: np.random.Generator, rare: np.ndarray) -> pd.DataFrame:
    """Every physical kind of column, with missing numbers, categories and dates."""
    days = pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 400, N_ROWS) + 200 * rare, unit="D")
    city = np.where(rng.random(N_ROWS) < 0.3 + 0.4 * rare, "Oslo", rng.choice(["Bergen", "Bodø"], N_ROWS))
    return pd.DataFrame(
        {
            "income": pd.Series(rng.normal(30, 8, N_ROWS).round(2) + 9 * rare).mask(rng.random(N_ROWS) < 0.15),
            "visits": rng.poisson(3 + 3 * rare),
            "city": pd.Series(city, dtype="category").mask(rng.random(N_ROWS) < 0.1),
            "member": rng.random(N_ROWS) < np.where(rare, 0.8, 0.3),
            "since": pd.Series(days).mask(rng.random(N_ROWS) < 0.1),
        }
    )


def numbers(rng: np.random.Generator, rare: np.ndarray) -> pd.DataFrame:
    """Whole numbers, a grid of halves, two decimals in float32."""
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, N_ROWS) + 5 * rare,
            "half": rng.integers(0, 20, N_ROWS) / 2 + rare,
            "load": (rng.gamma(2.0, 3.0, N_ROWS) + 2 * rare).round(2).astype(np.float32),
        }
    )


def categories(rng: np.random.Generator, rare: np.ndarray) -> pd.DataFrame:
    """Texts of few levels, an ordered category, a bool that may be missing."""
    size = pd.Categorical(
        np.where(rare, "large", rng.choice(["small", "mid"], N_ROWS)), ["small", "mid", "large"], ordered=True
    )
    return pd.DataFrame(
        {
            "colour": rng.choice(["red", "blue", "grün, hell"], N_ROWS),
            "size": size,
            "paid": pd.Series(rng.random(N_ROWS) < 0.5, dtype="boolean").mask(rng.random(N_ROWS) < 0.1),
        }
    )


TABLES: Mapping[str, Callable[[np.random.Generator, np.ndarray], pd.DataFrame]] = {
    "mixed": mixed,
    "numbers": numbers,
    "categories": categories,
}


def class_table(name: str) -> tuple[pd.DataFrame, pd.Series]:
    """Features, and labels of which 14 of 60 are rare."""
    rng = np.random.default_rng(16)
    rare = rng.permutation(np.arange(N_ROWS) < N_RARE)
    return TABLES[name](rng, rare), pd.Series(np.where(rare, "yes", "no"), name="bought", dtype=object)


def target_table(name: str) -> tuple[pd.DataFrame, pd.Series]:
    """The same features, and a target with a long tail."""
    X, y = class_table(name)
    rng = np.random.default_rng(17)
    return X, pd.Series((rng.lognormal(1.0, 0.5, N_ROWS) + 6 * (y == "yes")).round(3), name="price")


def people(sizes: Mapping[str, int], seed: int) -> pd.DataFrame:
    """Rows of each class for the fits; ``amount`` and ``city`` tell classes apart a little."""
    rng = np.random.default_rng(seed)
    labels, place = np.repeat(list(sizes), list(sizes.values())), np.repeat(np.arange(len(sizes)), list(sizes.values()))
    n = len(labels)
    table = pd.DataFrame(
        {
            "amount": (rng.normal(size=n) + place).round(2),
            "visits": rng.integers(0, 9, n) + place,
            "city": np.where(rng.random(n) < 0.25 * place, "Oslo", rng.choice(["Bergen", "Bodø"], n)),
            "label": labels,
        }
    )
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def houses(n: int, seed: int) -> pd.DataFrame:
    """Rows with a skewed price that follows from ``area`` and ``city``."""
    rng = np.random.default_rng(seed)
    area, city = rng.gamma(2.0, 40.0, n).round(1), rng.choice(["Oslo", "Bergen", "Bodø"], n)
    price = 1000 * area * (1 + 0.5 * (city == "Oslo")) + rng.normal(0, 4000, n)
    return pd.DataFrame({"area": area, "city": city, "price": price.round(2)})
