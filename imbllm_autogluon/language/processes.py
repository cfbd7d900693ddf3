"""Training shared by the processes that ``accelerate launch`` started: each takes its rows of every batch.

Gradients are added up and divided by the tokens of the whole batch, so several processes learn what one would.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Processes:
    """One process among those that train one model."""

    rank: int = 0
    """Number of this process, from 0."""

    count: int = 1
    """Number of processes."""

    @classmethod
    def of_launch(cls) -> Processes:
        """The processes of ``accelerate launch`` or torchrun; a single one in any other case."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return cls()
        from accelerate import PartialState

        state = PartialState()  # joins the group, over gloo on CPUs and NCCL on GPUs
        return cls(state.process_index, state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    @property
    def device(self) -> torch.device | None:
        """GPU that the launcher meant for this process; None without one, and for a single process."""
        if self.count == 1 or not torch.cuda.is_available():
            return None
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))

    def add_up(self, tensors: Iterable[torch.Tensor]) -> None:
        """Replace tensors by their sums over all processes."""
        if self.count > 1:
            for tensor in tensors:
                torch.distributed.all_reduce(tensor)

    def agree(self, flag: bool, device: torch.device) -> bool:
        """Whether any process says so: all must stop at the same step."""
        if self.count == 1:
            return flag
        votes: Any = torch.tensor([float(flag)], device=device)
        torch.distributed.all_reduce(votes)
        return bool(votes.item() > 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            torch.distributed.barrier()
