"""Measure ImbLLM on one table in a process of its own.

Run as ``python -m imbllm_autogluon.bench.speed.imbllm_worker JOB.json RESULT.json``.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pandas as pd

from imbllm_autogluon.bench.speed.great_worker import Stopwatch, innermost, main, peak_memory, sampling_figures

if TYPE_CHECKING:
    from imbllm_autogluon.oversampling import GeneratorConfig, ImbLLM


def measure(job: dict[str, Any]) -> dict[str, float]:
    """Load, fine-tune and write rows; they go to the file `job["written"]`."""
    from imbllm_autogluon.oversampling import ImbLLM

    fold = pd.read_parquet(job["fold"])
    X, y = fold.drop(columns=job["label"]), fold[job["label"]]
    n_rows = int((y == job["rare"]).sum())
    started = time.perf_counter()
    generator = ImbLLM(configuration(job, n_rows), random_state=job["seed"], threads=job["threads"])
    generator.fit(X, y, {job["rare"]: job["samples"]})
    fitting = time.perf_counter() - started
    assert generator._model is not None
    # Everything but loading counts as training: reading the fold into tokens as well.
    loading = generator._model.loading_seconds
    figures = {
        "loading seconds": loading,
        "training seconds": fitting - loading,
        "seconds per epoch": (fitting - loading) * n_rows / sentences_learned(job, n_rows),
    }
    return {**figures, **_sample(generator, job), **peak_memory(job["device"])}


def configuration(job: dict[str, Any], n_rows: int) -> GeneratorConfig:
    """Defaults of the backbone, but what be_great does: no other rows, no held-out ones, the label alone as prompt."""
    from imbllm_autogluon.oversampling import GeneratorConfig

    return GeneratorConfig.from_flat(
        {
            "backbone": job["folder"],
            "device": job["device"],
            "warmup": "none",
            "steps": steps(job, n_rows),
            "batch_size": job["batch_size"],
            "generation_batch": job["batch"],
            "held_out": 0.0,
            "interpolation_ratio": 0.0,
            "conditioning": "y",
            **job["settings"],
        }
    )


def steps(job: dict[str, Any], n_rows: int) -> int:
    """Steps that learn from each row at least once an epoch."""
    return math.ceil(int(job["epochs"]) * n_rows / min(int(job["batch_size"]), n_rows))


def sentences_learned(job: dict[str, Any], n_rows: int) -> int:
    """Sentences of all steps: a little more than epochs times rows, as batches here are always full."""
    return steps(job, n_rows) * min(int(job["batch_size"]), n_rows)


def _sample(generator: ImbLLM, job: dict[str, Any]) -> dict[str, float]:
    """Write the rows once, watched."""
    from imbllm_autogluon.language import decoding

    assert generator._model is not None
    watch = Stopwatch(job["device"])
    watch.watch("forward", innermost(generator._model._backbone.model), count_tokens=True)
    # The decoder multiplies with the rows of the output layer that it needs, so no hook of the layer would be called.
    with mock.patch.object(decoding, "output_logits", watch.timed("output layer", decoding.output_logits)):
        started = time.perf_counter()
        rows, _ = generator.sample()
        seconds = time.perf_counter() - started
    rows.to_parquet(Path(job["written"]))
    return sampling_figures(watch, len(rows), seconds)


if __name__ == "__main__":
    main(sys.argv[1:], measure)
