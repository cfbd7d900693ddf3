"""Training that was interrupted is resumed as if it had not been; a stored warm-up leads to the same model."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.language.checkpoints import Checkpoint
from imbllm_autogluon.language.model import TableLanguageModel, _restore_warm
from imbllm_autogluon.language.training import Trainer
from tests.language.pretrained import save_pretrained
from tests.language.tables import TINY, clauses_of, vocabulary_of
from tests.language.trainers import (
    FRAME,
    Killed,
    KilledAfter,
    SmallTable,
    everyone,
    model_over,
    same_weights,
    tiny_model,
    trained,
    weights_of,
)
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from imbllm_autogluon.language.config import LanguageConfig

STEPS = 12


def with_dropout(model: Any) -> Any:
    """The same model dropping a fifth of all activations while it learns, as GPT-2 does."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.2
    return model


def whole_run(small: SmallTable, checkpoint: Checkpoint | None, *, dropout: bool, judged: bool, kill: int = 0) -> Any:
    """A model trained for two stages, or killed after some steps."""
    model = with_dropout(tiny_model(small.encoding)) if dropout else tiny_model(small.encoding)
    kept = small.held_out() if judged else None
    stages = [
        small.stage(STEPS, size=16, name="first", rate=1e-2),
        small.stage(STEPS, size=16, name="second", rate=1e-2, held_out=kept, patience=99),
    ]
    progress = KilledAfter(kill) if kill else lambda _: None
    torch.manual_seed(5)
    curves = small.trainer(model, checkpoint=checkpoint).run_all(stages, None, progress)
    return weights_of(model), curves


@functools.cache
def uninterrupted(*, dropout: bool, judged: bool) -> Any:
    """Weights and curves of a run that nothing kills."""
    return whole_run(SmallTable(), None, dropout=dropout, judged=judged)


@pytest.mark.parametrize(
    ("kill", "judged", "dropout"),
    cases([2, 7, STEPS, STEPS + 1, STEPS + 2, STEPS + 8, 2 * STEPS], [False, True], [False, True], together=1),
)
def test_training_that_goes_on_ends_as_if_it_had_never_stopped(
    kill: int, judged: bool, dropout: bool, tmp_path: Path
) -> None:
    small = SmallTable()
    weights, curves = uninterrupted(dropout=dropout, judged=judged)
    with pytest.raises(Killed):
        whole_run(small, Checkpoint(tmp_path, "it", every=0.0), dropout=dropout, judged=judged, kill=kill)
    resumed, again = whole_run(small, Checkpoint(tmp_path, "it", every=0.0), dropout=dropout, judged=judged)
    assert same_weights(resumed, weights)
    for name, curve in again.items():
        assert dataclasses.replace(curve, seconds=curves[name].seconds) == curves[name]


def test_patience_goes_on_where_it_was(tmp_path: Path) -> None:
    small = SmallTable()

    def run(checkpoint: Checkpoint | None, progress: Any = lambda _: None) -> Any:
        model = tiny_model(small.encoding)
        stage = small.stage(30, size=4, rate=0.5, held_out=small.held_out(), patience=2)
        curve = small.trainer(model, checkpoint=checkpoint).run(stage, progress)
        return weights_of(model), dataclasses.replace(curve, seconds=0.0)

    weights, curve = run(None)
    assert curve.stopped_by == "held-out loss"
    with pytest.raises(Killed):
        run(Checkpoint(tmp_path, "it", every=0.0), KilledAfter(len(curve.losses) - 1))
    resumed, again = run(Checkpoint(tmp_path, "it", every=0.0))
    assert again == curve
    assert same_weights(resumed, weights)


def test_resumed_steps_are_told_at_once_and_their_seconds_count(tmp_path: Path) -> None:
    small, seen = SmallTable(), []
    with pytest.raises(Killed):
        small.trainer(tiny_model(small.encoding), checkpoint=Checkpoint(tmp_path, "it", every=0.0)).run(
            small.stage(6), KilledAfter(5)
        )
    state = json.loads((tmp_path / "state.json").read_text())
    trainer = small.trainer(tiny_model(small.encoding), checkpoint=Checkpoint(tmp_path, "it"))
    curve = trainer.run(small.stage(6), seen.append)
    assert seen == [4, 1, 1]
    assert len(curve.losses) == 6
    assert curve.seconds > state["data"]["progress"]["seconds"] > 0


