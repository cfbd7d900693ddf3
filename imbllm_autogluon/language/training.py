"""The training loop of every backbone: steps, seconds, memory and over-fitting bounded, resumable, over processes."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.adamw import adamw

from imbllm_autogluon.language.checkpoints import Progress, TrainingCurve
from imbllm_autogluon.language.hardware import Processes, autocast, ran_out_of_memory, release_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from imbllm_autogluon.encoding import Sentences
    from imbllm_autogluon.language.checkpoints import Checkpoint
    from imbllm_autogluon.language.losses import LanguageModel, Loss

_log = logging.getLogger(__name__)

_EVALUATIONS = 10  # of the held-out loss in a stage
_MOST_FLAT_WEIGHTS = 1_000_000  # 4 MB: to copy more of them in each step takes longer than the calls saved

_DECAY, _LARGEST_NORM = 0.01, 1.0

_ADAMW: dict[str, Any] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": _DECAY}
_ADAMW |= {"fused": True, "amsgrad": False, "maximize": False}


@dataclass(frozen=True)
class Stage:
    """One stage of training: where batches come from and how long it goes on."""

    name: str
    batch: Callable[[int], Sentences]  # batch k is that of step k
    steps: int
    learning_rate: float
    seconds: float | None = None
    held_out: Sentences | None = None  # not learned; the weights with their lowest loss are kept
    patience: int = 3  # evaluations without a lower held-out loss after which the stage ends
    loss: Loss | None = None  # None: the trainer's own
    judge: Callable[[], float] | None = None  # gives what is to be low; None: the loss of the rows held out


class Trainer:
    """Trains the learning weights of one model, stage by stage, and leaves it in evaluation mode.

    At most `micro_batch` sentences go through the model at once, half as many, for good, where memory runs out. The
    processes share each batch.
    """

    def __init__(
        self,
        model: LanguageModel,
        learning: dict[str, torch.nn.Parameter],
        loss: Loss,
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

        `progress` is called with the steps just done: 1, or any number at once where a checkpoint is resumed.
        """
        done, state, started = Progress(), _State(self._learning), time.perf_counter()
        if self._checkpoint is not None:
            done = self._checkpoint.restore(stage.name, state.fill) or done
            progress(done.step)
        before, stopped_by = done.seconds, "steps"
        self._loss = stage.loss or self._usual_loss
        self._model.train()
        try:
            self._evaluate(stage, done, state)
            while done.step < stage.steps:
                done.seconds = before + time.perf_counter() - started
                if stage.seconds is not None and self._processes.agree(done.seconds >= stage.seconds, self._device):
                    stopped_by = "time limit"
                    break
                self._step(stage, done, state.optimizer)
                progress(1)
                self._evaluate(stage, done, state)
                if done.is_over(stage.patience):
                    stopped_by = "held-out loss"
                    break
                if self._checkpoint is not None and self._processes.is_first and self._checkpoint.is_due:
                    self._checkpoint.store(stage.name, done, state.tensors())
            self._evaluate(stage, done, state, now=True)  # without it time that runs out would undo steps never judged
        finally:
            self._model.eval()
        with torch.no_grad():
            for name, weight in state.best.items():
                state.learning[name].copy_(weight)
        done.seconds = before + time.perf_counter() - started
        return done.curve(stopped_by)

    def _step(self, stage: Stage, done: Progress, optimizer: _FlatAdamW | _LargeAdamW) -> None:
        batch = stage.batch(done.step)
        loss, tokens = self._gradients(self._own_part(batch))
        if tokens:  # without a value nothing can be learned, and 0 / 0 would spoil every weight
            optimizer.step(stage.learning_rate * _rise_and_fall(done.step, stage.steps), tokens)
        done.losses.append(loss / max(1, tokens))
        done.tokens += tokens
        done.tokens_read += int(batch.real.sum())
        done.step += 1

    def _own_part(self, sentences: Sentences) -> Sentences:
        return sentences.take(slice(self._processes.rank, None, self._processes.count))

    def _gradients(self, batch: Sentences) -> tuple[float, int]:
        """Gradients of the summed loss of a batch over all processes; returns that loss and the learned tokens."""
        total = self._total(batch, learns=True)
        if self._processes.count > 1:
            for weight in self._learning.values():
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            total = total.to(self._device)
            self._processes.add_up([total, *(w.grad for w in self._learning.values() if w.grad is not None)])
        return float(total[0]), int(total[1])

    def _total(self, sentences: Sentences, *, learns: bool) -> torch.Tensor:
        """Summed loss and learned tokens; half as many rows go at once, for good, where memory runs out."""
        n_rows = len(sentences.ids)
        while True:
            rows = max(1, min(n_rows, self.micro_batch or n_rows))
            try:
                return self._total_of_parts(sentences, rows, learns=learns)
            except Exception as error:
                if rows == 1 or not ran_out_of_memory(error):
                    raise
            self.micro_batch = rows // 2
            _log.warning("Out of memory with %d sentences at once; going on with %d.", rows, self.micro_batch)
            release_memory()

    def _total_of_parts(self, sentences: Sentences, rows: int, *, learns: bool) -> torch.Tensor:
        """Summed loss and learned tokens, `rows` sentences at a time; gradients are added up where the model learns."""
        for weight in self._learning.values() if learns else ():
            weight.grad = None
        total = torch.zeros(2, dtype=torch.float64)
        for start in range(0, len(sentences.ids), rows):
            with autocast(self._device):
                loss, tokens = self._loss(self._model, sentences.take(slice(start, start + rows)))
            if learns:
                loss.backward()  # type: ignore[no-untyped-call]
            total += torch.tensor([float(loss.detach()), tokens], dtype=torch.float64)
        return total

    def _evaluate(self, stage: Stage, done: Progress, state: _State, *, now: bool = False) -> None:
        """Note the held-out loss before the first step, after the last, in even distances between, or `now`."""
        is_due = done.step == stage.steps or done.step % max(1, math.ceil(stage.steps / _EVALUATIONS)) == 0
        if stage.held_out is None or not (now or is_due):
            return
        if done.held_out and done.held_out[-1][0] == done.step:  # a resumed stage has it already
            return
        self._model.eval()
        found = self._held_out_loss(stage.held_out) if stage.judge is None else stage.judge()
        self._model.train()
        done.held_out.append((done.step, found))
        state.keep_best(done.held_out)

    @torch.inference_mode()
    def _held_out_loss(self, sentences: Sentences) -> float:
        total = self._total(self._own_part(sentences), learns=False).to(self._device)
        self._processes.add_up([total])  # one figure for all processes, so that all stop at the same step
        return float(total[0] / total[1])


