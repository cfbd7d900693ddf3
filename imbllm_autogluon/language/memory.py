"""Doing with less where memory runs out."""

from __future__ import annotations

import gc

import torch

_CPU_WORDS = ("not enough memory", "can't allocate memory", "DefaultCPUAllocator")


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the processor or the GPU had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_WORDS)


def release_memory() -> None:
    """Give back what a failed attempt left; call it outside of the handler, which still holds the failed frames."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
