"""Measure be_great on one table: a script for the interpreter of an environment that holds be_great.

Run as ``python -I great_worker.py JOB.json RESULT.json``. It imports nothing of this project;
:mod:`benchmarks.speed.imbllm_worker` takes its stopwatch from here, so that the same lines time both methods.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

MARGIN = 8
"""Tokens added to the longest training sentence, because another order of its clauses can be a little longer."""


class Stopwatch:
    """Counts calls, tokens and seconds of parts of a model.

    On a GPU, events on the device's own queue tell the time, because its work goes on after a call has returned.
    """

    def __init__(self, device: str) -> None:
        self.calls: defaultdict[str, int] = defaultdict(int)
        self.tokens = 0
        self._on_gpu = device == "cuda"
        self._marks: defaultdict[str, list[Any]] = defaultdict(list)

    def watch(self, name: str, module: Any, *, count_tokens: bool = False) -> None:
        """Measure every forward pass of a module; `count_tokens`: it is the one that token ids are fed to."""

        def before(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            if count_tokens:
                self.tokens += _tokens_fed(positional, named)
            self._mark(name)

        module.register_forward_pre_hook(before, with_kwargs=True)
        module.register_forward_hook(lambda *_: self._end(name))

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, measured."""

        def measured(*positional: Any, **named: Any) -> Any:
            self._mark(name)
            result = function(*positional, **named)
            self._end(name)
            return result

        return measured

    def seconds(self, name: str) -> float:
        """Seconds inside one part so far."""
        marks = self._marks[name]
        pairs = list(zip(marks[::2], marks[1::2], strict=True))
        if self._on_gpu:
            import torch

            torch.cuda.synchronize()
            return float(sum(begin.elapsed_time(end) for begin, end in pairs)) / 1000  # milliseconds
        return float(sum(end - begin for begin, end in pairs))

    def _end(self, name: str) -> None:
        self._mark(name)
        self.calls[name] += 1

    def _mark(self, name: str) -> None:
        if not self._on_gpu:
            self._marks[name].append(time.perf_counter())
            return
        import torch

        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        self._marks[name].append(event)


def _tokens_fed(positional: tuple[Any, ...], named: dict[str, Any]) -> int:
    """Tokens of all rows that one forward pass gets, padding included: it costs as much."""
    given = [named[name] for name in ("input_ids", "inputs_embeds") if named.get(name) is not None]
    rows, tokens, *_ = [*given, *positional][0].shape
    return int(rows * tokens)


def innermost(model: Any) -> Any:
    """The part of a causal LM that makes hidden states, below its output layer and any adapters."""
    while getattr(model, "base_model", model) is not model:
        model = model.base_model
    return model


def peak_memory(device: str) -> dict[str, float]:
    """Peak MiB of this process, and of its tensors on the GPU where it uses one."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak, status = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, Path("/proc/self/status")
    if status.is_file():  # Linux's own line, because ``ru_maxrss`` starts at the size of the parent process
        peak = int(status.read_text(encoding="utf-8").partition("VmHWM:")[2].split()[0]) * 1024
    peaks = {"peak MiB": peak / 2**20}
    if device == "cuda":
        import torch

        peaks["peak GPU MiB"] = torch.cuda.max_memory_allocated() / 2**20
    return peaks


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Load, fine-tune and, unless `samples` is 0, write rows; the written cells go to the file `job["written"]`."""
    import pandas as pd
    import torch
    from be_great import GReaT  # type: ignore[import-not-found]
    from transformers import set_seed

    torch.set_num_threads(job["threads"])
    set_seed(job["seed"])
    rows = pd.read_parquet(job["rows"])
    settings = {
        "epochs": job["epochs"],
        "batch_size": job["batch_size"],
        "efficient_finetuning": "lora" if job["settings"].get("tuning") == "lora" else "",
        "save_strategy": "no",
        "seed": job["seed"],
        "use_cpu": job["device"] != "cuda",
    }
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        great = GReaT(llm=job["folder"], experiment_dir=folder, **settings)
        figures = {"loading seconds": time.perf_counter() - started}
        # The label stays the start of every row, as ImbLLM has it; by default a random column would take its place.
        trainer = great.fit(rows, conditional_col=job["label"], random_conditional_col=False)
    # Trainer's own clock: without the set-up of dataset and trainer.
    figures["training seconds"] = float(trainer.state.log_history[-1]["train_runtime"])
    figures["seconds per epoch"] = figures["training seconds"] / job["epochs"]
    if job["samples"]:
        figures |= _sample(great, job, _longest_sentence(great, rows) + MARGIN)
    return {**figures, **peak_memory(job["device"])}


