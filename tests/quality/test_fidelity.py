from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.quality import distances, evaluate, fidelity
from imbllm_autogluon.quality.columns import paired_columns
from imbllm_autogluon.quality.distances import points
from imbllm_autogluon.quality.fidelity import _discriminator_auc
from tests.quality.frames import mixed_rows
from tests.quality.generators import LABEL, RELATED, labelled_rows, shuffled

if TYPE_CHECKING:
    from imbllm_autogluon.quality import MetricResult


def density_and_coverage(real: pd.DataFrame, synthetic: pd.DataFrame, k: int = 5) -> tuple[float, float]:
    return fidelity._density_and_coverage(*points(paired_columns(real, synthetic)), k)


def inverse_kl(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    return fidelity._inverse_kl(paired_columns(real, synthetic))


def pair_trends(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    found = fidelity._pair_trends(paired_columns(real, synthetic), np.random.default_rng(0))
    return np.nan if found is None else found


def test_the_figures_of_a_line_of_rows_are_those_computed_by_hand() -> None:
    real = pd.DataFrame({"a": [0.0, 1.0, 3.0, 7.0]})
    # Radii for k = 1: 1, 1, 2, 4. The row at 0.5 lies in the first two balls, the one at 5 in the last two.
    found = density_and_coverage(real, pd.DataFrame({"a": [0.5, 5.0, 100.0]}), k=1)
    assert found == pytest.approx((4 / 3, 1.0))


def test_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = mixed_rows(90), mixed_rows(70, 1)
    whole = density_and_coverage(real, synthetic)
    monkeypatch.setattr(distances, "_HELD_DISTANCES", 7 * 90)
    assert density_and_coverage(real, synthetic) == whole


def test_the_figures_are_those_of_equation_six() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(60, 3)), rng.normal(size=(40, 3)) * 0.8
    real = (real - real.mean(axis=0)) / real.std(axis=0)
    among = np.linalg.norm(real[:, None] - real[None], axis=2)
    radii, between = np.sort(among, axis=1)[:, 4], np.linalg.norm(real[:, None] - synthetic[None], axis=2)
    found = density_and_coverage(pd.DataFrame(real), pd.DataFrame(synthetic), k=4)
    assert found[0] == pytest.approx((between <= radii[:, None]).sum() / (4 * 40))


def test_copies_of_rows_that_all_occur_many_times_are_covered() -> None:
    real = pd.DataFrame({"a": [0.1, 0.2, 0.7] * 20, "b": ["x", "y", "z"] * 20})
    assert density_and_coverage(real, real.iloc[:3])[1] == 1.0
    assert density_and_coverage(real, real.iloc[:1])[1] == pytest.approx(1 / 3)
    assert density_and_coverage(real, real.iloc[:3].assign(b="w"))[1] == 0.0


def test_rows_drawn_anew_have_density_one_and_nearly_full_coverage() -> None:
    found = density_and_coverage(mixed_rows(800), mixed_rows(800, 1))
    assert found[0] == pytest.approx(1.0, abs=0.1)
    assert found[1] == pytest.approx(1 - 2**-5, abs=0.03)


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
    assert density_and_coverage(real, real, k=1)[1] == 1.0
    rows = points(paired_columns(real, pd.DataFrame({"line": line, "only": pd.Series(other)})))
    ((_, block),) = distances.distances(*rows)
    assert block.diagonal() == pytest.approx(np.ones(8))


def test_too_few_real_rows_are_refused() -> None:
    real = mixed_rows(5)
    with pytest.raises(InvalidInputError, match="k = 5 neighbors need more than 5 real rows; got 5"):
        density_and_coverage(real, real)
    with pytest.raises(TableError, match="no column 'day'"):
        density_and_coverage(real, real.drop(columns="day"))


def numbers_for_prdc() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(150, 3))), pd.DataFrame(rng.normal(size=(120, 3)) * 0.7 + 0.3)


@pytest.mark.parametrize(("k", "density_found", "coverage_found"), [(1, 1.375, 0.4266666667), (5, 1.05, 0.8733333333)])
def test_the_figures_recorded_from_prdc_are_reached(k: int, density_found: float, coverage_found: float) -> None:
    """The package prdc 0.2 of the authors of the paper, on numbers in standard deviations."""
    found = density_and_coverage(*numbers_for_prdc(), k=k)
    assert found == pytest.approx((density_found, coverage_found))


def test_the_figures_are_those_of_the_single_functions() -> None:
    real, synthetic = mixed_rows(120), mixed_rows(120, 1)
    found = evaluate(real, synthetic)
    both = density_and_coverage(real, synthetic)
    assert found.measure("density").value == pytest.approx(both[0])
    assert found.measure("coverage").value == pytest.approx(both[1])
    assert found.measure("inverse KL").value == pytest.approx(inverse_kl(real, synthetic))
    assert found.measure("pair trends").value == pytest.approx(pair_trends(real, synthetic))


