"""What the tests of a rebalanced fold share: quick settings, an empty memory cache, a numeric table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = {"steps": 2, "pretrain_steps": 2, "plausibility": 0.0}
"""Two steps teach nothing that a judge would let pass."""


@pytest.fixture(autouse=True)
def _empty_memory() -> Iterator[None]:
    """A generator left in memory by another test would hide that this one trains none."""
    GENERATORS.forget()
    ROWS_CACHE.forget()
    return


@pytest.fixture
def fold() -> tuple[pd.DataFrame, pd.Series]:
    """120 rows as AutoGluon hands them to ``_fit``: numbers, an int-coded category, a bool as int8, label codes."""
    rng = np.random.default_rng(3)
    y = pd.Series((rng.permutation(120) < 20).astype("uint8"), name="target", index=range(1000, 1120))
    X = pd.DataFrame(
        {
            "amount": (rng.normal(size=120) + 2 * y.to_numpy()).round(3),
            "visits": rng.integers(0, 9, 120),
            "city": pd.Categorical(rng.integers(0, 3, 120), categories=[0, 1, 2, 3]),
            "member": rng.integers(0, 2, 120).astype("int8"),
        },
        index=y.index,
    )
    X.loc[X.index[:5], "amount"] = np.nan
    return X, y
