"""``imbllm bench speed``: rows per second, seconds per epoch, validity and memory against be_great, on one backbone.

Every arm runs in a process of its own, so that peak memory is its own; arms take turns, so that a drifting machine
treats them alike. Each measurement is stored at once: an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.pieces import piece_stem, pieces_of, stored_piece
from imbllm_autogluon.bench.results import RESULTS, write_results
from imbllm_autogluon.bench.speed import great_worker
from imbllm_autogluon.bench.speed import page as speed_page
from imbllm_autogluon.bench.speed.environments import great_environment
from imbllm_autogluon.bench.speed_tables import SpeedTable, speed_tables
from imbllm_autogluon.bench.validity import legal_rows, read_cells
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

BATCH_SIZE = 32
"""Sentences in a training step of both arms."""

LONGEST_SECONDS = 4 * 3600
"""Seconds after which one measurement is given up: far above any seen, so that a hang ends."""


@dataclass(frozen=True)
class Arm:
    """One way to learn and write the rows."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """ImbLLM: settings beside its defaults. be_great: what is tuned."""

    is_peer: bool = False
    samples: bool = True
    """Whether it also writes rows; be_great's LoRA only shows its seconds per epoch."""


ARMS = (
    Arm(speed_page.OURS),
    Arm(speed_page.PEER, is_peer=True),
    Arm("ImbLLM, clauses as text", {"clauses": "text"}),
    Arm(speed_page.PEER_LORA, {"tuning": "lora"}, is_peer=True, samples=False),
    Arm("ImbLLM, all weights tuned", {"tuning": "full"}),
    Arm("ImbLLM, float32 throughout", {"precision": "float32"}),
)
"""In the order of their turns."""


@dataclass(frozen=True)
class SpeedPlan:
    """What is measured, and on what."""

    folder: str
    """Model and tokenizer files that all arms read."""

    device: str
    """``"cpu"`` or ``"cuda"``."""

    great_python: Path
    """Interpreter that imports be_great."""

    epochs: int = 1
    generate: int = 100
    """Rows to write."""

    budget: float = 240.0
    """Seconds of writing after which be_great begins no further batch."""

    threads: int = 2


def run(
    backbone: str = "smollm2",
    against: str = "be_great",
    tables: Sequence[str] = (),
    rows: int = 100,
    epochs: int = 1,
    generate: int = 100,
    budget: float = 240.0,
    repeats: int = 3,
    threads: int = 2,
    device: str = "auto",
    great_python: Path | None = None,
    fresh: bool = False,
) -> Path:
    """Measure all arms and write ``results/speed.csv`` and ``results/speed.md``; returns the page.

    Parameters
    ----------
    backbone
        Name or folder of a pretrained causal model; every arm reads the same files.
    against
        The peer; ``be_great`` is the only one.
    tables
        ``FILE:LABEL`` of own tables instead of the packaged thyroid table and a narrow seeded one.
    rows, epochs
        Most rows of the rare class that are learned, and how often.
    generate
        Rows to write.
    budget
        Seconds of writing after which be_great begins no further batch of 100 rows; the first is always finished.
    repeats
        Runs of each arm, each with another seed.
    threads
        torch threads of every arm.
    device
        ``cpu``, ``cuda``, or ``auto``: the GPU where there is one.
    great_python
        Interpreter of an environment with be_great, peft and the shared libraries; default: one that is made in the
        cache folder.
    fresh
        Measure everything anew instead of going on after an interrupted run.

    Raises
    ------
    InvalidInputError
        An argument has a value that is not allowed.
    MissingDependencyError
        The extra ``[bench]`` is not installed, or be_great's environment cannot be made.
    ImbLLMError
        A measurement fails; the message holds its last line and its log.
    """
    _check(against, device, great_python, rows=rows, epochs=epochs, generate=generate, repeats=repeats, threads=threads)
    measured_tables = speed_tables(tables, rows)
    folder = _model_folder(backbone)
    python = great_python or great_environment()
    plan = SpeedPlan(folder, _device(device), python, epochs, generate, budget, threads)
    work = pieces_of("speed", fresh=fresh)
    measured = [
        {"table": table.name, "arm": arm.name, "repetition": seed, **stored_measurement(arm, table, seed, plan, work)}
        for seed in range(repeats)
        for table in measured_tables
        for arm in ARMS
    ]
    tidy = _tidy(measured)
    libraries = {arm.is_peer: entry["libraries"] for arm, entry in zip(ARMS, measured, strict=False)}
    text = speed_page.text(
        tidy,
        sizes={table.name: (len(table.rows), table.features.shape[1]) for table in measured_tables},
        plan=plan,
        command=f"imbllm bench speed --backbone {backbone} --against {against} --rows {rows} --epochs {epochs} "
        f"--generate {generate} --budget {budget:g} --repeats {repeats} --threads {threads} --device {plan.device}"
        + "".join(f" --table {table}" for table in tables),
        between=(min(entry["measured"] for entry in measured), max(entry["measured"] for entry in measured)),
        libraries=(libraries[False], libraries[True]),
    )
    return write_results("speed", tidy, speed_page.absolute(tidy), text, RESULTS)


def stored_measurement(arm: Arm, table: SpeedTable, seed: int, plan: SpeedPlan, work: Path) -> dict[str, Any]:
    """What an earlier run measured under the same plan, else a new measurement, which is stored.

    Returns
    -------
    dict
        ``figures`` (name to number), ``libraries`` (versions, one text) and ``measured`` (UTC time, ISO).
    """
    job, name = _job(arm, table, seed, plan), f"{table.name} {arm.name} {seed}"
    cells = int(pd.util.hash_pandas_object(table.fold.astype(str), index=False).sum())
    stem = piece_stem(work, name, [job, str(cells), list(table.fold.columns), str(plan.great_python)])
    return stored_piece(stem, name, lambda: measure(arm, table, job, plan, stem))


