from __future__ import annotations

import pickle
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling import plausibility
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.copies import NEAR_ROUNDS, KnownRows, written_anew
from imbllm_autogluon.oversampling.great import GReaT
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.plausibility import ClassPlausibility, PlausibilityJudge
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.target_imbllm import TargetImbLLM
from imbllm_autogluon.tables import Cells
from tests.oversampling.tables import mixed, quick

if TYPE_CHECKING:
    import numpy.typing as npt


def numbers(values: object, missing: object = None) -> Cells:
    column = np.asarray(values, dtype=np.float64)
    gone = np.zeros(len(column), dtype=bool) if missing is None else np.asarray(missing)
    return Cells((np.where(gone, 0.0, column),), gone[:, None])


def low_and_high(n: int = 200) -> PlausibilityJudge:
    """Class 0 lies in 0 to 1, the rare class 1 in 2 to 3."""
    rng = np.random.default_rng(0)
    codes = (rng.random(n) < 0.2).astype(np.int64)
    return PlausibilityJudge.of(numbers(rng.random(n) + 2.0 * codes), codes, seed=3)


def test_a_row_like_those_of_its_class_has_ratio_one_and_a_row_of_another_class_next_to_none() -> None:
    judge, rows = low_and_high(), numbers([0.5, 2.5])
    np.testing.assert_allclose(judge.ratios(rows, 1), [0.0, 1.0], atol=0.02)
    np.testing.assert_allclose(judge.ratios(rows, 0), [1.0, 0.0], atol=0.02)


def test_ratios_are_those_of_the_forests_own_shares() -> None:
    judge, rows = low_and_high(), numbers(np.linspace(0, 3, 50))
    judge.ratios(rows, 1)
    forest = judge._forest
    assert forest is not None
    shares = forest.predict_proba(judge._matrix(rows))
    np.testing.assert_allclose(judge.ratios(rows, 1), shares[:, 1] / shares.max(axis=1))


def test_a_class_is_not_less_likely_for_being_rare() -> None:
    codes = np.repeat([0, 1], [4000, 400]).astype(np.int64)
    judge = PlausibilityJudge.of(numbers(np.random.default_rng(1).normal(size=4400) + 2.0 * codes), codes, seed=0)
    nearer = numbers(np.linspace(1.5, 1.7, 50))  # 3 times as likely under class 1, which has a tenth of the rows
    assert judge.ratios(nearer, 1).mean() > 0.7
    assert judge.ratios(nearer, 0).mean() < 0.6


def test_missing_values_tell_of_a_class_too() -> None:
    codes = np.repeat([0, 1], 50).astype(np.int64)
    judge = PlausibilityJudge.of(numbers(np.zeros(100), codes == 1), codes, seed=0)
    assert judge.ratios(numbers([0.0, 0.0], [True, False]), 1).round(2).tolist() == [1.0, 0.0]


def test_numbers_of_any_size_are_judged() -> None:
    values = np.array([1e300, -1e300, 2.0**60, 2.0**60 + 4096] * 20)
    codes = np.array([0, 0, 0, 1] * 20, dtype=np.int64)
    judge = PlausibilityJudge.of(numbers(values), codes, seed=0)
    assert judge.ratios(numbers(values[:4]), 1).round(1).tolist() == [0.0, 0.0, 0.0, 1.0]


def test_no_rows_have_no_ratios() -> None:
    assert low_and_high().ratios(numbers([]), 1).shape == (0,)


def test_the_same_seed_gives_the_same_ratios_and_pickle_and_arrays_keep_them() -> None:
    rows = numbers(np.linspace(0, 3, 50))
    judge = low_and_high()
    ratios = judge.ratios(rows, 1)
    for other in (
        low_and_high(),
        pickle.loads(pickle.dumps(judge)),
        PlausibilityJudge.from_arrays(judge.arrays(), seed=3),
    ):
        assert other.ratios(rows, 1).tolist() == ratios.tolist()


def test_of_very_many_rows_the_frequent_classes_are_thinned_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plausibility, "MOST_LEARNED", 60)
    codes = np.repeat([0, 1, 2], [500, 100, 8]).astype(np.int64)
    judge = PlausibilityJudge.of(numbers(np.arange(608.0)), codes, seed=0)
    assert np.bincount(judge.codes).tolist() == [26, 26, 8]
    assert (np.repeat([0, 1, 2], [500, 100, 8])[judge.cells.values[0].astype(int)] == judge.codes).all()


def test_implausible_rows_are_written_again_and_counted() -> None:
    counts, drafts = Counter[str](), iter([(2.5, 0.5, 2.4), (0.4,), (2.3,)])
    plausible = ClassPlausibility(low_and_high(), 1, 0.5)
    rows = written_anew(lambda *_: numbers(next(drafts)), 3, KnownRows.of(numbers([9.0])), counts, plausible=plausible)
    assert rows.values[0].tolist() == [2.5, 2.4, 2.3]
    assert (counts["implausible_dropped"], counts["implausible_kept"]) == (2, 0)


class Scaled(ClassPlausibility):
    """Thinks a row as plausible as its number is large."""

    def ratios(self, rows: Cells) -> npt.NDArray[np.float64]:
        return rows.values[0] / 100.0


def test_where_nothing_plausible_comes_the_most_plausible_rows_of_all_rounds_are_kept() -> None:
    counts, drafts = Counter[str](), iter([(20.0, 95.0, 40.0), (31.0, 30.0), *[(3.0, 4.0)] * NEAR_ROUNDS])
    plausible = Scaled(low_and_high(), 1, 0.9)
    rows = written_anew(lambda *_: numbers(next(drafts)), 3, KnownRows.of(numbers([-1.0])), counts, plausible=plausible)
    assert rows.values[0].tolist() == [95.0, 40.0, 31.0]
    assert (counts["implausible_dropped"], counts["implausible_kept"]) == (2 + 2 * (NEAR_ROUNDS - 1) - 2, 2)


def test_imbllm_refuses_rows_of_other_classes_by_default_and_great_does_not() -> None:
    X, counts = mixed(300)[["score", "member"]], {"b": 60}
    y = pd.Series(np.where((X["score"] > 0) == X["member"], "a", "b"), name="class")  # no column alone tells the class
    judged, free = (ImbLLM(quick(plausibility=own), random_state=0).fit(X, y, counts) for own in (None, 0.0))
    rows, others = judged.sample()[0], free.sample()[0]
    assert not rows.equals(others)
    report = judged.report.classes[0]
    assert report.implausible_dropped > 0
    assert free.report.classes[0].implausible_dropped == 0
    great = GReaT(quick(plausibility=None), random_state=0).fit(X, y, counts)
    great.sample()
    assert great.report.classes[0].implausible_dropped == 0
    again = judged.with_config(quick(plausibility=0.0), threads=None)
    pd.testing.assert_frame_equal(again.sample()[0], others)


def test_bins_of_a_target_are_no_classes_to_tell_apart() -> None:
    X, y = mixed(60), pd.Series(np.linspace(0.0, 3.0, 60) ** 3, name="price")
    writer = TargetImbLLM(quick(plausibility=None), random_state=0).fit(X, y, TargetBins.fit(y, n_bins=3), {2: 8})
    writer.sample()
    assert writer.report.classes[0].implausible_dropped == 0


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "half"])
def test_other_values_than_shares_are_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="plausibility"):
        GeneratorConfig.from_flat({"plausibility": value})
