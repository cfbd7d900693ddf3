from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.input_space import TargetImbLLM
from imbllm_autogluon.tables import TableSchema
from tests.regression.frames import skewed

QUICK = GeneratorConfig.from_flat({"layers": 1, "width": 16, "warmup_steps": 2, "steps": 2})
LEARNED = GeneratorConfig.from_flat({"layers": 1, "width": 32, "warmup_steps": 120, "steps": 120})


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
