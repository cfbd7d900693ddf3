from __future__ import annotations

import gc
import weakref

import pytest
import torch

from imbllm_autogluon.language.hardware import ran_out_of_memory, release_memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:119] . DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 80000000000 bytes."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("not enough memory"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_shortage_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert ran_out_of_memory(error) is expected


def test_the_error_of_torch_itself_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert ran_out_of_memory(caught.value)


class Node:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_a_failed_attempt_left_in_circles_is_given_back() -> None:
    gc.disable()
    try:
        alive = weakref.ref(Node())
        assert alive() is not None
        release_memory()
        assert alive() is None
    finally:
        gc.enable()
