"""The training loop of every backbone: steps, seconds, memory and over-fitting bounded, resumable, over processes."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from imbllm_autogluon.language.adamw import optimizer_of
from imbllm_autogluon.language.memory import ran_out_of_memory, release_memory
from imbllm_autogluon.language.precision import autocast
from imbllm_autogluon.language.processes import Processes
from imbllm_autogluon.language.training_state import Progress, TrainingCurve, TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.language.adamw import Optimizer
    from imbllm_autogluon.language.checkpoints import Checkpoint
    from imbllm_autogluon.language.losses import LanguageModel, Loss
    from imbllm_autogluon.sentences import Sentences

log = logging.getLogger(__name__)

EVALUATIONS = 10
"""How often a stage looks at the held-out loss."""


@dataclass(frozen=True)
class Stage:
    """One stage of training: where batches come from and how long it goes on."""

    name: str
    batch: Callable[[int], Sentences]
    """Batch of a number; batch k belongs to step k."""

    steps: int
    learning_rate: float
    seconds: float | None = None
    held_out: Sentences | None = None
    """Sentences that are not learned; the weights with their lowest loss are kept."""

    patience: int = 3
    """Evaluations without a lower held-out loss after which the stage ends."""

    loss: Loss | None = None
    """What this stage minimises, where that is not the trainer's own."""


