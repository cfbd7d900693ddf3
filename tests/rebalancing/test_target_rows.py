"""Rows of rare targets for one fold, by every method, from the cache and not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.rebalancing import Fold, FoldRows, RebalanceConfig, fold_rows, plan_targets
from imbllm_autogluon.rebalancing.cache_folder import inspect_cache
from imbllm_autogluon.rebalancing.fold_rows import GENERATORS, POOLS, WARM_UPS
from imbllm_autogluon.rebalancing.target_rows import duplicated_targets
from imbllm_autogluon.regression.bins import TargetBins
from tests.rebalancing.conftest import QUICK
from tests.rebalancing.test_fold_rows import without_transformers
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("uniform_backbone")

METHODS = ("imbllm", "smogn", "random")


def make_fold(y: pd.Series | None = None, **settings: Any) -> tuple[Fold, RebalanceConfig]:
    X, price = skewed(120)
    y = price if y is None else y
    config = RebalanceConfig.from_flat({**QUICK, "n_bins": 6, **settings})
    return Fold(X, y, plan_targets(y, config), {}), config


def rows_of(root: Path | None, y: pd.Series | None = None, **settings: Any) -> FoldRows:
    return fold_rows(*make_fold(y, **settings), root, threads=1)


@pytest.mark.parametrize("method", METHODS)
def test_rows_come_in_the_wanted_number_with_targets_inside_the_real_range(method: str) -> None:
    (fold, _), rows = make_fold(method=method), rows_of(None, method=method)
    assert len(rows.X) == len(rows.y) == sum(fold.plan.counts.values()) == 60
    assert list(rows.X.columns) == list(fold.X.columns)
    assert rows.y.dtype == "float64"
    assert rows.y.between(fold.y.min(), fold.y.max()).all()
    assert rows.report["method"] == method
    assert rows.report["trained_here"] == (method == "imbllm")


@pytest.mark.parametrize("method", METHODS)
def test_rows_read_from_the_cache_equal_the_written_ones_to_the_last_digit(method: str, tmp_path: Path) -> None:
    written = rows_of(tmp_path, method=method)
    POOLS.forget()
    read = rows_of(tmp_path, method=method)
    assert (written.report["written_here"], read.report["written_here"]) == (True, False)
    assert read.y.tolist() == written.y.tolist()
    dtypes = skewed(120)[0].dtypes
    pd.testing.assert_frame_equal(read.X.astype(dtypes), written.X.astype(dtypes))


@pytest.mark.parametrize("method", ["smogn", "random"])
def test_the_peers_train_no_generator(method: str, tmp_path: Path) -> None:
    rows_of(tmp_path, method=method)
    assert not GENERATORS.keys(tmp_path)


def test_targets_of_a_whole_number_column_are_interpolated_as_numbers() -> None:
    y = skewed(120)[1].round().astype("int64")
    rows = rows_of(None, y, method="smogn")
    assert (rows.y % 1 != 0).any()


def test_duplicated_rows_are_real_rows_of_the_bins_that_were_asked_for() -> None:
    X, y = skewed(60)
    bins = TargetBins.fit(y, n_bins=4)
    rows, prices = duplicated_targets(X, y, bins, {1: 7, 2: 5}, seed=0)
    assert np.bincount(bins.assign(prices), minlength=4).tolist() == [0, 7, 5, 0]
    real = {tuple(map(str, row)) for row in X.assign(price=y).to_numpy()}
    assert {tuple(map(str, row)) for row in rows.assign(price=prices).to_numpy()} <= real
    assert rows.index.tolist() == list(range(12))


@pytest.mark.real_backbone
def test_one_generator_serves_every_ratio_temperature_and_conditioning(tmp_path: Path) -> None:
    whole = rows_of(tmp_path)
    for settings in ({"generation_ratio": 0.1}, {"generation_ratio": 2.0}, {"temperature": 1.5}, {"conditioning": "y"}):
        other = rows_of(tmp_path, **settings)
        assert not other.report["trained_here"]
        assert len(other.y) == round(120 * settings.get("generation_ratio", 0.5))  # type: ignore[call-overload]
        assert not other.X.equals(whole.X)
    assert len(GENERATORS.keys(tmp_path)) == 1
    assert len(POOLS.keys(tmp_path)) == 5


CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "bins": {"n_bins": 5},
    "kind of bins": {"bins": "quantile"},
    "clause": {"clause": "value"},
    "seed": {"random_state": 1},
    "steps": {"steps": 3},
    "ratio": {"generation_ratio": 1.0},
}


def test_all_that_changes_what_is_learned_has_a_generator_of_its_own() -> None:
    found = {}
    for name, settings in CHANGES.items():
        fold, config = make_fold(**settings)
        found[name] = fold.generator_key(config), fold.rows_key(config)
    generators = {name: keys[0] for name, keys in found.items()}
    assert {name for name in generators if generators[name] == generators["nothing"]} == {"nothing", "ratio"}
    assert len({keys[1] for keys in found.values()}) == len(CHANGES)


@pytest.mark.parametrize("method", ["imbllm", "smogn"])
def test_other_edges_are_other_rows_even_with_the_same_counts(method: str) -> None:
    fold, config = make_fold(method=method)
    assert fold.plan.bins is not None
    moved = replace(fold, plan=replace(fold.plan, bins=fold.plan.bins.scaled(0.0, 1.01)))
    assert moved.generator_key(config) != fold.generator_key(config)
    assert moved.rows_key(config) != fold.rows_key(config)


@pytest.mark.real_backbone
@pytest.mark.parametrize("clause", ["bin", "value"])
def test_a_generator_read_from_the_cache_writes_the_same_rows(clause: str, tmp_path: Path) -> None:
    first = rows_of(tmp_path, clause=clause)
    for shelf in (POOLS, GENERATORS):
        shelf.forget()
    shutil.rmtree(tmp_path / POOLS.name)
    again = rows_of(tmp_path, clause=clause)
    assert (again.report["written_here"], again.report["trained_here"]) == (True, False)
    pd.testing.assert_frame_equal(again.X, first.X)
    assert again.y.tolist() == first.y.tolist()
    assert again.report["agreement"] == first.report["agreement"]


def test_a_broken_generator_is_trained_again(tmp_path: Path) -> None:
    first = rows_of(tmp_path)
    for shelf in (POOLS, GENERATORS):
        shelf.forget()
    shutil.rmtree(tmp_path / POOLS.name)
    for file in (tmp_path / GENERATORS.name).glob("*/state.json"):
        file.write_text("{")
    again = rows_of(tmp_path)
    assert again.report["trained_here"]
    assert again.y.tolist() == first.y.tolist()


def test_generators_of_a_fold_share_their_warm_up(tmp_path: Path) -> None:
    rows_of(tmp_path)
    rows_of(tmp_path, steps=3)
    assert len(list((tmp_path / WARM_UPS).glob("*.safetensors"))) == 1
    assert {part.name: part.entries for part in inspect_cache(tmp_path).parts}["generators"] == 2


def test_without_time_nothing_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fold, config = make_fold()
    without_transformers(monkeypatch)
    with pytest.raises(OutOfTimeError, match="a generator needs at least"):
        fold_rows(fold, config, tmp_path, time_limit=0.5)
