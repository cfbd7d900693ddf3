"""The precision of a model's arithmetic: where half of it is faster, and where it is slower."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where a GPU has it; float32 elsewhere: on CPUs autocast was up to 20 times slower."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 (AVX512-BF16 or AMX): elsewhere they are slower than float32."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def writing_model(model: LanguageModel, config: LanguageConfig) -> LanguageModel:
    """The model to write rows with: itself, or a copy in bfloat16 on a CPU.

    SmolLM2 writes 2 to 2.5 times as fast in bfloat16 where the CPU has it; the label query reads with it too. Training,
    other scores and likelihoods stay in float32 there; on GPUs both are autocast, see :func:`autocast`.
    """
    on_cpu = model.get_input_embeddings().weight.device.type == "cpu"
    wanted = config.precision or ("bfloat16" if config.is_pretrained and on_cpu and cpu_has_bfloat16() else "float32")
    return copy.deepcopy(model).to(torch.bfloat16) if on_cpu and wanted == "bfloat16" else model
