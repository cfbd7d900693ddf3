"""The process that computes what is stored: one thread, and kernels that do not depend on the processor."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("golden.json")
ROOT = Path(__file__).parents[2]

LIBRARIES = (
    "autogluon.tabular", "imbalanced-learn", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "torch",
    "transformers",
)  # fmt: skip
"""Packages whose other versions may give other numbers."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

SAME_KERNELS = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F",
}
"""With AVX2 or AVX-512, sums are taken in another order, and a last digit decides which token is drawn."""


def versions() -> dict[str, str]:
    """What the numbers depend on next to this package."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "machine": platform.machine(), **{name: metadata.version(name) for name in LIBRARIES}}


def computed(kernels: dict[str, str] = SAME_KERNELS) -> dict[str, Any]:
    """Rows, reports and leaderboards as the code makes them now."""
    with tempfile.TemporaryDirectory() as scratch:
        own = {"IMBLLM_CACHE_DIR": str(Path(scratch) / "cache"), "IMBLLM_PROGRESS": "0", "PYTHONHASHSEED": "0"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("IMBLLM_", "COV_"))}
        target = Path(scratch) / "found.json"
        run = subprocess.run(
            [sys.executable, "-m", "tests.golden.compute", str(target)],
            cwd=ROOT,
            env={**inherited, **ONE_THREAD, **own, **kernels},
            capture_output=True,
            text=True,
        )
        if run.returncode:
            raise RuntimeError(f"the results could not be computed:\n{run.stderr[-4000:]}")
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


def store(found: dict[str, Any]) -> None:
    """Write the results, as a rule one value a line, so that a change of them can be read."""
    FILE.write_text(_lines(found) + "\n", encoding="utf-8")


def _lines(value: Any, indent: str = "") -> str:
    """JSON in which whatever holds no further lists or mappings stands on one line."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if not any(isinstance(item, (dict, list)) for item in inner) and (indent.count(" ") > 2 or not inner):
        return json.dumps(value, ensure_ascii=False)
    deeper = f"{indent} "
    names = (
        [f"{json.dumps(name, ensure_ascii=False)}: " for name in value]
        if isinstance(value, dict)
        else [""] * len(value)
    )
    parts = [f"{deeper}{name}{_lines(item, deeper)}" for name, item in zip(names, inner, strict=True)]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([first, ",\n".join(parts), f"{indent}{last}"])
