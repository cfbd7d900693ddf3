from __future__ import annotations

import importlib
import shutil
import sys
import time
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import OutOfTimeError
from imbllm_autogluon.language import model as language_model
from imbllm_autogluon.oversampling import ImbLLM
from imbllm_autogluon.rebalancing import Fold, FoldRows, RebalanceConfig, plan_fold
from imbllm_autogluon.rebalancing.cache import inspect_cache
from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE
from imbllm_autogluon.tables.stored import with_values
from tests.rebalancing.conftest import QUICK
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("uniform_backbone")

Table = tuple[pd.DataFrame, pd.Series]


def make_fold(table: Table, config: RebalanceConfig) -> Fold:
    X, y = table
    return Fold(X, y, plan_fold(y, config), {"member": "boolean"} if "member" in X else {})


def rows_of(table: Table, root: Path | None, **settings: Any) -> FoldRows:
    config = RebalanceConfig.from_flat({**QUICK, **settings})
    return make_fold(table, config).rows(config, root, threads=1)


def make_target_fold(y: pd.Series | None = None, **settings: Any) -> tuple[Fold, RebalanceConfig]:
    X, price = skewed(120)
    y = price if y is None else y
    config = RebalanceConfig.from_flat({**QUICK, "n_bins": 6, **settings})
    return Fold(X, y, plan_fold(y, config, "regression"), {}), config


def target_rows(root: Path | None, y: pd.Series | None = None, **settings: Any) -> FoldRows:
    made, config = make_target_fold(y, **settings)
    return made.rows(config, root, threads=1)


def forget_all_but_generators(root: Path) -> None:
    """Let the next call write rows again by the stored generators."""
    for shelf in (ROWS_CACHE, GENERATORS):
        shelf.forget()
    shutil.rmtree(root / ROWS_CACHE.name)


