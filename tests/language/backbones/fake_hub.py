"""A Hub of one model that remembers what it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants

from tests.language.backbones.tiny_models import put_into_hub_cache

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@dataclass
class FakeHub:
    """Stands in for the three functions of huggingface_hub that connect."""

    folder: Path
    error: Exception | None = None
    asked: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    """Of each call: function, repository, revision, token."""

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
        """Replace the functions for a test."""
        monkeypatch.setattr("huggingface_hub.HfApi.model_info", self.model_info)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", self.hf_hub_download)
        monkeypatch.setattr("huggingface_hub.snapshot_download", self.snapshot_download)
        return self

    def model_info(self, repo: str, revision: str | None, timeout: float, token: str | None) -> Any:
        self.asked.append(("info", repo, revision, token))
        if self.error:
            raise self.error
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=file.name) for file in self.folder.iterdir()])

    def hf_hub_download(self, repo: str, name: str, revision: str | None, token: str | None) -> str:
        self.asked.append((name, repo, revision, token))
        assert constants.HF_HUB_OFFLINE is False
        return str(self.folder / name)

    def snapshot_download(self, repo: str, *, revision: str | None, token: str | None, **_: object) -> str:
        self.asked.append(("snapshot", repo, revision, token))
        return str(put_into_hub_cache(repo, self.folder, ref=revision or "main"))