@pytest.mark.parametrize(("n_holdout", "note"), [(30, "Of 30 hold-out rows"), (29, "Of the training rows")])
def test_hold_out_rows_are_to_be_reached_where_there_are_enough(n_holdout: int, note: str) -> None:
    found = evaluate(mixed_rows(60), mixed_rows(60, 1), holdout=mixed_rows(n_holdout, 2))
    assert found.measure("coverage").note.startswith(note)


def test_few_written_rows_are_asked_to_reach_as_many_real_ones() -> None:
    found = evaluate(mixed_rows(600), mixed_rows(40, 1)).measure("coverage")
    assert "40 of them, as many as written rows" in found.note
    assert found.value > 0.85
    assert density_and_coverage(mixed_rows(600), mixed_rows(40, 1))[1] < 0.4


def test_small_classes_are_asked_for_no_more_than_their_halves_reach() -> None:
    small, large = (evaluate(mixed_rows(n), mixed_rows(n, 1)).measure("pair trends") for n in (40, 800))
    assert small.acceptable[0] < large.acceptable[0] <= 0.9
    assert "Two halves of the real rows reach" in small.note
    assert small.verdict == large.verdict == "good"


@pytest.mark.parametrize("n", [5, 39])
def test_too_few_rows_have_no_discriminator(n: int) -> None:
    found = evaluate(mixed_rows(200), mixed_rows(n, 1))
    assert found.measure("discriminator AUC").value is None
    assert f"there are {n}" in found.measure("discriminator AUC").note
    assert (found.measure("density").value is None) == (n == 5)


def test_three_real_rows_are_compared_without_halves() -> None:
    real = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "x"]})
    found = evaluate(real, pd.concat([real] * 3)).measure("inverse KL")
    assert found.acceptable == (0.9, 1.0)
    assert np.isfinite(found.value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("n_holdout", "beside"), [(100, "hold-out"), (99, "training")])
def test_written_rows_are_told_from_hold_out_rows_where_there_are_enough(n_holdout: int, beside: str) -> None:
    real = mixed_rows(120).assign(number=5.0)
    found = evaluate(real, real, holdout=mixed_rows(n_holdout, 2)).measure("discriminator AUC")
    assert f"as many {beside} rows" in found.note
    assert (found.verdict == "poor") == (beside == "hold-out")


def column(cells: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": pd.Series(cells)})


def test_the_figure_of_a_category_is_the_one_computed_by_hand() -> None:
    # Counts (3, 1, 0) and (1, 2, 1), one added to each: (4, 2, 1) / 7 and (2, 3, 2) / 7.
    divergence = 4 / 7 * math.log(4 / 2) + 2 / 7 * math.log(2 / 3) + 1 / 7 * math.log(1 / 2)
    assert inverse_kl(column(list("xxxy")), column(list("xyyz"))) == pytest.approx(1 / (1 + divergence))


def test_numbers_are_counted_in_the_deciles_of_the_real_ones() -> None:
    real = column(np.arange(100.0))
    assert inverse_kl(real, column(np.repeat(np.arange(4.5, 100, 10), 10))) == pytest.approx(1.0, abs=0.01)
    uneven = inverse_kl(real, column(np.full(100, 1e9)))
    # All rows in the last of ten bins: counts 10 each against 0 … 0, 100, one added.
    expected = sum(11 / 110 * math.log(11 / k) for k in [1] * 9 + [101])
    assert uneven == pytest.approx(1 / (1 + expected), rel=0.02)


def test_a_missing_value_is_a_level() -> None:
    real = column([1.0, 2.0] * 50 + [None] * 100)
    assert inverse_kl(real, real) == 1.0
    assert inverse_kl(real, column([1.0, 2.0] * 100)) < 0.5


def test_two_numbers_are_compared_by_their_correlation() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = (pd.DataFrame(rng.normal(size=(50, 2)), columns=["a", "b"]) for _ in range(2))
    synthetic.loc[3, "a"] = np.nan
    expected = 1 - abs(real.corr().iloc[0, 1] - synthetic.corr().iloc[0, 1]) / 2
    assert pair_trends(real, synthetic) == pytest.approx(expected)


def test_two_categories_are_compared_by_their_contingency_table() -> None:
    real = pd.DataFrame({"a": ["x", "x", "y", None], "b": [True, True, False, False]})
    synthetic = pd.DataFrame({"a": ["x", "x", None, None], "b": [True, False, False, False]})
    # Shares: (x, True) 0.5 and 0.25, (y, False) 0.25 and 0, (none, False) 0.25 and 0.5, (x, False) 0 and 0.25.
    assert pair_trends(real, synthetic) == pytest.approx(1 - (0.25 + 0.25 + 0.25 + 0.25) / 2)


def test_a_number_beside_a_category_is_cut_into_ten_bins_of_the_real_range() -> None:
    real = pd.DataFrame({"a": np.arange(11.0), "b": ["x"] * 11})
    assert pair_trends(real, real.assign(a=real["a"] + 0.5)) == 1.0
    assert pair_trends(real, real.assign(a=real["a"] + 1)) == pytest.approx(1 - 1 / 11)
    assert pair_trends(real, real.assign(a=real["a"].clip(upper=9.5))) == 1.0
    assert pair_trends(real, real.assign(a=np.nan)) == pytest.approx(0.0, abs=1e-12)


def test_a_number_that_is_written_as_a_constant_is_seen() -> None:
    real = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0) ** 2})
    assert pair_trends(real, real.assign(a=5.0)) < 0.3
    assert pair_trends(real.assign(a=5.0), real.assign(a=5.0)) == 1.0


