"""Generators of the whole table: one stage as long as two, all classes alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imbllm_autogluon.oversampling.great import GReaT
from imbllm_autogluon.oversampling.pred_llm_generator import PredLLMGenerator
from tests.oversampling.tables import labels, mixed, quick

if TYPE_CHECKING:
    from imbllm_autogluon.oversampling.whole_table import WholeTableGenerator

both = pytest.mark.parametrize("make", [GReaT, PredLLMGenerator])


@both
@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"warmup_steps": 3, "steps": 2}, 5),
        ({"warmup_steps": 0, "steps": 2}, 2),
        ({"warmup_steps": 3, "steps": 2, "warmup": "none"}, 5),
        ({"warmup_steps": 3, "epochs": 2.0, "batch_size": 10}, 16),
    ],
)
def test_the_one_stage_is_as_long_as_both_of_imbllm(
    make: type[WholeTableGenerator], settings: dict[str, Any], steps: int
) -> None:
    generator = make(quick(**settings), random_state=0).fit(mixed(80), labels(50, 30), {"b": 4})
    assert {name: len(curve) for name, curve in generator.report.losses.items()} == {"whole table": steps}


@both
def test_every_class_is_learned_whatever_is_asked_for(make: type[WholeTableGenerator]) -> None:
    generator = make(quick())
    generator._counts = {2: 4}
    assert generator._learned_classes(np.array([2, 0, 1, 1, 0])) == [0, 1, 2]


@both
def test_each_method_has_its_own_order_of_clauses(make: type[WholeTableGenerator]) -> None:
    language = make(quick())._language()
    expected = {GReaT: ("permute_xy", 0.0), PredLLMGenerator: ("permute_x", 0.5)}[make]
    assert (language.chosen_order, language.column_order_share, language.warmup) == (*expected, "none")
