"""What all rooms share: the least settings, and folders that one worker of pytest-xdist makes for all."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TINY = {"steps": 2, "pretrain_steps": 2, "layers": 1, "width": 16, "plausibility": 0.0}
"""Settings of a generator that learns next to nothing in next to no time, and whose rows are all good enough."""

_roots: list[Path] = []


@contextmanager
def few_trees() -> Iterator[None]:
    """Let three trees judge written rows, not a hundred: for tests of anything but these judges."""
    from imbllm_autogluon.quality import fidelity, utility

    kinds: dict[Any, str] = {fidelity._Forest: "n_estimators", utility._Trees: "max_iter"}
    with pytest.MonkeyPatch.context() as patch:
        for kind, number in kinds.items():
            many = kind._estimator
            patch.setattr(kind, "_estimator", lambda own, many=many, few={number: 3}: many(own).set_params(**few))
        yield


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