@pytest.mark.parametrize("kind", ["float64", "datetime64[ns]"])
def test_huge_numbers_and_times_have_correlations(kind: str) -> None:
    column = pd.Series(np.arange(100) * 10**15).astype(kind)
    real = pd.DataFrame({"a": column, "b": np.arange(100)})
    assert pair_trends(real, real) == pytest.approx(1.0)
    written = real.assign(a=column.iloc[::-1].to_numpy())
    assert pair_trends(real, written) == pytest.approx(0.0, abs=1e-9)
    if kind == "float64":
        assert np.isfinite(pair_trends(real, real.assign(a=np.r_[np.inf, np.zeros(99)])))


def test_one_column_has_no_pair_and_free_text_is_left_out() -> None:
    real = pd.DataFrame({"a": range(60), "name": [f"name {i}" for i in range(60)]})
    assert np.isnan(pair_trends(real[["a"]], real[["a"]]))
    assert np.isnan(pair_trends(real, real))
    assert [column.is_free_text for column in paired_columns(real, real)] == [False, True]


def test_of_many_pairs_a_random_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    real, synthetic = mixed_rows(200), mixed_rows(200, 1)
    whole = pair_trends(real, synthetic)
    monkeypatch.setattr(fidelity, "_MOST_PAIRS", 20)
    part = pair_trends(real, synthetic)
    assert part != whole
    assert part == pytest.approx(whole, abs=0.1)
    assert part == pair_trends(real, synthetic)


def test_the_figures_recorded_from_sdmetrics_are_reached() -> None:
    """SDMetrics 0.32: the pairs of `labelled_rows(300, 0)` and `labelled_rows(300, 1)`, without the label."""
    real, synthetic = (labelled_rows(300, seed).drop(columns=LABEL) for seed in (0, 1))
    found = {pair: pair_trends(real[list(pair)], synthetic[list(pair)]) for pair in RECORDED}
    assert found == pytest.approx(RECORDED, abs=1e-6)


RECORDED = dict(
    zip(combinations(("a", "b", "dose", "city", "level", "flag", "day"), 2), (
        0.984524, 0.992092, 0.793333, 0.880000, 0.856667, 0.960955, 0.989074,
        0.813333, 0.873333, 0.873333, 0.953679, 0.856667, 0.873333, 0.896667,
        0.932489, 0.876667, 0.916667, 0.783333, 0.923333, 0.880000, 0.800000,
    ), strict=True)
)  # fmt: skip


def measure(name: str, real: pd.DataFrame, synthetic: pd.DataFrame, **options: Any) -> MetricResult:
    return evaluate(real, synthetic, **options).measure(name)


def categories(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.choice(["x", "y", "z"], n, p=[0.6, 0.3, 0.1]) for name in "abc"})


def test_tables_of_categories_repeat_rows_without_being_copies() -> None:
    found = evaluate(categories(300, 0), categories(300, 1), holdout=categories(150, 2))
    for name in ("exact copies", "near copies", "distinct rows", "entropy"):
        assert found.measure(name).verdict == "good", found.measure(name)
    assert "repeat each other" in found.measure("exact copies").note


def test_the_same_row_over_and_over_is_neither_distinct_nor_varied() -> None:
    real = categories(300, 0)
    found = evaluate(real, real.iloc[[0] * 300])
    assert found.measure("distinct rows").verdict == "poor"
    assert found.measure("entropy").value == 0.0
    assert found.measure("category coverage").value == pytest.approx(1 / 3)
    assert found.measure("category coverage").verdict == "poor"


def test_real_rows_that_are_all_equal_have_no_entropy_to_compare_with() -> None:
    real = pd.DataFrame({"a": ["x"] * 20})
    assert measure("entropy", real, real).value == 1.0
    found = measure("entropy", real, pd.DataFrame({"a": ["x", "y"] * 10}))
    assert found.value is None
    assert "all equal" in found.note


