"""A table of every kind of column, and an objective over it that is quick."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from imbllm_autogluon.search import RebalanceObjective, SearchSpace
from tests.shared import TINY


def every_kind(n_rows: int = 120, n_classes: int = 2, seed: int = 0) -> pd.DataFrame:
    """Numbers, texts, a bool, dates and an ordered category with missing cells.

    ``label`` holds ``c0``, which is common, and ``c1`` to ``c{n_classes - 1}``, which are rare.
    """
    rng = np.random.default_rng(seed)
    rare = rng.permutation(n_rows) < n_rows // 3
    code = np.where(rare, 1 + np.arange(n_rows) % max(1, n_classes - 1), 0)
    frame = pd.DataFrame(
        {
            "amount": (rng.normal(size=n_rows) + 1.5 * code).round(3),
            "visits": rng.poisson(2 + code),
            "city": rng.choice(["Oslo", "Bergen", "Vik"], n_rows),
            "member": rng.random(n_rows) < 0.4 + 0.2 * rare,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D"),
            "size": pd.Categorical(rng.choice(["S", "M", "L"], n_rows), categories=["S", "M", "L"], ordered=True),
            "label": [f"c{number}" for number in code],
        }
    )
    for name in ("amount", "city", "since", "size"):
        frame.loc[rng.random(n_rows) < 0.1, name] = None
    return frame


def quick_objective(data: pd.DataFrame | None = None, **options: Any) -> RebalanceObjective:
    """Two folds; two steps of training."""
    defaults: dict[str, Any] = {"cv": 2, "space": SearchSpace(fixed=TINY)}
    return RebalanceObjective(every_kind() if data is None else data, "label", **{**defaults, **options})
