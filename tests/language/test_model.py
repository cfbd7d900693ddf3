"""The language model of a table: what training, writing, saving and loading promise."""

from __future__ import annotations

import dataclasses
import json
import logging
import pickle
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.encoding.orders import _ORDERS, Order
from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.language.losses import LabelObjective
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.training import _FlatAdamW
from tests.language import trainers
from tests.language.tables import LABEL, TINY, clauses_of, completed, legal_rows, prompts, table, vocabulary_of
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.encoding import Clauses
    from imbllm_autogluon.encoding.values import Numbers
    from imbllm_autogluon.language.batches import Prompts
    from imbllm_autogluon.language.config import LanguageConfig

FRAME = table()


def model_of(config: LanguageConfig = TINY, seed: int = 0) -> TableLanguageModel:
    numbers = config.resolved().numbers
    assert numbers is not None
    return TableLanguageModel(vocabulary_of(FRAME, numbers), config, seed)


def rows_of(model: TableLanguageModel) -> tuple[Clauses, Clauses]:
    """Rows of the rare class, and all rows."""
    everyone = clauses_of(model.vocabulary, FRAME)
    return everyone.take(np.arange(0, 60, 4)), everyone


def trained(config: LanguageConfig = TINY, seed: int = 0, **options: Any) -> TableLanguageModel:
    model = model_of(config, seed)
    rare, everyone = rows_of(model)
    model.train(rare, pretrain=everyone, **options)
    return model


def batches(model: TableLanguageModel) -> list[Prompts]:
    everyone = clauses_of(model.vocabulary, FRAME)
    return [
        prompts(everyone, [LABEL, 0, 1, 2, 3, 4], 1, [0] * 20),
        prompts(everyone, [LABEL, 2, 0, 4, 3, 1], 2, [0, 4, 8, 12]),
    ]


def written(model: TableLanguageModel, seed: int = 0) -> list[Any]:
    return [rows.tokens.tolist() for rows in completed(model, batches(model), seed)]


@pytest.mark.parametrize(("numbers", "order", "steps"), cases(["bins", "digits"], _ORDERS, [1, 2], together=1))
def test_every_row_is_legal_at_any_stage_of_training(numbers: Numbers, order: Order, steps: int) -> None:
    config = dataclasses.replace(TINY, numbers=numbers, order=order, steps=steps, pretrain_steps=steps, temperature=5.0)
    model = trained(config)
    found = completed(model, batches(model))
    assert [len(rows.tokens) for rows in found] == [20, 4]
    for rows, batch in zip(found, batches(model), strict=True):
        assert rows.present.all()
        assert legal_rows(model.encoding, rows.tokens)
        width = min(rows.tokens.shape[2], batch.tokens.shape[2])
        given = batch.order[: batch.given]
        assert rows.tokens[:, given, :width].tolist() == batch.tokens[:, given, :width].tolist()


def test_the_same_seeds_give_the_same_rows_and_other_seeds_other_rows() -> None:
    first, again = trained(seed=1), trained(seed=1)
    assert written(first) == written(again)
    assert written(first, seed=0) != written(first, seed=1)
    assert first.curves["minority"].losses == again.curves["minority"].losses
    assert trained(seed=2).curves["minority"].losses != first.curves["minority"].losses


def test_training_and_writing_leave_no_trace_in_the_process() -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is meant
    torch.manual_seed(3)
    torch.set_flush_denormal(False)
    logging.getLogger("transformers").setLevel(logging.INFO)
    before = process_state()
    inside: list[int] = []
    model = trained(threads=2, progress=lambda _: inside.append(torch.get_num_threads()))
    assert set(inside) == {2}
    completed(model, batches(model), threads=2)
    assert process_state() == before


def process_state() -> tuple[Any, ...]:
    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generator is meant
    halved = torch.tensor([2.2250738585072014e-308], dtype=torch.float64) / 2
    return (
        *(python, str(numpy_state), torch.get_rng_state().tolist(), torch.get_num_threads(), halved.item()),
        *(logging.getLogger("transformers").level, logging.getLogger().level),
    )


def test_training_tells_how_each_stage_went() -> None:
    model = trained()
    pretrain, minority = model.curves["warm-up"], model.curves["minority"]
    assert list(model.curves) == ["warm-up", "minority"]
    assert [len(pretrain.losses), len(minority.losses)] == [3, 3]
    assert [pretrain.stopped_by, minority.stopped_by] == ["steps", "steps"]
    assert minority.tokens == 3 * 8 * 6


def test_the_stage_after_a_warm_up_is_trained_at_a_third_of_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, step = [], _FlatAdamW.step

    def recorded(self: _FlatAdamW, rate: float, divisor: int) -> None:
        rates.append(rate)
        step(self, rate, divisor)

    monkeypatch.setattr(_FlatAdamW, "step", recorded)
    trained()
    model = model_of()
    model.train(rows_of(model)[0])
    peaks = [rates[0], rates[3], rates[6]]
    assert len(rates) == 9
    assert peaks == pytest.approx([3e-3, 1e-3, 3e-3])


