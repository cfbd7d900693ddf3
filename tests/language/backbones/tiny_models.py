"""Whole models of a few thousand numbers, in folders and in a Hub cache."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from huggingface_hub import constants

if TYPE_CHECKING:
    from pathlib import Path

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
