"""The training loop of every backbone: value tokens only, legal alternatives only, steps and seconds bounded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.sentences import AutomatonTables, Sentences

CausalLM: TypeAlias = Any
"""A transformers causal LM: ``base_model`` gives hidden states, ``get_output_embeddings()`` the output layer."""

NOT_LEGAL = -1e9
"""Logit of an illegal token: finite, so that a mask can never turn a whole row into NaN."""


@dataclass(frozen=True)
class TrainingCurve:
    """What one stage of training did."""

    losses: tuple[float, ...]
    """Mean negative log-likelihood of a value token (nats), one for each step."""

    tokens: int
    """Value tokens learned from."""

    seconds: float
    """Wall-clock time."""

    stopped_by: str
    """``"steps"`` or ``"time limit"``."""


@dataclass(frozen=True)
class Stage:
    """One stage of training: where batches come from and how long it goes on."""

    name: str
    draw: Callable[[], Sentences]
    steps: int
    learning_rate: float
    seconds: float | None = None


def train_stage(
    model: CausalLM, tables: AutomatonTables, stage: Stage, progress: Callable[[int], None]
) -> TrainingCurve:
    """Train a causal LM on drawn batches of sentences with AdamW, gradient clipping and a linear schedule.

    The loss is the likelihood of each value token among the tokens that its automaton allows there: exactly the
    distribution that the decoder samples from. Forced tokens (column names) cost nothing.

    Parameters
    ----------
    model
        The language model; left in evaluation mode.
    tables
        Legal tokens by automaton state.
    stage
        Batches, steps and learning rate.
    progress
        Called with 1 after each step.
    """
    allowed = torch.from_numpy(tables.allowed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=stage.learning_rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rise_and_fall(step, stage.steps))
    losses: list[float] = []
    tokens, started, stopped_by = 0, time.perf_counter(), "steps"
    model.train()
    for _ in range(stage.steps):
        if stage.seconds is not None and time.perf_counter() - started >= stage.seconds:
            stopped_by = "time limit"
            break
        loss, n_tokens = _value_loss(model, allowed, stage.draw())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses.append(float(loss.detach()))
        tokens += n_tokens
        progress(1)
    model.eval()
    return TrainingCurve(tuple(losses), tokens, time.perf_counter() - started, stopped_by)


def _value_loss(model: CausalLM, allowed: torch.Tensor, sentences: Sentences) -> tuple[torch.Tensor, int]:
    """Mean negative log-likelihood of the value tokens of a batch, and their number."""
    ids, states = torch.from_numpy(sentences.ids), torch.from_numpy(sentences.states)
    # A causal model never looks behind the end of a row; without the mask transformers would warn of padding.
    mask = None if sentences.real.all() else torch.from_numpy(sentences.real).long()
    hidden = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    rows, places = torch.nonzero(states >= 0, as_tuple=True)
    logits = model.get_output_embeddings()(hidden[rows, places - 1])
    logits = logits.masked_fill(~allowed[states[rows, places]], NOT_LEGAL)
    return functional.cross_entropy(logits, ids[rows, places]), len(rows)


def _rise_and_fall(step: int, steps: int) -> float:
    """Linear rise over the first 5 % of the steps, then a linear fall to a tenth."""
    rise = max(1, steps // 20)
    return (step + 1) / rise if step < rise else 1.0 - 0.9 * (step - rise) / max(1, steps - rise)
