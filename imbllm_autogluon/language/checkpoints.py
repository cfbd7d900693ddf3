"""What training has done so far, and how it is stored: to be resumed, or to be shared by trainings of one fold."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._storage import STATE_NAME, delete, reading, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch

_log = logging.getLogger(__name__)

_KIND = "checkpoint"


@dataclass(frozen=True)
class TrainingCurve:
    """What one stage of training did."""

    losses: tuple[float, ...]  # mean negative log-likelihood of a learned token (nats), one for each step
    tokens: int  # learned from: those of values, without forced ones
    seconds: float
    stopped_by: str  # "steps", "time limit" or "held-out loss"
    tokens_read: int = 0  # all that went through the model
    held_out: tuple[tuple[int, float], ...] = ()  # steps done, and mean loss (nats for each learned token) after them

    @property
    def tokens_per_second(self) -> float:
        """Tokens through the model in a second of training, evaluations included; 0 where nothing was done."""
        return self.tokens_read / self.seconds if self.seconds > 0 else 0.0

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TrainingCurve:
        """Rebuild a curve from its fields as JSON keeps them."""
        held_out = tuple((int(step), float(loss)) for step, loss in state["held_out"])
        return cls(**{**state, "losses": tuple(state["losses"]), "held_out": held_out})


@dataclass
class Progress:
    """How far a stage has come: all that must be stored to resume it."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    tokens: int = 0
    tokens_read: int = 0
    seconds: float = 0.0
    held_out: list[tuple[int, float]] = field(default_factory=list)

    def is_over(self, patience: int) -> bool:
        """Whether so many evaluations have followed the best one."""
        losses = [loss for _, loss in self.held_out]
        return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience

    def curve(self, stopped_by: str) -> TrainingCurve:
        """What the stage did."""
        losses, held_out = tuple(self.losses), tuple(self.held_out)
        return TrainingCurve(losses, self.tokens, self.seconds, stopped_by, self.tokens_read, held_out)


class Checkpoint:
    """The progress of one training in one folder, stored no more often than `every` so many seconds (it takes one).

    `identity` says what is trained on what; progress of another identity is ignored, and the log says so.
    """

    def __init__(self, folder: Path, identity: str, *, every: float = 60.0) -> None:
        self._folder = folder
        self._identity = identity
        self._every = every
        self._stored = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last time is long enough ago."""
        return time.monotonic() - self._stored >= self._every

    def store(self, stage: str, done: Progress, tensors: dict[str, torch.Tensor]) -> None:
        """Store the progress of a stage, and all that its steps change."""
        with writing(self._folder, _KIND) as draft:
            draft.data = {"identity": self._identity, "stage": stage, "progress": vars(done)}
            draft.arrays = tensors
        self._stored = time.monotonic()

    def restore(self, stage: str, fill: Callable[[dict[str, torch.Tensor]], None]) -> Progress | None:
        """Stored progress of a stage, if there is one; `fill` is called with the tensors of :meth:`store`."""
        if self.stage != stage:
            return None
        with reading(self._folder, _KIND) as stored:
            fill(stored.tensors())
            done = Progress(**stored.data["progress"])
            done.held_out = [(int(step), float(loss)) for step, loss in done.held_out]
        _log.info("Training goes on at step %d of the stage %r.", done.step, stage)
        return done

    @property
    def stage(self) -> str | None:
        """Stage that the stored progress belongs to; None without one, or where it belongs to another training."""
        if not (self._folder / STATE_NAME).is_file():
            return None
        with reading(self._folder, _KIND) as stored:
            if stored.data["identity"] == self._identity:
                return str(stored.data["stage"])
        _log.warning("%s holds the checkpoint of another training; this one begins again.", self._folder)
        return None

    def clear(self) -> None:
        """Delete the checkpoint: training has ended."""
        delete(self._folder)
