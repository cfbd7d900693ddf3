from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.target_imbllm import TargetImbLLM, _TargetGroups
from imbllm_autogluon.tables import TableSchema
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path


QUICK = GeneratorConfig.from_flat({"layers": 1, "width": 16, "pretrain_steps": 2, "steps": 2})
LEARNED = GeneratorConfig.from_flat({"layers": 1, "width": 32, "pretrain_steps": 120, "steps": 120})


def fitted(counts: dict[int, int], config: GeneratorConfig = QUICK, seed: int = 0, **options: Any) -> TargetImbLLM:
    X, y = skewed()
    writer = TargetImbLLM(config, random_state=seed, **options)
    return writer.fit(X, y, TargetBins.fit(y, n_bins=8), counts)


@pytest.fixture(scope="module")
def learned() -> TargetImbLLM:
    return fitted({2: 30, 5: 20}, LEARNED)


def test_rows_come_with_targets_that_the_real_ones_could_have(learned: TargetImbLLM) -> None:
    X, y = skewed()
    rows, prices = learned.sample()
    assert len(rows) == len(prices) == 50
    assert rows.dtypes.equals(X.dtypes)
    TableSchema.from_frame(X).encode(rows)  # refuses unknown categories
    assert prices.dtype == y.dtype
    assert prices.name == "price"
    assert prices.between(y.min(), y.max()).all()
    pd.testing.assert_series_equal(prices, prices.round(2))


def test_targets_lie_in_the_bins_that_were_asked_for(learned: TargetImbLLM) -> None:
    _, y = skewed()
    _, prices = learned.sample()
    placed = TargetBins.fit(y, n_bins=8).counts(prices)
    assert placed[2] == 30
    assert placed[5:].sum() == 20  # bins 5 to 7 hold few rows and were joined
    assert 0.2 < learned.agreement <= 1.0


def test_a_class_is_named_by_its_range(learned: TargetImbLLM) -> None:
    assert [report.label for report in learned.report.classes] == [
        learned.groups.names[group] for group in learned.groups.counts
    ]


def test_by_value_rows_begin_with_their_target() -> None:
    X, y = skewed()
    rings = (y / 50).round().clip(0, 9).astype("int64")
    writer = TargetImbLLM(QUICK, clause="value", random_state=0).fit(
        X, rings, TargetBins.fit(rings, n_bins=3), {1: 8, 2: 4}
    )
    assert "4" in writer.groups.names
    rows, made = writer.sample()
    assert len(rows) == 12
    assert made.dtype == "int64"
    assert made.isin(rings).all()


@pytest.mark.parametrize("name", ["area", None, 3])
def test_the_target_may_be_called_anything(name: Any) -> None:
    X, y = skewed()
    writer = TargetImbLLM(QUICK, random_state=0).fit(X, y.rename(name), TargetBins.fit(y, n_bins=4), {2: 3})
    rows, made = writer.sample()
    assert list(rows.columns) == list(X.columns)
    assert made.name == name


def test_a_bin_of_one_row_can_be_asked_for() -> None:
    X, _ = skewed(60)
    y = pd.Series(np.append(np.arange(59.0), 200.0))
    bins = TargetBins.fit(y, n_bins=10)
    assert bins.counts(y)[9] == 1
    rows, made = TargetImbLLM(QUICK, random_state=0).fit(X, y, bins, {9: 5}).sample()
    assert len(rows) == 5
    assert made.between(0, 200).all()


def test_rows_of_another_range_are_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = skewed()
    writer = TargetImbLLM(QUICK, random_state=0).fit(X, y, TargetBins.fit(y, n_bins=8), {2: 3})
    low, high = writer.groups.lows[2], writer.groups.highs[2]
    asked = []

    def sample(counts: dict[str, int], **_: Any) -> tuple[pd.DataFrame, pd.Series]:
        (n,) = counts.values()
        asked.append(n)
        targets = [low, high + 1000.0, high + 500.0][:n]
        return X.head(n).assign(price=targets), y.head(n)

    monkeypatch.setattr(writer.generator, "sample", sample)
    _, made = writer.sample()
    assert asked == [3, 2, 1]
    assert made.eq(low).all()
    assert writer.agreement == 0.5


