"""A mixed table with a rare class, and writers of its rows: honest, copying, ignoring the data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from imbllm_autogluon.datasets import load_hypothyroid

LABEL = "sick"


def labelled_rows(n: int, seed: int) -> pd.DataFrame:
    """Rows of seven dtypes that hang together, 30 % of them of the class "yes", a tenth of most cells missing."""
    rng = np.random.default_rng(seed)
    rare = rng.random(n) < 0.3
    a = rng.normal(size=n) + rare * 1.5
    frame = pd.DataFrame(
        {
            "a": a,
            "b": (a * 0.8 + rng.normal(size=n) * 0.6).round(2),
            "dose": pd.Series(np.exp(rng.normal(size=n)) * 10).round().astype("Int64"),
            "city": pd.Series(
                rng.choice(["Oslo", "Bergen", "Rome", "Lima"], n, p=[0.6, 0.25, 0.1, 0.05]), dtype=object
            ),
            "level": pd.Series(np.where(a + rng.normal(size=n) * 0.5 > 1, "high", "low"), dtype="category"),
            "flag": rng.random(n) < 0.15,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
        }
    )
    for name in ("b", "dose", "city", "day"):
        frame[name] = frame[name].mask(rng.random(n) < 0.1)
    return frame.assign(**{LABEL: np.where(rare, "yes", "no")})


def rare_rows(n: int, seed: int) -> pd.DataFrame:
    """Rows of the rare class alone, of a table of n rows."""
    frame = labelled_rows(n, seed)
    return frame[frame[LABEL] == "yes"]


def copied(real: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """As many copies of the rare rows, drawn with replacement."""
    rare = real[real[LABEL] == "yes"]
    return rare.sample(len(rare), replace=True, random_state=seed)


def nearly_copied(real: pd.DataFrame) -> pd.DataFrame:
    """The rare rows with one number changed a little."""
    rare = real[real[LABEL] == "yes"]
    return rare.assign(a=rare["a"] + 0.003)


def uniform_noise(real: pd.DataFrame, n: int, seed: int = 0) -> pd.DataFrame:
    """Each column drawn evenly from its range or its levels."""
    rng = np.random.default_rng(seed)
    columns = {}
    for name in real.columns.drop(LABEL):
        known = real[name].dropna()
        if pd.api.types.is_datetime64_any_dtype(known):
            columns[name] = pd.Series(known.min() + pd.to_timedelta(rng.integers(0, 300, n), unit="D"))
        elif pd.api.types.is_numeric_dtype(known) and not pd.api.types.is_bool_dtype(known):
            columns[name] = pd.Series(rng.uniform(float(known.min()), float(known.max()), n))
        else:
            columns[name] = pd.Series(rng.choice(list(known.unique()), n))
    return pd.DataFrame(columns).assign(**{LABEL: "yes"})


def shuffled(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Every column in an order of its own: right alone, independent together."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rows[name].array[rng.permutation(len(rows))] for name in rows.columns})


def half_shuffled(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """About half of the rows as they are, the others shuffled: associations of half their strength."""
    kept = np.random.default_rng(seed).random(len(rows)) < 0.5
    return pd.concat([rows[kept], shuffled(rows, seed)[~kept]], ignore_index=True)


def _numbers(seed: int) -> pd.DataFrame:
    """Twelve numbers that share three causes."""
    rng, loadings = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(3, 12))
    values = rng.normal(size=(150, 3)) @ loadings + rng.normal(size=(150, 12))
    return pd.DataFrame(values, columns=[f"x{k}" for k in range(12)])


def _categories(seed: int) -> pd.DataFrame:
    """Eight categories of two to five levels, four of which follow a hidden kind of row, and a number."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, 150)
    told = {
        f"c{k}": np.where(rng.random(150) < 0.75, kind % (2 + k % 2), rng.integers(0, 2 + k, 150)) for k in range(4)
    }
    others = {f"o{k}": rng.integers(0, 2 + k, 150) for k in range(4)}
    levels = pd.DataFrame({**told, **others}).astype(str)
    return levels.assign(size=np.exp(rng.normal(size=150) + kind))


def _mixed(seed: int) -> pd.DataFrame:
    return rare_rows(700, seed).drop(columns=LABEL).iloc[:150].reset_index(drop=True)


def _packaged(seed: int) -> pd.DataFrame:
    """Half of the packaged rare rows: even seeds are disjoint from the next."""
    features, label = load_hypothyroid()
    rare = features[label == "hypothyroid"].sample(frac=1, random_state=seed // 2)
    return rare.iloc[seed % 2 :: 2].reset_index(drop=True)


RELATED = {"numbers": _numbers, "categories": _categories, "mixed": _mixed, "packaged": _packaged}
"""Tables whose columns hang together, 75 to 150 rows of one class for each seed; seeds 2 k and 2 k + 1 share no row."""
