"""Rows per second, seconds per epoch, validity and memory against be_great, on one backbone.

ImbLLM and be_great fine-tune the same model files on the rows of a rare class and write more. Each run is a process of
its own, methods take turns, and both have the same libraries. `rows/s` counts the rows that be_great attempted, legal
or not. be_great samples by its defaults with the label as start; its `max_length` is its longest training sentence and
8 tokens, and it begins no further batch of 100 rows after the seconds of the budget. Its seconds of training are those
of its trainer alone; ours are all of fitting but loading, scaled to as many sentences as there are rows. ImbLLM stands
for the defaults (a token for each column clause and category, LoRA, bfloat16 where the processor has it; be_great
computes in float32) with no row held out and the label alone as prompt, so that both learn every row and write every
feature.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.protocol import Metric, Option, Options, Protocol, Row, Task
from benchmarks.report import markdown, medians, wide
from benchmarks.speed.rare_rows import legal_rows, read_cells, with_few_rare
from imbllm_autogluon._config import require_choice, require_number
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError

if TYPE_CHECKING:
    from benchmarks.tables import Table

OURS, PEER, PEER_LORA = "ImbLLM", "be_great", "be_great, LoRA"

BATCH_SIZE, GENERATION_BATCH = 32, 100
"""Sentences in a training step, and rows decoded at once, of both; the latter is be_great's default."""

REMEDY = (
    "be_great pins libraries of its own: python -m venv GREAT; GREAT/bin/pip install torch==T (this environment's); "
    "GREAT/bin/pip install be-great==0.0.14 with transformers, peft, accelerate, pandas and numpy as they are here."
)


def describe(table: Table, options: Options) -> str:
    """Rows that are learned; refuses options, a model or a device that cannot be used."""
    for name in ("rare_rows", "epochs", "generate"):
        require_number(name, options[name], 1, whole=True)
    _device(options["device"])
    _model_folder(options["backbone"])
    if not Path(options["great_python"]).is_file():
        raise InvalidInputError(f"--great-python must name an interpreter with be_great. {REMEDY}")
    few, rare = with_few_rare(table, options["rare_rows"])
    return f"{few.counts[rare]} rows of `{rare}` learned, {few.features.shape[1]} features"


def measure(task: Task) -> list[Row]:
    """Run one method in a process of its own and judge what it wrote."""
    table, rare = with_few_rare(task.table, task.options["rare_rows"])
    is_peer, samples = task.spec["method"] == PEER, task.options["generate"] * task.spec.get("writes", True)
    own = {name: value for name, value in task.spec.items() if name not in ("method", "writes")}
    job = {name: task.options[name] for name in ("epochs", "budget")}
    job |= {"folder": _model_folder(task.options["backbone"]), "device": _device(task.options["device"])}
    job |= {"label": table.label, "rare": rare, "settings": own, "seed": task.split, "threads": task.threads}
    job |= {"batch_size": BATCH_SIZE, "batch": GENERATION_BATCH, "samples": samples}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder, f"{name}.parquet")) for name in ("fold", "rows", "written")}
        table.frame.to_parquet(paths["fold"])
        table.frame[table.labels == rare].reset_index(drop=True).to_parquet(paths["rows"])
        result = run_worker(_command(task.options["great_python"], is_peer=is_peer), {**job, **paths}, Path(folder))
        figures = result["figures"]
        if samples:
            written = pd.read_parquet(paths["written"])
            legal = legal_rows(read_cells(written, table.features) if is_peer else written, table.features)
            figures |= {"valid": legal.mean(), "valid rows/s": legal.sum() / figures["sampling seconds"]}
    return [{"metric": name, "value": float(value), "versions": result["libraries"]} for name, value in figures.items()]


def _command(great_python: str, *, is_peer: bool) -> list[str]:
    if is_peer:  # isolated: else this folder's modules would stand before be_great's
        return [great_python, "-I", str(Path(__file__).with_name("great_worker.py"))]
    return [sys.executable, "-m", "benchmarks.speed.imbllm_worker"]


