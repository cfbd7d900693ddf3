"""What every test shares: a cache folder of its own, no progress bars, one thread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def pytest_configure() -> None:
    """Cap threads before any library starts its pool; an explicit setting of the caller stays."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("IMBLLM_CACHE_DIR", str(folder))
    monkeypatch.setenv("IMBLLM_PROGRESS", "0")
    return folder
