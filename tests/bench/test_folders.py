from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from imbllm_autogluon import bench
from imbllm_autogluon.bench.results import RESULTS

ROOT = Path(bench.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")
BENCHMARKS = sorted({path.parent.name for path in MODULES} - {ROOT.name, "readme"})

MAY_USE = {"ablation": {"paper"}, "regression_autogluon": {"regression"}, "readme": set(BENCHMARKS)}
"""Folders that a folder may use beside itself; what several others need stands above them."""


def folders_used(path: Path) -> set[str]:
    """Folders of benchmarks that a module imports from, for types too."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    names = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    inside = {name.split(".")[2] for name in names if name.startswith(f"{bench.__name__}.")}
    return inside & {*BENCHMARKS, "readme"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_uses_what_stands_above_it_and_what_it_may(path: Path) -> None:
    own = path.parent.name
    assert folders_used(path) - {own} <= MAY_USE.get(own, set())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_folder_has_a_benchmark_to_run(name: str) -> None:
    assert callable(importlib.import_module(f"{bench.__name__}.{name}.run").run)


def test_a_folder_loads_nothing_by_itself() -> None:
    names = [f"{bench.__name__}.{name}" for name in BENCHMARKS]
    code = (
        f"import sys, imbllm_autogluon.bench; before = set(sys.modules); import {', '.join(names)}; "
        "print(*sorted(set(sys.modules) - before))"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert fresh.stdout.split() == names


def test_results_lie_beside_the_folders() -> None:
    assert RESULTS == ROOT / "results"
    assert list(RESULTS.glob("*.md"))
