"""Tables and quick settings that the tests of this room share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.oversampling.config import ImbLLMConfig
from imbllm_autogluon.tables import Cells, TableSchema

if TYPE_CHECKING:
    from imbllm_autogluon.tables import Kind

QUICK: dict[str, Any] = {"layers": 1, "width": 16, "warmup_steps": 2, "steps": 2}


def quick(**settings: Any) -> ImbLLMConfig:
    return ImbLLMConfig.from_flat({**QUICK, **settings})


def read(frame: pd.DataFrame, kinds: dict[Any, Kind] | None = None) -> tuple[TableSchema, Cells]:
    """Schema and cells of a table of features."""
    schema = TableSchema.from_frame(frame, kinds=kinds)
    return schema, schema.encode(frame)


def mixed(n_rows: int = 30, seed: int = 0) -> pd.DataFrame:
    """Every kind of column; some cells missing."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D")
    return pd.DataFrame(
        {
            "income": pd.Series(rng.normal(30, 8, n_rows).round(2)).mask(rng.random(n_rows) < 0.2),
            "score": rng.normal(size=n_rows),
            "visits": rng.integers(0, 9, n_rows) * 5,
            "city": pd.Series(rng.choice(["Oslo", "Bergen", "Narvik"], n_rows), dtype="category").mask(
                rng.random(n_rows) < 0.2
            ),
            "member": rng.random(n_rows) < 0.5,
            "since": pd.Series(days).mask(rng.random(n_rows) < 0.2),
        }
    )