def test_where_no_round_helps_the_nearest_rows_stay_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    X, y = skewed()
    writer = TargetImbLLM(QUICK, random_state=0).fit(X, y, TargetBins.fit(y, n_bins=8), {2: 2})
    far = iter([[9000.0, 8000.0], [7000.0, 6000.0], [5000.0, 4000.0], [3000.0, 2000.0]])
    monkeypatch.setattr(writer.generator, "sample", lambda counts, **_: (X.head(2).assign(price=next(far)), y.head(2)))
    _, made = writer.sample()
    assert made.tolist() == [3000.0, 2000.0]
    assert "2 of 2 rows" in caplog.text


def test_the_same_seed_writes_the_same_rows_and_another_sample_others() -> None:
    writer, again = fitted({3: 10}), fitted({3: 10})
    rows, prices = writer.sample()
    same, same_prices = again.sample()
    pd.testing.assert_frame_equal(rows, same)
    pd.testing.assert_series_equal(prices, same_prices)
    assert not writer.sample(random_state=5)[1].equals(prices)


@pytest.mark.parametrize(
    ("counts", "message"), [({}, "empty"), ({8: 1}, "the bin 8"), ({0: 0}, "0 rows in all"), ({0: -1}, "-1 rows")]
)
def test_counts_that_cannot_be_fulfilled_are_refused(counts: dict[int, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        fitted(counts)


def test_another_clause_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'bin', 'value'"):
        TargetImbLLM(clause="bins")  # type: ignore[arg-type]


def test_other_counts_can_be_asked_for_of_the_bins_that_were_learned() -> None:
    writer = fitted({2: 5, 3: 5})
    rows, prices = writer.sample({3: 12})
    assert len(rows) == len(prices) == 12
    assert len(writer.sample()[0]) == 10


@pytest.mark.parametrize(("counts", "message"), [({0: 3}, "bin 0, which was not learned"), ({2: 0}, "0 rows in all")])
def test_other_counts_that_cannot_be_fulfilled_are_refused(counts: dict[int, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        fitted({2: 5}).sample(counts)


def test_another_temperature_uses_the_same_generator() -> None:
    writer = fitted({2: 30})
    rows, _ = writer.sample()
    hot = writer.with_config(GeneratorConfig.from_flat({"temperature": 3.0}), threads=1)
    assert np.isnan(hot.agreement)
    assert not hot.sample()[0].equals(rows)
    assert writer.generator.config.language == QUICK.language


@pytest.fixture(scope="module")
def writer() -> TargetImbLLM:
    X, y = skewed(100)
    return TargetImbLLM(QUICK, clause="value", random_state=4).fit(X, y, TargetBins.fit(y, n_bins=5), {1: 6, 3: 4})


def test_a_read_generator_writes_the_same_rows(writer: TargetImbLLM, tmp_path: Path) -> None:
    writer.save(tmp_path / "g")
    read = TargetImbLLM.load(tmp_path / "g")
    for counts in (None, {1: 9, 3: 2}):
        rows, prices = writer.sample(counts)
        again, same_prices = read.sample(counts)
        pd.testing.assert_frame_equal(again, rows)
        pd.testing.assert_series_equal(same_prices, prices)
    assert read.groups.names == writer.groups.names
    np.testing.assert_array_equal(read.groups.of_rows, writer.groups.of_rows)
    assert (read.clause, read.seed) == ("value", 4)


def test_a_folder_says_whether_it_holds_one(writer: TargetImbLLM, tmp_path: Path) -> None:
    assert not TargetImbLLM.is_stored(tmp_path)
    writer.save(tmp_path)
    assert TargetImbLLM.is_stored(tmp_path)


def test_an_incomplete_folder_is_refused(writer: TargetImbLLM, tmp_path: Path) -> None:
    writer.save(tmp_path)
    (generator,) = tmp_path.glob("*/generator/state.json")
    generator.unlink()
    with pytest.raises(StoredStateError):
        TargetImbLLM.load(tmp_path)


def groups_of(values: list[float], sizes: list[int], counts: dict[int, int], clause: str = "bin") -> _TargetGroups:
    """Groups of a table with the given number of rows of each target, in bins of one unit."""
    y = np.repeat(np.asarray(values, dtype=np.float64), sizes)
    return _TargetGroups.from_targets(y, TargetBins.fit(y, kind="unit"), counts, clause)  # type: ignore[arg-type]


def test_bins_of_enough_rows_are_groups_of_their_own() -> None:
    groups = groups_of([0, 1, 2], [50, 6, 7], {1: 5, 2: 9})
    assert groups.names == ("0", "1", "2")
    assert groups.counts == {1: 5, 2: 9}
    assert np.bincount(groups.of_rows).tolist() == [50, 6, 7]


def test_small_bins_join_the_smaller_of_their_neighbours() -> None:
    groups = groups_of([0, 1, 2, 3], [50, 3, 40, 30], {1: 5})
    assert groups.names == ("0", "1 to 2", "3")
    assert groups.counts == {1: 5}


def test_small_bins_do_not_drown_in_a_crowded_one() -> None:
    groups = groups_of([0, 1, 2], [500, 2, 500], {1: 5})
    assert groups.names == ("0", "1", "2")


def test_a_lone_row_joins_even_a_crowded_bin() -> None:
    groups = groups_of([0, 1, 2], [500, 1, 600], {1: 5})
    assert groups.names == ("0 to 1", "2")
    assert groups.counts == {0: 5}


def test_rows_wanted_of_an_empty_bin_go_to_the_nearest_target() -> None:
    groups = groups_of([0, 1, 6], [50, 20, 20], {3: 5, 4: 7})
    assert groups.counts == {1: 5, 2: 7}


def test_by_value_bins_that_are_not_crowded_fall_apart_into_their_targets() -> None:
    groups = groups_of([0, 0.2, 1, 1.25, 2], [90, 60, 10, 30, 7], {1: 8, 2: 2}, "value")
    assert groups.names == ("0 to 0.2", "1", "1.25", "2")
    assert groups.counts == {1: 2, 2: 6, 3: 2}  # a bin's rows in proportion to those that its groups hold


def test_by_value_targets_of_few_rows_are_joined() -> None:
    y = np.sort(np.random.default_rng(0).normal(size=90))
    groups = _TargetGroups.from_targets(y, TargetBins.fit(y, n_bins=3), {0: 10}, "value")
    assert np.bincount(groups.of_rows).min() >= 6
    assert len(groups.lows) > 6
    assert sum(groups.counts.values()) == 10


@pytest.mark.parametrize("sizes", [[1, 1], [3, 1, 1], [1] * 25])
def test_tables_that_are_too_small_for_groups_make_one(sizes: list[int]) -> None:
    groups = groups_of([float(j) for j in range(len(sizes))], sizes, {0: 3})
    assert np.bincount(groups.of_rows).min() >= min(6, sum(sizes))
    assert sum(groups.counts.values()) == 3


def test_groups_are_numbered_by_target_in_any_order_of_rows() -> None:
    y = np.repeat([3.0, 1.0, 2.0], [10, 20, 30])
    order = np.random.default_rng(0).permutation(60)
    bins = TargetBins.fit(y, n_bins=3)
    groups, shuffled = _TargetGroups.from_targets(y, bins, {0: 1}), _TargetGroups.from_targets(y[order], bins, {0: 1})
    assert groups.of_rows.tolist() == [2] * 10 + [0] * 20 + [1] * 30
    np.testing.assert_array_equal(shuffled.of_rows, groups.of_rows[order])


def test_names_differ_where_six_digits_would_not() -> None:
    y = np.repeat([1.0, 1.0 + 1e-9], 10)
    groups = _TargetGroups.from_targets(y, TargetBins.fit(y, n_bins=2), {0: 1})
    assert len(set(groups.names)) == 2


def test_targets_between_two_groups_belong_to_the_nearer_one() -> None:
    groups = groups_of([0, 10], [10, 10], {0: 1})
    assert groups.distance(np.array([-5.0, 4.0, 5.0, 8.0]), 0).tolist() == [0.0, 0.0, 0.0, 3.0]
    assert groups.distance(np.array([2.0, 5.0, 99.0]), 1).tolist() == [3.0, 0.0, 0.0]


def test_other_counts_go_to_groups_that_may_get_rows() -> None:
    groups = groups_of([0, 0.2, 1, 1.25, 2], [90, 60, 10, 30, 7], {1: 8}, "value")
    assert groups.counts_of({1: 8}, [2, 3]) == {2: 8}
    assert groups.counts_of({1: 8, 2: 0}) == {1: 2, 2: 6}
    with pytest.raises(InvalidInputError, match=r"bin 2, which was not learned; learned are: \[1\]"):
        groups.counts_of({2: 1}, [1, 2])
