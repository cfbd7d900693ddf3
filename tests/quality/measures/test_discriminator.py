from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, TableError
from imbllm_autogluon.quality.measures import discriminator as module
from imbllm_autogluon.quality.measures.discriminator import discriminator_auc
from tests.quality.frames import mixed_rows
from tests.quality.generators import RELATED, shuffled


def test_rows_of_one_source_cannot_be_told_apart() -> None:
    assert discriminator_auc(mixed_rows(600), mixed_rows(600, 1)) == pytest.approx(0.5, abs=0.06)


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
    assert discriminator_auc(real, mixed_rows(300, 1).assign(**change)) > 0.95


def test_columns_that_are_right_alone_but_wrong_together_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    real = pd.DataFrame({"a": x, "b": x})
    assert discriminator_auc(real, real.assign(b=rng.permutation(x))) > 0.9


def test_independent_columns_of_forty_rows_are_told_from_real_ones() -> None:
    real, further = [RELATED["packaged"](seed) for seed in (0, 2, 4)], [RELATED["packaged"](seed) for seed in (1, 3, 5)]
    pairs = [(a.iloc[:40], b.iloc[:40]) for a, b in zip(real, further, strict=True)]
    assert np.mean([discriminator_auc(b, shuffled(a)) for a, b in pairs]) > 0.58
    assert np.mean([discriminator_auc(b, a) for a, b in pairs]) < 0.55


def test_uniform_noise_is_told_from_normal_numbers() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(400, 3)))
    assert discriminator_auc(real, pd.DataFrame(rng.uniform(-3, 3, size=(400, 3)))) > 0.7


@pytest.mark.parametrize("columns", [["number"], ["words", "plain", "flag"], ["words", "number", "day"]])
def test_pure_copies_cannot_be_told_apart_and_are_no_better_than_that(columns: list[str]) -> None:
    real = mixed_rows(200)[columns]
    assert discriminator_auc(real, real.sample(frac=1, random_state=1)) == pytest.approx(0.5, abs=0.01)


def test_one_row_repeated_on_both_sides_is_undecided_and_two_different_ones_are_told_apart() -> None:
    real = pd.DataFrame({"a": [1.0] * 90})
    assert discriminator_auc(real, real) == 0.5
    assert discriminator_auc(real, real + 1) == 1.0


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    real, synthetic = mixed_rows(150), mixed_rows(220, 1)
    state = np.random.get_state()[1].tolist()  # type: ignore[union-attr]  # noqa: NPY002
    first = discriminator_auc(real, synthetic, seed=3)
    assert discriminator_auc(real, synthetic, seed=3) == first
    assert discriminator_auc(real, synthetic, seed=4) != first
    assert np.random.get_state()[1].tolist() == state  # type: ignore[union-attr]  # noqa: NPY002


def test_as_many_rows_of_each_side_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 60)
    sizes: list[tuple[int, float]] = []
    plain_fit = module.Forest.fit

    def recorded(self: module.Forest, values: np.ndarray, codes: np.ndarray) -> module.Forest:
        sizes.append((len(values), codes.mean()))
        return plain_fit(self, values, codes)

    monkeypatch.setattr(module.Forest, "fit", recorded)
    discriminator_auc(mixed_rows(500), mixed_rows(80, 1), folds=4)
    assert sizes == [(90, 0.5)] * 4


def test_a_category_of_many_levels_is_told_by_its_frequent_ones() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = (pd.DataFrame({"a": [f"{k}" for k in rng.integers(0, 2_000, 900)]}) for _ in range(2))
    assert discriminator_auc(real, synthetic) == pytest.approx(0.5, abs=0.06)
    assert discriminator_auc(real, synthetic.where(rng.random((900, 1)) < 0.2, "7")) > 0.8


def test_one_row_written_over_and_over_is_told_apart_even_if_it_is_a_copy() -> None:
    real, synthetic = mixed_rows(600), mixed_rows(600, 1)
    synthetic.iloc[:300] = real.iloc[[7] * 300].to_numpy()
    assert discriminator_auc(real, synthetic.astype(real.dtypes)) > 0.65


@pytest.mark.parametrize("values", [3, 6, 12])
def test_two_samples_of_few_different_rows_cannot_be_told_apart(values: int) -> None:
    rng = np.random.default_rng(0)
    sides = [pd.DataFrame(rng.integers(0, values, (900, 3))) for _ in range(2)]
    assert discriminator_auc(*sides) == pytest.approx(0.5, abs=0.04)


def test_half_a_table_of_copies_does_not_hide_that_the_other_half_is_wrong() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    real = pd.DataFrame({"a": x, "b": x})
    wrong = pd.DataFrame({"a": x[300:], "b": rng.permutation(x[300:])})
    assert discriminator_auc(real, pd.concat([real.iloc[:300], wrong])) > 0.65


@pytest.mark.parametrize("folds", [1, 0, 11, 2.5, True])
def test_folds_that_cannot_be_made_are_refused(folds: int) -> None:
    with pytest.raises(InvalidInputError, match=r"folds must be .* from 2 to the rows of the smaller table \(10\)"):
        discriminator_auc(mixed_rows(10), mixed_rows(40), folds=folds)


def test_an_absent_column_is_refused() -> None:
    with pytest.raises(TableError, match="no column 'day'"):
        discriminator_auc(mixed_rows(10), mixed_rows(10).drop(columns="day"))
