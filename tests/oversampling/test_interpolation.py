"""Interpolated rows lie between real ones, on the grid, inside their mode where asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.oversampling import interpolation
from imbllm_autogluon.oversampling.config import InterpolationConfig
from imbllm_autogluon.oversampling.interpolation import _Interpolated, interpolate
from tests.oversampling.tables import mixed, read

if TYPE_CHECKING:
    from imbllm_autogluon.tables import EncodedTable, TableSchema

CATEGORIES = ["keep", "neighbour", "vote"]


def run(
    frame: pd.DataFrame, n_rows: int, *, parents: int | None = None, **settings: Any
) -> tuple[TableSchema, EncodedTable, _Interpolated]:
    """Interpolate between the first `parents` rows; the others only tell the schema what is legal."""
    schema, cells = read(frame, {name: "categorical" for name in frame if name == "who"})
    cells = cells.take(np.arange(len(frame))[:parents])
    made = interpolate(schema, cells, n_rows, InterpolationConfig(**settings), np.random.default_rng(0))
    return schema, cells, made


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(2, 12),
    st.integers(0, 40),
    st.sampled_from(["linear", "adaptive"]),
    st.sampled_from(CATEGORIES),
    st.sampled_from([1, 5, 1000]),
)
def test_values_stay_on_the_grid_and_in_range_and_missing_parents_stay_missing(
    seed: int, n_parents: int, n_rows: int, kind: Any, categories: Any, k: int
) -> None:
    frame = mixed(60, seed)
    schema, everyone = read(frame)
    cells = everyone.take(np.arange(n_parents))
    config = InterpolationConfig(interpolation=kind, categories=categories, k_neighbors=k)
    made = interpolate(schema, cells, n_rows, config, np.random.default_rng(seed)).cells
    assert made.n_rows == n_rows
    for j, column in enumerate(schema.columns):
        known, seen = made.values[j][~made.missing[:, j]], cells.values[j][~cells.missing[:, j]]
        assert made.values[j].dtype == cells.values[j].dtype
        assert (made.values[j][made.missing[:, j]] == 0).all()
        if column.grid is None:
            assert set(known.tolist()) <= set(seen.tolist())
            continue
        on_grid = column.grid.snap(known) == known
        assert (on_grid | np.isin(known, seen)).all()
        if n_rows % n_parents == 0:
            assert made.missing[:, j].sum() == cells.missing[:, j].sum() * (n_rows // n_parents)
        if len(known):
            margin = 10.0**-column.grid.decimals
            assert seen.min() - margin <= known.min()
            assert known.max() <= seen.max() + margin


def test_integers_stay_integers_of_their_step() -> None:
    frame = pd.DataFrame({"visits": [0, 15, 40, 100], "age": [1, 2, 8, 90]})
    schema, _, made = run(frame, 400)
    rows = schema.decode(made.cells)
    assert rows.dtypes.tolist() == [np.int64, np.int64]
    assert set(rows["visits"] % 5) == {0}
    assert rows["visits"].nunique() > 10


def test_a_row_lies_on_the_straight_line_from_its_parent_to_its_neighbour() -> None:
    frame = pd.DataFrame({"x": [0, 10**6, 1], "y": [0.0, 1000.0, 0.1], "z": [5.0, 0.0, 0.01]})
    schema, _, made = run(frame, 300, parents=2)
    rows = schema.decode(made.cells)
    way = rows["x"] / 10**6
    assert rows["y"].to_numpy() == pytest.approx(1000 * way, abs=0.051)
    assert rows["z"].to_numpy() == pytest.approx(5 - 5 * way, abs=0.0051)
    assert np.histogram(way, bins=4, range=(0, 1))[0] == pytest.approx([75] * 4, abs=30)


def test_a_missing_partner_leaves_the_value_of_the_parent() -> None:
    frame = pd.DataFrame({"x": [1.25, None, 7.5], "who": ["a", "b", "c"]})
    schema, _, made = run(frame, 60, k_neighbors=2)
    rows = schema.decode(made.cells)
    assert rows.loc[rows["who"] == "b", "x"].isna().all()
    assert rows.loc[rows["who"] != "b", "x"].notna().all()
    assert 1.25 in set(rows.loc[rows["who"] == "a", "x"])


@pytest.mark.parametrize("unit", ["ns", "s"])
def test_times_far_apart_interpolate_exactly(unit: str) -> None:
    """In nanoseconds this span is above 2**63: a plain difference of two int64 overflows."""
    days = [np.datetime64(day, "ns").astype(f"M8[{unit}]") for day in ("1700-01-02", "2262-04-10", "1999-01-01")]
    schema, cells, made = run(pd.DataFrame({"when": days, "x": [0, 10**9, 1]}), 400, parents=2)
    when, way = made.cells.values[0], made.cells.values[1] / 10**9
    rows = schema.decode(made.cells)["when"]
    assert (rows == rows.dt.normalize()).all()
    low, high = (float(time) for time in cells.values[0])
    assert (when - low) / (high - low) == pytest.approx(way, abs=1e-5)


def test_large_integers_stay_between_their_parents() -> None:
    base = 2**62
    _, _, made = run(pd.DataFrame({"x": [base, base + 7, base + 1], "y": [-(2**61), 2**61, 1]}), 100, parents=2)
    assert set(made.cells.values[0].tolist()) == set(range(base, base + 8))
    assert np.abs(made.cells.values[1]).max() <= 2**61


@pytest.mark.parametrize("n_rows", [7, 14, 30])
@pytest.mark.parametrize("kind", ["linear", "adaptive"])
def test_parents_are_used_equally_often(n_rows: int, kind: str) -> None:
    frame = pd.DataFrame({"x": np.arange(7) ** 2, "who": list("abcdefg")})
    schema, _, made = run(frame, n_rows, interpolation=kind)
    counts = schema.decode(made.cells)["who"].value_counts()
    assert counts.sum() == n_rows
    assert counts.max() - counts.min() <= 1
    assert len(counts) == 7


def test_kept_categories_are_the_parents() -> None:
    frame = pd.DataFrame({"x": [0, 100, 1000, 1100], "who": list("aabb")})
    schema, _, made = run(frame, 400, k_neighbors=3, categories="keep")
    rows = schema.decode(made.cells)
    assert rows["who"].value_counts().to_dict() == {"a": 200, "b": 200}
    assert (rows.loc[rows["who"] == "a", "x"] > 500).any()


def test_categories_of_the_neighbour_come_the_likelier_the_nearer_the_row_is_to_it() -> None:
    frame = pd.DataFrame({"x": [0, 10**6, 1], "who": ["a", "b", "b"]})
    schema, _, made = run(frame, 4000, parents=2, categories="neighbour")
    rows = schema.decode(made.cells)
    quarter = pd.cut(rows["x"], 4, labels=False)
    # A row at x is the parent a moved by x or the parent b moved by 1 - x: either way it is b with probability x.
    share = (rows["who"] == "b").groupby(quarter).mean()
    assert share.tolist() == pytest.approx([1 / 8, 3 / 8, 5 / 8, 7 / 8], abs=0.06)


def test_the_vote_gives_the_majority_of_the_neighbours_whatever_the_parent_has() -> None:
    frame = pd.DataFrame({"x": [0, 1, 2, 3, 4], "who": ["a", "b", "b", "b", "b"]})
    schema, _, made = run(frame, 50, k_neighbors=4, categories="vote")
    assert set(schema.decode(made.cells)["who"]) == {"b"}


def test_a_tied_vote_goes_to_the_nearest_neighbour() -> None:
    frame = pd.DataFrame({"x": [0, 1, 10], "who": ["a", "b", "c"]})
    schema, cells = read(frame, {"who": "categorical"})
    config = InterpolationConfig(k_neighbors=2, categories="vote")
    made = interpolate(schema, cells, 3, config, np.random.default_rng(0))
    # The neighbors of a, b and c, nearest first, are b c, a c and b a; every vote is tied.
    assert sorted(schema.decode(made.cells)["who"]) == ["a", "b", "b"]


def test_missing_can_be_voted_for_or_taken_from_the_neighbour() -> None:
    frame = pd.DataFrame({"x": [0, 1, 2, 3], "who": ["a", None, None, None]})
    for categories in ("vote", "neighbour"):
        schema, _, made = run(frame, 80, k_neighbors=3, categories=categories)
        missing = schema.decode(made.cells)["who"].isna()
        assert missing.all() if categories == "vote" else 0.4 < missing.mean() < 1


@pytest.mark.parametrize("categories", CATEGORIES)
@pytest.mark.parametrize("kind", ["linear", "adaptive"])
@pytest.mark.parametrize("n_parents", [2, 3])
def test_classes_of_few_rows_work_with_any_k(n_parents: int, kind: str, categories: str) -> None:
    frame = mixed(n_parents + 20, 4)
    schema, everyone = read(frame)
    config = InterpolationConfig(interpolation=kind, categories=categories, k_neighbors=1000)  # type: ignore[arg-type]
    parents = everyone.take(np.arange(n_parents))
    assert interpolate(schema, parents, 9, config, np.random.default_rng(0)).cells.n_rows == 9


GAP = 60.0


def modes(*sizes: int) -> pd.DataFrame:
    """Clusters of standard deviation 1, `GAP` apart in x; y is the same everywhere."""
    rng = np.random.default_rng(0)
    x = [rng.normal(GAP * mode, 1, size) for mode, size in enumerate(sizes)]
    return pd.DataFrame({"x": np.concatenate(x), "y": rng.normal(size=sum(sizes))})


@pytest.mark.parametrize(("sizes", "k"), [((12, 12), 16), ((6, 6), 11), ((3, 3), 5), ((30, 4), 5), ((12, 12, 12), 30)])
def test_adaptive_does_not_cross_the_gap_between_far_modes_and_linear_does(sizes: tuple[int, ...], k: int) -> None:
    crossing = {}
    for kind in ("linear", "adaptive"):
        schema, _, made = run(modes(*sizes), 600, k_neighbors=k, interpolation=kind)
        places = schema.decode(made.cells)["x"] % GAP
        crossing[kind] = places.between(5, GAP - 5).mean()
    assert crossing["adaptive"] == 0
    assert crossing["linear"] > 0.03


@pytest.mark.parametrize(("sizes", "k"), [((12, 12), 16), ((6, 6), 11)])
def test_the_low_density_share_shows_who_crosses_the_gap(sizes: tuple[int, ...], k: int) -> None:
    share = {kind: run(modes(*sizes), 600, k_neighbors=k, interpolation=kind)[2] for kind in ("linear", "adaptive")}
    assert share["linear"].low_density_share > 0.08
    assert share["adaptive"].low_density_share < 0.02


def test_adaptive_still_moves_inside_a_mode() -> None:
    frame = modes(12, 12)
    schema, _, made = run(frame, 600, k_neighbors=16, interpolation="adaptive")
    assert (~schema.decode(made.cells)["x"].round(4).isin(frame["x"].round(4))).mean() > 0.8


def test_repeated_rows_do_not_keep_adaptive_from_moving() -> None:
    frame = pd.DataFrame({"x": [0, 0, 10, 10, 20, 21]})
    schema, _, made = run(frame, 120, k_neighbors=5, interpolation="adaptive")
    assert len(set(schema.decode(made.cells)["x"])) > 10


def test_a_row_without_mutual_neighbour_is_repeated_by_adaptive() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0, 900.0], "who": list("abcdz")})
    schema, _, made = run(frame, 50, k_neighbors=2, interpolation="adaptive")
    rows = schema.decode(made.cells)
    assert set(rows.loc[rows["who"] == "z", "x"]) == {900.0}


def test_adaptive_wants_neighbours_that_are_mutual() -> None:
    """1.4 lies within the usual distance of the dense rows next to it, but is no neighbor of theirs."""
    frame = pd.DataFrame({"x": [0.0, 0.1, 0.2, 1.4, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0], "who": list("abcZdefghi")})
    schema, _, made = run(frame, 100, k_neighbors=2, interpolation="adaptive")
    rows = schema.decode(made.cells)
    assert set(rows.loc[rows["who"] == "Z", "x"]) == {1.4}


def test_one_mode_has_hardly_any_row_in_low_density() -> None:
    rng = np.random.default_rng(0)
    _, _, made = run(pd.DataFrame({"x": rng.normal(size=60), "y": rng.normal(size=60)}), 500)
    assert made.low_density_share < 0.05


def test_nothing_interpolated_has_no_share() -> None:
    _, _, made = run(mixed(8), 0)
    assert made.cells.n_rows == 0
    assert math.isnan(made.low_density_share)


def test_large_classes_are_thinned_to_the_parents_that_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpolation, "_MOST_PARENTS", 10)
    monkeypatch.setattr(interpolation, "_MOST_CHECKED", 20)
    frame = pd.DataFrame({"x": np.arange(40), "who": [f"row {i}" for i in range(40)]})
    schema, cells = read(frame, {"who": "categorical", "x": "integer"})
    made = interpolate(schema, cells, 50, InterpolationConfig(), np.random.default_rng(0))
    assert schema.decode(made.cells)["who"].value_counts().tolist() == [5] * 10
    assert 0 <= made.low_density_share <= 1


def test_the_same_seed_gives_the_same_rows_and_the_parents_are_not_changed() -> None:
    frame = mixed(20)
    schema, cells = read(frame)
    before = cells.row_keys().tolist()
    keys = [
        interpolate(schema, cells, 30, InterpolationConfig(), np.random.default_rng(seed)).cells.row_keys().tolist()
        for seed in (1, 1, 2)
    ]
    assert keys[0] == keys[1] != keys[2]
    assert cells.row_keys().tolist() == before


def test_copies_of_repeated_rows_are_not_in_low_density() -> None:
    """Rounding leaves a little distance between equal rows, another one in each block of distances."""
    numbers = np.random.default_rng(0).normal(5, 1, (40, 6)).round(3)
    _, _, made = run(pd.DataFrame(np.concatenate([numbers, numbers])), 400, k_neighbors=1)
    assert made.low_density_share == 0
