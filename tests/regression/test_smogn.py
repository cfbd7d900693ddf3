from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.smogn import SmognConfig, smogn
from imbllm_autogluon.tables import TableSchema
from tests.regression.frames import skewed


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, pd.Series]:
    return skewed()


def test_each_bin_gets_the_wanted_number_of_rows_near_its_range(table: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = table
    bins = TargetBins.fit(y, n_bins=5)
    rows, prices = smogn(X, y, bins, {4: 30, 2: 20}, seed=0)
    assert len(rows) == len(prices) == 50
    assert bins.counts(prices)[4] >= 20  # bins of few rows borrow neighbors of lower targets
    assert (bins.assign(prices[:20]) == 2).mean() > 0.9
    assert prices.name == "price"
    assert prices.nunique() > 40


def test_dtypes_grids_ranges_and_categories_are_those_of_the_table(table: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = table
    rows, prices = smogn(X, y, TargetBins.fit(y), {15: 50, 1: 10}, seed=0)
    assert rows.dtypes.equals(X.dtypes)
    schema = TableSchema.from_frame(X)
    cells = schema.encode(rows)  # refuses unknown categories
    for j, column in enumerate(schema.columns):
        if column.grid is not None:
            known = cells.values[j][~cells.missing[:, j]]
            np.testing.assert_array_equal(column.grid.snap(known), known)
    assert prices.between(y.min(), y.max()).all()
    assert not rows.drop(columns="area").isna().any(axis=None)


def test_rows_and_targets_move_together_on_a_line() -> None:
    x = np.linspace(0, 10, 60)
    X, y = pd.DataFrame({"x": x, "twice": 2 * x}), pd.Series(3 * x)
    rows, targets = smogn(X, y, TargetBins.fit(y, n_bins=3), {2: 40}, seed=0, config=SmognConfig(k_neighbors=3))
    np.testing.assert_allclose(rows["twice"], 2 * rows["x"], atol=1e-4)
    np.testing.assert_allclose(targets, 3 * rows["x"], atol=1e-4)
    assert not rows["x"].isin(x).any()


def test_far_neighbours_are_replaced_by_noise_around_the_seed() -> None:
    modes = np.repeat([0.0, 100.0], [6, 1])
    X = pd.DataFrame({"x": modes + np.tile([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5], 1)})
    y = pd.Series(np.append(np.arange(6.0), 3.5))
    rows, _ = smogn(X, y, TargetBins.fit(y, n_bins=1), {0: 400}, seed=0)
    assert not rows["x"].between(10, 90).any()
    without, targets = smogn(X, y, TargetBins.fit(y, n_bins=1), {0: 70}, seed=0, config=SmognConfig(noise=0.0))
    assert without.loc[without["x"] > 90, "x"].eq(101.5).all()
    assert targets[without["x"] > 90].eq(3.5).all()


def test_a_bin_of_one_row_borrows_the_rows_of_the_nearest_targets() -> None:
    x = np.arange(40.0)
    y = pd.Series(np.append(x[:39], 60.0))
    bins = TargetBins.fit(y, n_bins=6)
    assert bins.counts(y)[5] == 1
    rows, targets = smogn(pd.DataFrame({"x": x}), y, bins, {5: 25}, seed=0)
    assert targets.between(33, 60).all()
    assert targets.nunique() > 20
    assert rows["x"].between(33, 39).all()


def test_a_bin_without_rows_gets_rows_around_it() -> None:
    y = pd.Series(np.append(np.arange(20.0), 100.0 + np.arange(20.0)))
    bins = TargetBins.fit(y, n_bins=3)
    assert bins.counts(y)[1] == 0
    rows, _ = smogn(pd.DataFrame({"x": y}), y, bins, {1: 5}, seed=0)
    assert len(rows) == 5


@pytest.mark.parametrize("dtype", ["int64", "uint8", "Int64"])
def test_targets_are_whole_where_the_dtype_is(dtype: str) -> None:
    X, y = skewed()
    rings = pd.Series(y.clip(0, 250).round(), dtype="float64").astype(dtype)
    _, made = smogn(X, rings, TargetBins.fit(rings.astype(float)), {8: 20}, seed=0)
    assert made.dtype == dtype


def test_whole_numbers_in_a_float_target_are_interpolated_all_the_same() -> None:
    X, y = skewed()
    _, made = smogn(X, y.round(), TargetBins.fit(y.round()), {6: 30}, seed=0)
    assert (made % 1 != 0).mean() > 0.5


@pytest.mark.parametrize("kept", [["town", "garden"], ["area"], ["garden"]])
def test_tables_of_one_sort_of_column_work(kept: list[str], table: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = table
    rows, _ = smogn(X[kept], y, TargetBins.fit(y), {10: 12}, seed=0)
    assert rows.shape == (12, len(kept))


def test_columns_that_are_not_written_are_the_seeds(table: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = table
    text = X.assign(note=[f"a note on house {i}, long enough to be no category" for i in range(len(X))])
    rows, _ = smogn(text, y, TargetBins.fit(y), {10: 12}, seed=0, kinds={"note": "text"})
    assert rows["note"].isin(text["note"]).all()


def test_the_same_seed_gives_the_same_rows_and_another_one_others(table: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = table
    bins = TargetBins.fit(y)
    first, again, other = (smogn(X, y, bins, {12: 9}, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first[0], again[0])
    pd.testing.assert_series_equal(first[1], again[1])
    assert not first[1].equals(other[1])


def test_the_table_is_not_changed_whatever_its_index(table: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = (part.set_axis([f"r{i % 7}" for i in range(len(part))], axis=0) for part in table)
    before = X.copy(), y.copy()
    rows, _ = smogn(X, y, TargetBins.fit(y), {12: 9}, seed=0)
    pd.testing.assert_frame_equal(X, before[0])
    pd.testing.assert_series_equal(y, before[1])
    assert rows.index.equals(pd.RangeIndex(9))


def test_large_bins_are_cut_to_rows_that_can_be_searched(
    table: tuple[pd.DataFrame, pd.Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imbllm_autogluon.regression.smogn._MOST_ROWS", 20)
    X, y = table
    rows, _ = smogn(X, y, TargetBins.fit(y, n_bins=2), {0: 30}, seed=0)
    assert len(rows) == 30


def test_no_rows_may_be_wanted(table: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = table
    rows, made = smogn(X, y, TargetBins.fit(y), {3: 0}, seed=0)
    assert rows.dtypes.equals(X.dtypes)
    assert len(rows) == len(made) == 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"y": pd.Series([1.0, np.nan])}, InvalidInputError, "finite"),
        ({"y": pd.Series([1.0])}, InvalidInputError, "same number of rows"),
        ({"counts": {7: 1}}, InvalidInputError, "the bin 7"),
        ({"X": pd.DataFrame({"x": [1.0, np.inf]}), "kinds": {"x": "continuous"}}, TableError, "infinite"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    y = pd.Series([1.0, 2.0])
    given: dict[str, Any] = {"X": pd.DataFrame({"x": [1.0, 2.0]}), "y": y, "counts": {0: 1}, **changes}
    with pytest.raises(error, match=message):
        smogn(given["X"], given["y"], TargetBins.fit(y, n_bins=2), given["counts"], seed=0, kinds=given.get("kinds"))


@pytest.mark.parametrize("settings", [{"k_neighbors": 0}, {"noise": -0.1}, {"noise": 2.0}])
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        SmognConfig(**settings)
