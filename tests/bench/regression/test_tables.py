from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.regression.tables import (
    RegressionSplit,
    RegressionTable,
    bins_for,
    bundled_and_named,
    read_target,
)
from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables.files import write_table
from tests.bench.regression.houses import house_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    write_table(house_table(200), tmp_path / "houses.csv")
    return tmp_path / "houses.csv"


def test_a_table_is_called_by_its_file_and_keeps_its_target_apart(houses: Path) -> None:
    table = read_target(f"{houses}:price", 4000)
    assert (table.name, table.target.name, len(table.target)) == ("houses", "price", 200)
    assert list(table.features.columns) == ["size", "rooms", "town"]


def test_a_file_may_hold_a_colon_in_its_name(houses: Path) -> None:
    renamed = houses.rename(houses.with_name("a:b.csv"))
    assert read_target(f"{renamed}:price", 4000).name == "a:b"


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ("houses.csv", InvalidInputError, "FILE:TARGET, such as"),
        ("houses.csv:", InvalidInputError, "FILE:TARGET, such as"),
        ("{}:prices", InvalidInputError, "no target column 'prices'; its columns are size, rooms, town, price"),
        ("{}:town", InvalidInputError, "must be a number"),
        ("absent.csv:price", TableError, r"absent\.csv"),
    ],
)
def test_what_names_no_table_with_a_number_to_predict_is_refused(
    houses: Path, named: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        read_target(named.format(houses), 4000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_targets_that_are_missing_or_infinite_are_refused(value: float) -> None:
    frame = house_table(60)
    frame.loc[3, "price"] = value
    with pytest.raises(InvalidInputError, match="finite"):
        RegressionTable.of("houses", frame, "price", 4000)


def test_too_few_rows_and_no_features_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="would have 39 rows; at least 40"):
        RegressionTable.of("houses", house_table(39), "price", 4000)
    with pytest.raises(InvalidInputError, match="would have 30 rows"):
        RegressionTable.of("houses", house_table(60), "price", 30)
    with pytest.raises(InvalidInputError, match="at least one feature"):
        RegressionTable.of("houses", house_table(60)[["price"]], "price", 4000)


def test_large_tables_are_cut_to_the_same_rows_each_time() -> None:
    kept = [RegressionTable.of("houses", house_table(200), "price", 80) for _ in range(2)]
    pd.testing.assert_frame_equal(kept[0].features, kept[1].features)
    assert list(kept[0].target.index) == list(range(80))
    pd.testing.assert_series_equal(
        RegressionTable.of("houses", house_table(80), "price", 80).target, house_table(80).price
    )


def test_the_bundled_table_comes_first_and_names_differ(houses: Path) -> None:
    tables = bundled_and_named([f"{houses}:price"], 4000)
    assert [(table.name, len(table.target)) for table in tables] == [("diabetes", 442), ("houses", 200)]
    with pytest.raises(InvalidInputError, match="distinct names; got diabetes, houses, houses"):
        bundled_and_named([f"{houses}:price", f"{houses}:rooms"], 4000)


def test_a_split_has_a_quarter_of_the_rows_to_judge_on_and_depends_on_its_seed() -> None:
    table = RegressionTable.of("houses", house_table(200), "price", 4000)
    first, again, other = (RegressionSplit.of(table, seed, 50) for seed in (0, 0, 1))
    assert (len(first.y), len(first.unseen_y)) == (150, 50)
    assert sorted([*first.y, *first.unseen_y]) == sorted(table.target)
    pd.testing.assert_frame_equal(first.X, again.X)
    assert not first.X.equals(other.X)
    assert list(first.X.index) == list(range(150))


def test_bins_are_laid_on_learned_targets_alone() -> None:
    frame = house_table(200)
    unseen = frame["price"].isin(RegressionSplit.of(RegressionTable.of("a", frame, "price", 4000), 0, 5).unseen_y)
    frame.loc[unseen, "price"] *= 1000.0
    split = RegressionSplit.of(RegressionTable.of("houses", frame, "price", 4000), 0, 5)
    assert split.unseen_y.max() > split.y.max()
    assert len(split.bins) == 5
    assert split.bins.edges[[0, -1]].tolist() == [split.y.min(), split.y.max()]
    assert np.diff(split.bins.edges) == pytest.approx(np.diff(split.bins.edges)[0])


@pytest.mark.parametrize(
    ("rows", "most", "bins"), [(3000, 50, 50), (999, 50, 49), (331, 50, 16), (331, 8, 8), (30, 50, 2)]
)
def test_a_bin_of_average_size_is_not_few_shot(rows: int, most: int, bins: int) -> None:
    assert bins_for(rows, most) == bins


def test_a_single_bin_tells_no_rare_targets_apart_and_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="bins must be"):
        bins_for(3000, 1)