def without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not loaded it yet."""
    modules = {name: module for name, module in sys.modules.items() if name != "transformers"}
    rows = importlib.import_module("imbllm_autogluon.rebalancing.rows")
    monkeypatch.setattr(rows, "sys", SimpleNamespace(modules=modules))


def test_rows_come_in_the_wanted_number_and_the_columns_of_the_fold(fold: Table) -> None:
    rows = rows_of(fold, None)
    assert rows.y.value_counts().to_dict() == {1: 25}
    assert list(rows.X.columns) == list(fold[0].columns)
    assert set(rows.X["city"].dropna().astype(int)) <= {0, 1, 2}


def test_rows_read_from_the_cache_equal_the_written_ones(fold: Table, tmp_path: Path) -> None:
    written = rows_of(fold, tmp_path)
    ROWS_CACHE.forget()
    GENERATORS.forget()
    read = rows_of(fold, tmp_path)
    assert written.report["written_here"]
    assert not read.report["written_here"]
    dtypes = fold[0].dtypes
    pd.testing.assert_frame_equal(read.X.astype(dtypes), written.X.astype(dtypes))
    pd.testing.assert_series_equal(read.y.astype("uint8"), written.y.astype("uint8"))


@pytest.mark.real_backbone
def test_another_temperature_and_ratio_write_other_rows_with_the_same_generator(fold: Table, tmp_path: Path) -> None:
    first, second = rows_of(fold, tmp_path), rows_of(fold, tmp_path, temperature=2.0, target_ratio=1.0)
    assert len(GENERATORS.keys(tmp_path)) == 1
    assert len(ROWS_CACHE.keys(tmp_path)) == 2
    assert not second.report["trained_here"]
    assert (len(first.y), len(second.y)) == (25, 80)
    assert not second.X.head(25).equals(first.X)


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
    "dose": {"rows_per_real_row": 1.0},
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
    same = {"nothing", "temperature", "conditioning", "target", "dose", "answer", "start", "candidates"}
    assert {name for name in found if found[name] == found["nothing"]} == same
    assert len(set(found.values())) == 6


def test_every_change_of_what_is_written_has_rows_of_its_own(fold: Table) -> None:
    assert len(set(keys(fold, "rows_key").values())) == len(CHANGES)


def test_settings_of_writing_that_nobody_chose_may_come_with_the_plan(fold: Table, tmp_path: Path) -> None:
    settings = ({**QUICK, "plausibility": least} for least in (None, 0.0, 0.25))
    config, free, chosen = map(RebalanceConfig.from_flat, settings)
    plain = make_fold(fold, config)
    twin = replace(plain, plan=replace(plain.plan, writing={"plausibility": 0.0}))
    assert twin.generator_key(config) == plain.generator_key(config)
    assert twin.rows_key(config) == make_fold(fold, free).rows_key(free) != plain.rows_key(config)
    written = [each.rows(config, tmp_path).X for each in (twin, plain)]
    pd.testing.assert_frame_equal(written[0], make_fold(fold, free).rows(free, None).X)
    assert not written[0].equals(written[1])
    assert twin.rows_key(chosen) == plain.rows_key(chosen)


def test_the_default_target_ratio_has_the_rows_of_that_number(fold: Table) -> None:
    default, given = RebalanceConfig(), RebalanceConfig(target_ratio=0.2**0.5)
    assert make_fold(fold, default).rows_key(default) == make_fold(fold, given).rows_key(given)


def test_transformers_is_not_loaded_for_a_second_of_training(
    fold: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RebalanceConfig.from_flat(QUICK)
    warm = make_fold(fold, config).rows(config, None)
    without_transformers(monkeypatch)
    with pytest.raises(OutOfTimeError, match=r"0\.90 s of training are left, and loading transformers takes longer"):
        make_fold(fold, config).rows(config, tmp_path, time_limit=1.5)
    assert len(make_fold(fold, config).rows(config, tmp_path, time_limit=90.0).y) == len(warm.y)
    again = make_fold(fold, config).rows(config, tmp_path, time_limit=0.9)
    assert not again.report["written_here"]


def test_far_too_few_rows_in_the_time_are_none_and_a_cut_in_half_is_taken(
    fold: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RebalanceConfig.from_flat(QUICK)
    whole = make_fold(fold, config).rows(config, None)

    def sample(*_: object, time_limit: float) -> Table:
        monkeypatch.setattr(time, "perf_counter", lambda: 1e9)
        return whole.X.head(kept), whole.y.head(kept)

    monkeypatch.setattr(ImbLLM, "sample", sample)
    kept = len(whole.y) // 5
    with pytest.raises(OutOfTimeError, match=f"{kept} of {len(whole.y)} rows"):
        make_fold(fold, config).rows(config, tmp_path, time_limit=90.0)
    monkeypatch.undo()
    monkeypatch.setattr(ImbLLM, "sample", sample)
    kept = len(whole.y) // 2
    assert len(make_fold(fold, config).rows(config, tmp_path, time_limit=90.0).y) == kept


def test_a_generator_of_the_whole_table_serves_every_ratio_and_temperature(fold: Table, tmp_path: Path) -> None:
    great = {"method": "great"}
    whole = rows_of(fold, tmp_path, **great, target_ratio=1.0)
    half = rows_of(fold, tmp_path, **great, target_ratio=0.5, temperature=2.0)
    assert (len(whole.y), len(half.y)) == (80, 30)
    assert (whole.report["trained_here"], half.report["trained_here"]) == (True, False)
    assert whole.report["method"] == "great"
    assert len(whole.report["losses"]) == 1
    assert not (tmp_path / "warm-ups").exists()
    rows_of(fold, tmp_path)
    assert len(GENERATORS.keys(tmp_path)) == 2


@pytest.mark.real_backbone
def test_a_generator_of_the_whole_table_is_read_from_the_cache(fold: Table, tmp_path: Path) -> None:
    first = rows_of(fold, tmp_path, method="great")
    forget_all_but_generators(tmp_path)
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
    forget_all_but_generators(tmp_path)
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
    assert ROWS_CACHE.keys(tmp_path) == [rows.report["rows"]]
    ROWS_CACHE.forget()
    found = ROWS_CACHE.find(tmp_path, rows.report["rows"])
    assert found is not None
    pd.testing.assert_frame_equal(with_values(found.X, fold[0]), rows.X)


def test_near_copies_change_the_rows_but_not_the_generator(fold: Table, tmp_path: Path) -> None:
    plain, apart = rows_of(fold, tmp_path), rows_of(fold, tmp_path, near_copies=0.5)
    assert (plain.report["trained_here"], apart.report["trained_here"]) == (True, False)
    assert plain.report["classes"][0]["near_copies_dropped"] == 0
    assert apart.report["classes"][0]["near_copies_dropped"] > 0
    assert len(apart.y) == len(plain.y)


TARGET_METHODS = ("imbllm", "smogn", "random")


@pytest.mark.parametrize("method", TARGET_METHODS)
def test_rows_of_targets_come_in_the_wanted_number_inside_the_real_range(method: str, tmp_path: Path) -> None:
    (fold, _), rows = make_target_fold(method=method), target_rows(tmp_path, method=method)
    assert len(rows.X) == len(rows.y) == sum(fold.plan.counts.values()) == 60
    assert list(rows.X.columns) == list(fold.X.columns)
    assert rows.y.dtype == "float64"
    assert rows.y.between(fold.y.min(), fold.y.max()).all()
    assert rows.report["method"] == method
    assert rows.report["trained_here"] == (method == "imbllm") == bool(GENERATORS.keys(tmp_path))


@pytest.mark.parametrize("method", TARGET_METHODS)
def test_rows_of_targets_are_read_from_the_cache_to_the_last_digit(method: str, tmp_path: Path) -> None:
    written = target_rows(tmp_path, method=method)
    ROWS_CACHE.forget()
    read = target_rows(tmp_path, method=method)
    assert (written.report["written_here"], read.report["written_here"]) == (True, False)
    assert read.y.tolist() == written.y.tolist()
    dtypes = skewed(120)[0].dtypes
    pd.testing.assert_frame_equal(read.X.astype(dtypes), written.X.astype(dtypes))


def test_targets_of_a_whole_number_column_are_interpolated_as_numbers() -> None:
    y = skewed(120)[1].round().astype("int64")
    rows = target_rows(None, y, method="smogn")
    assert (rows.y % 1 != 0).any()


def test_duplicated_rows_are_real_rows_of_the_bins_that_were_asked_for() -> None:
    X, y = skewed(60)
    plan = plan_fold(y, RebalanceConfig.from_flat({"n_bins": 4}), "regression")
    assert plan.bins is not None
    bins = plan.bins
    rows, prices = replace(plan, counts={1: 7, 2: 5}).duplicated(X, y, seed=0)
    assert np.bincount(bins.assign(prices), minlength=4).tolist() == [0, 7, 5, 0]
    real = {tuple(map(str, row)) for row in X.assign(price=y).to_numpy()}
    assert {tuple(map(str, row)) for row in rows.assign(price=prices).to_numpy()} <= real
    assert rows.index.tolist() == list(range(12))


@pytest.mark.real_backbone
def test_one_generator_of_targets_serves_every_ratio_temperature_and_conditioning(tmp_path: Path) -> None:
    whole = target_rows(tmp_path)
    for settings in ({"generation_ratio": 0.1}, {"generation_ratio": 2.0}, {"temperature": 1.5}, {"conditioning": "y"}):
        other = target_rows(tmp_path, **settings)
        assert not other.report["trained_here"]
        assert len(other.y) == round(120 * settings.get("generation_ratio", 0.5))  # type: ignore[call-overload]
        assert not other.X.equals(whole.X)
    assert len(GENERATORS.keys(tmp_path)) == 1
    assert len(ROWS_CACHE.keys(tmp_path)) == 5


TARGET_CHANGES: dict[str, dict[str, Any]] = {
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
    for name, settings in TARGET_CHANGES.items():
        fold, config = make_target_fold(**settings)
        found[name] = fold.generator_key(config), fold.rows_key(config)
    generators = {name: keys[0] for name, keys in found.items()}
    assert {name for name in generators if generators[name] == generators["nothing"]} == {"nothing", "ratio"}
    assert len({keys[1] for keys in found.values()}) == len(TARGET_CHANGES)


@pytest.mark.parametrize("method", ["imbllm", "smogn"])
def test_other_edges_are_other_rows_even_with_the_same_counts(method: str) -> None:
    fold, config = make_target_fold(method=method)
    assert fold.plan.bins is not None
    moved = replace(fold, plan=replace(fold.plan, bins=fold.plan.bins.scaled(0.0, 1.01)))
    assert moved.generator_key(config) != fold.generator_key(config)
    assert moved.rows_key(config) != fold.rows_key(config)


@pytest.mark.real_backbone
@pytest.mark.parametrize("clause", ["bin", "value"])
def test_a_generator_of_targets_read_from_the_cache_writes_the_same_rows(clause: str, tmp_path: Path) -> None:
    first = target_rows(tmp_path, clause=clause)
    forget_all_but_generators(tmp_path)
    again = target_rows(tmp_path, clause=clause)
    assert (again.report["written_here"], again.report["trained_here"]) == (True, False)
    pd.testing.assert_frame_equal(again.X, first.X)
    assert again.y.tolist() == first.y.tolist()
    assert again.report["agreement"] == first.report["agreement"]


def test_a_broken_generator_is_trained_again(tmp_path: Path) -> None:
    first = target_rows(tmp_path)
    forget_all_but_generators(tmp_path)
    for file in (tmp_path / GENERATORS.name).glob("*/state.json"):
        file.write_text("{")
    again = target_rows(tmp_path)
    assert again.report["trained_here"]
    assert again.y.tolist() == first.y.tolist()


def test_generators_of_targets_share_their_warm_up(tmp_path: Path) -> None:
    target_rows(tmp_path)
    target_rows(tmp_path, steps=3)
    assert len(list((tmp_path / "warm-ups").glob("*.safetensors"))) == 1
    assert {part.name: part.entries for part in inspect_cache(tmp_path)[1]}["generators"] == 2


@pytest.mark.parametrize(
    ("change", "n_warm_ups"),
    [({"interpolation_ratio": 0.5}, 1), ({"steps": 3}, 1), ({"pretrain_steps": 3}, 2), ({"random_state": 1}, 2)],
)
def test_only_what_the_warm_up_depends_on_asks_for_another_one(
    fold: Table, tmp_path: Path, change: dict[str, Any], n_warm_ups: int
) -> None:
    for settings in ({}, change):
        rows_of(fold, tmp_path, **settings)
    assert len(GENERATORS.keys(tmp_path)) == 2
    assert len(list((tmp_path / "warm-ups").glob("*.safetensors"))) == n_warm_ups


@pytest.mark.real_backbone
def test_a_shared_warm_up_leads_to_the_rows_of_one_of_its_own(
    fold: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_of(fold, tmp_path / "shared")
    read: list[Any] = []
    original = language_model._restore_warm
    monkeypatch.setattr(language_model, "_restore_warm", lambda *given: read.append(original(*given)) or read[-1])
    shared = rows_of(fold, tmp_path / "shared", interpolation_ratio=0.5)
    alone = rows_of(fold, tmp_path / "alone", interpolation_ratio=0.5)
    assert [curve is not None for curve in read] == [True, False]
    assert shared.X.equals(alone.X)


ODD_COLUMNS: dict[str, list[Any]] = {
    "fractions": [Fraction(1, 3), Fraction(2, 3), None],
    "lists": [[1], [1, 2], None],
    "half characters": ["a\udc80", "b", None],
    "booleans and words": [True, "True", None],
    "infinite": [np.inf, 1.5, 2.5],
    "complex": [1j, 2.0, 3.0],
    ("a", 1): [1, 2, 3],
}


@pytest.mark.parametrize("method", ["imbllm", "smote_nc", "random"])
def test_columns_that_no_file_holds_are_stored_all_the_same(method: str, tmp_path: Path) -> None:
    X = pd.DataFrame({name: pd.Series(cells * 20) for name, cells in ODD_COLUMNS.items()})
    X = X.assign(ranges=pd.cut(X[("a", 1)], 2))
    y = pd.Series(np.arange(60) % 4 == 0, name=("a", "label")).astype("uint8")
    written = rows_of((X, y), tmp_path, method=method)
    ROWS_CACHE.forget()
    GENERATORS.forget()
    read = rows_of((X, y), tmp_path, method=method)
    assert (written.report["written_here"], read.report["written_here"]) == (True, False)
    for name in ("fractions", "lists", "half characters", "booleans and words", "complex", "ranges"):
        assert set(map(repr, read.X[name])) <= set(map(repr, X[name])), name
        assert list(map(repr, read.X[name])) == list(map(repr, written.X[name])), name
    assert read.X.dtypes.equals(X.dtypes)
    assert read.y.name == y.name


def test_rows_that_cannot_be_stored_are_kept_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fold = pd.DataFrame({"a": range(60)}), pd.Series([Fraction(1, 3), *[Fraction(1, 2)] * 3] * 15)
    first, again = rows_of(fold, tmp_path), rows_of(fold, tmp_path)
    assert set(first.y) == {Fraction(1, 3)}
    assert (first.report["written_here"], again.report["written_here"]) == (True, False)
