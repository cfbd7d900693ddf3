from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from imbllm_autogluon.errors import BackboneError
from imbllm_autogluon.language.pretrained import count_parameters, family_of, missing_parts
from tests.language.backbones import tiny_models

if TYPE_CHECKING:
    from pathlib import Path


def folder_with(tmp_path: Path, **config: Any) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("model_type", "architecture", "family"),
    [
        ("gpt2", "GPT2LMHeadModel", "causal"),
        ("llama", "LlamaForCausalLM", "causal"),
        ("bert", "BertForMaskedLM", "masked"),
        ("bert", "BertLMHeadModel", "causal"),
        ("bert", "BertModel", "masked"),
        ("gpt2", "GPT2Model", "causal"),
        ("roberta", "RobertaForMaskedLM", "masked"),
        ("modernbert", "ModernBertForMaskedLM", "masked"),
        ("gpt2", None, "causal"),
    ],
)
def test_the_family_follows_from_the_architecture(
    tmp_path: Path, model_type: str, architecture: str | None, family: str
) -> None:
    folder = folder_with(tmp_path, model_type=model_type, architectures=architecture and [architecture])
    assert family_of(folder, "it") == family


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
        {"model_type": "vit", "architectures": ["ViTForImageClassification"]},
        {"architectures": ["GPT2LMHeadModel"]},
    ],
)
def test_what_is_no_language_model_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(BackboneError, match=r"'it' .*neither a causal nor a masked language model") as caught:
        family_of(folder_with(tmp_path, **config), "it")
    assert "never run" not in str(caught.value)


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, model_type="own", architectures=["OwnForCausalLM"], auto_map={"AutoModel": "own.M"})
    with pytest.raises(BackboneError, match="Code that comes with a model is never run"):
        family_of(folder, "it")


def test_an_unreadable_configuration_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(BackboneError, match=r"config\.json cannot be read"):
        family_of(tmp_path, "it")


def test_a_whole_model_lacks_nothing_and_its_numbers_are_counted(gpt2: Path) -> None:
    assert missing_parts(gpt2) == []
    expected = sum(parameter.numel() for parameter in tiny_models.model("GPT2LMHeadModel").parameters())
    assert count_parameters(gpt2) == expected


def test_weights_in_shards_must_all_be_there(tmp_path: Path) -> None:
    model = tiny_models.model("LlamaForCausalLM")
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    tiny_models.tokenizer().save_pretrained(tmp_path)
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    assert missing_parts(tmp_path) == []
    assert count_parameters(tmp_path) == sum(parameter.numel() for parameter in model.parameters())
    shards[-1].unlink()
    assert missing_parts(tmp_path) == [shards[-1].name]
    assert count_parameters(tmp_path) is None


def test_pickled_weights_do_not_count(gpt2: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((gpt2 / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert missing_parts(tmp_path) == ["model.safetensors"]
