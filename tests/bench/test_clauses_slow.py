"""A real model, really fine-tuned: what 200 LoRA steps do to SmolLM2. Minutes; needs `imbllm models fetch smollm2`."""

from __future__ import annotations

import pytest

from conftest import USERS_CACHE
from imbllm_autogluon.bench.clauses import measure
from imbllm_autogluon.bench.speed_tables import speed_tables
from imbllm_autogluon.language.backbones import find_backbone
from imbllm_autogluon.language.backbones.smollm2 import smollm2_is_ready

NARROW = 1
"""Place of the table of eight columns."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_200_lora_steps_lower_the_held_out_loss_and_bring_the_columns_closer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBLLM_CACHE_DIR", USERS_CACHE)
    if not smollm2_is_ready():
        pytest.skip("smollm2 is not on this machine: imbllm models fetch smollm2")
    backbone = find_backbone("smollm2").location
    table = speed_tables((), 100)[NARROW]
    before, after = (
        measure(table, {"backbone": backbone, "steps": steps, "batch_size": 8}, 200, 1, 0) for steps in (0, 200)
    )
    assert after["held-out nats"] < before["held-out nats"]
    assert after["marginal distance"] < before["marginal distance"]