def _longest_sentence(great: Any, rows: pd.DataFrame) -> int:
    """Tokens of the longest training sentence: users must find out and pass them as ``max_length``."""
    from be_great.great_dataset import GReaTDataset  # type: ignore[import-not-found]

    dataset = GReaTDataset.from_pandas(rows)
    dataset.set_tokenizer(great.tokenizer, great.float_precision)
    return max(len(sentence["input_ids"]) for sentence in dataset.__getitems__(list(range(len(rows)))))


def _sample(great: Any, job: dict[str, Any], max_length: int) -> dict[str, float]:
    """Let be_great write rows until it has accepted enough, gives up, or a batch ends behind the budget."""
    batches: list[Any] = []
    generate, started = great.model.generate, time.perf_counter()

    def counted(**named: Any) -> Any:
        if batches and time.perf_counter() - started >= job["budget"]:
            raise TimeoutError(f"{job['budget']} s are over")  # on any error be_great returns what it has
        batches.append(generate(**named))
        return batches[-1]

    watch = Stopwatch(job["device"])
    watch.watch("forward", innermost(great.model), count_tokens=True)
    watch.watch("output layer", great.model.get_output_embeddings())
    great.model.generate = counted
    accepted = great.sample(job["samples"], k=job["batch"], max_length=max_length, device=job["device"])
    seconds = time.perf_counter() - started
    _write_cells(great, batches, Path(job["written"]))
    figures = {"accepted rows": float(len(accepted)), "longest sentence": float(max_length - MARGIN)}
    return {**figures, **sampling_figures(watch, sum(len(batch) for batch in batches), seconds)}


def sampling_figures(watch: Stopwatch, rows: int, seconds: float) -> dict[str, float]:
    """Figures of writing; "other" is what is neither the model nor its output layer."""
    forward, output = watch.seconds("forward"), watch.seconds("output layer")
    return {
        "rows": float(rows),
        "sampling seconds": seconds,
        "rows/s": rows / seconds,
        "forward passes": float(watch.calls["forward"]),
        "tokens per row": watch.tokens / rows,
        "forward seconds": forward,
        "output layer seconds": output,
        "other seconds": seconds - forward - output,
    }


def _write_cells(great: Any, batches: list[Any], path: Path) -> None:
    """Cells of all attempted rows as text, read by be_great's own helpers, before its filter."""
    from be_great import great_utils

    texts = [text for batch in batches for text in great_utils._convert_tokens_to_text(batch, great.tokenizer)]
    great_utils._convert_text_to_tabular_data(texts, great.columns).to_parquet(path)


def main(arguments: list[str], measured: Callable[[dict[str, Any]], dict[str, Any]] = measure) -> None:
    """Read a job, measure, and write the figures and the versions of the libraries that both methods share."""
    if len(arguments) != 2:
        raise SystemExit(f"expected two arguments, JOB.json and RESULT.json; got {len(arguments)}.")
    job, result = (Path(argument) for argument in arguments)
    figures = measured(json.loads(job.read_text(encoding="utf-8")))
    libraries = " ".join(f"{name}={version(name)}" for name in ("torch", "transformers"))
    result.write_text(json.dumps({"figures": figures, "libraries": libraries}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
