"""Filters reject what they should, and the loop writes rows in place of rejected ones."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imbllm_autogluon.oversampling import filters
from imbllm_autogluon.oversampling.filters import (
    KnownRows,
    NearRows,
    PlausibilityForest,
    _PlausibilityFilter,
    reject_until,
)
from imbllm_autogluon.oversampling.imbllm import GReaT, ImbLLM
from imbllm_autogluon.oversampling.interpolation import MixedSpace
from imbllm_autogluon.oversampling.pred_llm import PredLLMGenerator
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.target_imbllm import TargetImbLLM
from imbllm_autogluon.tables import EncodedTable
from tests.oversampling.tables import labels, mixed, quick, read

METHODS = [ImbLLM, GReaT, PredLLMGenerator]


def numbers(values: object, missing: object = None) -> EncodedTable:
    column = np.asarray(values, dtype=np.float64)
    gone = np.zeros(len(column), dtype=bool) if missing is None else np.asarray(missing)
    return EncodedTable((np.where(gone, 0.0, column),), gone[:, None])


def ints(*columns: list[int], missing: list[list[bool]] | None = None) -> EncodedTable:
    values = tuple(np.array(column) for column in columns)
    mask = np.array(missing) if missing else np.zeros((len(columns[0]), len(columns)), dtype=bool)
    return EncodedTable(values, mask)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_a_row_is_a_copy_exactly_if_it_equals_a_known_one(seed: int, n_known: int) -> None:
    rng = np.random.default_rng(seed)
    frame = mixed(40, seed)[["visits", "city", "member", "income"]].round({"income": -1})
    _, cells = read(frame)
    known, rows = cells.take(np.arange(n_known)), cells.take(rng.integers(0, 40, 60))
    keys = set(known.row_keys().tolist())
    assert KnownRows.from_cells(known).rejects(rows).tolist() == [key in keys for key in rows.row_keys().tolist()]


def test_rows_are_hashed_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, hashed = ints(list(range(40))), []
    whole, row_keys = KnownRows.from_cells(cells).hashes, EncodedTable.row_keys
    monkeypatch.setattr(filters, "_HASHED_AT_ONCE", 9)
    monkeypatch.setattr(EncodedTable, "row_keys", lambda block: hashed.append(block.n_rows) or row_keys(block))
    assert KnownRows.from_cells(cells).hashes.tolist() == whole.tolist()
    assert sum(hashed) == 40
    assert max(hashed) <= 9


def test_every_cell_counts_even_the_last_byte_of_the_last_column() -> None:
    known = KnownRows.from_cells(ints([1, 0], [2, 0]))
    rows = ints([1, 1, 2, 0, 0, 256], [2, 3, 1, 0, 2**62, 0])
    assert known.rejects(rows).tolist() == [True, False, False, True, False, False]


def test_missing_is_a_value_of_its_own() -> None:
    known = KnownRows.from_cells(ints([0, 0], missing=[[True], [True]]))
    assert known.rejects(ints([0, 0], missing=[[True], [False]])).tolist() == [True, False]


def test_repeated_rows_are_remembered_once() -> None:
    assert len(KnownRows.from_cells(ints([3, 3, 4])).hashes) == 2


def test_no_rows_have_no_copies() -> None:
    empty = ints([]).take([])
    assert KnownRows.from_cells(ints([1])).rejects(empty).tolist() == []
    assert KnownRows.from_cells(empty).rejects(ints([1])).tolist() == [False]


def test_negative_zero_equals_zero() -> None:
    known = KnownRows.from_cells(EncodedTable((np.array([0.0]),), np.zeros((1, 1), dtype=bool)))
    assert known.rejects(EncodedTable((np.array([-0.0]),), np.zeros((1, 1), dtype=bool))).all()


def test_stored_hashes_mean_the_same_in_another_process() -> None:
    _, cells = read(pd.DataFrame({"x": [1.5, 2.5, 4.0], "c": ["a", "b", "b"]}))
    code = (
        "import pandas as pd\n"
        "from imbllm_autogluon.oversampling.filters import KnownRows\n"
        "from imbllm_autogluon.tables import TableSchema\n"
        "frame = pd.DataFrame({'x': [1.5, 2.5, 4.0], 'c': ['a', 'b', 'b']})\n"
        "print(KnownRows.from_cells(TableSchema.from_frame(frame).encode(frame)).hashes.tolist())"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == str(KnownRows.from_cells(cells).hashes.tolist())


def test_copies_are_written_again_until_there_are_none() -> None:
    asked, counts = [], Counter[str]()

    def write(n: int, attempt: int) -> EncodedTable:
        asked.append((n, attempt))
        return ints([100 * attempt + i for i in range(n)])

    rows = reject_until(write, 5, [KnownRows.from_cells(ints([0, 1, 2, 101]))], counts)
    assert rows.values[0].tolist() == [3, 4, 100, 102, 200]
    assert asked == [(5, 0), (3, 1), (1, 2)]
    assert (counts["copies_dropped"], counts["copies_kept"]) == (4, 0)


def test_the_last_round_keeps_its_copies() -> None:
    counts = Counter[str]()
    rows = reject_until(lambda n, _: ints([7] * n), 6, [KnownRows.from_cells(ints([7]))], counts)
    assert rows.values[0].tolist() == [7] * 6
    assert (counts["copies_dropped"], counts["copies_kept"]) == (6 * (KnownRows.rounds - 1), 6)


def test_near_copies_are_written_again_and_counted_beside_exact_ones() -> None:
    schema, cells = read(pd.DataFrame({"x": [0.0, 10.0, 20.0, 31.0]}))
    counts, near = Counter[str](), NearRows(schema, cells, 0.5)
    near.least /= 2  # 5 from the next real row
    drafts = iter([(0.0, 4.0, 25.0, 9.0), (20.0, 15.0, 5.0), (15.0,)])
    rows = reject_until(lambda *_: numbers(next(drafts)), 4, [KnownRows.from_cells(cells), near], counts)
    assert rows.values[0].tolist() == [25.0, 15.0, 5.0, 15.0]
    assert counts == {"copies_dropped": 2, "near_copies_dropped": 2}


def test_near_copies_that_always_come_again_are_kept_in_the_last_of_more_rounds() -> None:
    schema, cells = read(pd.DataFrame({"x": [0.0, 10.0, 20.0, 30.5]}))
    counts = Counter[str]()
    near = NearRows(schema, cells, 0.5)
    rows = reject_until(lambda n, _: numbers([0.5] * n), 2, [KnownRows.from_cells(cells), near], counts)
    assert rows.n_rows == 2
    assert (counts["near_copies_dropped"], counts["near_copies_kept"]) == (2 * (NearRows.rounds - 1), 2)
    assert (counts["copies_dropped"], counts["copies_kept"]) == (0, 0)


def test_the_limit_is_the_quantile_of_the_rows_distances_to_their_nearest_other_one() -> None:
    schema, cells = read(mixed(60))
    space = MixedSpace.fit(schema, cells)
    _, apart = space.nearest(cells, cells, 1, same=True)
    near = NearRows(schema, cells, 0.25)
    assert near.least == pytest.approx(np.quantile(apart, 0.25))
    assert near.rejects(cells).all()
    assert not near.rejects(cells.take([])).size


def test_real_rows_of_the_same_table_are_refused_about_as_often_as_the_quantile_says() -> None:
    rng = np.random.default_rng(0)
    schema, cells = read(pd.DataFrame({"a": rng.normal(size=4_000), "b": rng.normal(size=4_000)}))
    near = NearRows(schema, cells.take(np.arange(2_000)), 0.2)
    assert near.rejects(cells.take(np.arange(2_000, 4_000))).mean() == pytest.approx(0.2, abs=0.04)


def test_repeated_real_rows_leave_nothing_to_refuse() -> None:
    schema, cells = read(pd.DataFrame({"a": [1.0, 1.0, 2.0, 2.0, 5.0, 5.0], "b": list("xxyyxx")}))
    near = NearRows(schema, cells, 0.5)
    assert not near.rejects(cells).any()


def test_the_limit_of_many_rows_comes_from_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    schema, cells = read(mixed(300))
    whole = NearRows(schema, cells, 0.5)
    monkeypatch.setattr(filters, "_MOST_MEASURED", 100)
    some = NearRows(schema, cells, 0.5)
    assert some.least == pytest.approx(whole.least, rel=0.2)
    assert some.least != whole.least


def table(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {"a": rng.normal(size=n).round(2), "b": rng.normal(size=n).round(2), "c": rng.choice(list("xy"), n)}
    )


def distances(X: pd.DataFrame, y: pd.Series[Any], rows: pd.DataFrame, label: str) -> np.ndarray[Any, Any]:
    """Of each written row of a class to its nearest real one."""
    schema, _ = read(X)
    real = schema.encode(X[y == label])
    return MixedSpace.fit(schema, real).nearest(schema.encode(rows), real, 1)[1][:, 0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_exact_counts_without_near_copies_and_says_how_many_there_were(method: Any) -> None:
    X, y = table(), labels(60, 40, 20)
    config = quick(near_copies=0.5, start="class") if method is PredLLMGenerator else quick(near_copies=0.5)
    generator = method(config, random_state=0, threads=1).fit(X, y, {"c": 40, "b": 10})
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == {"c": 40, "b": 10}
    schema, _ = read(X)
    for entry in generator.report.classes:
        near = NearRows(schema, schema.encode(X[y == entry.label]), 0.5)
        found = int(near.rejects(schema.encode(rows[written == entry.label])).sum())
        assert found == entry.near_copies_kept
        assert entry.near_copies_dropped > entry.near_copies_kept
    assert sum(entry.near_copies_kept for entry in generator.report.classes) < 10
    plain = method(quick(), random_state=0, threads=1).fit(X, y, {"c": 40})
    assert (distances(X, y, plain.sample()[0], "c") < distances(X, y, rows[written == "c"], "c").min()).any()
    assert plain.report.classes[0].near_copies_dropped == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_rare", [4, 30])
def test_no_method_returns_an_exact_copy_where_it_can_be_avoided(method: Any, n_rare: int) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.integers(0, 9, 90 + n_rare), "b": rng.integers(0, 9, 90 + n_rare)})
    y = labels(90, n_rare)
    generator = method(quick(), random_state=0, threads=1).fit(X, y, {"b": 40})
    rows, _ = generator.sample()
    known = set(map(tuple, X.to_numpy()))
    (entry,) = generator.report.classes
    assert sum(tuple(row) in known for row in rows.to_numpy()) == entry.copies_kept <= 25
    assert entry.copies_dropped > 0


def test_rows_of_rare_targets_keep_their_distance_too() -> None:
    X = table()
    y = pd.Series(np.random.default_rng(0).gamma(2.0, 10.0, len(X)).round(2), name="price")
    bins = TargetBins.fit(y, 3)
    writer = TargetImbLLM(quick(near_copies=0.5), random_state=0, threads=1).fit(X, y, bins, {1: 12, 2: 12})
    rows, targets = writer.sample()
    assert len(rows) == len(targets) == 24
    assert sum(entry.near_copies_dropped for entry in writer.report.classes) > 0


def low_and_high(n: int = 200) -> PlausibilityForest:
    """Class 0 lies in 0 to 1, the rare class 1 in 2 to 3."""
    rng = np.random.default_rng(0)
    codes = (rng.random(n) < 0.2).astype(np.int64)
    return PlausibilityForest(numbers(rng.random(n) + 2.0 * codes), codes, seed=3)


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
    judge = PlausibilityForest(numbers(np.random.default_rng(1).normal(size=4400) + 2.0 * codes), codes, seed=0)
    nearer = numbers(np.linspace(1.5, 1.7, 50))  # 3 times as likely under class 1, which has a tenth of the rows
    assert judge.ratios(nearer, 1).mean() > 0.7
    assert judge.ratios(nearer, 0).mean() < 0.6


def test_missing_values_tell_of_a_class_too() -> None:
    codes = np.repeat([0, 1], 50).astype(np.int64)
    judge = PlausibilityForest(numbers(np.zeros(100), codes == 1), codes, seed=0)
    assert judge.ratios(numbers([0.0, 0.0], [True, False]), 1).round(2).tolist() == [1.0, 0.0]


def test_numbers_of_any_size_are_judged() -> None:
    values = np.array([1e300, -1e300, 2.0**60, 2.0**60 + 4096] * 20)
    codes = np.array([0, 0, 0, 1] * 20, dtype=np.int64)
    judge = PlausibilityForest(numbers(values), codes, seed=0)
    assert judge.ratios(numbers(values[:4]), 1).round(1).tolist() == [0.0, 0.0, 0.0, 1.0]


def test_no_rows_have_no_ratios() -> None:
    assert low_and_high().ratios(numbers([]), 1).shape == (0,)


def test_the_same_seed_gives_the_same_ratios_and_a_pickle_keeps_them() -> None:
    rows = numbers(np.linspace(0, 3, 50))
    judge = low_and_high()
    ratios = judge.ratios(rows, 1)
    for other in (
        low_and_high(),
        pickle.loads(pickle.dumps(judge)),
    ):
        assert other.ratios(rows, 1).tolist() == ratios.tolist()


def test_of_very_many_rows_the_frequent_classes_are_thinned_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "_MOST_LEARNED", 60)
    codes = np.repeat([0, 1, 2], [500, 100, 8]).astype(np.int64)
    judge = PlausibilityForest(numbers(np.arange(608.0)), codes, seed=0)
    assert np.bincount(judge.codes).tolist() == [26, 26, 8]
    assert (np.repeat([0, 1, 2], [500, 100, 8])[judge.cells.values[0].astype(int)] == judge.codes).all()


def test_implausible_rows_are_written_again_and_counted() -> None:
    counts, drafts = Counter[str](), iter([(2.5, 0.5, 2.4), (0.4,), (2.3,)])
    plausible = low_and_high().filter(1, 0.5)
    rows = reject_until(lambda *_: numbers(next(drafts)), 3, [KnownRows.from_cells(numbers([9.0])), plausible], counts)
    assert rows.values[0].tolist() == [2.5, 2.4, 2.3]
    assert (counts["implausible_dropped"], counts["implausible_kept"]) == (2, 0)


class Scaled(_PlausibilityFilter):
    """Thinks a row as plausible as its number is large."""

    def scores(self, rows: EncodedTable) -> npt.NDArray[np.float64]:
        return rows.values[0] / 100.0


def test_where_nothing_plausible_comes_the_most_plausible_rows_of_all_rounds_are_kept() -> None:
    counts, drafts = Counter[str](), iter([(20.0, 95.0, 40.0), (31.0, 30.0), *[(3.0, 4.0)] * NearRows.rounds])
    plausible = Scaled(low_and_high(), 1, 0.9)
    rows = reject_until(lambda *_: numbers(next(drafts)), 3, [KnownRows.from_cells(numbers([-1.0])), plausible], counts)
    assert rows.values[0].tolist() == [95.0, 40.0, 31.0]
    assert (counts["implausible_dropped"], counts["implausible_kept"]) == (2 + 2 * (NearRows.rounds - 1) - 2, 2)


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
