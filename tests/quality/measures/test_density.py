from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.quality.measures import nearest as module
from imbllm_autogluon.quality.measures.likeness import density, density_and_coverage
from imbllm_autogluon.quality.measures.nearest import distances, points
from imbllm_autogluon.quality.measures.pairs import paired_columns
from tests.quality.frames import mixed_rows


def test_density_counts_the_balls_around_each_synthetic_row() -> None:
    radii = np.array([1.0, 2.0, 0.0])
    distances = np.array([[1.0, 1.1], [0.0, 2.0], [0.0, 0.1]])
    assert density(radii, distances, k=2) == pytest.approx((3 + 1) / (2 * 2))


@pytest.mark.parametrize(
    ("radii", "distances", "k"),
    [
        (np.ones(2), np.ones((3, 2)), 1),
        (np.ones((2, 1)), np.ones((2, 2)), 1),
        (np.ones(2), np.ones((2, 0)), 1),
        (np.ones(2), np.ones((2, 2)), 0),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(radii: Any, distances: Any, k: int) -> None:
    with pytest.raises(InvalidInputError, match="must"):
        density(radii, distances, k)


def test_the_figures_of_a_line_of_rows_are_those_computed_by_hand() -> None:
    real = pd.DataFrame({"a": [0.0, 1.0, 3.0, 7.0]})
    # Radii for k = 1: 1, 1, 2, 4. The row at 0.5 lies in the first two balls, the one at 5 in the last two.
    found = density_and_coverage(real, pd.DataFrame({"a": [0.5, 5.0, 100.0]}), k=1)
    assert (found.density, found.coverage) == pytest.approx((4 / 3, 1.0))


def test_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = mixed_rows(90), mixed_rows(70, 1)
    whole = density_and_coverage(real, synthetic)
    monkeypatch.setattr(module, "HELD_DISTANCES", 7 * 90)
    assert density_and_coverage(real, synthetic) == whole


def test_the_arrays_of_both_functions_agree() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(60, 3)), rng.normal(size=(40, 3)) * 0.8
    real = (real - real.mean(axis=0)) / real.std(axis=0)
    among = np.linalg.norm(real[:, None] - real[None], axis=2)
    distances = np.linalg.norm(real[:, None] - synthetic[None], axis=2)
    found = density_and_coverage(pd.DataFrame(real), pd.DataFrame(synthetic), k=4)
    assert found.density == pytest.approx(density(np.sort(among, axis=1)[:, 4], distances, k=4))


def test_pure_copies_are_covered_and_lie_in_their_own_ball_too() -> None:
    real = mixed_rows(100)
    found = density_and_coverage(real, real.sample(frac=1, random_state=0), k=5)
    assert (found.density, found.coverage) == (pytest.approx((5 + 1) / 5), 1.0)


def test_copies_of_rows_that_all_occur_many_times_are_covered() -> None:
    real = pd.DataFrame({"a": [0.1, 0.2, 0.7] * 20, "b": ["x", "y", "z"] * 20})
    assert density_and_coverage(real, real.iloc[:3]).coverage == 1.0
    assert density_and_coverage(real, real.iloc[:1]).coverage == pytest.approx(1 / 3)
    assert density_and_coverage(real, real.iloc[:3].assign(b="w")).coverage == 0.0


def test_rows_drawn_anew_have_density_one_and_nearly_full_coverage() -> None:
    found = density_and_coverage(mixed_rows(800), mixed_rows(800, 1))
    assert found.density == pytest.approx(1.0, abs=0.1)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.03)


def test_rows_with_nothing_in_common_have_neither() -> None:
    found = density_and_coverage(mixed_rows(100), mixed_rows(100, 1).assign(number=1e9))
    assert (found.density, found.coverage) == (0.0, 0.0)


def test_rows_that_crowd_in_one_place_are_dense_but_cover_little() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(400, 2)), columns=["a", "b"])
    found = density_and_coverage(real, real * 0.05)
    assert found.density > 0.5
    assert found.coverage < 0.1