def run_worker(command: list[str], job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a worker on a job; what it measured. An error ends with what it printed last."""
    # The model is a folder, and nothing may wait for a connection.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "IMBLLM_PROGRESS": "0"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(job["threads"]))
    environment |= {} if job["device"] == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}
    given, result = folder / "job.json", folder / "result.json"
    given.write_text(json.dumps(job), encoding="utf-8")
    command = [*command, str(given), str(result)]
    # The time limit (seconds) is far above any run seen, so that a hang ends.
    how: dict[str, Any] = {"cwd": Path(__file__).parents[2], "timeout": 4 * 3600, "errors": "replace"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, **how)  # noqa: S603 - our own scripts
    if done.returncode:
        last = (done.stdout + done.stderr)[-2000:].strip()
        raise ImbLLMError(f"{command[-3]} ended with exit code {done.returncode}:\n{last}")
    measured: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return measured


def _device(wanted: str) -> str:
    """The device to use; a GPU that is asked for and absent is refused, never replaced."""
    import torch

    require_choice("device", wanted, ("auto", "cpu", "cuda"))
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InvalidInputError("device is 'cuda', but torch sees no GPU here; use 'cpu' or 'auto'.")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def _model_folder(backbone: str) -> str:
    """Folder with the files of a backbone, which all methods read."""
    from imbllm_autogluon.language.backbones import find_backbone

    source = find_backbone(backbone, local_files_only=True)  # loading is measured, not a connection
    if source.family != "causal":
        raise InvalidInputError(f"be_great needs a causal language model; {backbone!r} is a masked one.")
    if Path(source.location).is_dir():
        return source.location
    from huggingface_hub import snapshot_download

    return snapshot_download(source.location, revision=source.revision, local_files_only=True)


def ratios(tidy: pd.DataFrame, _protocol: Protocol) -> str:
    """How many times better each of our methods is than be_great: median and range over the splits."""
    rows = []
    for table, part in tidy.groupby("table", sort=False):
        figures = wide(part).droplevel("table")
        memory = "peak GPU MiB" if "peak GPU MiB" in figures else "peak MiB"
        for method in [name for name in dict.fromkeys(part["method"]) if not name.startswith(PEER)]:
            ours, peer, lora = (
                figures.xs(name, level="method") if name in set(part["method"]) else figures.iloc[:0].droplevel(1)
                for name in (method, PEER, PEER_LORA)
            )
            cells = {
                "rows/s": ours["rows/s"] / peer["rows/s"],
                "valid rows/s": ours["valid rows/s"] / peer["valid rows/s"],
                "s/epoch": peer["seconds per epoch"] / ours["seconds per epoch"],
                "s/epoch, be_great with LoRA": lora["seconds per epoch"] / ours["seconds per epoch"],
                "peak memory": peer[memory] / ours[memory],
            }
            rows.append({"table": table, "method": method, **{name: _spread(one) for name, one in cells.items()}})
    title = f"## Ratios to {PEER}\n\nAbove 1 where ImbLLM is better; inf: {PEER} wrote no valid row."
    return f"{title}\n\n{markdown(pd.DataFrame(rows))}" if rows else ""


def _spread(values: pd.Series[float]) -> str:
    found = values.dropna()
    texts = [f"{value:.2f}" for value in (found.median(), found.min(), found.max())]
    return "" if found.empty else texts[0] + (f" ({texts[1]} to {texts[2]})" if len(found) > 1 else "")


PROTOCOL = Protocol(
    name="speed",
    about=__doc__,
    methods={
        OURS: {"method": "imbllm"},
        PEER: {"method": PEER},
        "ImbLLM, clauses as text": {"method": "imbllm", "clauses": "text"},
        PEER_LORA: {"method": PEER, "tuning": "lora", "writes": False},
        "ImbLLM, all weights tuned": {"method": "imbllm", "tuning": "full"},
        "ImbLLM, float32 throughout": {"method": "imbllm", "precision": "float32"},
    },
    measure=measure,
    metrics=(
        Metric("rows/s", "rows attempted in a second", "higher", 2),
        Metric("valid rows/s", "rows whose every cell is a legal value of its column", "higher", 2),
        Metric("valid", "their share", "higher", 2),
        Metric("seconds per epoch", "of fine-tuning", "lower", 1),
        Metric("loading seconds", "", "lower", 2),
        Metric("sampling seconds", "of writing", "lower", 1),
        *(Metric(f"{part} seconds", "of these", "lower", 1) for part in ("forward", "output layer", "other")),
        Metric("forward passes", "", "lower", 0),
        Metric("tokens per row", "that the model is fed", "lower", 1),
        Metric("peak MiB", "of the process", "lower", 0),
        Metric("peak GPU MiB", "of its tensors", "lower", 0),
    ),
    tables=("hypothyroid", "seeded:1000x8:100"),
    rows=10_000,
    threads=2,
    options={
        "backbone": Option(str, "smollm2", "Name or folder of a pretrained causal model."),
        "rare_rows": Option(int, 100, "Most rows of the rarest class that are learned."),
        "epochs": Option(int, 1, "How often they are learned."),
        "generate": Option(int, 100, "Rows to write."),
        "budget": Option(float, 240.0, "Seconds of writing after which be_great begins no further batch."),
        "great_python": Option(str, "", "Interpreter of an environment with be_great."),
        "device": Option(str, "auto", "cpu, cuda or auto: the GPU where there is one."),
    },
    describe=describe,
    page=(ratios, medians),
    columns={"table": "table", "method": "arm", "split": "repetition", "metric": "metric", "value": "value"},
)