def test_progress_is_told_each_step_of_all_stages() -> None:
    steps: list[int] = []
    trained(progress=steps.append)
    assert sum(steps) == 6


@pytest.mark.parametrize(("time_limit", "configured", "steps"), [(0.0, None, 0), (None, 1e-9, 1), (0.0, 1.0, 0)])
def test_no_time_stops_every_stage_at_once_and_says_so(
    time_limit: float | None, configured: float | None, steps: int
) -> None:
    long = dataclasses.replace(TINY, steps=10**6, pretrain_steps=10**6, time_limit=configured)
    model = trained(long, time_limit=time_limit)
    assert [len(curve.losses) <= steps for curve in model.curves.values()] == [True, True]
    assert [curve.stopped_by for curve in model.curves.values()] == ["time limit", "time limit"]
    assert len(written(model)[0]) == 20


def test_other_settings_of_decoding_share_the_weights() -> None:
    model = trained()
    other = model.with_config(dataclasses.replace(TINY, temperature=0.01))
    assert written(other) != written(model)
    assert written(other.with_config(TINY)) == written(model)
    assert other.n_parameters == model.n_parameters > 0


@pytest.mark.parametrize("numbers", ["bins", "digits"])
def test_a_loaded_model_writes_the_same_rows(numbers: Numbers, tmp_path: Path) -> None:
    model = trained(dataclasses.replace(TINY, numbers=numbers))
    model.save(tmp_path)
    loaded = TableLanguageModel.load(tmp_path)
    assert written(loaded) == written(model)
    assert loaded.config == model.config
    assert loaded.curves == model.curves
    assert loaded.n_parameters == model.n_parameters
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-1", "state.json"]


WEIGHTS = "state-1/arrays.safetensors"


def unknown_setting(folder: Path) -> None:
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    state["data"]["config"] = {"stepz": 3}
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")


def another_shape(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file({name: weight[:1].clone() for name, weight in weights.items()}, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "state.json").write_text("{", encoding="utf-8"), "no usable language model in"),
        (lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100]), "no usable language"),
        (unknown_setting, "unknown setting 'stepz'"),
        (another_shape, "the stored weights do not fit the model"),
    ],
)
def test_broken_missing_and_foreign_files_are_refused(spoil: Any, message: str, tmp_path: Path) -> None:
    trained().save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(StoredStateError, match=message):
        TableLanguageModel.load(tmp_path)


def test_a_pickled_model_writes_the_same_rows() -> None:
    model = trained()
    again = pickle.loads(pickle.dumps(model))
    assert written(again) == written(model)
    assert again.curves == model.curves
    assert again.config == model.config


@pytest.mark.parametrize("clauses", ["text", "tokens"])
def test_a_pickle_does_not_hold_the_weights_of_the_base_model(pretrained_gpt2: Path, clauses: str) -> None:
    model = trainers.trained(pretrained_gpt2, tuning="lora", clauses=clauses)
    content = pickle.dumps(model)
    base = load_file(pretrained_gpt2 / "model.safetensors")
    blocks = [weight for name, weight in base.items() if ".h." in name and weight.ndim == 2]
    assert len(blocks) >= 4
    assert not any(weight.numpy().tobytes() in content for weight in blocks)
    assert trainers.written(pickle.loads(content)) == trainers.written(model)


def test_an_objective_makes_the_second_stage_learn_the_label() -> None:
    model = model_of(dataclasses.replace(TINY, order="permute_x", steps=4))
    rare, everyone = rows_of(model)
    model.train(everyone, pretrain=everyone, held_out=rare, objective=LabelObjective(feature_weight=0.0), stage="label")
    assert list(model.curves) == ["warm-up", "label"]
    assert model.curves["label"].tokens == 8 * len(model.curves["label"].losses)  # one for each sentence
    assert model.curves["label"].losses[0] == pytest.approx(np.log(2), rel=0.25)
    assert model.curves["label"].held_out[0][1] < 2


def test_weights_of_labels_change_what_is_learned() -> None:
    config = dataclasses.replace(TINY, order="permute_x", pretrain="none", steps=10, learning_rate=1e-2)
    answers = []
    for rare_weight in (0.05, 20.0):
        model = model_of(config)
        _, everyone = rows_of(model)
        weights = np.where(np.arange(60) % 4 == 0, rare_weight, 1.0)
        model.train(everyone.with_weights(weights), objective=LabelObjective(feature_weight=0.0))
        batch = prompts(everyone, [0, 1, 2, 3, 4, LABEL], 5, list(range(60)))
        answers.append(np.exp(model.score_all([batch], LABEL, everyone.tokens[:1, LABEL])[0]).mean())
    assert answers[0] < 0.2 < 0.7 < answers[1]


def test_a_masked_model_has_no_objective_for_its_label() -> None:
    model = model_of(dataclasses.replace(TINY, backbone="compact_masked"))
    rare, _ = rows_of(model)
    with pytest.raises(InvalidInputError, match="masked language model"):
        model.train(rare, objective=LabelObjective())
