"""What the machine has: processes that train together, memory that may run out, precisions that may be slow.

``accelerate launch`` and torchrun start several processes, each of which takes its rows of every batch. Gradients are
added up and divided by the tokens of the whole batch, so several processes learn what one would. On CPUs use torchrun:
``accelerate launch --cpu`` starts a single process, whatever its ``--num_processes`` (accelerate 1.15).
"""

from __future__ import annotations

import atexit
import gc
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable


_CPU_WORDS = ("not enough memory", "can't allocate memory", "DefaultCPUAllocator")


@dataclass(frozen=True)
class Processes:
    """One process among those that train one model."""

    rank: int = 0
    count: int = 1

    @classmethod
    def of_launch(cls) -> Processes:
        """The processes of ``accelerate launch`` or torchrun; a single one in any other case."""
        size = os.environ.get("WORLD_SIZE", "1")
        if not size.isdecimal():
            raise InvalidInputError(f"the environment variable WORLD_SIZE must be a whole number; got {size!r}.")
        if int(size) < 2:
            return cls()
        from accelerate import PartialState
        from accelerate.utils import parse_flag_from_env

        joined = torch.distributed.is_initialized()
        # Only Accelerator reads this variable of `accelerate launch --cpu`; without a GPU there is no other choice.
        cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
        state = PartialState(cpu=cpu)  # joins the group, over gloo on CPUs and NCCL on GPUs
        if not joined:
            atexit.register(_leave_group)  # NCCL warns where a process ends without
        return cls(state.process_index, state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    @property
    def device(self) -> torch.device | None:
        """Device that the launcher meant for this process; None for a single one."""
        if self.count == 1:
            return None
        from accelerate import PartialState

        device: torch.device = PartialState().device  # the CPU after ``--cpu``, GPU or not
        return device

    def add_up(self, tensors: Iterable[torch.Tensor]) -> None:
        """Replace tensors by their sums over all processes."""
        if self.count > 1:
            for tensor in tensors:
                torch.distributed.all_reduce(tensor)

    def agree(self, flag: bool, device: torch.device) -> bool:
        """Whether any process says so: all must stop at the same step."""
        if self.count == 1:
            return flag
        votes = torch.tensor([float(flag)], device=device)
        self.add_up([votes])
        return bool(votes.item() > 0)

    def common_seed(self, seed: int) -> int:
        """The first process's seed: where none was given, each has drawn another."""
        if self.count == 1:
            return seed
        shared: Any = torch.tensor([seed], device=self.device)
        torch.distributed.broadcast(shared, src=0)
        return int(shared.item())

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            torch.distributed.barrier()


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def device_named(name: str) -> torch.device:
    """The device of a name such as ``cuda:1``; `InvalidInputError` where this machine has none."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidInputError(
            f"device must be the name of a torch device such as 'cpu' or 'cuda:0'; got {name!r}."
        ) from error
    # Counting starts nothing on a GPU, which a process that forks later must not do.
    found: int = getattr(getattr(torch, device.type, None), "device_count", int)()
    if device.type != "cpu" and (device.index or 0) >= found:
        raise InvalidInputError(
            f"device={name!r} is not on this machine: torch {torch.__version__} finds {found} devices of this type. "
            "Leave device out, or use 'cpu'."
        )
    return device


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


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where a GPU has it; float32 elsewhere: on CPUs autocast was up to 20 times slower."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
