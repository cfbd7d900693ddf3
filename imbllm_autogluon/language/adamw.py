"""AdamW with gradient clipping (Loshchilov and Hutter 2019), for few weights in one piece.

The weights of a compact backbone are a few dozen small tensors, so that most of an optimizer's step is spent between
them; laid one behind the other they take one call each. The constructor of torch's optimizers also imports its
compiler, which takes 3 seconds of CPU once in every process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.optim.adamw import adamw

if TYPE_CHECKING:
    from collections.abc import Sequence

    Weights = Sequence[torch.nn.Parameter]

MOST_WEIGHTS = 1_000_000
"""Weights that are copied together in each step: 4 MB; for more of them the copies take longer than the calls."""

DECAY, LARGEST_NORM = 0.01, 1.0


class Optimizer(Protocol):
    """Changes weights by their gradients."""

    def step(self, rate: float, divisor: int) -> None:
        """One step with gradients divided by a number and then clipped to a norm of 1; the gradients are dropped."""

    def state_dict(self) -> dict[str, Any]:
        """Moments of the gradients, by number under ``state``."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the moments of :meth:`state_dict`."""


def optimizer_of(weights: Weights) -> Optimizer:
    """AdamW with weight decay of 0.01 for the given weights."""
    return FlatAdamW(weights) if sum(weight.numel() for weight in weights) <= MOST_WEIGHTS else LargeAdamW(weights)


class FlatAdamW:
    """AdamW over all weights as one vector; a weight without a gradient has a gradient of 0.

    Parameters
    ----------
    weights
        On one device, of one dtype.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = list(weights)
        self._sizes = [weight.numel() for weight in self._weights]
        zeros = self._weights[0].new_zeros(sum(self._sizes))
        step = torch.zeros((), dtype=torch.float32, device=zeros.device)
        self._state = {"step": step, "exp_avg": zeros, "exp_avg_sq": torch.zeros_like(zeros)}

    @torch.no_grad()
    def step(self, rate: float, divisor: int) -> None:
        """See :meth:`Optimizer.step`."""
        grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in self._weights]
        flat, gradient = (torch.cat([each.reshape(-1) for each in parts]) for parts in (self._weights, grads))
        gradient /= divisor
        gradient *= (LARGEST_NORM / (gradient.norm() + 1e-6)).clamp(max=1.0)
        state = self._state
        adamw(
            [flat],
            [gradient],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=DECAY,
            eps=1e-8,
            maximize=False,
        )
        for weight, changed in zip(self._weights, torch.split(flat, self._sizes), strict=True):
            weight.copy_(changed.view_as(weight))
            weight.grad = None

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`Optimizer.state_dict`."""
        return {"state": {0: self._state}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`Optimizer.load_state_dict`."""
        for name, moment in state["state"][0].items():
            self._state[name].copy_(moment)


class LargeAdamW:
    """torch's AdamW.

    Parameters
    ----------
    weights
        What it changes.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = list(weights)
        self._adamw = torch.optim.AdamW(self._weights, weight_decay=DECAY, fused=True)

    def step(self, rate: float, divisor: int) -> None:
        """See :meth:`Optimizer.step`."""
        for group in self._adamw.param_groups:
            group["lr"] = rate
        torch._foreach_div_([weight.grad for weight in self._weights if weight.grad is not None], divisor)
        torch.nn.utils.clip_grad_norm_(self._weights, LARGEST_NORM)
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`Optimizer.state_dict`."""
        return self._adamw.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`Optimizer.load_state_dict`."""
        self._adamw.load_state_dict({**self._adamw.state_dict(), "state": state["state"]})
