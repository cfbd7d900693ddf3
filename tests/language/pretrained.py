"""Tokenizers that cut numbers as SmolLM2 and GPT-2 do, and tiny models over them, saved as users' folders are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from pathlib import Path

Spaces = Literal["apart", "joined"]
Architecture = Literal["gpt2", "llama"]

SPACES: tuple[Spaces, ...] = ("apart", "joined")
"""Where the space in front of a digit stands: in a token of its own (SmolLM2) or in the digit's (GPT-2)."""

SPACES_OF: dict[Architecture, Spaces] = {"llama": "apart", "gpt2": "joined"}

END_OF_TEXT = "<|endoftext|>"

_SENTENCES = (
    "bought is yes, city is Oslo, balance is -3.50, visits is 44, since is 2020-03-01, member is True,",
    "bought is no, city is Bergen, balance is missing, visits is 120, since is 2021-04-30, member is False,",
    "city is missing, visits is 7, since is 2020-12-24T06:30:00, member is missing, balance is 1200.25,",
)


def tokenizer(spaces: Spaces = "joined", *, lower_case: bool = False) -> Any:
    """A byte-level BPE tokenizer with whole words, and with numbers of several digits where GPT-2 has them.

    With `lower_case` it writes capitals as small letters, so that some texts look alike.
    """
    bpe = Tokenizer(models.BPE())
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Digits(individual_digits=True)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([digits, by_bytes]) if spaces == "apart" else by_bytes
    bpe.decoder = decoders.ByteLevel()
    if lower_case:
        bpe.normalizer = normalizers.Lowercase()
    trainer = trainers.BpeTrainer(
        vocab_size=450,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[END_OF_TEXT],
        show_progress=False,
    )
    bpe.train_from_iterator([*_SENTENCES * 3, *(f" {character}" for character in "0123456789-.T:" * 9)], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END_OF_TEXT, clean_up_tokenization_spaces=False)


def causal_model(
    architecture: Architecture, n_tokens: int, n_positions: int, *, tied: bool | None = None, seed: int = 0
) -> Any:
    """A model with weights so large that every token changes what comes next; GPT-2's head is tied unless told."""
    size = {"vocab_size": n_tokens, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "initializer_range": 0.4}
    torch.manual_seed(seed)
    if architecture == "gpt2":
        no_dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        shape = {"n_positions": n_positions, "n_embd": 32, "n_layer": 2, "n_head": 2}
        tie = {"tie_word_embeddings": tied is not False}
        model: Any = GPT2LMHeadModel(GPT2Config(**shape, **no_dropout, **size, **tie))
    else:
        heads: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2}
        shape = {"hidden_size": 32, "intermediate_size": 48, "max_position_embeddings": n_positions}
        model = LlamaForCausalLM(LlamaConfig(tie_word_embeddings=tied is True, **heads, **shape, **size))
    return model.eval()


def save_pretrained(folder: Path, architecture: Architecture, *, n_positions: int = 512, seed: int = 0) -> Path:
    """Save a model and its tokenizer: what users name as `backbone`."""
    from imbllm_autogluon.language.pretrained import quiet_transformers

    own = tokenizer(SPACES_OF[architecture])
    with quiet_transformers(), torch.random.fork_rng():
        causal_model(architecture, len(own), n_positions, seed=seed).save_pretrained(folder)
        own.save_pretrained(folder)
    return folder
