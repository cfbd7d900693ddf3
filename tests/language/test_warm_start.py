"""A warm-up that is read instead of learned leads to the same model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from imbllm_autogluon.language.model import WARM_UP, TableLanguageModel, restore_warm
from imbllm_autogluon.language.training import Trainer
from tests.language.tables import TINY, clauses_of, table, vocabulary_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FRAME = table()


def trained(warm_start: Path | None, *, few: int = 15, **options: Any) -> TableLanguageModel:
    model = TableLanguageModel(vocabulary_of(FRAME), TINY, 0)
    rows = clauses_of(model.vocabulary, FRAME)
    model.train(rows.take(np.arange(few)), warmup=rows, warm_start=warm_start, **options)
    return model


def same(first: TableLanguageModel, second: TableLanguageModel) -> bool:
    pairs = zip(first._backbone.model.state_dict().values(), second._backbone.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name of the stage of every step that is taken."""
    taken: list[str] = []
    original = Trainer._step

    def counted(self: Trainer, stage: Any, *rest: Any) -> None:
        taken.append(stage.name)
        original(self, stage, *rest)

    monkeypatch.setattr(Trainer, "_step", counted)
    return taken


def test_the_second_training_skips_the_warm_up_and_ends_with_the_same_weights(tmp_path: Path, steps: list[str]) -> None:
    alone = trained(None)
    first = trained(tmp_path / "new" / "warm.safetensors")
    steps.clear()
    second = trained(tmp_path / "new" / "warm.safetensors")
    assert set(steps) == {"minority"}
    assert same(alone, first)
    assert same(alone, second)
    assert second.curves[WARM_UP] == first.curves[WARM_UP]
    assert list(second.curves) == [WARM_UP, "minority"]


def test_what_follows_the_warm_up_may_differ(tmp_path: Path) -> None:
    file = tmp_path / "warm.safetensors"
    trained(file)
    assert same(trained(file, few=8), trained(None, few=8))


def test_progress_counts_skipped_steps_too(tmp_path: Path) -> None:
    trained(tmp_path / "warm.safetensors")
    seen: list[int] = []
    trained(tmp_path / "warm.safetensors", progress=seen.append)
    assert sum(seen) == TINY.warmup_steps + TINY.steps


def test_a_warm_up_that_ran_out_of_time_is_not_kept(tmp_path: Path) -> None:
    trained(tmp_path / "warm.safetensors", time_limit=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_learned_again_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "warm.safetensors"
    file.write_bytes(b"nonsense")
    with caplog.at_level(logging.WARNING):
        model = trained(file)
    assert "learned again" in caplog.text
    assert same(model, trained(None))
    assert restore_warm(file, model._backbone.tuning.learning()) is not None


def test_weights_of_another_shape_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "warm.safetensors"
    trained(file)
    other = {name: torch.nn.Parameter(torch.zeros(3)) for name in trained(None)._backbone.tuning.learning()}
    assert restore_warm(file, other) is None
    assert all(float(weight.detach().abs().sum()) == 0.0 for weight in other.values())
