"""A backbone made ready for one table: over the table's tokens, with the right weights learning.

The vocabulary of a pretrained model is cut down to the tokens that the table uses: SmolLM2's 49,152 are a fifth of its
weights and most of the memory of a training step; a table needs a few dozen to a few thousand.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from imbllm_autogluon.encoding import PromptVocabulary, TextVocabulary
from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.frozen import FrozenBlocks
from imbllm_autogluon.language.hardware import Processes, device_named
from imbllm_autogluon.language.losses import require_single_tokens
from imbllm_autogluon.language.pretrained import load_model, load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imbllm_autogluon.encoding import SchemaVocabulary, SentenceEncoding
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.language.pretrained import BackboneSource

_ADAPTER_FOLDER = "adapter"  # of a saved model, in peft's own form
_BLOCK = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True, eq=False)
class _BaseModel:
    """Where the weights that did not learn come from."""

    location: str  # folder or Hub id
    revision: str | None
    fingerprint: str  # of the weights, see `_base_fingerprint`


@dataclass(frozen=True, eq=False)
class TableBackbone:
    """A model over the tokens of one table."""

    model: LanguageModel
    encoding: SentenceEncoding
    tuning: _Tuning
    family: str  # "causal" or "masked"
    base: _BaseModel | None  # None for a compact backbone, whose weights are all its own

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device

    @cached_property
    def frozen(self) -> FrozenBlocks | None:
        """The blocks below the first that learns, if there are any."""
        if self.base is None or self.family != "causal":
            return None
        return FrozenBlocks.of(self.model, self.base.fingerprint)

    def save_weights(self, folder: Path) -> dict[str, torch.nn.Parameter]:
        """Write LoRA adapters into an existing folder, in peft's form; return the other weights that learned."""
        if self.base is not None:
            self.tuning.save_adapters(folder, self.base)
        return self.tuning.own_weights()

    def load_weights(self, base: Mapping[str, Any] | None, weights: dict[str, torch.Tensor], folder: Path) -> None:
        """Give the model what :meth:`save_weights` wrote and returned; another base or shape is refused."""
        if self.base is not None and base is not None and self.base.fingerprint != base["fingerprint"]:
            raise StoredStateError(
                f"the base model at {self.base.location!r} is not the one that was fine-tuned (its weights differ); "
                f"give the same files, or revision {base['revision']!r}, or fit again."
            )
        self.tuning.load_adapters(folder)
        own = self.tuning.own_weights()
        # copy_ would repeat a smaller weight until it fits.
        differing = {(n, w.shape) for n, w in weights.items()} ^ {(n, w.shape) for n, w in own.items()}
        if differing:
            raise StoredStateError(f"the stored weights do not fit the model: {sorted({n for n, _ in differing})}")
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(weights[name])
        self.tuning.merge()


def build_table_backbone(vocabulary: SchemaVocabulary | PromptVocabulary, config: LanguageConfig) -> TableBackbone:
    """Build the backbone that a resolved configuration names; random weights come from torch's global generator.

    A `BackboneError` where a pretrained model is not here and cannot be fetched, an `InvalidInputError` where the
    sentences of the table are too long for it, or its tokenizer cannot write them.
    """
    if not config.is_pretrained:
        if isinstance(vocabulary, PromptVocabulary):
            raise InvalidInputError(f"texts are written by pretrained backbones; {config.backbone!r} is none.")
        # Free decoding has to find the names of the columns by itself; a mask stands in the place of a value alone.
        return _compact(vocabulary.encoding(fused=config.backbone == "compact" and config.constrained), config)
    source = source_of(config)
    model = load_model(source)
    base = _BaseModel(source.location, source.revision, _base_fingerprint(model))
    encoding, origins = _read_by(source, vocabulary, config)
    _require_room(model, encoding)
    _trim_vocabulary(model, origins)
    best = Processes.of_launch().device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(best if config.device is None else device_named(config.device)).eval()
    return TableBackbone(model, encoding, _Tuning(model, config), source.family, base)


def require_here(config: LanguageConfig) -> None:
    """Raise what :func:`build_table_backbone` would where this machine has no such device or backbone."""
    if config.device is not None:
        device_named(config.device)
    if config.is_pretrained:
        source_of(config)


