from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.pictures import (
    _MOST_LEVELS,
    _MOST_MAPPED,
    _MOST_POINTS,
    Cloud,
    ColumnShares,
    _all_column_shares,
    _association_maps,
    _Compared,
    _compared_rows,
    _distance_histograms,
    _plane,
    neighbor_rows,
)
from tests.quality.evaluations import distances_of, evaluation_of
from tests.quality.frames import mixed_rows

RNG = np.random.default_rng(0)

TABLE = pd.DataFrame({"x": range(100), "y": ["a"] * 70 + ["b"] * 20 + ["c"] * 10})


def test_real_rows_of_other_classes_stand_apart() -> None:
    rows = _compared_rows(TABLE, TABLE.iloc[75:85], "y", TABLE.iloc[60:80])
    assert rows.real["x"].tolist() == list(range(70, 90))
    assert rows.holdout is not None
    assert rows.holdout["x"].tolist() == list(range(70, 80))
    assert rows.others is not None
    assert len(rows.others) == 80
    assert list(rows.synthetic.columns) == ["x"]


def test_real_classes_weigh_as_much_as_they_do_among_synthetic_rows() -> None:
    written = pd.concat([TABLE.iloc[70:75], TABLE.iloc[95:]])
    rows = _compared_rows(TABLE, written, "y")
    is_b = rows.real["x"] < 90
    assert rows.weights[is_b].sum() == pytest.approx(0.5)
    assert rows.weights.sum() == pytest.approx(1.0)


def test_synthetic_rows_of_no_real_class_are_left_out() -> None:
    written = TABLE.iloc[70:75].assign(y=["b", "b", "new", None, "b"])
    assert _compared_rows(TABLE, written, "y").synthetic["x"].tolist() == [70, 71, 74]
    with pytest.raises(TableError, match="no synthetic row has a class of 'y'"):
        _compared_rows(TABLE, written.assign(y="new"), "y")


def test_of_large_tables_some_rows_are_drawn_and_always_the_same() -> None:
    many = pd.DataFrame({"x": np.arange(500)})
    drawn = [_compared_rows(many, many, seed=seed, most_rows=50) for seed in (1, 1, 2)]
    assert [len(rows.real) for rows in drawn] == [50, 50, 50]
    assert drawn[0].real["x"].tolist() == drawn[1].real["x"].tolist() != drawn[2].real["x"].tolist()
    assert drawn[0].weights.sum() == pytest.approx(1.0)


def shares(real: Any, synthetic: Any) -> ColumnShares:
    return _all_column_shares(_compared_rows(pd.DataFrame({"a": real}), pd.DataFrame({"a": synthetic})))[0]


def n_bars(side: np.ndarray) -> int:
    return int((side > 0).sum())


def test_shares_of_columns_of_every_dtype_sum_to_one() -> None:
    found = _all_column_shares(_compared_rows(mixed_rows(300), mixed_rows(200, seed=1)))
    assert len(found) == 10
    for column in found:
        assert (column.real.sum(), column.synthetic.sum()) == (pytest.approx(1), pytest.approx(1))
        assert 0 <= column.total_variation < 0.4
        n = len(column.levels) if column.edges is None else len(column.edges)
        assert len(column.real) == len(column.synthetic) == n


def test_the_worst_column_comes_first() -> None:
    real = pd.DataFrame({"same": range(50), "far": range(50), "near": range(50)})
    found = _all_column_shares(_compared_rows(real, real.assign(far=1000, near=range(10, 60))))
    assert [column.name for column in found] == ["far", "near", "same"]
    assert (found[0].total_variation, found[-1].total_variation) == (pytest.approx(1), pytest.approx(0))


def test_one_outlier_does_not_hide_the_rest() -> None:
    found = shares(np.append(RNG.normal(size=999), 1e9), RNG.normal(size=999))
    assert n_bars(found.real) > 10
    assert np.abs(found.edges).max() < 10  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1e100, -1e100, float("inf")])
def test_wild_numbers_are_in_the_outermost_bar(value: float) -> None:
    found = shares(RNG.normal(size=100), np.full(100, value))
    assert found.total_variation > 0.9
    assert n_bars(found.synthetic) == 1


def test_whole_numbers_of_few_values_have_one_bar_each() -> None:
    found = shares([1, 2, 2, 3], [1, 1, 2, 2])
    assert (n_bars(found.real), n_bars(found.synthetic)) == (3, 2)
    assert found.total_variation == pytest.approx(0.25)


@pytest.mark.parametrize("value", [0.0, 5.0, 1e18, -1e-9])
def test_a_constant_column_is_one_bar(value: float) -> None:
    found = shares([value] * 30, [value] * 10)
    np.testing.assert_allclose(found.real, found.synthetic)
    assert n_bars(found.real) == 1


