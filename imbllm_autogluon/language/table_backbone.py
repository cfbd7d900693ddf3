"""A backbone made ready for one table: over the table's tokens, with the right weights learning.

The vocabulary of a pretrained model is cut down to the tokens that the table uses. SmolLM2's 49,152 tokens are a fifth
of its weights and, with one sentence's loss over all of them, most of the memory of a training step; a table needs a
few dozen to a few thousand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.processes import Processes
from imbllm_autogluon.language.tuning import Tuning
from imbllm_autogluon.sentences import TextVocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.language.backbones import BackboneSource
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.sentences import SchemaVocabulary, SentenceEncoding


@dataclass(frozen=True, eq=False)
class BaseModel:
    """Where the weights that did not learn come from."""

    location: str
    """Folder or Hub id."""

    revision: str | None
    fingerprint: str
    """Of the weights, see :func:`~imbllm_autogluon.language.table_backbone.base_fingerprint`."""


@dataclass(frozen=True, eq=False)
class TableBackbone:
    """A model over the tokens of one table."""

    model: LanguageModel
    encoding: SentenceEncoding
    tuning: Tuning
    family: str
    """``"causal"`` or ``"masked"``."""

    base: BaseModel | None
    """None for a compact backbone, whose weights are all its own."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device


def build_table_backbone(vocabulary: SchemaVocabulary, config: LanguageConfig) -> TableBackbone:
    """Build the backbone that a resolved configuration names; random weights come from torch's global generator.

    Raises
    ------
    BackboneError
        The pretrained model is not on this machine and cannot be fetched.
    InvalidInputError
        The sentences of the table are too long for the model, or its tokenizer cannot write them.
    """
    if not config.is_pretrained:
        # Free decoding has to find the names of the columns by itself; a mask stands in the place of a value alone.
        return _compact(vocabulary.encoding(fused=config.backbone == "compact" and config.constrained), config)
    from imbllm_autogluon.language.backbones import find_backbone, load_model

    source = find_backbone(
        config.backbone,
        revision=config.revision,
        local_files_only=config.local_files_only,
        token_variable=config.token_variable,
    )
    model = load_model(source)
    base = BaseModel(source.location, source.revision, base_fingerprint(model))
    encoding, origins = _read_by(source, vocabulary, config)
    _require_room(model, encoding)
    trim_vocabulary(model, origins)
    model = model.to(_device(config)).eval()
    return TableBackbone(model, encoding, Tuning(model, config), source.family, base)


def _compact(encoding: SentenceEncoding, config: LanguageConfig) -> TableBackbone:
    if config.backbone == "compact_masked":
        from imbllm_autogluon.language.compact_masked import build_compact_masked
        from imbllm_autogluon.language.masked import require_single_tokens

        require_single_tokens(encoding)
        model, family = build_compact_masked(encoding.n_tokens, encoding.longest_sentence, config), "masked"
    else:
        model, family = build_compact(encoding.n_tokens, encoding.longest_sentence, config), "causal"
    model = model.to(config.device or "cpu").eval()
    return TableBackbone(model, encoding, Tuning(model, config), family, None)


def _read_by(
    source: BackboneSource, vocabulary: SchemaVocabulary, config: LanguageConfig
) -> tuple[SentenceEncoding, list[list[int]]]:
    """How rows become tokens, and the pretrained tokens that each of them stands for."""
    from imbllm_autogluon.language.backbones import load_tokenizer

    tokenizer = load_tokenizer(source)
    if config.clauses == "text":
        if source.family == "masked":
            raise InvalidInputError("a masked backbone unmasks one token for each value; use clauses='tokens'.")
        text = TextVocabulary(vocabulary.schema, tokenizer, vocabulary.instruction, vocabulary.texts)
        encoding = text.encoding()
        return encoding, [[], *([token] for token in text.token_ids[1:])]
    # Digits are learned better with a place of their own for each name: 31.9 nats of unseen rows of hypothyroid against
    # 32.9 in the same seconds (SmolLM2, 40 and 66 steps of 8). Bins are not: 22.5 against 22.6 in half the seconds.
    is_fused = config.numbers == "bins" and source.family == "causal" and config.constrained
    encoding = vocabulary.encoding(fused=is_fused)
    origins = [tokenizer.encode(text, add_special_tokens=False) for text in encoding.token_texts]
    if source.family == "masked":
        from imbllm_autogluon.language.masked import require_single_tokens

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


def _device(config: LanguageConfig) -> torch.device:
    """Device asked for, that of the launched process, or the GPU where there is one."""
    launched = Processes.of_launch().device
    if config.device is None and launched is not None:
        return launched
    return torch.device(config.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def trim_vocabulary(model: LanguageModel, sources: Sequence[Sequence[int]]) -> None:
    """Replace input embedding and output layer by those of the given tokens, in place.

    Parameters
    ----------
    model
        A transformers language model.
    sources
        For each new token the old tokens that it stands for; its embedding and its output weights are their mean
        (zero where there are none).
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


def base_fingerprint(model: LanguageModel) -> str:
    """SHA-256 of the embeddings and of the first tensor of each block: tells one base model from another."""
    digest = hashlib.sha256()
    seen: set[str] = set()
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