class Trainer:
    """Trains the learning weights of one model, stage by stage.

    Parameters
    ----------
    model
        A transformers language model; left in evaluation mode.
    learning
        Its weights that learn, by name.
    loss
        What is minimised.
    micro_batch
        Most sentences that go through the model at once; gradients are accumulated. Halved where memory runs out,
        for good.
    processes
        Those that share each batch.
    checkpoint
        Where to store progress; None: nowhere.
    """

    def __init__(
        self,
        model: LanguageModel,
        learning: dict[str, torch.nn.Parameter],
        loss: Loss,
        *,
        micro_batch: int | None = None,
        processes: Processes | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.micro_batch = micro_batch
        self._model = model
        self._learning = learning
        self._usual_loss = self._loss = loss
        self._processes = processes or Processes()
        self._checkpoint = checkpoint
        self._device = next(iter(learning.values())).device

    def run_all(
        self,
        stages: list[Stage],
        seconds: float | None,
        progress: Callable[[int], None],
        finished: Callable[[str, TrainingCurve], None] = lambda *_: None,
    ) -> dict[str, TrainingCurve]:
        """Train stages one after the other; each may take its share, by steps, of the seconds that are left.

        `finished` is called with name and curve of each stage before the next one begins. A checkpoint of a later stage
        skips the earlier ones, which are then not among the returned curves.
        """
        started, curves = time.perf_counter(), {}
        names = [stage.name for stage in stages]
        resumed = self._checkpoint.stage if self._checkpoint is not None else None
        first = names.index(resumed) if resumed in names else 0
        progress(sum(stage.steps for stage in stages[:first]))
        for i, stage in enumerate(stages[first:], start=first):
            share = stage.steps / max(1, sum(later.steps for later in stages[i:]))
            left = None if seconds is None else max(0.0, seconds - (time.perf_counter() - started)) * share
            curves[stage.name] = self.run(replace(stage, seconds=left), progress)
            finished(stage.name, curves[stage.name])
        return curves

    def run(self, stage: Stage, progress: Callable[[int], None] = lambda _: None) -> TrainingCurve:
        """Train one stage with AdamW, gradient clipping and a linear schedule.

        Parameters
        ----------
        stage
            Batches, steps, learning rate and limits.
        progress
            Called with the steps just done: 1, or any number at once where a checkpoint is resumed.
        """
        weights = list(self._learning.values())
        optimizer = optimizer_of(weights)
        done, started = Progress(), time.perf_counter()
        best = _Best(stage, self._learning)
        state = TrainingState(self._learning, optimizer, best.weights, self._generators())
        if self._checkpoint is not None:
            done = self._checkpoint.restore(stage.name, state) or done
            progress(done.step)
        before, stopped_by = done.seconds, "steps"
        self._loss = stage.loss or self._usual_loss
        self._model.train()
        try:
            self._evaluate(stage, done, best)
            while done.step < stage.steps:
                done.seconds = before + time.perf_counter() - started
                if self._out_of_time(stage, done):
                    stopped_by = "time limit"
                    break
                self._step(stage, done, optimizer)
                progress(1)
                self._evaluate(stage, done, best)
                if best.is_over(done):
                    stopped_by = "held-out loss"
                    break
                if self._checkpoint is not None and self._processes.is_first:
                    self._checkpoint.store_if_due(stage.name, done, state)
            self._evaluate(stage, done, best, now=True)  # without it time that runs out would undo steps never judged
        finally:
            self._model.eval()
        best.put_back()
        done.seconds = before + time.perf_counter() - started
        return TrainingCurve(
            tuple(done.losses), done.tokens, done.seconds, stopped_by, done.tokens_read, tuple(done.held_out)
        )

    def _out_of_time(self, stage: Stage, done: Progress) -> bool:
        if stage.seconds is None:
            return False
        return self._processes.agree(done.seconds >= stage.seconds, self._device)

    def _step(self, stage: Stage, done: Progress, optimizer: Optimizer) -> None:
        """One optimiser step on one batch."""
        batch = stage.batch(done.step)
        loss, tokens = self._gradients(self._own_part(batch))
        if tokens:  # without a value nothing can be learned, and 0 / 0 would spoil every weight
            optimizer.step(stage.learning_rate * _rise_and_fall(done.step, stage.steps), tokens)
        done.losses.append(loss / max(1, tokens))
        done.tokens += tokens
        done.tokens_read += int(batch.real.sum())
        done.step += 1

    def _own_part(self, sentences: Sentences) -> Sentences:
        """Rows that this process takes."""
        return sentences.take(slice(self._processes.rank, None, self._processes.count))

    def _gradients(self, batch: Sentences) -> tuple[float, int]:
        """Gradients of the summed loss of a batch over all processes; returns that loss and the learned tokens."""
        total = self._with_less_memory(lambda rows: self._accumulate(batch, rows), len(batch.ids))
        if self._processes.count > 1:
            for weight in self._learning.values():
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            total = total.to(self._device)
            self._processes.add_up([total, *(w.grad for w in self._learning.values() if w.grad is not None)])
        return float(total[0]), int(total[1])

    def _accumulate(self, batch: Sentences, rows: int) -> torch.Tensor:
        """Add up gradients, `rows` sentences at a time; returns the summed loss and the learned tokens."""
        for weight in self._learning.values():
            weight.grad = None
        total = torch.zeros(2, dtype=torch.float64)
        for start in range(0, len(batch.ids), rows):
            with autocast(self._device):
                loss, tokens = self._loss(self._model, batch.take(slice(start, start + rows)))
            loss.backward()  # type: ignore[no-untyped-call]
            total += torch.tensor([float(loss.detach()), tokens], dtype=torch.float64)
        return total

    def _with_less_memory(self, attempt: Callable[[int], torch.Tensor], n_rows: int) -> torch.Tensor:
        """Try with as many rows at once as allowed; with half as many, for good, where memory runs out."""
        while True:
            rows = max(1, min(n_rows, self.micro_batch or n_rows))
            try:
                return attempt(rows)
            except Exception as error:
                if rows == 1 or not ran_out_of_memory(error):
                    raise
            self.micro_batch = rows // 2
            log.warning("Out of memory with %d sentences at once; going on with %d.", rows, self.micro_batch)
            release_memory()

    def _evaluate(self, stage: Stage, done: Progress, best: _Best, *, now: bool = False) -> None:
        """Note the held-out loss where it is time to, or `now`."""
        if stage.held_out is None or not (now or _is_due(done.step, stage.steps)):
            return
        if done.held_out and done.held_out[-1][0] == done.step:  # a resumed stage has it already
            return
        sentences = self._own_part(stage.held_out)
        self._model.eval()
        with torch.inference_mode():
            total = self._with_less_memory(lambda rows: self._judged(sentences, rows), len(sentences.ids))
        self._model.train()
        total = total.to(self._device)
        self._processes.add_up([total])  # one figure for all processes, so that all stop at the same step
        done.held_out.append((done.step, float(total[0] / total[1])))
        best.note(done)

    def _generators(self) -> list[torch.Generator]:
        """Everything that a step draws from."""
        generators = [torch.default_generator]
        if self._device.type == "cuda":
            generators.append(torch.cuda.default_generators[self._device.index or 0])
        return generators

    def _judged(self, sentences: Sentences, rows: int) -> torch.Tensor:
        total = torch.zeros(2, dtype=torch.float64)
        for start in range(0, len(sentences.ids), rows):
            with autocast(self._device):
                loss, tokens = self._loss(self._model, sentences.take(slice(start, start + rows)))
            total += torch.tensor([float(loss), tokens], dtype=torch.float64)
        return total


class _Best:
    """Weights with the lowest held-out loss of a stage so far."""

    def __init__(self, stage: Stage, learning: dict[str, torch.nn.Parameter]) -> None:
        self._patience = stage.patience
        self._learning = learning
        self.weights: dict[str, torch.Tensor] = {}

    def note(self, done: Progress) -> None:
        """Keep the weights if the last evaluation was the best."""
        losses = [loss for _, loss in done.held_out]
        if losses[-1] <= min(losses):
            self.weights.update({name: weight.detach().clone() for name, weight in self._learning.items()})

    def is_over(self, done: Progress) -> bool:
        """Whether patience has run out."""
        losses = [loss for _, loss in done.held_out]
        return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= self._patience

    def put_back(self) -> None:
        """Give the model its best weights."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                self._learning[name].copy_(weight)


def _is_due(step: int, steps: int) -> bool:
    """Before the first step, after the last one, and in even distances between."""
    return step % max(1, math.ceil(steps / EVALUATIONS)) == 0 or step == steps


def _rise_and_fall(step: int, steps: int) -> float:
    """Linear rise over the first 5 % of the steps, then a linear fall to a tenth."""
    rise = max(1, steps // 20)
    return (step + 1) / rise if step < rise else 1.0 - 0.9 * (step - rise) / max(1, steps - rise)
