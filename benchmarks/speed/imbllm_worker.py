"""Measure ImbLLM on one table: ``python -m benchmarks.speed.imbllm_worker JOB.json RESULT.json``."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import pandas as pd

from benchmarks.speed.great_worker import Stopwatch, innermost, main, peak_memory, sampling_figures

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
    # Everything but loading counts as training: reading the fold into tokens as well.
    loading = generator.language_model.loading_seconds
    training = time.perf_counter() - started - loading
    sentences = steps(job, n_rows) * min(job["batch_size"], n_rows)  # of all steps: batches here are always full
    seconds = {"loading seconds": loading, "training seconds": training}
    per_epoch = {"seconds per epoch": training * n_rows / sentences}
    return {**seconds, **per_epoch, **_sample(generator, job), **peak_memory(job["device"])}


def configuration(job: dict[str, Any], n_rows: int) -> GeneratorConfig:
    """Defaults of the backbone, but what be_great does: no other rows, no held-out ones, the label alone as prompt."""
    from imbllm_autogluon.oversampling import GeneratorConfig

    same = {"pretrain": "none", "validation_fraction": 0.0, "interpolation_ratio": 0.0, "conditioning": "y"}
    sizes = {"steps": steps(job, n_rows), "batch_size": job["batch_size"], "generation_batch": job["batch"]}
    model = {"backbone": job["folder"], "device": job["device"]}
    return GeneratorConfig.from_flat({**model, **sizes, **same, **job["settings"]})


def steps(job: dict[str, Any], n_rows: int) -> int:
    """Steps that learn from each row at least once an epoch."""
    return math.ceil(int(job["epochs"]) * n_rows / min(int(job["batch_size"]), n_rows))


def _sample(generator: ImbLLM, job: dict[str, Any]) -> dict[str, float]:
    """Write the rows once, watched."""
    from imbllm_autogluon.language.decoding import _JointDecoder
    from imbllm_autogluon.language.session import KVSession

    watch = Stopwatch(job["device"])
    watch.watch("forward", innermost(generator.language_model._backbone.model), count_tokens=True)
    # Decoders multiply with the rows of the output layer that they need, so no hook of the layer would be called.
    with (
        mock.patch.object(KVSession, "logits", watch.timed("output layer", KVSession.logits)),
        mock.patch.object(_JointDecoder, "_logits", watch.timed("output layer", _JointDecoder._logits)),
    ):
        started = time.perf_counter()
        rows, _ = generator.sample()
        seconds = time.perf_counter() - started
    rows.to_parquet(job["written"])
    return sampling_figures(watch, len(rows), seconds)


if __name__ == "__main__":
    main(sys.argv[1:], measure)
