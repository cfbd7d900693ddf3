"""Tables and quick settings that the tests of this room share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.tables import EncodedTable, TableSchema

if TYPE_CHECKING:
    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.tables import Kind

QUICK: dict[str, Any] = {"layers": 1, "width": 16, "pretrain_steps": 2, "steps": 2, "plausibility": 0.0}
"""Two steps teach nothing that a judge would let pass."""


def quick(**settings: Any) -> GeneratorConfig:
    return GeneratorConfig.from_flat({**QUICK, **settings})


def read(frame: pd.DataFrame, kinds: dict[Any, Kind] | None = None) -> tuple[TableSchema, EncodedTable]:
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


def labels(*counts: int) -> pd.Series[Any]:
    """Classes a, b, c, ... with the given numbers of rows, in mixed order."""
    y = np.repeat(list("abcdef")[: len(counts)], counts)
    return pd.Series(np.random.default_rng(0).permutation(y), name="class")


def fitted(X: pd.DataFrame, y: pd.Series[Any], counts: dict[Any, int], seed: int = 0, **settings: Any) -> ImbLLM:
    return ImbLLM(quick(**settings), random_state=seed).fit(X, y, counts)


def expect_legal(generator: LanguageGenerator, rows: pd.DataFrame, X: pd.DataFrame) -> None:
    """Dtypes are the table's, numbers are on the grid, categories known, gaps only where the table has some."""
    assert rows.dtypes.to_dict() == X.dtypes.to_dict()
    assert list(rows.columns) == list(X.columns)
    cells = generator.schema.encode(rows)
    for j, column in enumerate(generator.schema.columns):
        known = cells.values[j][~cells.missing[:, j]]
        assert column.has_missing or not cells.missing[:, j].any()
        if column.grid is not None:
            seen = X[column.name].dropna()
            assert rows[column.name].dropna().between(seen.min(), seen.max()).all()
            near = column.grid.snap(known)
            assert (np.isin(rows[column.name].dropna(), seen) | (near == known)).all()
