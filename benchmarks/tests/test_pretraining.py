"""The compact model's other tables: none is reserved, random ones have structure, and a few steps learn something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from safetensors.torch import load_file

from benchmarks import pretraining
from benchmarks.reserved import is_reserved
from imbllm_autogluon.language.table_start import _shipped_weights

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_no_table_that_is_learned_is_reserved() -> None:
    assert [name for name in pretraining.TABLES if is_reserved(name)] == []
    assert len(set(pretraining.TABLES)) == len(pretraining.TABLES)


def test_structural_tables_hold_numbers_categories_and_missing_cells_that_go_together() -> None:
    tables = [pretraining.structural_table(np.random.default_rng(seed)) for seed in range(20)]
    assert any(table.isna().any().any() for table in tables)
    kinds = {pd.api.types.is_numeric_dtype(dtype) for table in tables for dtype in table.dtypes}
    assert kinds == {True, False}
    strongest = [_strongest(table) for table in tables]
    assert np.median(strongest) > 0.5


def _strongest(table: pd.DataFrame) -> float:
    found = table.select_dtypes("number").corr("spearman").abs().to_numpy(copy=True)
    np.fill_diagonal(found, 0.0)
    return float(np.nan_to_num(found).max(initial=0.0))


def test_an_episode_judges_rows_that_its_features_have_not_seen() -> None:
    rng = np.random.default_rng(0)
    drawn = [pretraining.episode(pretraining.structural_table(rng), rng) for _ in range(12)]
    found = [each for each in drawn if each is not None]
    assert len(found) > 3
    for encoding, features, rows in found:
        assert features.values.shape[1] == found[0][1].values.shape[1]
        assert len(rows.tokens) >= 10
        assert rows.tokens.shape[1] == encoding.n_clauses


def test_training_goes_on_where_it_stopped_and_writes_the_shape_that_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    tables = {f"table {place}": pretraining.structural_table(rng) for place in range(3)}
    monkeypatch.setattr(pretraining, "real_tables", lambda: tables)
    monkeypatch.setattr(pretraining, "EPISODES_BETWEEN", 2)
    file = tmp_path / "weights.safetensors"
    pretraining.pretrain(2.0, file)
    part = load_file(file.with_suffix(".part"))
    pretraining.pretrain(3.0, file)
    assert load_file(file.with_suffix(".part"))["episodes"] > part["episodes"] > 0
    assert {n: w.shape for n, w in load_file(file).items()} == {n: w.shape for n, w in _shipped_weights().items()}
