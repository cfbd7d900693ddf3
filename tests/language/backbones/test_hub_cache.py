from __future__ import annotations

from typing import TYPE_CHECKING

from imbllm_autogluon.language.backbones import cached_language_models, ready_snapshot
from tests.language.backbones.tiny_models import COMMIT, put_into_hub_cache

if TYPE_CHECKING:
    from pathlib import Path


def test_a_whole_model_is_ready_by_branch_and_by_commit(gpt2: Path) -> None:
    folder = put_into_hub_cache("me/gpt", gpt2, ref="v2")
    assert ready_snapshot("me/gpt", "v2") == folder
    assert ready_snapshot("me/gpt", COMMIT) == folder
    assert ready_snapshot("me/gpt") is None
    assert ready_snapshot("me/other") is None


def test_a_model_without_weights_is_not_ready_and_listed_as_incomplete(gpt2: Path) -> None:
    folder = put_into_hub_cache("me/gpt", gpt2)
    (folder / "model.safetensors").unlink()
    assert ready_snapshot("me/gpt") is None
    [(_, status)] = cached_language_models()
    assert not status.ready
    assert status.remark == "incomplete, lacks model.safetensors"


def test_size_licence_and_parameters_are_read_from_the_files(gpt2: Path) -> None:
    folder = put_into_hub_cache("me/gpt", gpt2)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n", encoding="utf-8")
    [(repo, status)] = cached_language_models()
    assert (repo, status.name, status.ready, status.licence) == ("me/gpt", "me/gpt", True, "mit")
    assert status.parameters is not None
    assert status.size > 4 * status.parameters
    assert status.where == str(folder)


def test_a_cached_revision_other_than_main_is_listed_with_its_commit(gpt2: Path) -> None:
    put_into_hub_cache("me/gpt", gpt2, ref="v2")
    [(_, status)] = cached_language_models()
    assert status.remark == f"causal, from the Hub; revision {COMMIT}"
