"""What all rooms share: the least settings, and folders that one worker of pytest-xdist makes for all."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TINY = {"steps": 2, "pretrain_steps": 2, "layers": 1, "width": 16, "plausibility": 0.0}
"""Settings of a generator that learns next to nothing in next to no time, and whose rows are all good enough."""

_roots: list[Path] = []


def use_root(folder: Path) -> None:
    """Set the folder that all workers of this run see."""
    _roots[:] = [folder]


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder of this name, filled by the first process that asks for it; a test copies what it changes."""
    folder = _roots[0] / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder
