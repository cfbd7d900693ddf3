"""Training that can be interrupted: weights, optimiser and progress on disk, as safetensors and JSON."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.language.training_state import Progress
from imbllm_autogluon.stored_state import read_state, reading

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.language.training_state import TrainingState

log = logging.getLogger(__name__)

FORMAT = 2

EVERY = 60.0
"""Seconds between two checkpoints: storing SmolLM2's adapters takes less than one."""


class Checkpoint:
    """The progress of one training, in one folder.

    Parameters
    ----------
    folder
        Created when first needed.
    identity
        What is trained on what; progress of another identity is ignored, and the log says so.
    every
        Least seconds between two checkpoints.

    Notes
    -----
    A checkpoint is two files; each name holds the step, the JSON is renamed into place last and names the weights it
    belongs to, so a kill at any moment leaves the last whole checkpoint.
    """

    def __init__(self, folder: Path, identity: str, *, every: float = EVERY) -> None:
        self._folder = folder
        self._identity = identity
        self._every = every
        self._stored = time.monotonic()

    def store_if_due(self, stage: str, done: Progress, state: TrainingState) -> None:
        """Store the progress of a stage if the last time is long enough ago."""
        if time.monotonic() - self._stored >= self._every:
            self.store(stage, done, state)

    def store(self, stage: str, done: Progress, state: TrainingState) -> None:
        """Store the progress of a stage."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{stage}-{done.step}.safetensors"
        save_file({name: tensor.cpu().contiguous() for name, tensor in _tensors(state).items()}, file)
        head = {"format": FORMAT, "identity": self._identity, "stage": stage, "tensors": file.name, **vars(done)}
        draft = self._folder / "progress.json.draft"
        draft.write_text(json.dumps(head), encoding="utf-8")
        draft.replace(self._folder / "progress.json")
        for other in self._folder.glob("*.safetensors"):
            if other != file:
                other.unlink()
        self._stored = time.monotonic()

    def restore(self, stage: str, state: TrainingState) -> Progress | None:
        """Bring weights and optimiser back to the stored progress of a stage, if there is one.

        Raises
        ------
        StoredStateError
            The checkpoint is broken.
        """
        head = self._head()
        if head is None or head["stage"] != stage:
            return None
        with reading("checkpoint", self._folder):
            _fill(state, load_file(self._folder / str(head["tensors"])))
            done = Progress(**{key: head[key] for key in vars(Progress())})
            done.held_out = [(int(step), float(loss)) for step, loss in head["held_out"]]
        log.info("Training goes on at step %d of the stage %r.", done.step, stage)
        return done

    @property
    def stage(self) -> str | None:
        """Stage that the stored progress belongs to; None without a fitting checkpoint."""
        head = self._head()
        return None if head is None else str(head["stage"])

    def clear(self) -> None:
        """Delete the checkpoint: training has ended."""
        if self._folder.is_dir():
            for file in (*self._folder.glob("*.safetensors"), *self._folder.glob("progress.json*")):
                file.unlink()
            if not any(self._folder.iterdir()):
                self._folder.rmdir()

    def _head(self) -> dict[str, Any] | None:
        """What the JSON file says; None without one, or where it belongs to another training."""
        file = self._folder / "progress.json"
        if not file.is_file():
            return None
        with reading("checkpoint", self._folder):
            head = read_state(file, FORMAT)
            foreign = head["identity"] != self._identity
        if foreign:
            log.warning("%s holds the checkpoint of another training; this one begins anew.", self._folder)
        return None if foreign else head


def _tensors(state: TrainingState) -> dict[str, torch.Tensor]:
    """All that is stored, under names that say what it is."""
    tensors = {f"weights/{name}": weight.detach() for name, weight in state.learning.items()}
    tensors |= {f"best/{name}": weight for name, weight in state.best.items()}
    tensors |= {f"generators/{number}": source.get_state() for number, source in enumerate(state.generators)}
    for number, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{key}": value for key, value in moments.items()}
    return tensors


def _fill(state: TrainingState, tensors: dict[str, torch.Tensor]) -> None:
    """Bring everything back to the stored tensors."""
    with torch.no_grad():
        for name, weight in state.learning.items():
            weight.copy_(tensors[f"weights/{name}"])
    for name, best in _below("best", tensors).items():
        state.best[name] = best.to(state.learning[name].device)
    for number, source in enumerate(state.generators):
        source.set_state(tensors[f"generators/{number}"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _below("optimizer", tensors).items():
        number_of_weight, _, key = name.partition("/")
        moments.setdefault(int(number_of_weight), {})[key] = tensor
    state.optimizer.load_state_dict({"state": moments})


def _below(kind: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of one kind, under the rest of their names."""
    return {name.removeprefix(f"{kind}/"): value for name, value in tensors.items() if name.startswith(f"{kind}/")}
