"""What a folder with a model holds, and how it is loaded."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers.utils import logging as bars

from imbllm_autogluon.errors import BackboneError, InvalidInputError
from imbllm_autogluon.language.backbones import BackboneSource, find_backbone
from imbllm_autogluon.language.pretrained import count_parameters, family_of, load_model, load_tokenizer, missing_parts
from tests.language.backbones import models

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
    expected = sum(parameter.numel() for parameter in models.model("GPT2LMHeadModel").parameters())
    assert count_parameters(gpt2) == expected


def test_weights_in_shards_must_all_be_there(tmp_path: Path) -> None:
    model = models.model("LlamaForCausalLM")
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    models.tokenizer().save_pretrained(tmp_path)
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


@pytest.mark.parametrize(
    ("architecture", "family"),
    [("GPT2LMHeadModel", "causal"), ("LlamaForCausalLM", "causal"), ("BertForMaskedLM", "masked")],
)
def test_a_model_is_loaded_as_float32_for_evaluation_with_its_head(
    tmp_path: Path, architecture: str, family: str
) -> None:
    half = models.model(architecture).to(torch.bfloat16)
    half.save_pretrained(tmp_path)
    models.tokenizer().save_pretrained(tmp_path)
    source = find_backbone(str(tmp_path))
    model = load_model(source)
    assert (source.family, type(model).__name__) == (family, architecture)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.training
    for name, weight in half.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight.float())


def test_loading_is_silent_and_leaves_log_levels_bars_and_random_numbers_alone(
    gpt2: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bars.enable_progress_bar()
    before = logging.getLogger("transformers").level, torch.get_rng_state()
    load_model(find_backbone(str(gpt2)))
    load_tokenizer(find_backbone(str(gpt2)))
    assert capfd.readouterr() == ("", "")
    assert bars.is_progress_bar_enabled()
    assert logging.getLogger("transformers").level == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_model_without_its_head_is_refused(tmp_path: Path) -> None:
    models.save(tmp_path, "BertModel")
    with pytest.raises(BackboneError, match=r"no weights for cls\.predictions.*not saved as a masked language model"):
        load_model(find_backbone(str(tmp_path)))


def test_damaged_weights_are_an_error_that_names_the_place(gpt2: Path, tmp_path: Path) -> None:
    for file in gpt2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 100 if file.name == "model.safetensors" else None])
    with pytest.raises(BackboneError, match=f"the model of the backbone .*{tmp_path.name}.* cannot be loaded"):
        load_model(find_backbone(str(tmp_path)))


def test_a_slow_tokenizer_is_refused(tmp_path: Path) -> None:
    models.model("CTRLLMHeadModel").save_pretrained(tmp_path)
    (tmp_path / "vocab.json").write_text('{"<unk>": 0, "a": 1}', encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    with pytest.raises(BackboneError, match=r"only a slow tokenizer \(CTRLTokenizer\); a fast one \(tokenizer\.json\)"):
        load_tokenizer(find_backbone(str(tmp_path)))


@pytest.mark.parametrize("local", [True, False])
def test_revision_and_token_reach_transformers_and_code_is_never_trusted(
    monkeypatch: pytest.MonkeyPatch, gpt2: Path, local: bool
) -> None:
    given: dict[str, Any] = {}
    whole = load_tokenizer(find_backbone(str(gpt2)))

    def from_pretrained(location: str, **options: Any) -> Any:
        given.update(options, location=location)
        return whole

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", from_pretrained)
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    load_tokenizer(BackboneSource("me/gpt", "me/gpt", "causal", "abc", local, "MY_TOKEN"))
    assert given == {
        "location": "me/gpt",
        "revision": "abc",
        "local_files_only": local,
        "token": None if local else "hf_secret",
        "trust_remote_code": False,
    }


def test_a_token_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    with pytest.raises(InvalidInputError, match="'MY_TOKEN'"):
        load_model(BackboneSource("me/gpt", "me/gpt", "causal", "abc", False, "MY_TOKEN"))