def test_missing_numbers_have_a_bar_of_their_own() -> None:
    found = shares([1.5, None, 2.5, None], [1.5, 1.7, 2.5, 2.6])
    assert (found.real[-1], found.synthetic[-1]) == (pytest.approx(0.5), 0.0)
    assert found.total_variation == pytest.approx(0.5)


def test_a_column_without_a_value_is_the_bar_of_missing_cells_alone() -> None:
    found = shares([None, None], [np.nan, np.nan])
    assert (found.total_variation, found.real[-1]) == (0, 1)


def test_many_levels_share_a_bar_and_count_whole_in_the_distance() -> None:
    found = shares([f"level {k}" for k in range(40)] * 2, [f"new {k}" for k in range(40)])
    assert len(found.levels) == _MOST_LEVELS + 1
    assert found.levels[-1] == "72 others"
    assert found.total_variation == pytest.approx(1)


def related(n_columns: int) -> _Compared:
    """Independent columns but for the first and the last one, which are equal among real rows alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, n_columns))
    x[:, -1] = x[:, 0]
    real = pd.DataFrame(x, columns=[f"column {k}" for k in range(n_columns)])
    return _compared_rows(real, real.assign(**{real.columns[-1]: rng.permutation(x[:, -1])}))


def test_maps_hold_strengths_and_the_mean_difference_of_all_pairs() -> None:
    rows = related(5)
    maps = _association_maps(rows, list(rows.real.columns))
    assert maps is not None
    assert np.diag(maps.real).tolist() == np.diag(maps.synthetic).tolist() == [1] * 5
    assert maps.real[0, -1] == pytest.approx(1)
    assert maps.mean_gap == pytest.approx(1 / 10, abs=0.05)


def test_of_many_columns_the_worst_are_mapped_in_the_order_of_the_table() -> None:
    rows = related(30)
    maps = _association_maps(rows, list(rows.real.columns)[::-1])
    assert maps is not None
    assert list(maps.names) == list(rows.real.columns)[10:]
    assert maps.left_out == 30 - _MOST_MAPPED


def test_pairs_of_too_few_rows_are_empty_and_no_gap() -> None:
    real = pd.DataFrame({"x": range(50), "y": [None] * 40 + list(range(10))})
    maps = _association_maps(_compared_rows(real, real), ["x", "y"])
    assert maps is not None
    assert (np.isnan(maps.real).tolist(), maps.mean_gap) == ([[False, True], [True, True]], 0.0)


def labelled(n: int, seed: int) -> pd.DataFrame:
    return mixed_rows(n, seed=seed).assign(y=np.where(np.arange(n) % 4 == 0, "rare", "common"))


def is_inside(cloud: Cloud) -> bool:
    return bool(((cloud.points >= 0) & (cloud.points <= 1)).all())


def test_every_kind_of_rows_is_a_cloud_inside_the_frame() -> None:
    real, written = labelled(200, 0), labelled(100, 1).query("y == 'rare'")
    clouds, _ = _plane(_compared_rows(real, written, "y", labelled(80, 2)))
    assert [cloud.kind for cloud in clouds] == ["others", "real", "holdout", "synthetic"]
    assert [cloud.rows for cloud in clouds] == [150, 50, 20, 25]
    for cloud in clouds:
        assert len(cloud.points) == cloud.rows
        assert is_inside(cloud)


def test_rows_that_differ_lie_apart_and_equal_rows_lie_on_each_other() -> None:
    real = pd.DataFrame({"x": np.repeat([0.0, 9.0], 50), "y": np.repeat(["a", "b"], 50), "z": np.arange(100) % 7})
    others, own, synthetic = _plane(_compared_rows(real, real.iloc[50:], "y"))[0]
    assert abs(own.points[:, 0].mean() - others.points[:, 0].mean()) > 1 / 3
    assert set(map(tuple, own.points)) == set(map(tuple, synthetic.points))


def test_of_many_rows_some_are_drawn_and_the_count_says_so() -> None:
    many = pd.DataFrame({"x": np.arange(2000.0), "y": np.arange(2000) % 11})
    clouds = _plane(_compared_rows(many, many), seed=3)[0]
    assert [(len(cloud.points), cloud.rows) for cloud in clouds] == [(_MOST_POINTS, 2000)] * 2
    np.testing.assert_array_equal(clouds[0].points, _plane(_compared_rows(many, many), seed=3)[0][0].points)


@pytest.mark.parametrize("frame", [pd.DataFrame({"x": range(20)}), pd.DataFrame({"x": [1] * 20, "y": ["a"] * 20})])
def test_tables_of_one_column_or_of_equal_rows_have_a_plane(frame: pd.DataFrame) -> None:
    clouds, variance = _plane(_compared_rows(frame, frame))
    assert all(map(is_inside, clouds))
    assert 0 <= variance[1] <= variance[0] <= 1


def test_one_outlier_does_not_squeeze_the_others() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"x": np.append(rng.normal(size=299), 1e6), "y": rng.normal(size=300)})
    assert _plane(_compared_rows(real, real))[0][0].points.std(axis=0).min() > 0.1


def histogram(**values: Any) -> Any:
    return _distance_histograms(distances_of(**values))


def test_histograms_have_shares_and_medians_and_leave_out_what_is_not_finite() -> None:
    edges, (real, synthetic) = histogram(real_to_real=RNG.exponential(size=500), to_real=[1.0, np.nan, 3.0, np.inf])
    assert (real.name, synthetic.name) == ("real to other real rows", "synthetic to real rows")
    assert (real.shares.sum(), synthetic.median) == (pytest.approx(1), 2.0)
    assert len(edges) == len(real.shares) + 1


def test_one_far_row_does_not_stretch_the_axis_and_is_added_to_the_last_bar() -> None:
    edges, (found, _) = histogram(real_to_real=np.append(np.linspace(0, 1, 397), [1e9] * 3), to_real=[0.5])
    assert edges[-1] <= 1
    assert found.shares[-1] == found.shares.max()


@pytest.mark.parametrize("values", [[], [np.nan, np.inf]])
def test_without_a_finite_distance_there_is_no_histogram(values: list[float]) -> None:
    assert histogram(real_to_real=values, to_real=values)[1] == []


REAL = pd.DataFrame({"x": np.arange(40.0), "city": ["Oslo", "Bergen"] * 20})


def by_hand(to_real: list[float], nearest: list[int], looked_at: list[int] | None = None) -> Any:
    places = list(range(len(to_real))) if looked_at is None else looked_at
    return distances_of(to_real, [1.0], nearest, places)


def test_the_farthest_row_comes_first_beside_its_real_row_and_what_differs_is_marked() -> None:
    written = pd.DataFrame({"x": [*np.arange(10.0), 99.0], "city": [*["Oslo", "Bergen"] * 5, "Oslo"]})
    found = neighbor_rows(REAL, written, by_hand([0.0] * 10 + [9.0], [*range(10), 39]))
    assert found["farthest"][0] == {
        "synthetic": ["99", "Oslo"], "real": ["39", "Bergen"], "differs": [True, True], "distance": 9.0, "differing": 2,
    }  # fmt: skip
    assert found["nearest"][0]["differs"] == [False, False]
    assert found["nearest"][0]["synthetic"] == found["nearest"][0]["real"]
    assert found["copies"] == 10
    assert (len(found["farthest"]), len(found["nearest"])) == (5, 5)


def test_equal_synthetic_rows_are_shown_once_and_no_row_at_both_ends() -> None:
    written = REAL.iloc[[0] * 20 + [1] * 20 + [2]]
    found = neighbor_rows(REAL, written, by_hand([0.0] * 41, [0] * 20 + [1] * 20 + [2]))
    assert (len(found["nearest"]), len(found["farthest"]), found["copies"]) == (3, 0, 41)


def test_only_the_rows_looked_at_are_shown_by_their_place_in_the_table() -> None:
    found = neighbor_rows(REAL, REAL.assign(x=-1.0), by_hand([3.0], [7], looked_at=[5]))
    assert (found["nearest"][0]["real"][0], found["nearest"][0]["synthetic"]) == ("7", ["-1", "Bergen"])


def test_of_many_columns_those_that_differ_are_shown_in_the_order_of_the_table() -> None:
    real = pd.DataFrame(np.zeros((10, 30)), columns=[f"c{k}" for k in range(30)])
    written = real.assign(c20=1.0, c3=1.0)
    found = neighbor_rows(real, written, by_hand([1.0] * 10, [0] * 10))
    assert {"c3", "c20"} <= set(found["columns"])
    assert list(found["columns"]) == sorted(found["columns"], key=lambda name: int(name[1:]))
    assert (len(found["columns"]), found["left_out"]) == (8, 22)
    assert found["nearest"][0]["differing"] == 2


def test_cells_of_every_dtype_are_texts_of_bounded_length() -> None:
    real, written = mixed_rows(30), mixed_rows(20, seed=1)
    real["long"] = written["long"] = "word " * 50
    found = neighbor_rows(real, written, evaluation_of(real, written).distances)
    cells = [cell for pair in (*found["farthest"], *found["nearest"]) for cell in (*pair["real"], *pair["synthetic"])]
    assert all(isinstance(cell, str) and len(cell) <= 40 for cell in cells)