def test_another_training_begins_anew_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small, seen = SmallTable(), []
    with pytest.raises(Killed):
        whole_run(small, Checkpoint(tmp_path, "one", every=0.0), dropout=False, judged=False, kill=5)
    checkpoint = Checkpoint(tmp_path, "other", every=0.0)
    assert checkpoint.stage is None
    small.trainer(tiny_model(small.encoding), checkpoint=checkpoint).run(small.stage(3, name="first"), seen.append)
    assert [step for step in seen if step] == [1, 1, 1]
    assert f"{tmp_path} holds the checkpoint of another training; this one begins again." in caplog.messages


def test_a_checkpoint_is_stored_no_more_often_than_asked_for(tmp_path: Path) -> None:
    small = SmallTable()
    small.trainer(tiny_model(small.encoding), checkpoint=Checkpoint(tmp_path / "c", "it")).run(small.stage(5))
    assert not (tmp_path / "c").exists()


def test_a_kill_while_storing_leaves_the_last_whole_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = SmallTable()
    weights, _ = uninterrupted(dropout=False, judged=False)
    with pytest.raises(Killed):
        whole_run(small, Checkpoint(tmp_path, "it", every=0.0), dropout=False, judged=False, kill=5)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        with pytest.raises(Killed):
            whole_run(small, Checkpoint(tmp_path, "it", every=0.0), dropout=False, judged=False)
    resumed, _ = whole_run(small, Checkpoint(tmp_path, "it", every=0.0), dropout=False, judged=False)
    assert same_weights(resumed, weights)
    assert len(list(tmp_path.glob("state-*"))) == 1


def tensors(folder: Path) -> Path:
    return next(folder.glob("*/*.safetensors"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: tensors(folder).unlink(), "no usable checkpoint in .* Delete the folder"),
        (lambda folder: tensors(folder).write_bytes(tensors(folder).read_bytes()[:99]), "no usable checkpoint in"),
        (lambda folder: save_file({"weights/x": torch.ones(1)}, tensors(folder)), "no usable checkpoint in"),
        (lambda folder: (folder / "state.json").write_text("{"), "no usable checkpoint in"),
    ],
)
def test_a_broken_checkpoint_is_an_error_that_says_what_to_do(spoil: Any, message: str, tmp_path: Path) -> None:
    small = SmallTable()
    with pytest.raises(Killed):
        whole_run(small, Checkpoint(tmp_path, "it", every=0.0), dropout=False, judged=False, kill=5)
    spoil(tmp_path)
    with pytest.raises(StoredStateError, match=message):
        whole_run(small, Checkpoint(tmp_path, "it", every=0.0), dropout=False, judged=False)


CONFIG = dataclasses.replace(TINY, steps=6, pretrain_steps=6, validation_fraction=0.2)


def train(folder: Path | None, config: LanguageConfig = CONFIG, seed: int = 0, **options: Any) -> TableLanguageModel:
    """A language model of the small table, both stages, the first rows held out."""
    model = TableLanguageModel(SmallTable().vocabulary, config, seed)
    everyone = clauses_of(model.vocabulary, FRAME)
    rare, kept = everyone.take(np.arange(0, 60, 4)), everyone.take(np.arange(0, 20, 4))
    model.train(rare, pretrain=everyone, held_out=kept, checkpoint=folder, **options)
    return model


@pytest.fixture
def _store_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    eager = functools.partial(Checkpoint, every=0.0)
    monkeypatch.setattr("imbllm_autogluon.language.model.Checkpoint", eager)


@pytest.mark.usefixtures("_store_each_step")
@pytest.mark.parametrize(("backbone", "kill"), cases(["compact", "compact_masked"], [3, 9], together=1))
def test_a_language_model_goes_on_from_its_checkpoint_folder_and_empties_it(
    backbone: str, kill: int, tmp_path: Path
) -> None:
    folder, config = tmp_path / "checkpoint", dataclasses.replace(CONFIG, backbone=backbone)
    whole = train(None, config)
    with pytest.raises(Killed):
        train(folder, config, progress=KilledAfter(kill))
    assert (folder / "state.json").is_file()
    resumed = train(folder, config)
    assert same_weights(weights_of(resumed._backbone.model), weights_of(whole._backbone.model))
    assert resumed.curves["minority"].held_out == whole.curves["minority"].held_out
    assert not folder.exists()


