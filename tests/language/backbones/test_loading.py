from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers.utils import logging as bars

from imbllm_autogluon.errors import BackboneError, InvalidInputError
from imbllm_autogluon.language.backbones import BackboneSource, find_backbone, load_model, load_tokenizer
from tests.language.backbones import tiny_models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("architecture", "family"),
    [("GPT2LMHeadModel", "causal"), ("LlamaForCausalLM", "causal"), ("BertForMaskedLM", "masked")],
)
def test_a_model_is_loaded_as_float32_for_evaluation_with_its_head(
    tmp_path: Path, architecture: str, family: str
) -> None:
    half = tiny_models.model(architecture).to(torch.bfloat16)
    half.save_pretrained(tmp_path)
    tiny_models.tokenizer().save_pretrained(tmp_path)
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
    tiny_models.save(tmp_path, "BertModel")
    with pytest.raises(BackboneError, match=r"no weights for cls\.predictions.*not saved as a masked language model"):
        load_model(find_backbone(str(tmp_path)))


def test_damaged_weights_are_an_error_that_names_the_place(gpt2: Path, tmp_path: Path) -> None:
    for file in gpt2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 100 if file.name == "model.safetensors" else None])
    with pytest.raises(BackboneError, match=f"the model of the backbone .*{tmp_path.name}.* cannot be loaded"):
        load_model(find_backbone(str(tmp_path)))


def test_a_slow_tokenizer_is_refused(tmp_path: Path) -> None:
    tiny_models.model("CTRLLMHeadModel").save_pretrained(tmp_path)
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
    load_tokenizer(BackboneSource("me/gpt", "me/gpt", "abc", local, "MY_TOKEN", "causal"))
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
        load_model(BackboneSource("me/gpt", "me/gpt", "abc", False, "MY_TOKEN", "causal"))
