"""What a folder with a transformers model holds: whether it is complete, of which family, and how large."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import BackboneError

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.language.backbones.sources import Family

CONFIG, WEIGHTS, SHARDS = "config.json", "model.safetensors", "model.safetensors.index.json"

TOKENIZERS = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
"""Files of which one must be there; what is left of a tokenizer is read from them."""


def missing_parts(folder: Path) -> list[str]:
    """What a folder lacks to be a whole model: empty if nothing."""
    missing = [] if (folder / CONFIG).is_file() else [CONFIG]
    missing += [path.name for path in weight_files(folder) if not path.is_file()]
    if not any((folder / name).is_file() for name in TOKENIZERS):
        missing.append(TOKENIZERS[0])
    return missing


def weight_files(folder: Path) -> list[Path]:
    """The files of the weights, whether they are there or not.

    Weights as pickles (`pytorch_model.bin`) do not count: reading a pickle can run code.
    """
    index = folder / SHARDS
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [folder / WEIGHTS]
    try:
        shards = set(_read_json(index)["weight_map"].values())
    except (KeyError, AttributeError) as error:
        raise BackboneError(f"{index} cannot be read: it lists no weights.") from error
    return [folder / name for name in sorted(shards)]


def count_parameters(folder: Path) -> int | None:
    """The numbers in the weights, from the files' headers; `None` if they cannot be read."""
    from safetensors import SafetensorError, safe_open

    total = 0
    try:
        for path in weight_files(folder):
            with safe_open(path, "np") as weights:
                total += sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return None
    return total


def family_of(folder: Path, name: str) -> Family:
    """Whether the model of a folder is causal or masked, by the architecture that its `config.json` names.

    A bare encoder (`BertModel`) or one of another task counts by its type; loading finds out whether the weights
    suffice.

    Raises
    ------
    BackboneError
        It is neither, or it needs code that does not come with transformers.
    """
    from transformers.models.auto import modeling_auto

    config = _read_json(folder / CONFIG)
    model_type, architectures = config.get("model_type"), config.get("architectures") or []
    causal = model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    masked = model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if config.get("is_encoder_decoder") or not (causal or masked):
        raise BackboneError(_unusable(name, config))
    if causal and any(word.endswith(("ForCausalLM", "LMHeadModel")) for word in architectures):
        return "causal"
    return "masked" if masked else "causal"


def _unusable(name: str, config: dict[str, Any]) -> str:
    what = f"model_type {config.get('model_type')!r}, architectures {config.get('architectures')}"
    own_code = " Code that comes with a model is never run." if "auto_map" in config else ""
    return (
        f"the backbone {name!r} ({what}) is neither a causal nor a masked language model of transformers.{own_code} "
        "Use one such as 'smollm2' or 'distilgpt2'."
    )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{file} cannot be read: {error}.") from error
    return content