def test_rare_levels_are_not_asked_of_few_rows() -> None:
    real = pd.DataFrame({"city": ["Oslo"] * 990 + [f"village {i}" for i in range(10)], "n": range(1000)})
    found = measure("category coverage", real, real.iloc[:20])
    assert found.value == pytest.approx(1 / 11)
    assert found.acceptable[0] == pytest.approx(0.9 * (1 + 10 * (1 - 0.999**20)) / 11)


def test_missing_is_a_level_and_numbers_and_free_text_are_none() -> None:
    real = pd.DataFrame({"a": ["x", None] * 30, "n": range(60), "name": [f"name {i}" for i in range(60)]})
    found = measure("category coverage", real, real.iloc[::2])
    assert (found.value, found.acceptable) == (0.5, (pytest.approx(0.9), 1.0))
    assert measure("category coverage", real[["n", "name"]], real[["n", "name"]]).value is None


def test_rows_of_one_source_cannot_be_told_apart() -> None:
    assert _discriminator_auc(mixed_rows(600), mixed_rows(600, 1)) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    "change",
    [
        {"number": lambda frame: frame["number"] + 10},
        {"words": "never seen"},
        {"plain": pd.array([None] * 300, dtype="Int64")},
        {"day": pd.Timestamp("2030-01-01")},
        {"number": np.inf},
    ],
    ids=["number", "category", "missing", "time", "unreadable"],
)
def test_a_column_that_is_unlike_gives_every_row_away(change: dict[str, object]) -> None:
    real = mixed_rows(300)
    assert _discriminator_auc(real, mixed_rows(300, 1).assign(**change)) > 0.95


def test_independent_columns_of_forty_rows_are_told_from_real_ones() -> None:
    real, further = [RELATED["packaged"](seed) for seed in (0, 2, 4)], [RELATED["packaged"](seed) for seed in (1, 3, 5)]
    pairs = [(a.iloc[:40], b.iloc[:40]) for a, b in zip(real, further, strict=True)]
    assert np.mean([_discriminator_auc(b, shuffled(a)) for a, b in pairs]) > 0.58
    assert np.mean([_discriminator_auc(b, a) for a, b in pairs]) < 0.55


@pytest.mark.parametrize("columns", [["number"], ["words", "plain", "flag"], ["words", "number", "day"]])
def test_pure_copies_cannot_be_told_apart_and_are_no_better_than_that(columns: list[str]) -> None:
    real = mixed_rows(200)[columns]
    assert _discriminator_auc(real, real.sample(frac=1, random_state=1)) == pytest.approx(0.5, abs=0.01)


def test_one_row_repeated_on_both_sides_is_undecided_and_two_different_ones_are_told_apart() -> None:
    real = pd.DataFrame({"a": [1.0] * 90})
    assert _discriminator_auc(real, real) == 0.5
    assert _discriminator_auc(real, real + 1) == 1.0


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    real, synthetic = mixed_rows(150), mixed_rows(220, 1)
    state = np.random.get_state()[1].tolist()  # type: ignore[union-attr]  # noqa: NPY002
    first = _discriminator_auc(real, synthetic, seed=3)
    assert _discriminator_auc(real, synthetic, seed=3) == first
    assert _discriminator_auc(real, synthetic, seed=4) != first
    assert np.random.get_state()[1].tolist() == state  # type: ignore[union-attr]  # noqa: NPY002


def test_as_many_rows_of_each_side_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fidelity, "_MOST_ROWS", 60)
    sizes: list[tuple[int, float]] = []
    plain_fit = fidelity._Forest.fit

    def recorded(self: fidelity._Forest, values: np.ndarray, codes: np.ndarray) -> fidelity._Forest:
        sizes.append((len(values), codes.mean()))
        return plain_fit(self, values, codes)

    monkeypatch.setattr(fidelity._Forest, "fit", recorded)
    _discriminator_auc(mixed_rows(500), mixed_rows(80, 1), folds=4)
    assert sizes == [(90, 0.5)] * 4


def test_one_row_written_over_and_over_is_told_apart_even_if_it_is_a_copy() -> None:
    real, synthetic = mixed_rows(600), mixed_rows(600, 1)
    synthetic.iloc[:300] = real.iloc[[7] * 300].to_numpy()
    assert _discriminator_auc(real, synthetic.astype(real.dtypes)) > 0.65


def test_half_a_table_of_copies_does_not_hide_that_the_other_half_is_wrong() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    real = pd.DataFrame({"a": x, "b": x})
    wrong = pd.DataFrame({"a": x[300:], "b": rng.permutation(x[300:])})
    assert _discriminator_auc(real, pd.concat([real.iloc[:300], wrong])) > 0.65
