"""What learns and nothing else, and what is stored of it: a loaded model writes the same rows."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.encoding import TextVocabulary
from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.language.batches import Batches
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.losses import _hidden_states
from imbllm_autogluon.language.model import TableLanguageModel
from imbllm_autogluon.language.pretrained import quiet_transformers
from imbllm_autogluon.language.table_backbone import _Tuning
from tests.language.pretrained import save_pretrained
from tests.language.trainers import WAYS, everyone, learned, model_over, same_weights, trained, weights_of, written
from tests.products import cases

if TYPE_CHECKING:
    from pathlib import Path


def weights(model: TableLanguageModel) -> dict[str, torch.Tensor]:
    return weights_of(model._backbone.model)


def changed_by_training(model: TableLanguageModel) -> set[str]:
    """Weights that are others after training, adapters taken out."""
    before = weights(model)
    model.train(everyone(model))
    model._backbone.tuning.unmerge()
    after = weights(model)
    # Merging and unmerging adapters rounds; what learned has moved by far more.
    return {name for name in before if (after[name] - before[name]).abs().max() > 1e-4}


def is_embedding(name: str) -> bool:
    return bool(re.search(r"wte|embed_tokens|lm_head", name))


def test_lora_over_new_tokens_changes_adapters_and_embeddings(folder: Path) -> None:
    model = model_over(folder, tuning="lora", clauses="tokens")
    changed = changed_by_training(model)
    assert {name for name in changed if "lora_" not in name} == {name for name in weights(model) if is_embedding(name)}
    assert set(model._backbone.tuning.own_weights()) == {name for name in weights(model) if is_embedding(name)}


@pytest.mark.parametrize(
    ("folder", "clauses"), cases(["gpt2", "llama"], ["text", "tokens"], together=1), indirect=["folder"]
)
def test_every_linear_layer_but_the_output_has_an_adapter_of_the_rank_asked_for(folder: Path, clauses: str) -> None:
    model = model_over(folder, tuning="lora", clauses=clauses, lora_rank=3)
    adapters = {name: weight for name, weight in model._backbone.tuning.learning().items() if "lora_" in name}
    linear = {"gpt2": 4, "llama": 7}["gpt2" if "gpt2" in str(folder) else "llama"]
    assert len(adapters) == 2 * 2 * linear  # blocks, A and B
    assert {min(weight.shape) for weight in adapters.values()} == {3}
    assert model.n_learning == sum(weight.numel() for weight in model._backbone.tuning.learning().values())
    assert model.n_learning < model.n_parameters


def test_adapters_of_the_last_blocks_alone(folder: Path) -> None:
    model = model_over(folder, tuning="lora", clauses="text", lora_blocks=1)
    learning = set(model._backbone.tuning.learning())
    assert {int(match.group(1)) for name in learning if (match := re.search(r"\.(\d+)\.", name))} == {1}
    assert all("lora_" in name for name in learning)
    assert not any("lm_head" in name for name in learning)


@pytest.mark.parametrize(
    ("folder", "top", "blocks"),
    cases(["gpt2", "llama"], [(1, {1}), (2, {0, 1}), (9, {0, 1})], together=1),
    indirect=["folder"],
)
def test_top_blocks_change_the_last_blocks_and_the_final_norm(folder: Path, top: int, blocks: set[int]) -> None:
    model = model_over(folder, tuning="top_blocks", clauses="text", top_blocks=top)
    learning = set(model._backbone.tuning.learning())
    found = {int(match.group(1)) for name in learning if (match := re.search(r"\.(\d+)\.", name))}
    assert found == blocks
    assert {name for name in learning if not re.search(r"\.\d+\.", name)} <= {
        *("transformer.ln_f.weight", "transformer.ln_f.bias", "model.norm.weight")
    }
    assert changed_by_training(model) <= learning
    assert any("norm" in name or "ln_f" in name for name in learning)


def test_full_tuning_changes_everything(folder: Path) -> None:
    model = model_over(folder, tuning="full", clauses="text")
    assert set(model._backbone.tuning.learning()) == set(weights(model))
    assert model.n_learning == model.n_parameters


def test_a_model_without_numbered_blocks_has_no_top() -> None:
    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

    config = LanguageConfig(backbone="x", tuning="top_blocks").resolved()
    with pytest.raises(InvalidInputError, match="Flat has no numbered blocks; use tuning='lora' or 'full'"):
        _Tuning(Flat(), config)


def logits(model: TableLanguageModel) -> torch.Tensor:
    sentences = Batches.fixed(model.encoding, everyone(model), "fix_y", seed=0)
    inner: Any = model._backbone.model
    with torch.inference_mode():
        states = _hidden_states(inner, sentences, torch.device("cpu"))
        output: torch.Tensor = inner.get_output_embeddings()(states)
    return output[torch.from_numpy(sentences.real)]


@pytest.mark.parametrize(
    ("folder", "clauses"), cases(["gpt2", "llama"], ["text", "tokens"], together=1), indirect=["folder"]
)
def test_merged_adapters_say_what_adapters_beside_the_weights_say(folder: Path, clauses: str) -> None:
    model = trained(folder, tuning="lora", clauses=clauses, learning_rate=5e-2)
    merged = logits(model)
    model._backbone.tuning.unmerge()
    beside = logits(model)
    torch.testing.assert_close(merged, beside, rtol=1e-3, atol=1e-3)
    untrained = model_over(folder, tuning="lora", clauses=clauses)
    assert (merged - logits(untrained)).abs().max() > 0.5


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
    own = ["state-1/arrays.safetensors", "state.json"]
    adapter = [f"state-1/adapter/{name}" for name in ("README.md", "adapter_config.json", "adapter_model.safetensors")]
    assert files == (sorted([*adapter, *own]) if tuning == "lora" else own)


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
        whole = PeftModel.from_pretrained(base, str(tmp_path / "state-1" / "adapter")).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    text = TextVocabulary(model.vocabulary.schema, tokenizer)
    used = torch.tensor(text.token_ids[1:])
    sentences = Batches.fixed(model.encoding, everyone(model), "fix_y", seed=0)
    for ids, real in zip(sentences.ids[:5], sentences.real[:5], strict=True):
        own = torch.from_numpy(ids[real])
        with torch.inference_mode():
            expected = model._backbone.model(input_ids=own[None]).logits[0, :, 1:]
            logits = whole(input_ids=used[own - 1][None]).logits[0][:, used]
        torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)
    settings = json.loads((tmp_path / "state-1" / "adapter" / "adapter_config.json").read_text())
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
    return folder / "state-1" / "adapter" / "adapter_model.safetensors"


def renamed_adapters(folder: Path) -> None:
    weights = load_file(adapter_file(folder))
    save_file({name.replace(".1.", ".7."): weight for name, weight in weights.items()}, adapter_file(folder))


def narrower_adapters(folder: Path) -> None:
    weights = load_file(adapter_file(folder))
    save_file({name: weight[:1, :1].clone() for name, weight in weights.items()}, adapter_file(folder))


@pytest.mark.parametrize(
    ("spoil", "clauses"),
    [
        (lambda folder: adapter_file(folder).unlink(), "text"),
        (lambda folder: adapter_file(folder).write_bytes(adapter_file(folder).read_bytes()[:99]), "tokens"),
        (renamed_adapters, "text"),
        (narrower_adapters, "tokens"),
    ],
)
def test_adapters_that_are_absent_broken_or_do_not_fit_are_refused(
    spoil: Any, clauses: str, pretrained_gpt2: Path, tmp_path: Path
) -> None:
    learned(pretrained_gpt2, "lora", clauses).save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(StoredStateError, match="no usable language model in"):
        TableLanguageModel.load(tmp_path)
