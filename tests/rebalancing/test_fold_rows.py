from __future__ import annotations

import importlib
import shutil
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.rebalancing import Fold, FoldRows, fold_rows
from imbllm_autogluon.rebalancing.config import RebalanceConfig
from imbllm_autogluon.rebalancing.fold_rows import GENERATORS, POOLS, WARM_UPS
from imbllm_autogluon.rebalancing.plan import plan_oversampling
from tests.rebalancing.conftest import QUICK

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("uniform_backbone")

# The function of the same name hides its module as an attribute of the package.
fold_rows_module = importlib.import_module("imbllm_autogluon.rebalancing.fold_rows")

Table = tuple[pd.DataFrame, pd.Series]


def make_fold(table: Table, parameters: RebalanceConfig) -> Fold:
    X, y = table
    return Fold(X, y, plan_oversampling(y, parameters), {"member": "boolean"})


def without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not loaded it yet."""
    modules = {name: module for name, module in sys.modules.items() if name != "transformers"}
    monkeypatch.setattr(fold_rows_module, "sys", SimpleNamespace(modules=modules))


def rows_of(table: Table, root: Path | None, **settings: Any) -> FoldRows:
    parameters = RebalanceConfig.from_flat({**QUICK, **settings})
    return fold_rows(make_fold(table, parameters), parameters, root, threads=1, time_limit=None)


def test_rows_come_in_the_wanted_number_and_the_columns_of_the_fold(fold: Table) -> None:
    rows = rows_of(fold, None)
    assert rows.y.value_counts().to_dict() == {1: 25}
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


@pytest.mark.real_backbone
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
    config = RebalanceConfig()
    changed = make_fold(change(*fold), config)
    assert changed.generator_key(config) != make_fold(fold, config).generator_key(config)
    assert changed.rows_key(config) != make_fold(fold, config).rows_key(config)


def test_the_key_does_not_depend_on_the_index(fold: Table) -> None:
    config = RebalanceConfig()
    X, y = fold
    moved = (X.reset_index(drop=True), y.reset_index(drop=True))
    assert make_fold(moved, config).generator_key(config) == make_fold(fold, config).generator_key(config)


CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "steps": {"steps": 3},
    "seed": {"random_state": 1},
    "interpolation": {"interpolation_ratio": 0.5},
    "temperature": {"temperature": 2.0},
    "conditioning": {"conditioning": "y"},
    "target": {"target_ratio": 1.0},
    "method": {"method": "great"},
    "answer": {"answer": "highest"},
    "start": {"start": "class"},
    "candidates": {"candidates_per_row": 5.0},
    "prior": {"target_prior": {0: 0.5, 1: 0.5}},
}


def keys(fold: Table, kind: str) -> dict[str, str]:
    configs = {name: RebalanceConfig.from_flat(change) for name, change in CHANGES.items()}
    return {name: getattr(make_fold(fold, config), kind)(config) for name, config in configs.items()}


def test_one_generator_serves_every_temperature_conditioning_and_target_ratio(fold: Table) -> None:
    found = keys(fold, "generator_key")
    assert {name for name in found if found[name] == found["nothing"]} == {
        "nothing",
        "temperature",
        "conditioning",
        "target",
        "answer",
        "start",
        "candidates",
    }
    assert len(set(found.values())) == 6


def test_every_change_of_what_is_written_has_rows_of_its_own(fold: Table) -> None:
    assert len(set(keys(fold, "rows_key").values())) == len(CHANGES)


def test_the_default_target_ratio_has_the_rows_of_that_number(fold: Table) -> None:
    default, given = RebalanceConfig(), RebalanceConfig(target_ratio=0.2**0.5)
    assert make_fold(fold, default).rows_key(default) == make_fold(fold, given).rows_key(given)


def test_a_lower_target_ratio_takes_fewer_rows_from_the_same_generator(fold: Table, tmp_path: Path) -> None:
    whole, half = rows_of(fold, tmp_path, target_ratio=1.0), rows_of(fold, tmp_path, target_ratio=0.5)
    assert (len(whole.y), len(half.y)) == (80, 30)
    assert len(GENERATORS.keys(tmp_path)) == 1
    assert not half.report["trained_here"]


def test_transformers_is_not_loaded_for_a_second_of_training(
    fold: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = RebalanceConfig.from_flat(QUICK)
    warm = fold_rows(make_fold(fold, parameters), parameters, None, time_limit=0.9)
    without_transformers(monkeypatch)
    with pytest.raises(OutOfTimeError, match=r"0\.90 s of training are left, and loading transformers takes longer"):
        fold_rows(make_fold(fold, parameters), parameters, tmp_path, time_limit=0.9)
    assert len(fold_rows(make_fold(fold, parameters), parameters, tmp_path, time_limit=9.0).y) == len(warm.y)
    again = fold_rows(make_fold(fold, parameters), parameters, tmp_path, time_limit=0.9)
    assert not again.report["written_here"]


def test_a_generator_of_the_whole_table_serves_every_ratio_and_temperature(fold: Table, tmp_path: Path) -> None:
    great = {"method": "great"}
    whole = rows_of(fold, tmp_path, **great, target_ratio=1.0)
    half = rows_of(fold, tmp_path, **great, target_ratio=0.5, temperature=2.0)
    assert (len(whole.y), len(half.y)) == (80, 30)
    assert (whole.report["trained_here"], half.report["trained_here"]) == (True, False)
    assert whole.report["method"] == "great"
    assert len(whole.report["losses"]) == 1
    assert not (tmp_path / WARM_UPS).exists()
    rows_of(fold, tmp_path)
    assert len(GENERATORS.keys(tmp_path)) == 2


@pytest.mark.real_backbone
def test_a_generator_of_the_whole_table_is_read_from_the_cache(fold: Table, tmp_path: Path) -> None:
    first = rows_of(fold, tmp_path, method="great")
    for shelf in (POOLS, GENERATORS):
        shelf.forget()
    shutil.rmtree(tmp_path / POOLS.name)
    again = rows_of(fold, tmp_path, method="great")
    assert (again.report["written_here"], again.report["trained_here"]) == (True, False)
    pd.testing.assert_frame_equal(again.X, first.X)


def test_one_model_that_is_asked_for_classes_serves_every_way_of_asking(fold: Table, tmp_path: Path) -> None:
    pred = {"method": "pred_llm", "first_stage": "logistic", "target_prior": "uniform", "target_ratio": 1.0}
    whole, half = (
        rows_of(fold, tmp_path, **pred),
        rows_of(fold, tmp_path, **{**pred, "target_ratio": 0.5, "start": "class"}),
    )
    assert (len(whole.y), len(half.y)) == (80, 30)
    assert set(whole.y) == {1}
    assert (whole.report["trained_here"], half.report["trained_here"]) == (True, False)
    assert whole.report["method"] == "pred_llm"
    assert whole.report["classes"][0]["candidates"] >= 80
    assert len(GENERATORS.keys(tmp_path)) == 1
    for shelf in (POOLS, GENERATORS):
        shelf.forget()
    shutil.rmtree(tmp_path / POOLS.name)
    again = rows_of(fold, tmp_path, **pred)
    assert (again.report["written_here"], again.report["trained_here"]) == (True, False)
    pd.testing.assert_frame_equal(again.X, whole.X)
    rows_of(fold, tmp_path, **{**pred, "target_prior": None})
    assert len(GENERATORS.keys(tmp_path)) == 2


@pytest.mark.parametrize("method", ["random", "smote_nc"])
def test_the_usual_peers_train_no_generator(fold: Table, tmp_path: Path, method: str) -> None:
    rows = rows_of(fold, tmp_path, method=method, target_ratio=1.0)
    assert rows.y.value_counts().to_dict() == {1: 80}
    assert rows.report["method"] == method
    assert GENERATORS.keys(tmp_path) == []
    assert rows.X.astype(fold[0].dtypes).dtypes.equals(fold[0].dtypes)


@pytest.mark.parametrize("method", ["imbllm", "random"])
def test_the_report_names_the_key_of_the_rows_in_the_cache(fold: Table, tmp_path: Path, method: str) -> None:
    rows = rows_of(fold, tmp_path, method=method)
    assert POOLS.keys(tmp_path) == [rows.report["rows"]]
    POOLS.forget()
    found = POOLS.find(tmp_path, rows.report["rows"])
    assert found is not None
    pd.testing.assert_frame_equal(found.X.astype(rows.X.dtypes), rows.X)


def test_near_copies_change_the_rows_but_not_the_generator(fold: Table, tmp_path: Path) -> None:
    plain, apart = rows_of(fold, tmp_path), rows_of(fold, tmp_path, near_copies=0.5)
    assert (plain.report["trained_here"], apart.report["trained_here"]) == (True, False)
    assert plain.report["classes"][0]["near_copies_dropped"] == 0
    assert apart.report["classes"][0]["near_copies_dropped"] > 0
    assert len(apart.y) == len(plain.y)
