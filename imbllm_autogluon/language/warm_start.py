"""Weights after the warm-up, kept for trainings of the same fold that differ only in what follows it."""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from imbllm_autogluon.language.training_state import TrainingCurve

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


def store_warm(file: Path, learning: dict[str, torch.nn.Parameter], curve: TrainingCurve) -> None:
    """Write weights and curve of a finished warm-up; the file appears whole or not at all."""
    draft = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        weights = {name: weight.detach().cpu().contiguous() for name, weight in learning.items()}
        save_file(weights, draft, metadata={"curve": json.dumps(vars(curve))})
        draft.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        log.warning("The warm-up could not be stored in %s (%s).", file, error)


def restore_warm(file: Path, learning: dict[str, torch.nn.Parameter]) -> TrainingCurve | None:
    """Give the weights what a stored warm-up left; `None`, and nothing changed, where there is none that fits."""
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            curve = TrainingCurve.from_dict(json.loads(stored.metadata()["curve"]))
            weights = {name: stored.get_tensor(name) for name in learning}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        log.warning("A stored warm-up is of no use and is learned again (%s: %s).", file, error)
        return None
    if any(weights[name].shape != weight.shape for name, weight in learning.items()):
        return None
    with torch.no_grad():
        for name, weight in learning.items():
            weight.copy_(weights[name])
    return curve
