"""Training that can be interrupted: weights, optimiser and progress on disk, as safetensors and JSON."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from imbllm_autogluon.language.training import Progress
from imbllm_autogluon.stored_state import read_state, reading

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FORMAT = 1

EVERY = 60.0
"""Seconds between two checkpoints: storing SmolLM2's adapters takes less than one."""

Weights = dict[str, torch.nn.Parameter]


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

    def store_if_due(
        self, stage: str, done: Progress, learning: Weights, optimizer: torch.optim.Optimizer, best: Tensors
    ) -> None:
        """Store the progress of a stage if the last time is long enough ago."""
        if time.monotonic() - self._stored >= self._every:
            self.store(stage, done, learning, optimizer, best)

    def store(
        self, stage: str, done: Progress, learning: Weights, optimizer: torch.optim.Optimizer, best: Tensors
    ) -> None:
        """Store the progress of a stage."""
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"weights/{name}": weight.detach() for name, weight in learning.items()}
        tensors |= {f"best/{name}": weight for name, weight in best.items()}
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{key}": value for key, value in state.items()}
        file = self._folder / f"{stage}-{done.step}.safetensors"
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, file)
        state = {"format": FORMAT, "identity": self._identity, "stage": stage, "tensors": file.name, **vars(done)}
        draft = self._folder / "progress.json.draft"
        draft.write_text(json.dumps(state), encoding="utf-8")
        draft.replace(self._folder / "progress.json")
        for other in self._folder.glob("*.safetensors"):
            if other != file:
                other.unlink()
        self._stored = time.monotonic()

    def restore(
        self, stage: str, learning: Weights, optimizer: torch.optim.Optimizer, best: Tensors
    ) -> Progress | None:
        """Bring weights and optimiser back to the stored progress of a stage, if there is one.

        Raises
        ------
        StoredStateError
            The checkpoint is broken.
        """
        state = self._state()
        if state is None or state["stage"] != stage:
            return None
        with reading("checkpoint", self._folder):
            tensors = load_file(self._folder / str(state["tensors"]))
            self._fill(tensors, learning, optimizer, best)
            done = Progress(**{key: state[key] for key in vars(Progress())})
            done.held_out = [(int(step), float(loss)) for step, loss in state["held_out"]]
        log.info("Training goes on at step %d of the stage %r.", done.step, stage)
        return done

    @property
    def stage(self) -> str | None:
        """Stage that the stored progress belongs to; None without a fitting checkpoint."""
        state = self._state()
        return None if state is None else str(state["stage"])

    def clear(self) -> None:
        """Delete the checkpoint: training has ended."""
        if self._folder.is_dir():
            for file in (*self._folder.glob("*.safetensors"), *self._folder.glob("progress.json*")):
                file.unlink()
            if not any(self._folder.iterdir()):
                self._folder.rmdir()

    def _state(self) -> dict[str, Any] | None:
        file = self._folder / "progress.json"
        if not file.is_file():
            return None
        with reading("checkpoint", self._folder):
            state = read_state(file, FORMAT)
        if state["identity"] != self._identity:
            log.warning("%s holds the checkpoint of another training; this one begins anew.", self._folder)
            return None
        return state

    def _fill(self, tensors: Tensors, learning: Weights, optimizer: torch.optim.Optimizer, best: Tensors) -> None:
        with torch.no_grad():
            for name, weight in learning.items():
                weight.copy_(tensors[f"weights/{name}"])
        best.update(
            {
                n.removeprefix("best/"): t.to(learning[n.removeprefix("best/")].device)
                for n, t in tensors.items()
                if n.startswith("best/")
            }
        )
        state: dict[int, Tensors] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "optimizer":
                number, _, key = rest.partition("/")
                state.setdefault(int(number), {})[key] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


Tensors = dict[str, torch.Tensor]
