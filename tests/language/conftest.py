"""Folders with tiny pretrained models, made once; not to be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.language.pretrained import save_pretrained

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def pretrained_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a GPT-2, whose tokenizer joins a space to the digit behind it."""
    return save_pretrained(tmp_path_factory.mktemp("tiny-gpt2"), "gpt2")


@pytest.fixture(scope="session")
def pretrained_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Llama, whose tokenizer keeps spaces and digits apart, like SmolLM2's."""
    return save_pretrained(tmp_path_factory.mktemp("tiny-llama"), "llama")


@pytest.fixture(params=["gpt2", "llama"])
def folder(request: pytest.FixtureRequest) -> Path:
    """A folder with a GPT-2 (Conv1D layers, tied embeddings) or a Llama (Linear layers, untied)."""
    folder: Path = request.getfixturevalue(f"pretrained_{request.param}")
    return folder