class _State:
    """What a step of training changes: learning weights, their best values, optimizer, sources of dropout."""

    def __init__(self, learning: dict[str, torch.nn.Parameter]) -> None:
        device = next(iter(learning.values())).device
        self.learning = learning
        weights = list(learning.values())
        is_small = sum(weight.numel() for weight in weights) <= _MOST_FLAT_WEIGHTS
        self.optimizer = _FlatAdamW(weights) if is_small else _LargeAdamW(weights)
        self.best: dict[str, torch.Tensor] = {}
        self.generators = [torch.default_generator]
        if device.type == "cuda":
            self.generators.append(torch.cuda.default_generators[device.index or 0])

    def keep_best(self, held_out: list[tuple[int, float]]) -> None:
        """Keep the weights if the last evaluation was the best."""
        losses = [loss for _, loss in held_out]
        if losses[-1] <= min(losses):
            self.best.update({name: weight.detach().clone() for name, weight in self.learning.items()})

    def tensors(self) -> dict[str, torch.Tensor]:
        """All that a checkpoint stores, under names that say what it is."""
        tensors = {f"weights/{name}": weight.detach() for name, weight in self.learning.items()}
        tensors |= {f"best/{name}": weight for name, weight in self.best.items()}
        tensors |= {f"generators/{number}": source.get_state() for number, source in enumerate(self.generators)}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{key}": value for key, value in moments.items()}
        return tensors

    def fill(self, tensors: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.learning.items():
                weight.copy_(tensors[f"weights/{name}"])
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for path, tensor in tensors.items():
            kind, _, name = path.partition("/")
            if kind == "best":
                self.best[name] = tensor.to(self.learning[name].device)
            elif kind == "generators":
                self.generators[int(name)].set_state(tensor)
            elif kind == "optimizer":
                number, _, key = name.partition("/")
                moments.setdefault(int(number), {})[key] = tensor
        self.optimizer.load_state_dict({"state": moments})


def _rise_and_fall(step: int, steps: int) -> float:
    """Linear rise over the first 5 % of the steps, then a linear fall to a tenth."""
    rise = max(1, steps // 20)
    return (step + 1) / rise if step < rise else 1.0 - 0.9 * (step - rise) / max(1, steps - rise)


class _FlatAdamW:
    """AdamW (Loshchilov and Hutter 2019) over all weights, of one device and dtype, as one vector.

    With a few dozen small tensors, most of a step of torch's own is spent between them, and its constructor imports the
    compiler, which takes 3 seconds once in every process. A weight without a gradient has a gradient of 0.
    """

    def __init__(self, weights: list[torch.nn.Parameter]) -> None:
        self._weights = weights
        self._sizes = [weight.numel() for weight in self._weights]
        zeros = self._weights[0].new_zeros(sum(self._sizes))
        step = torch.zeros((), dtype=torch.float32, device=zeros.device)
        self._state = {"step": step, "exp_avg": zeros, "exp_avg_sq": torch.zeros_like(zeros)}

    @torch.no_grad()
    def step(self, rate: float, divisor: int) -> None:
        """One step with gradients divided by a number and then clipped to a norm of 1; the gradients are dropped."""
        grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in self._weights]
        flat, gradient = (torch.cat([each.reshape(-1) for each in parts]) for parts in (self._weights, grads))
        gradient /= divisor
        gradient *= (_LARGEST_NORM / (gradient.norm() + 1e-6)).clamp(max=1.0)
        state = self._state
        first, second, steps = ([state[name]] for name in ("exp_avg", "exp_avg_sq", "step"))
        adamw([flat], [gradient], first, second, [], steps, lr=rate, **_ADAMW)
        for weight, changed in zip(self._weights, torch.split(flat, self._sizes), strict=True):
            weight.copy_(changed.view_as(weight))
            weight.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"state": {0: self._state}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, moment in state["state"][0].items():
            self._state[name].copy_(moment)


class _LargeAdamW:
    """torch's AdamW, for weights that are too many to be copied in each step."""

    def __init__(self, weights: list[torch.nn.Parameter]) -> None:
        self._weights = weights
        self._adamw = torch.optim.AdamW(self._weights, weight_decay=_DECAY, fused=True)

    def step(self, rate: float, divisor: int) -> None:
        for group in self._adamw.param_groups:
            group["lr"] = rate
        torch._foreach_div_([weight.grad for weight in self._weights if weight.grad is not None], divisor)
        torch.nn.utils.clip_grad_norm_(self._weights, _LARGEST_NORM)
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return self._adamw.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._adamw.load_state_dict({**self._adamw.state_dict(), "state": state["state"]})
