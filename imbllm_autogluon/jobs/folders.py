"""The folder of a predictor: free, taken, or left by an earlier fit."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError, TableError

if TYPE_CHECKING:
    from pathlib import Path

OF_A_PREDICTOR = (
    "predictor.pkl", "learner.pkl", "metadata.json", "version.txt", "models", "utils", "logs",
    "imbllm_report.json", "imbllm_report.html", "imbllm_report.md",
)  # fmt: skip
"""What an earlier fit left in its folder; nothing else in a folder is ever deleted."""


def left_by_a_fit(folder: Path) -> bool:
    """Whether a folder holds what a fit leaves behind, finished or not, and nothing else."""
    return folder.is_dir() and all(path.name in OF_A_PREDICTOR for path in folder.iterdir())


def check_folder(folder: Path, *, force: bool, resume: bool = False) -> None:
    """Raise `InvalidInputError` if the folder of a new predictor is in use; touches nothing."""
    if resume:
        if folder.exists() and not left_by_a_fit(folder):
            raise InvalidInputError(f"{folder} holds files that no fit left there; name the folder of a fit.")
        return
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"{folder} is a file; name a folder for the predictor.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise InvalidInputError(
            f"the folder {folder} is not empty; name another, replace a fit with --force, or "
            "go on with an interrupted one with --resume."
        )


def prepare_folder(folder: Path, *, force: bool) -> None:
    """Make the folder of a new predictor, emptied of what an earlier fit left there.

    Raises
    ------
    TableError
        The folder cannot be made or written.
    """
    check_folder(folder, force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".imbllm-probe"
        probe.touch()
        probe.unlink()
        clear_folder(folder)  # AutoGluon makes it again; it warns of a folder that exists, even of an empty one
    except OSError as error:
        raise TableError(f"the folder {folder} cannot be written: {error.strerror}.") from error


def clear_folder(folder: Path) -> None:
    """Delete what a fit leaves in a folder, and the folder itself if nothing else is in it."""
    for name in OF_A_PREDICTOR:
        left = folder / name
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
