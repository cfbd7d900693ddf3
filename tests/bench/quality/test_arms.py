from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.quality import arms as quality_arms
from imbllm_autogluon.bench.quality.arms import ARMS, NOISE, OTHERS, RANDOM, SLOW_ARMS, QualitySplit, arms_of, written
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.labelled import LabelledTable
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from collections.abc import Hashable

BARELY = {"layers": 1, "width": 16, "warmup_steps": 0, "steps": 2}
SIZES: dict[Hashable, int] = {"no": 90, "often": 30, "yes": 15}


@pytest.fixture(scope="module")
def split() -> QualitySplit:
    return QualitySplit.of(labelled(SIZES), 0)


def test_a_third_of_each_class_is_held_out_and_rarer_ones_are_wanted_up_to_the_largest(split: QualitySplit) -> None:
    assert split.labels.value_counts().to_dict() == {"no": 60, "often": 20, "yes": 10}
    assert split.holdout["label"].value_counts().to_dict() == {"no": 30, "often": 10, "yes": 5}
    assert split.counts == {"often": 40, "yes": 50}
    shared = split.train.merge(split.holdout, how="inner")
    assert shared.empty


def test_another_seed_is_another_split(split: QualitySplit) -> None:
    pd.testing.assert_frame_equal(QualitySplit.of(labelled(SIZES), 0).train, split.train)
    assert not QualitySplit.of(labelled(SIZES), 1).train.equals(split.train)


def test_no_class_is_wanted_more_often_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_arms, "MOST_WRITTEN", 45)
    assert QualitySplit.of(labelled(SIZES), 0).counts == {"often": 40, "yes": 45}


def test_classes_too_small_to_be_judged_are_left_out() -> None:
    split = QualitySplit.of(labelled({**SIZES, "once": 1, "eight": 8}), 0)
    assert set(split.labels) == set(split.holdout["label"]) == set(SIZES)


@pytest.mark.parametrize("sizes", [{"no": 30, "yes": 30}, {"no": 30, "yes": 8}])
def test_a_table_without_a_rarer_class_is_refused(sizes: dict[Hashable, int]) -> None:
    with pytest.raises(InvalidInputError, match=r"rows\.csv has no class of at least 9 rows that is rarer") as caught:
        QualitySplit.of(labelled(sizes), 0)
    assert str(sizes) in str(caught.value)


def test_slow_arms_are_asked_for() -> None:
    assert list(arms_of(slow=False)) == list(ARMS)
    assert set(arms_of(slow=True)) == set(ARMS) | set(SLOW_ARMS)


@pytest.mark.parametrize("arm", [arm for arm in arms_of(slow=True) if arm != OTHERS])
def test_every_arm_writes_the_wanted_rows_of_each_class_in_the_columns_of_the_table(
    split: QualitySplit, arm: str
) -> None:
    spec = arms_of(slow=True)[arm]
    settings = BARELY if spec["method"] in ("imbllm", "great", "pred_llm") else {}
    compared = written(split, {**spec, **settings}, 0, 1)
    assert compared.real is split.train
    assert compared.synthetic["label"].value_counts().to_dict() == split.counts
    pd.testing.assert_series_equal(compared.synthetic.dtypes[split.train.columns], split.train.dtypes)


def test_other_real_rows_are_a_half_that_is_taken_out_of_the_table(split: QualitySplit) -> None:
    compared = written(split, ARMS[OTHERS], 0, 1)
    assert compared.synthetic["label"].value_counts().to_dict() == {"often": 10, "yes": 5}
    assert compared.real["label"].value_counts().to_dict() == {"no": 60, "often": 10, "yes": 5}
    together = pd.concat([compared.real, compared.synthetic])
    names = list(split.train.columns)
    assert sorted(map(tuple, together[names].to_numpy())) == sorted(map(tuple, split.train[names].to_numpy()))
    assert not written(split, ARMS[OTHERS], 1, 1).synthetic.equals(compared.synthetic)


def test_duplicated_rows_are_rows_of_their_class(split: QualitySplit) -> None:
    drawn = written(split, ARMS[RANDOM], 0, 1).synthetic
    assert len(drawn.merge(split.train.drop_duplicates(), how="inner")) == len(drawn)


def test_noise_is_even_within_the_ends_of_columns_and_among_their_values() -> None:
    frame = mixed_table({"no": 900, "yes": 90})
    frame["amount"] = frame["amount"] ** 3
    frame.loc[::4, "amount"] = None
    frame.loc[::5, "city"] = None
    frame["empty"] = np.nan
    split = QualitySplit.of(LabelledTable.of(frame, "label"), 0)
    rows, real = written(split, ARMS[NOISE], 0, 1).synthetic, split.train
    amount, ends = rows["amount"].dropna(), (real["amount"].min(), real["amount"].max())
    assert amount.between(*ends).all()
    assert amount.mean() == pytest.approx(np.mean(ends), abs=0.1 * (ends[1] - ends[0])), "not where the real rows are"
    assert rows["amount"].isna().mean() == pytest.approx(0.25, abs=0.07)
    assert rows["visits"].dtype == real["visits"].dtype
    assert set(rows["city"].dropna()) == set(real["city"].dropna())
    assert rows["city"].isna().mean() == pytest.approx(0.25, abs=0.07), "missing is one of four values"
    assert rows["empty"].isna().all()