def test_uniform_noise_is_less_dense_than_rows_drawn_anew() -> None:
    rng = np.random.default_rng(0)
    real, anew = (pd.DataFrame(rng.normal(size=(400, 4))) for _ in range(2))
    noise = pd.DataFrame(rng.uniform(-4, 4, size=(400, 4)))
    assert density_and_coverage(real, noise).density < 0.3 < density_and_coverage(real, anew).density


@pytest.mark.parametrize(
    ("column", "other"),
    [
        (["x"] * 8, ["y"] * 8),
        ([5.0] * 8, [5.1] * 8),
        ([0.1] * 8, [None] * 8),
        ([None] * 8, [-1.0] * 8),
        (pd.to_datetime(["2024-01-01"] * 8), pd.to_datetime(["2024-01-02"] * 8)),
    ],
    ids=["category", "number", "missing", "all missing", "time"],
)
def test_a_value_unlike_the_only_real_one_is_one_apart(column: Any, other: Any) -> None:
    line = np.arange(8.0) / np.arange(8).std()
    real = pd.DataFrame({"line": line, "only": pd.Series(column)})
    assert density_and_coverage(real, real, k=1).coverage == 1.0
    rows = points(paired_columns(real, pd.DataFrame({"line": line, "only": pd.Series(other)})))
    ((_, block),) = distances(*rows)
    assert block.diagonal() == pytest.approx(np.ones(8))


def test_the_unit_of_a_number_and_the_order_of_levels_do_not_matter() -> None:
    real, synthetic = mixed_rows(60), mixed_rows(60, 1)
    found = density_and_coverage(real, synthetic)
    for frame in (real, synthetic):
        frame["number"] = frame["number"] * 1024 + 512
        frame["words"] = frame["words"].map({"x": "z", "y": "x", "z": "y"})
    assert density_and_coverage(real, synthetic) == found


def test_infinite_written_numbers_are_far_but_do_no_harm() -> None:
    real = mixed_rows(50)
    assert density_and_coverage(real, real.assign(number=np.inf)).coverage == 0.0


def test_too_few_real_rows_and_a_wrong_k_are_refused() -> None:
    real = mixed_rows(5)
    with pytest.raises(InvalidInputError, match="k = 5 neighbours need more than 5 real rows; got 5"):
        density_and_coverage(real, real)
    with pytest.raises(InvalidInputError, match="k must be a whole number of at least 1; got 0"):
        density_and_coverage(real, real, k=0)
    with pytest.raises(TableError, match="no column 'day'"):
        density_and_coverage(real, real.drop(columns="day"))


def numbers_for_prdc() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(150, 3))), pd.DataFrame(rng.normal(size=(120, 3)) * 0.7 + 0.3)


@pytest.mark.parametrize(("k", "density_found", "coverage_found"), [(1, 1.375, 0.4266666667), (5, 1.05, 0.8733333333)])
def test_the_figures_recorded_from_prdc_are_reached(k: int, density_found: float, coverage_found: float) -> None:
    """The package prdc 0.2 of the authors of the paper, on numbers in standard deviations."""
    found = density_and_coverage(*numbers_for_prdc(), k=k)
    assert (found.density, found.coverage) == pytest.approx((density_found, coverage_found))


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 3, 5, 10])
def test_the_figures_are_those_of_prdc(k: int) -> None:
    """Where prdc is installed: it is no dependency of this package."""
    prdc = pytest.importorskip("prdc", exc_type=ImportError)
    real, synthetic = numbers_for_prdc()
    standard = [((table - real.mean()) / real.std(ddof=0)).to_numpy() for table in (real, synthetic)]
    oracle = prdc.compute_prdc(*standard, nearest_k=k)
    found = density_and_coverage(real, synthetic, k=k)
    assert (found.density, found.coverage) == pytest.approx((oracle["density"], oracle["coverage"]))
