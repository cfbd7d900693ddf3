"""Writing holds one batch at a time, so memory does not grow with the number of rows."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import Any

import pytest

from imbllm_autogluon.language import decoding
from tests.oversampling.tables import fitted, labels, mixed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("constrained", [True, False])
def test_caches_of_two_batches_never_live_at_once(constrained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reference counting frees is free at once: with the garbage collector off, no circle may keep a batch."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most: list[int] = []

    class Counted(decoding.KVSession):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            alive.add(self)
            most.append(len(alive))

    monkeypatch.setattr(decoding, "KVSession", Counted)
    generator = fitted(mixed(90), labels(60, 30), {"b": 400}, generation_batch=16, constrained=constrained)
    gc.disable()
    try:
        generator.sample()
    finally:
        gc.enable()
    assert len(most) >= 400 / 16
    assert max(most) == 1
    assert not alive


SCRIPT = textwrap.dedent(
    """
    import resource
    import sys
    import torch
    from tests.oversampling.tables import fitted, labels, mixed

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    generator = fitted(mixed(90), labels(60, 30), {"b": 2000}, numbers="digits", generation_batch=512)
    generator.sample()
    before = peak()
    rows, _ = generator.sample({"b": int(sys.argv[1])}, random_state=1)
    print(before, peak(), len(rows), rows.memory_usage(deep=True).sum() // 2**20)
    """
)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="peak memory is read from the resource module, which is POSIX only")
def test_a_hundred_thousand_rows_need_little_more_memory_than_the_rows_themselves(tmp_path: Path) -> None:
    script = tmp_path / "write.py"
    script.write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script), "100000"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=280,
        check=True,
    )
    before, peak, n_rows, table = map(int, done.stdout.split())
    assert n_rows == 100_000
    # 25 MiB were measured for 3 MiB of rows. All tokens at once would be 100 MiB, their caches several GiB.
    assert peak - before < 60 + 4 * table
