"""The grid of numbers: found exactly, kept exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.tables import NumberGrid
from imbllm_autogluon.tables.grid import shortest

DAY, HOUR = 86_400, 3_600
floats = st.floats(allow_nan=False, allow_infinity=False)
cents = st.integers(-(10**8), 10**8).map(lambda k: k / 100)
clusters = st.lists(
    st.tuples(
        st.integers(-300, 300),
        st.sampled_from([1.0, -1.0]),
        st.sampled_from(["powers", "near", "one"]),
        st.integers(1, 30),
    ),
    min_size=1,
    max_size=4,
)
int64s = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([0.5, 9.95, 120.0], 2),
        ([0.1, 0.2, 0.3], 1),
        ([1.0, 7.0], 0),
        ([100.0, 2500.0], -2),
        ([0.0, 0.0], 0),
        ([1e-9, 3e-9], 9),
        ([1.23456789012345, 2.0], 14),
        ([-1234567.891, 5.0], 3),
    ],
)
def test_decimals_are_the_fewest_that_write_every_value(values: list[float], decimals: int) -> None:
    grid = NumberGrid.of_floats(np.array(values))
    assert grid.decimals == decimals
    assert (grid.minimum, grid.maximum) == (min(values), max(values))


@pytest.mark.parametrize("bits", [16, 32])
def test_decimals_of_short_floats_are_those_of_their_own_text(bits: int) -> None:
    values = np.array([0.1, 0.5, 2.3], dtype=f"float{bits}").astype(np.float64)
    grid = NumberGrid.of_floats(values, bits)
    assert (grid.decimals, grid.minimum, grid.maximum) == (1, 0.1, 2.3)
    assert shortest(values, 1, bits).tolist() == [0.1, 0.5, 2.3]


@pytest.mark.parametrize(("scale", "decimals"), [(1.0, 6), (1e5, 1), (1e-5, 11), (1e12, -6)])
def test_full_precision_gets_about_a_million_points(scale: float, decimals: int) -> None:
    values = np.random.default_rng(0).uniform(-0.5, 0.5, 1000) * scale
    grid = NumberGrid.of_floats(values)
    assert grid.decimals == decimals
    assert values.min() <= grid.minimum <= grid.maximum <= values.max()


def cluster(rng: np.random.Generator, power: int, sign: float, form: str, size: int) -> np.ndarray:
    """Values about 10**power: over three powers of ten, near to one number, or one number."""
    draw = rng.random(size)
    shift = {"powers": 1000.0**draw, "near": 1.23456789 * (1 + 1e-7 * draw), "one": np.full(size, 1.0)}[form]
    return np.asarray(sign * 10.0**power * shift)


@settings(max_examples=25)
@given(clusters, st.integers(0, 2**32 - 1))
def test_clusters_at_any_scales_stay_apart_in_their_order_and_near_their_values(parts: list[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = [cluster(rng, *part) for part in parts]
    column = np.concatenate(values)
    grid = NumberGrid.of_floats(column)
    snapped = grid.snap(column)
    assert np.all(np.diff(snapped[np.argsort(column)]) >= 0)
    assert column.min() <= grid.minimum <= grid.maximum <= column.max() or len(np.unique(column)) == 1
    for seen in values:
        assert len(np.unique(grid.snap(seen))) >= len(np.unique(seen)) // 3
    if grid.digits and (column.min() >= 0 or column.max() <= 0):
        np.testing.assert_allclose(snapped, column, rtol=1e-4)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("top", [0.5, 900.0])
def test_numbers_of_few_digits_over_many_powers_of_ten_keep_exactly_these(bits: int, top: float) -> None:
    values = np.array([float(f"{p:.2e}") for p in np.geomspace(5e-13, top, 200)], dtype=f"float{bits}")
    grid = NumberGrid.of_floats(values.astype(np.float64), bits)
    assert grid.digits == 3
    assert np.array_equal(grid.snap(values.astype(np.float64)).astype(values.dtype), values)
    assert all(
        len(f"{number!r}".split("e")[0]) <= 4 for number in grid.snap(10.0 ** -np.linspace(4.1, 12, 99)).tolist()
    )


@pytest.mark.parametrize("n_common", [60_000, 600_000])
def test_a_rare_class_of_tiny_numbers_keeps_its_quantiles_among_many_common_rows(n_common: int) -> None:
    rng = np.random.default_rng(0)
    rare, common = 1e-9 * rng.normal(size=60), rng.normal(size=n_common)
    snapped = NumberGrid.of_floats(np.concatenate([rare, common])).snap(rare)
    np.testing.assert_allclose(
        np.quantile(snapped, [0, 0.25, 0.5, 0.75, 1]), np.quantile(rare, [0, 0.25, 0.5, 0.75, 1]), rtol=0.2
    )


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=20_000),
        np.random.default_rng(0).exponential(size=20_000),
        np.exp(np.random.default_rng(0).normal(size=20_000)),
        np.cumsum(np.full(500, 0.1)),
        np.repeat(np.arange(30) * 0.1, 9) + np.tile(np.arange(9), 30) * 0.1 - 0.3,
        1e9 + np.random.default_rng(0).normal(size=500) * 1e-3,
        np.where(np.arange(500) < 400, 0.0, np.random.default_rng(0).random(500)),
    ],
    ids=["normal", "waiting times", "incomes", "sums", "differences", "offset", "many zeros"],
)
def test_ordinary_columns_and_errors_of_rounding_ask_for_no_digits(values: np.ndarray) -> None:
    assert NumberGrid.of_floats(values).digits == 0


def test_one_odd_value_among_many_is_not_overlooked() -> None:
    values = np.arange(100_000) / 10
    values[54_321] = 5432.101
    assert NumberGrid.of_floats(values).decimals == 3


@pytest.mark.parametrize(
    ("values", "step"),
    [([5, 15, 35], 10), ([3, 4, 9], 1), ([8, 8], 1), ([-(2**63), 2**63 - 1], 2**64 - 1)],
)
def test_the_integer_step_divides_every_distance(values: list[int], step: int) -> None:
    grid = NumberGrid.of_integers(np.array(values, dtype=np.int64))
    assert (grid.minimum, grid.maximum, grid.step) == (min(values), max(values), step)


def test_more_points_than_int64_counts_are_refused() -> None:
    with pytest.raises(TableError, match="more points"):
        NumberGrid.of_integers(np.array([-(2**63), 0, 1], dtype=np.int64))


@pytest.mark.parametrize(
    ("seconds", "step"), [([DAY, 9 * DAY], DAY), ([DAY, DAY + HOUR], HOUR), ([61, 120], 1), ([0, 180], 60)]
)
def test_the_time_step_is_the_coarsest_unit_all_values_share(seconds: list[int], step: int) -> None:
    assert NumberGrid.of_times(np.array(seconds), (DAY, HOUR, 60, 1)).step == step


# With 14 digits over 325 powers of ten units do not fit into the 53 bits of a float
@example([0.5, 5.877956103454287e16, 5881580930425965.0, 0.95, 2.225073858507203e-309], [5.877956103454287e16])
@given(st.lists(floats, min_size=1), st.lists(floats, min_size=1))
def test_snapped_floats_lie_on_the_grid_inside_the_range(seen: list[float], values: list[float]) -> None:
    grid = NumberGrid.of_floats(np.array(seen))
    snapped = grid.snap(np.array(values))
    assert snapped.dtype == np.float64
    assert np.all((snapped >= grid.minimum) & (snapped <= grid.maximum))
    assert np.array_equal(grid.snap(snapped), snapped)
    assert np.array_equal(grid.from_units(grid.to_units(snapped)), snapped)


@given(st.lists(cents, min_size=1), st.floats(0, 1))
def test_exact_grids_hold_every_value_seen_and_snap_to_the_nearest_point(seen: list[float], share: float) -> None:
    grid, values = NumberGrid.of_floats(np.array(seen)), np.array(seen)
    assert np.array_equal(grid.snap(values), values)
    between = values + share * (values[::-1] - values)
    assert np.all(np.abs(grid.snap(between) - between) <= 0.5 * 10.0**-grid.decimals * (1 + 1e-9))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1))
def test_short_floats_survive_their_shortest_form(seen: list[float]) -> None:
    values = np.array(seen)
    grid = NumberGrid.of_floats(values, 32)
    assert np.array_equal(shortest(values, grid.decimals, 32).astype(np.float32), values.astype(np.float32))


@given(st.lists(int64s, min_size=1, max_size=5), st.lists(int64s, min_size=1))
def test_snapped_integers_lie_on_the_grid_inside_the_range(seen: list[int], values: list[int]) -> None:
    try:
        grid = NumberGrid.of_integers(np.array(seen, dtype=np.int64))
    except TableError:
        return
    snapped = grid.snap(np.array(values, dtype=np.int64))
    assert snapped.dtype == np.int64
    assert all(grid.minimum <= v <= grid.maximum for v in snapped.tolist())
    assert all((v - grid.minimum) % grid.step == 0 for v in snapped.tolist())
    assert np.array_equal(grid.snap(snapped), snapped)
    assert np.array_equal(grid.from_units(grid.to_units(snapped)), snapped)


def test_interpolated_values_of_an_integer_column_snap_to_the_nearest_step() -> None:
    grid = NumberGrid(minimum=5, maximum=25, decimals=0, step=5)
    snapped = grid.snap(np.array([-3.0, 11.9, 13.1, 99.0]))
    assert (snapped.tolist(), snapped.dtype) == ([5, 10, 15, 25], np.int64)
    assert grid.to_units(np.array([5, 15])).tolist() == [0, 2]


@pytest.mark.parametrize("ends", [(2, 1), (0, 1.0)])
def test_a_grid_without_a_range_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(InvalidInputError, match="minimum <= maximum"):
        NumberGrid(ends[0], ends[1], decimals=0)


def test_integers_off_the_grid_snap_to_the_nearest_step() -> None:
    grid = NumberGrid(minimum=5, maximum=25, decimals=0, step=5)
    assert grid.snap(np.array([7, 8, 12, 14, 2**62])).tolist() == [5, 10, 10, 15, 25]
