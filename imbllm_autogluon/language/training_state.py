"""What training has done so far, and what it changes: the part of it that is stored and reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from imbllm_autogluon.language.adamw import Optimizer


@dataclass(frozen=True)
class TrainingCurve:
    """What one stage of training did."""

    losses: tuple[float, ...]
    """Mean negative log-likelihood of a learned token (nats), one for each step."""

    tokens: int
    """Tokens learned from: those of values, without forced ones."""

    seconds: float
    """Wall-clock time."""

    stopped_by: str
    """``"steps"``, ``"time limit"`` or ``"held-out loss"``."""

    tokens_read: int = 0
    """All tokens that went through the model."""

    held_out: tuple[tuple[int, float], ...] = ()
    """Steps done and mean held-out loss (nats for each learned token) of each evaluation, the first before any step."""

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
    """How far a stage has come: all that must be stored to go on with it."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    tokens: int = 0
    tokens_read: int = 0
    seconds: float = 0.0
    held_out: list[tuple[int, float]] = field(default_factory=list)


@dataclass
class TrainingState:
    """What a step of training changes, beside the progress."""

    learning: dict[str, torch.nn.Parameter]
    """Weights that learn, by name."""

    optimizer: Optimizer
    best: dict[str, torch.Tensor]
    """Weights with the lowest held-out loss, by name; empty before the first evaluation."""

    generators: list[torch.Generator]
    """Sources of dropout."""
