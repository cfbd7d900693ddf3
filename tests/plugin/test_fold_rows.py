from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.plugin.fold_rows import GENERATORS, POOLS, Fold, FoldRows, fold_rows
from imbllm_autogluon.plugin.parameters import TwinParameters
from imbllm_autogluon.plugin.plan import plan_oversampling
from tests.plugin.conftest import QUICK

if TYPE_CHECKING:
    from pathlib import Path

Table = tuple[pd.DataFrame, pd.Series]


def make_fold(table: Table, parameters: TwinParameters) -> Fold:
    X, y = table
    return Fold(X, y, plan_oversampling(y, parameters.stage), {"member": "boolean"})


def rows_of(table: Table, root: Path | None, **settings: Any) -> FoldRows:
    parameters = TwinParameters.from_flat({**QUICK, **settings})
    return fold_rows(make_fold(table, parameters), parameters, root, threads=1, time_limit=None)


def test_rows_come_in_the_wanted_number_and_the_columns_of_the_fold(fold: Table) -> None:
    rows = rows_of(fold, None)
    assert rows.y.value_counts().to_dict() == {1: 80}
    assert list(rows.X.columns) == list(fold[0].columns)
    assert set(rows.X["city"].dropna().astype(int)) <= {0, 1, 2}


def test_rows_read_from_the_cache_equal_the_written_ones(fold: Table, tmp_path: Path) -> None:
    written = rows_of(fold, tmp_path)
    POOLS.forget()
    GENERATORS.forget()
    read = rows_of(fold, tmp_path)
    assert written.report["written_here"]
    assert not read.report["written_here"]
    dtypes = fold[0].dtypes
    pd.testing.assert_frame_equal(read.X.astype(dtypes), written.X.astype(dtypes))
    pd.testing.assert_series_equal(read.y.astype("uint8"), written.y.astype("uint8"))


def test_another_temperature_writes_other_rows_with_the_same_generator(fold: Table, tmp_path: Path) -> None:
    first, second = rows_of(fold, tmp_path), rows_of(fold, tmp_path, temperature=2.0)
    assert len(GENERATORS.keys(tmp_path)) == 1
    assert len(POOLS.keys(tmp_path)) == 2
    assert not second.report["trained_here"]
    assert not first.X.equals(second.X)


@pytest.mark.parametrize(
    "change",
    [
        lambda X, y: (X.assign(visits=X["visits"] + 1), y),
        lambda X, y: (X.iloc[::-1], y.iloc[::-1]),
        lambda X, y: (X.astype({"visits": "int32"}), y),
        lambda X, y: (X.rename(columns={"visits": "calls"}), y),
        lambda X, y: (X, y.sample(frac=1, random_state=0).set_axis(y.index)),
    ],
)
def test_any_other_fold_has_another_key(fold: Table, change: Any) -> None:
    parameters = TwinParameters()
    settings = parameters.training_settings()
    changed = make_fold(change(*fold), parameters).key(settings)
    assert changed != make_fold(fold, parameters).key(settings)


def test_the_key_does_not_depend_on_the_index(fold: Table) -> None:
    parameters = TwinParameters()
    X, y = fold
    moved = (X.reset_index(drop=True), y.reset_index(drop=True))
    settings = parameters.training_settings()
    assert make_fold(moved, parameters).key(settings) == make_fold(fold, parameters).key(settings)


def test_another_training_setting_or_seed_has_another_key(fold: Table) -> None:
    keys = {
        make_fold(fold, TwinParameters()).key(TwinParameters.from_flat(change).training_settings())
        for change in ({}, {"steps": 3}, {"random_state": 1}, {"interpolation_ratio": 0.5}, {"temperature": 2.0})
    }
    assert len(keys) == 4, "temperature alone must not change the generator"
