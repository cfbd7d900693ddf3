"""Pretrained models: where their files are, whether a folder holds all of one, and how it is loaded."""

from __future__ import annotations

import json
import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from imbllm_autogluon._config import secret
from imbllm_autogluon.errors import BackboneError, ImbLLMError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIG, _WEIGHTS, _SHARDS = "config.json", "model.safetensors", "model.safetensors.index.json"

# One must be there; what is left of a tokenizer is read from it.
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)


@dataclass(frozen=True)
class BackboneSource:
    """Where the files of a backbone are: all that is needed to load it, here or elsewhere."""

    name: str  # as asked for
    location: str  # a folder, or the id of a model on the Hugging Face Hub
    family: Literal["causal", "masked"]
    revision: str | None = None  # commit of the Hub model, so that a later load gets the same weights
    local_files_only: bool = True  # whether loading must do without a connection; set wherever all files are here
    token_variable: str | None = None  # name of the environment variable that holds the Hub token, never the token


@dataclass(frozen=True)
class BackboneStatus:
    """One line of the list of backbones."""

    name: str  # what to ask for
    ready: bool  # whether it can be loaded here without a connection
    parameters: int | None  # numbers in its weights; None: unknown
    size: int  # bytes on this machine's disk
    licence: str | None  # of the weights; None: unknown
    where: str  # folder; empty: there is none
    remark: str  # what it is, or how to get it


def unavailable(message: str) -> BackboneError:
    """The error of a backbone that cannot be had; behind what happened and the first remedy it names the other two."""
    return BackboneError(
        f"{message}, or give the path of a local folder that holds a transformers model, or use the backbone "
        "'compact', which needs no download."
    )


def missing_parts(folder: Path) -> list[str]:
    """What a folder lacks to be a whole model: empty if nothing."""
    missing = [] if (folder / _CONFIG).is_file() else [_CONFIG]
    missing += [path.name for path in _weight_files(folder) if not path.is_file()]
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        missing.append(_TOKENIZERS[0])
    return missing


def family_of(folder: Path, name: str) -> Literal["causal", "masked"]:
    """Whether the model of a folder is causal or masked, by the architecture that its `config.json` names.

    A bare encoder (`BertModel`) or one of another task counts by its type; loading finds out whether the weights
    suffice. A `BackboneError` where it is neither, or needs code that does not come with transformers.
    """
    from transformers.models.auto import modeling_auto

    config = _read_json(folder / _CONFIG)
    model_type, architectures = config.get("model_type"), config.get("architectures") or []
    causal = model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    masked = model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if config.get("is_encoder_decoder") or not (causal or masked):
        own_code = " Code that comes with a model is never run." if "auto_map" in config else ""
        raise BackboneError(
            f"the backbone {name!r} (model_type {model_type!r}, architectures {config.get('architectures')}) is "
            f"neither a causal nor a masked language model of transformers.{own_code} "
            "Use one such as 'smollm2' or 'distilgpt2'."
        )
    if causal and any(word.endswith(("ForCausalLM", "LMHeadModel")) for word in architectures):
        return "causal"
    return "masked" if masked else "causal"


def load_model(source: BackboneSource) -> Any:
    """A language model of transformers, float32, in evaluation mode; from safetensors alone, without code of its own.

    A `BackboneError` where the files cannot be read, or hold no weights for a part of the model (such as its head).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind = AutoModelForMaskedLM if source.family == "masked" else AutoModelForCausalLM
    # transformers 5.23 looks for adapters in files of its own accord and asks the Hub for them, unless told here too.
    options = {"output_loading_info": True, "adapter_kwargs": {"local_files_only": source.local_files_only}}
    with _loading(source, "model"):
        loaded: Any = kind.from_pretrained(
            source.location, dtype=torch.float32, use_safetensors=True, **options, **_access(source)
        )
    model, info = loaded
    if without := sorted(info["missing_keys"]):
        raise BackboneError(
            f"the backbone {source.name!r} has no weights for {without[0]} ({len(without)} parts in all): it was not "
            f"saved as a {source.family} language model. Use one with its head, such as 'smollm2'."
        )
    return model.eval()


def load_tokenizer(source: BackboneSource) -> Any:
    """The fast tokenizer of a backbone: only these say which characters a token stands for.

    A `BackboneError` where the files cannot be read, or there is only a slow tokenizer.
    """
    from transformers import AutoTokenizer

    with _loading(source, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(source.location, **_access(source))
    if not tokenizer.is_fast:
        raise BackboneError(
            f"the backbone {source.name!r} has only a slow tokenizer ({type(tokenizer).__name__}); a fast one "
            "(tokenizer.json) is needed. Use a backbone that has one, such as 'smollm2' or 'distilgpt2'."
        )
    return tokenizer


@contextmanager
def quiet_transformers(*, progress: bool = False) -> Iterator[None]:
    """Silence transformers and huggingface_hub below errors, and their bars unless `progress`; restore everything."""
    from transformers.utils import logging as bars

    loggers = [logging.getLogger("transformers"), logging.getLogger("huggingface_hub")]
    levels = [logger.level for logger in loggers]
    shown = bars.is_progress_bar_enabled()
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        if not progress:
            bars.disable_progress_bar()  # type: ignore[no-untyped-call]
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()  # type: ignore[no-untyped-call]


def _access(source: BackboneSource) -> dict[str, Any]:
    """How transformers may get at the files; the token is read only where it may ask the Hub."""
    variable = None if source.local_files_only else source.token_variable
    return {
        "revision": source.revision or "main",
        "local_files_only": source.local_files_only,
        "token": None if variable is None else secret(variable),
        "trust_remote_code": False,
    }


@contextmanager
def _loading(source: BackboneSource, what: str) -> Iterator[None]:
    """Load quietly, and turn whatever goes wrong into an error that names the place."""
    try:
        with quiet_transformers():
            yield
    except ImbLLMError:
        raise
    except Exception as error:
        raise BackboneError(
            f"the {what} of the backbone {source.name!r} in {source.location} cannot be loaded: {error}"
        ) from error


def count_parameters(folder: Path) -> int | None:
    """The numbers in the weights, from the files' headers; `None` if they cannot be read."""
    from safetensors import SafetensorError, safe_open

    total = 0
    try:
        for path in _weight_files(folder):
            with safe_open(path, "np") as weights:
                total += sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return None
    return total


def _weight_files(folder: Path) -> list[Path]:
    """The files of the weights, there or not; pickles (`pytorch_model.bin`) do not count: reading one can run code."""
    index = folder / _SHARDS
    if (folder / _WEIGHTS).is_file() or not index.is_file():
        return [folder / _WEIGHTS]
    try:
        shards = set(_read_json(index)["weight_map"].values())
    except (KeyError, AttributeError) as error:
        raise BackboneError(f"{index} cannot be read: it lists no weights.") from error
    return [folder / name for name in sorted(shards)]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{file} cannot be read: {error}.") from error
    return content
