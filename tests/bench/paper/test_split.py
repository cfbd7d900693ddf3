from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from imbllm_autogluon.bench.paper.split import PaperSplit
from imbllm_autogluon.errors import InvalidInputError
from tests.jobs.fits import labelled

if TYPE_CHECKING:
    from collections.abc import Hashable

SIZES: dict[Hashable, int] = {"no": 200, "often": 100, "yes": 50}


@pytest.fixture(scope="module")
def split() -> PaperSplit:
    return PaperSplit.of(labelled(SIZES), 0)


def test_a_fifth_is_judged_on_and_the_minority_is_rare_in_training_alone(split: PaperSplit) -> None:
    assert split.test_y.value_counts().to_dict() == {"no": 40, "often": 20, "yes": 10}
    assert split.y.value_counts().to_dict() == {"no": 160, "often": 80, "yes": 8}
    assert split.minority == "yes"
    assert split.X.merge(split.test_X, how="inner").empty
    assert list(split.X.columns) == ["amount", "visits", "city"]


def test_another_share_of_the_minority_keeps_the_test_rows_and_the_rows_of_smaller_shares(split: PaperSplit) -> None:
    half = PaperSplit.of(labelled(SIZES), 0, kept=0.5)
    assert half.y.value_counts().to_dict() == {"no": 160, "often": 80, "yes": 20}
    assert half.counts == {"often": 80, "yes": 140}
    pd.testing.assert_frame_equal(half.test_X, split.test_X)
    fewer, more = (set(part.X.itertuples(index=False, name=None)) for part in (split, half))
    assert fewer < more


def test_a_share_that_leaves_a_class_too_small_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"kept must be a number between 0\.1 and 1\.0; got 0\.05"):
        PaperSplit.of(labelled(SIZES), 0, kept=0.05)


def test_every_rarer_class_is_wanted_up_to_the_largest(split: PaperSplit) -> None:
    assert split.counts == {"often": 80, "yes": 152}


def test_nearly_balanced_classes_and_many_rare_ones_are_wanted_in_full() -> None:
    assert PaperSplit.of(labelled({"no": 50, "often": 45, "yes": 40}), 0).counts == {"often": 4, "yes": 34}
    many: dict[Hashable, int] = {"no": 900, **{f"rare {place}": 30 for place in range(8)}}
    counts = PaperSplit.of(labelled(many), 0).counts
    assert sum(counts.values()) == 7 * (720 - 24) + 720 - 5, "no limit of growth"


def test_another_seed_is_another_split(split: PaperSplit) -> None:
    pd.testing.assert_frame_equal(PaperSplit.of(labelled(SIZES), 0).X, split.X)
    assert not PaperSplit.of(labelled(SIZES), 1).X.equals(split.X)


def test_classes_too_small_to_be_judged_are_left_out() -> None:
    split = PaperSplit.of(labelled({**SIZES, "24": 24, "once": 1}), 0)
    assert set(split.y) == set(split.test_y) == set(SIZES)
    assert split.minority == "yes"


def test_a_table_without_two_classes_to_judge_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"rows\.csv has fewer than two classes of at least 25 rows") as caught:
        PaperSplit.of(labelled({"no": 90, "yes": 24}), 0)
    assert "{'no': 90, 'yes': 24}" in str(caught.value)
