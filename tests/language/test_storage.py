"""A stored model holds what learned and nothing else, and writes the same rows when it is loaded."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.language.pretrained import quiet_transformers
from imbllm_autogluon.language.batches import fixed_sentences
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.sentences import TextVocabulary
from tests.language.pretrained import save_pretrained
from tests.language.trainers import same_weights, weights_of
from tests.language.tuned import WAYS, everyone, learned, model_over, trained, written
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("folder", "tuning", "clauses"), WAYS, indirect=["folder"])
def test_a_loaded_model_has_the_same_weights_and_writes_the_same_rows(
    folder: Path, tuning: str, clauses: str, tmp_path: Path
) -> None:
    model = learned(folder, tuning, clauses)
    model.save(tmp_path)
    loaded = TableLanguageModel.load(tmp_path)
    assert same_weights(weights_of(loaded._backbone.model), weights_of(model._backbone.model))
    assert written(loaded) == written(model)
    assert (loaded.config, loaded.curves, loaded.seed) == (model.config, model.curves, model.seed)
    assert loaded.encoding.token_texts == model.encoding.token_texts
    assert written(model_over(folder, tuning=tuning, clauses=clauses)) != written(model)


@pytest.mark.parametrize(("folder", "tuning", "clauses"), WAYS, indirect=["folder"])
def test_a_loaded_model_can_be_saved_again_and_trained_on(
    folder: Path, tuning: str, clauses: str, tmp_path: Path
) -> None:
    model = trained(folder, tuning=tuning, clauses=clauses, steps=12)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    model.save(tmp_path / "one")
    loaded = TableLanguageModel.load(tmp_path / "one")
    loaded.save(tmp_path / "two")
    assert written(TableLanguageModel.load(tmp_path / "two")) == written(model)
    before = model.curves["minority"].losses
    loaded.train(everyone(loaded).take(np.arange(0, 60, 4)))
    assert loaded.curves["minority"].losses[0] < 0.9 * before[0]


def stored_numbers(folder: Path) -> int:
    """Numbers in all safetensors files of a folder."""
    return sum(weight.numel() for file in folder.rglob("*.safetensors") for weight in load_file(file).values())


@pytest.mark.parametrize(("folder", "tuning", "clauses"), WAYS, indirect=["folder"])
def test_only_what_learned_is_stored(folder: Path, tuning: str, clauses: str, tmp_path: Path) -> None:
    model = learned(folder, tuning, clauses)
    model.save(tmp_path)
    assert stored_numbers(tmp_path) == model.n_learning
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    own = ["language.json", "model.safetensors"]
    adapter = [f"adapter/{name}" for name in ("README.md", "adapter_config.json", "adapter_model.safetensors")]
    assert files == (sorted([*adapter, *own]) if tuning == "lora" else own)


def test_adapters_take_less_room_than_the_model(pretrained_gpt2: Path, tmp_path: Path) -> None:
    trained(pretrained_gpt2, tuning="lora", clauses="text", lora_rank=1).save(tmp_path)
    weights = sum(file.stat().st_size for file in tmp_path.rglob("*.safetensors"))
    assert weights < 0.25 * (pretrained_gpt2 / "model.safetensors").stat().st_size


def test_nothing_that_is_stored_names_an_access_token(
    pretrained_gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    trained(pretrained_gpt2, tuning="lora", token_variable="MY_TOKEN").save(tmp_path)  # the name of a variable
    assert all(b"hf_secret" not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


# peft 0.21 reads a property that transformers 5.2 renamed.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_adapters_of_text_clauses_load_with_peft_on_the_original_model(folder: Path, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = trained(folder, tuning="lora", clauses="text", learning_rate=5e-2)
    model.save(tmp_path)
    with quiet_transformers():
        base = AutoModelForCausalLM.from_pretrained(folder)
        whole = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    text = TextVocabulary(model.vocabulary.schema, tokenizer)
    used = torch.tensor(text.token_ids[1:])
    sentences = fixed_sentences(model.encoding, everyone(model), "fix_y", seed=0)
    for ids, real in zip(sentences.ids[:5], sentences.real[:5], strict=True):
        own = torch.from_numpy(ids[real])
        with torch.inference_mode():
            expected = model._backbone.model(input_ids=own[None]).logits[0, :, 1:]
            logits = whole(input_ids=used[own - 1][None]).logits[0][:, used]
        torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(folder)


@pytest.mark.parametrize(("tuning", "clauses"), [("full", "text"), ("lora", "tokens")])
def test_a_base_model_with_other_weights_is_refused(tuning: str, clauses: str, tmp_path: Path) -> None:
    save_pretrained(tmp_path / "base", "gpt2")
    (tmp_path / "stored").mkdir()
    trained(tmp_path / "base", tuning=tuning, clauses=clauses).save(tmp_path / "stored")
    TableLanguageModel.load(tmp_path / "stored")
    save_pretrained(tmp_path / "base", "gpt2", seed=1)
    with pytest.raises(StoredStateError, match=r"is not the one that was fine-tuned \(its weights differ\); give the"):
        TableLanguageModel.load(tmp_path / "stored")


def test_a_base_model_that_is_gone_is_named(tmp_path: Path) -> None:
    save_pretrained(tmp_path / "base", "gpt2")
    (tmp_path / "stored").mkdir()
    trained(tmp_path / "base").save(tmp_path / "stored")
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(StoredStateError, match=r"no usable language model in .*base"):
        TableLanguageModel.load(tmp_path / "stored")


def adapter_file(folder: Path) -> Path:
    return folder / "adapter" / "adapter_model.safetensors"


def fewer_adapters(folder: Path) -> None:
    weights = load_file(adapter_file(folder))
    save_file(dict(list(weights.items())[1:]), adapter_file(folder))


def renamed_adapters(folder: Path) -> None:
    weights = load_file(adapter_file(folder))
    save_file({name.replace(".1.", ".7."): weight for name, weight in weights.items()}, adapter_file(folder))


def narrower_adapters(folder: Path) -> None:
    weights = load_file(adapter_file(folder))
    save_file({name: weight[:1, :1].clone() for name, weight in weights.items()}, adapter_file(folder))


@pytest.mark.parametrize(
    ("spoil", "clauses"),
    cases(
        [
            lambda folder: adapter_file(folder).unlink(),
            lambda folder: adapter_file(folder).write_bytes(adapter_file(folder).read_bytes()[:99]),
            lambda folder: (folder / "model.safetensors").unlink(),
            fewer_adapters,
            renamed_adapters,
            narrower_adapters,
        ],
        ["text", "tokens"],
        together=1,
    ),
)
def test_adapters_that_are_absent_broken_or_do_not_fit_are_refused(
    spoil: Any, clauses: str, pretrained_gpt2: Path, tmp_path: Path
) -> None:
    learned(pretrained_gpt2, "lora", clauses).save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(StoredStateError, match="no usable language model in"):
        TableLanguageModel.load(tmp_path)