def source_of(config: LanguageConfig) -> BackboneSource:
    """Where the pretrained backbone of a configuration is; a `BackboneError` where it cannot be had."""
    from imbllm_autogluon.language.backbones import find_backbone

    return find_backbone(
        config.backbone,
        revision=config.revision,
        local_files_only=config.local_files_only,
        token_variable=config.token_variable,
    )


def _compact(encoding: SentenceEncoding, config: LanguageConfig) -> TableBackbone:
    family = "masked" if config.backbone == "compact_masked" else "causal"
    if family == "masked":
        require_single_tokens(encoding)
    model = build_compact(encoding.n_tokens, encoding.longest_sentence, config)
    model = model.to(device_named(config.device or "cpu")).eval()
    return TableBackbone(model, encoding, _Tuning(model, config), family, None)


def _read_by(
    source: BackboneSource, vocabulary: SchemaVocabulary | PromptVocabulary, config: LanguageConfig
) -> tuple[SentenceEncoding, list[list[int]]]:
    """How rows become tokens, and the pretrained tokens that each of them stands for."""
    tokenizer = load_tokenizer(source)
    if isinstance(vocabulary, PromptVocabulary):
        if source.family == "masked":
            raise InvalidInputError("texts are written by causal backbones; a masked one unmasks single tokens.")
        return vocabulary.encoding(tokenizer), [[], *([token] for token in vocabulary.token_ids[1:])]
    if config.clauses == "text":
        if source.family == "masked":
            raise InvalidInputError("a masked backbone unmasks one token for each value; use clauses='tokens'.")
        text = TextVocabulary(vocabulary.schema, tokenizer, vocabulary.instruction, vocabulary.texts)
        encoding = text.encoding()
        return encoding, [[], *([token] for token in text.token_ids[1:])]
    # Digits are learned better with a place of their own for each name, bins are not.
    is_fused = config.numbers == "bins" and source.family == "causal" and config.constrained
    encoding = vocabulary.encoding(fused=is_fused)
    origins = [tokenizer.encode(text, add_special_tokens=False) for text in encoding.token_texts]
    if source.family == "masked":
        require_single_tokens(encoding)
        origins.append([tokenizer.mask_token_id])
    return encoding, origins


def _require_room(model: LanguageModel, encoding: SentenceEncoding) -> None:
    """Refuse sentences that are longer than the model can read, before anything is trained."""
    room: Any = getattr(model.config, "max_position_embeddings", None)
    if room is not None and encoding.longest_sentence > room:
        raise InvalidInputError(
            f"a row takes up to {encoding.longest_sentence} tokens, the backbone reads {room}; use clauses='tokens', "
            "numbers='bins', fewer columns, or the compact backbone, which has no limit."
        )