def measure(arm: Arm, table: SpeedTable, job: dict[str, Any], plan: SpeedPlan, stem: Path) -> dict[str, Any]:
    """Run one arm in a process of its own and judge what it wrote; files go beside `stem`."""
    files = stem.with_suffix("")
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    paths = {name: str(files / f"{name}.parquet") for name in ("fold", "rows", "written")}
    table.fold.to_parquet(paths["fold"])
    table.rows.to_parquet(paths["rows"])
    (files / "job.json").write_text(json.dumps({**job, **paths}), encoding="utf-8")
    _run_worker(_command(arm, plan), files, plan, arm.name)
    result: dict[str, Any] = json.loads((files / "result.json").read_text(encoding="utf-8"))
    if arm.samples:
        result["figures"] |= _judged(arm, table, Path(paths["written"]), result["figures"])
    return result


def _judged(arm: Arm, table: SpeedTable, written: Path, figures: Mapping[str, float]) -> dict[str, float]:
    """Share and rate of legal rows."""
    rows = pd.read_parquet(written)
    rows = read_cells(rows, table.features) if arm.is_peer else rows
    legal = legal_rows(rows, table.features)
    return {"valid": float(legal.mean()), "valid rows/s": float(legal.sum()) / figures["sampling seconds"]}


def _command(arm: Arm, plan: SpeedPlan) -> list[str]:
    if arm.is_peer:
        # Isolated: else this folder's modules would stand before be_great's.
        return [str(plan.great_python), "-I", str(Path(great_worker.__file__))]
    return [sys.executable, "-m", "imbllm_autogluon.bench.speed.imbllm_worker"]


def _run_worker(command: list[str], files: Path, plan: SpeedPlan, name: str) -> None:
    """Run a worker on the job in a folder; what it prints goes to a log there."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(plan.threads),
        "MKL_NUM_THREADS": str(plan.threads),
        "HF_HUB_OFFLINE": "1",  # the model is a folder; nothing may wait for a connection
        "TOKENIZERS_PARALLELISM": "false",
        "IMBLLM_PROGRESS": "0",
        **({} if plan.device.startswith("cuda") else {"CUDA_VISIBLE_DEVICES": ""}),
    }
    command = [*command, str(files / "job.json"), str(files / "result.json")]
    printed = files / "log.txt"
    with printed.open("w", encoding="utf-8") as output:
        done = subprocess.run(  # noqa: S603 - an interpreter and a script of this package
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False, timeout=LONGEST_SECONDS
        )
    if done.returncode:
        lines = [line.strip() for line in printed.read_text(errors="replace").splitlines() if line.strip()]
        last = lines[-1] if lines else "no message"
        raise ImbLLMError(
            f"measuring {name} ended with exit code {done.returncode}: {last} (log: {printed}). Mend it and run the "
            "same command again: finished measurements are kept."
        )


def _job(arm: Arm, table: SpeedTable, seed: int, plan: SpeedPlan) -> dict[str, Any]:
    """What a worker must know, but for paths."""
    return {
        "folder": plan.folder,
        "device": plan.device,
        "label": table.label,
        "rare": table.rare,
        "settings": dict(arm.settings),
        "epochs": plan.epochs,
        "batch_size": BATCH_SIZE,
        "batch": speed_page.GENERATION_BATCH,
        "samples": plan.generate if arm.samples else 0,
        "budget": plan.budget,
        "threads": plan.threads,
        "seed": seed,
    }


def _tidy(measured: list[dict[str, Any]]) -> pd.DataFrame:
    """One figure in each row."""
    keys = ("table", "arm", "repetition")
    return pd.DataFrame(
        [
            {**{key: entry[key] for key in keys}, "metric": metric, "value": value, "versions": entry["libraries"]}
            for entry in measured
            for metric, value in entry["figures"].items()
        ]
    )


def _check(against: str, device: str, great_python: Path | None, **counts: int) -> None:
    if find_spec("tabulate") is None:
        raise MissingDependencyError("benchmarks need the package tabulate: pip install 'imbllm-autogluon[bench]'.")
    if against != "be_great":
        raise InvalidInputError(f"against must be 'be_great'; got {against!r}.")
    if device not in ("auto", "cpu", "cuda"):
        raise InvalidInputError(f"device must be 'auto', 'cpu' or 'cuda'; got {device!r}.")
    if great_python is not None and not great_python.is_file():
        raise InvalidInputError(f"great_python must be the interpreter of an environment; there is no {great_python}.")
    for name, value in counts.items():
        least = 2 if name == "rows" else 1
        if value < least:
            raise InvalidInputError(f"{name} must be at least {least}; got {value}.")


def _device(wanted: str) -> str:
    """The device to use; a GPU that is asked for and absent is refused, never replaced."""
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise InvalidInputError("device is 'cuda', but torch sees no GPU here; use 'cpu' or 'auto'.")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def _model_folder(backbone: str) -> str:
    """Folder with the files of a backbone, which all arms read."""
    from imbllm_autogluon.language.backbones import find_backbone

    source = find_backbone(backbone)
    if source.family != "causal":
        raise InvalidInputError(f"be_great needs a causal language model; {backbone!r} is a masked one.")
    if Path(source.location).is_dir():
        return source.location
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return snapshot_download(source.location, revision=source.revision, local_files_only=True)
    except LocalEntryNotFoundError as error:
        raise InvalidInputError(
            f"{backbone!r} is not on this machine; run `imbllm models fetch {backbone}` first, so that loading is "
            "measured and not the connection."
        ) from error