@pytest.mark.usefixtures("_store_each_step")
@pytest.mark.parametrize(
    ("change", "seed"),
    [({"steps": 7}, 0), ({"learning_rate": 1e-4}, 0), ({"order": "permute_x"}, 0), ({}, 1)],
    ids=["steps", "rate", "order", "seed"],
)
def test_other_settings_or_another_seed_make_another_training(
    change: dict[str, Any], seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Killed):
        train(tmp_path, progress=KilledAfter(4))
    with caplog.at_level(logging.INFO):
        train(tmp_path, dataclasses.replace(CONFIG, **change), seed)
    assert "begins again" in caplog.text
    assert "goes on" not in caplog.text


@pytest.mark.usefixtures("_store_each_step")
def test_more_time_and_other_sampling_are_the_same_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Killed):
        train(tmp_path, progress=KilledAfter(4))
    changed = dataclasses.replace(CONFIG, time_limit=60.0, temperature=2.0, generation_batch=7)
    with caplog.at_level(logging.INFO):
        train(tmp_path, changed, time_limit=50.0)
    assert "Training goes on at step 3 of the stage 'warm-up'." in caplog.messages


@pytest.mark.usefixtures("_store_each_step")
def test_the_steps_of_a_stage_that_was_done_before_are_told_at_once(tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(Killed):
        train(tmp_path, progress=KilledAfter(9))
    train(tmp_path, progress=seen.append)
    assert seen == [6, 2, 1, 1, 1, 1]


@pytest.mark.usefixtures("_store_each_step")
@pytest.mark.parametrize("tuning", ["lora", "top_blocks"])
def test_a_pretrained_model_goes_on_where_only_some_weights_learn(
    tuning: str, pretrained_gpt2: Path, tmp_path: Path
) -> None:
    settings = {"tuning": tuning, "steps": 8, "validation_fraction": 0.2}
    whole = trained(pretrained_gpt2, **settings)
    model = model_over(pretrained_gpt2, **settings)
    rare = everyone(model).take(np.arange(0, 60, 4))
    with pytest.raises(Killed):
        model.train(rare, checkpoint=tmp_path, progress=KilledAfter(5))
    stored = load_file(tensors(tmp_path))
    assert sum(weight.numel() for name, weight in stored.items() if name.startswith("weights/")) == model.n_learning
    resumed = model_over(pretrained_gpt2, **settings)
    resumed.train(rare, checkpoint=tmp_path)
    assert same_weights(weights_of(resumed._backbone.model), weights_of(whole._backbone.model))


def warmed(warm_start: Path | None, *, few: int = 15, **options: Any) -> TableLanguageModel:
    model = TableLanguageModel(vocabulary_of(FRAME), TINY, 0)
    rows = clauses_of(model.vocabulary, FRAME)
    model.train(rows.take(np.arange(few)), pretrain=rows, warm_start=warm_start, **options)
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
    alone = warmed(None)
    first = warmed(tmp_path / "new" / "warm.safetensors")
    steps.clear()
    second = warmed(tmp_path / "new" / "warm.safetensors")
    assert set(steps) == {"minority"}
    assert same(alone, first)
    assert same(alone, second)
    assert second.curves["warm-up"] == first.curves["warm-up"]
    assert list(second.curves) == ["warm-up", "minority"]


def test_what_follows_the_warm_up_may_differ(tmp_path: Path) -> None:
    file = tmp_path / "warm.safetensors"
    warmed(file)
    assert same(warmed(file, few=8), warmed(None, few=8))


def test_a_warm_up_that_ran_out_of_time_is_not_kept(tmp_path: Path) -> None:
    warmed(tmp_path / "warm.safetensors", time_limit=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_learned_again_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "warm.safetensors"
    file.write_bytes(b"nonsense")
    with caplog.at_level(logging.WARNING):
        model = warmed(file)
    assert "learned again" in caplog.text
    assert same(model, warmed(None))
    assert _restore_warm(file, model._backbone.tuning.learning()) is not None


def test_weights_of_another_shape_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "warm.safetensors"
    warmed(file)
    other = {name: torch.nn.Parameter(torch.zeros(3)) for name in warmed(None)._backbone.tuning.learning()}
    assert _restore_warm(file, other) is None
    assert all(float(weight.detach().abs().sum()) == 0.0 for weight in other.values())


@pytest.mark.usefixtures("_store_each_step")
def test_another_base_model_makes_another_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = model_over(save_pretrained(tmp_path / "base", "gpt2", seed=0), steps=3)
    with pytest.raises(Killed):
        model.train(everyone(model), checkpoint=tmp_path / "c", progress=KilledAfter(2))
    other = model_over(save_pretrained(tmp_path / "base", "gpt2", seed=1), steps=3)
    other.train(everyone(other), checkpoint=tmp_path / "c")
    assert "begins again" in caplog.text