def _trim_vocabulary(model: LanguageModel, sources: Sequence[Sequence[int]]) -> None:
    """Replace input embedding and output layer of a transformers model, in place.

    `sources` are for each new token the old ones that it stands for: it begins at their mean, at zero without any.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head.weight is embedding.weight
    rows = _means(embedding.weight, sources)
    model.set_input_embeddings(torch.nn.Embedding(len(rows), rows.shape[1], _weight=rows))
    outputs = torch.nn.Linear(rows.shape[1] if tied else head.weight.shape[1], len(rows), bias=head.bias is not None)
    with torch.no_grad():
        outputs.weight.copy_(rows if tied else _means(head.weight, sources))
        if head.bias is not None:
            outputs.bias.copy_(_means(head.bias[:, None], sources)[:, 0])
    model.set_output_embeddings(outputs)
    model.config.vocab_size = len(rows)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):  # ids of the old vocabulary
        setattr(model.config, name, None)
    if tied:
        outputs.weight = model.get_input_embeddings().weight


def _base_fingerprint(model: LanguageModel) -> str:
    """SHA-256 of the embeddings and of the first tensor of each block: tells one base model from another."""
    digest, seen = hashlib.sha256(), set[str]()
    for name, weight in model.named_parameters():
        block = ".".join(part for part in name.split(".") if part.isdigit())
        if block not in seen:
            seen.add(block)
            digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _means(weights: torch.Tensor, sources: Sequence[Sequence[int]]) -> torch.Tensor:
    """Mean row of each group of rows, shape (len(sources), width)."""
    zero = torch.zeros_like(weights[0])
    rows = [weights[list(source)].mean(dim=0) if len(source) else zero for source in sources]
    return torch.stack(rows).detach().clone()


class _Tuning:
    """What learns of a model over the table's vocabulary: all weights, LoRA adapters, or the last blocks."""

    def __init__(self, model: LanguageModel, config: LanguageConfig) -> None:
        self._model = model
        self._adapters: Any = None
        self._merged = False
        if config.tuning == "full":
            return
        model.requires_grad_(False)
        if config.tuning == "lora":
            self._adapters = _with_adapters(model, config.lora_rank, config.lora_blocks)
        elif config.tuning == "top_blocks":
            _open_top_blocks(model, config.top_blocks)
        if config.clauses == "tokens":  # new tokens: their mean embedding is only a start
            model.get_input_embeddings().weight.requires_grad_(True)
            model.get_output_embeddings().weight.requires_grad_(True)

    def learning(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that learn, by name; a weight that two layers share occurs once."""
        return {name: weight for name, weight in self._model.named_parameters() if weight.requires_grad}

    def own_weights(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that learn, without LoRA adapters."""
        return {name: weight for name, weight in self.learning().items() if "lora_" not in name}

    def merge(self) -> None:
        """Add the adapters to the weights that they adapt: writing rows then costs nothing extra."""
        if self._adapters is not None and not self._merged:
            self._adapters.merge_adapter()
            self._merged = True

    def unmerge(self) -> None:
        """Take the adapters out again, to go on learning."""
        if self._merged:
            self._adapters.unmerge_adapter()
            self._merged = False

    def save_adapters(self, folder: Path, base: _BaseModel) -> None:
        """Write the adapters into an existing folder, if there are any; `base` is for peft's own record."""
        if self._adapters is None:
            return
        settings = self._adapters.peft_config["default"]
        settings.base_model_name_or_path, settings.revision = base.location, base.revision
        # False: peft would ask the Hub for the base model's vocabulary otherwise.
        self._adapters.save_pretrained(str(folder / _ADAPTER_FOLDER), save_embedding_layers=False)

    def load_adapters(self, folder: Path) -> None:
        """Read the adapters written by :meth:`save_adapters`, if this model has any."""
        if self._adapters is None:
            return
        from peft import set_peft_model_state_dict

        # peft's reader resolves folders and devices by itself; the file alone says all that is needed here.
        weights = load_file(folder / _ADAPTER_FOLDER / "adapter_model.safetensors")
        outcome: Any = set_peft_model_state_dict(self._adapters, weights)
        if outcome.unexpected_keys or any("lora_" in key for key in outcome.missing_keys):
            raise InvalidInputError("the stored adapters do not fit the base model.")


def _with_adapters(model: LanguageModel, rank: int, count: int | None) -> Any:
    """Put LoRA adapters next to every linear layer, of the last blocks or of all, but the output layer."""
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    transposed = any(isinstance(module, Conv1D) for module in model.modules())
    adapted: Any = "all-linear" if count is None else _linear_layers(model, _first_of_last(model, count))
    settings = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=adapted, fan_in_fan_out=transposed
    )
    with warnings.catch_warnings():
        # peft 0.21 reads a property that transformers 5.2 renamed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return get_peft_model(model, settings)


def _open_top_blocks(model: LanguageModel, count: int) -> None:
    """Let the last blocks learn, and what stands behind them (the final norm)."""
    first = _first_of_last(model, count)
    outer_layers = [model.get_input_embeddings(), model.get_output_embeddings()]
    embeddings = {id(weight) for layer in outer_layers for weight in layer.parameters()}
    behind = False
    for name, weight in model.named_parameters():
        found = _BLOCK.search(name)
        behind = behind or found is not None
        weight.requires_grad_(behind and id(weight) not in embeddings and (not found or int(found.group(1)) >= first))


def _first_of_last(model: LanguageModel, count: int) -> int:
    """Number of the first of the last `count` blocks."""
    numbers = {int(found.group(1)) for name, _ in model.named_parameters() if (found := _BLOCK.search(name))}
    if not numbers:
        raise InvalidInputError(f"{type(model).__name__} has no numbered blocks; use tuning='lora' or 'full'.")
    return max(numbers) + 1 - count


def _linear_layers(model: LanguageModel, first: int) -> list[str]:
    """Names of the linear layers of the blocks from the first one on."""
    from transformers.pytorch_utils import Conv1D

    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear | Conv1D)]
    return [name for name in linear if (found := _BLOCK.search(name)) and int(found.group(1)) >= first]
