"""Virtual environments of peers: they pin libraries of their own, so each lives apart and is made once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from filelock import FileLock

from imbllm_autogluon.errors import MissingDependencyError
from imbllm_autogluon.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GREAT = "be-great==0.0.14"
"""The measured release of be_great, MIT licence."""

SHARED = ("transformers", "peft", "accelerate", "pandas", "numpy")
"""Libraries that do the work in both arms; beside torch they have the same versions there as here."""

MARKER = "requirements.json"
"""Written last: a folder without it is half an environment."""


def great_environment() -> Path:
    """Interpreter of an environment with be_great, made at the first call.

    Raises
    ------
    MissingDependencyError
        It cannot be made; the message holds pip's last line.
    """
    # torch first and alone: be_great would take any version, and this order never fetches two of them.
    torch = f"torch=={version('torch').partition('+')[0]}"
    return environment("be_great", [[torch], [GREAT, *(f"{name}=={version(name)}" for name in SHARED)]])


def environment(name: str, requirements: Sequence[Sequence[str]]) -> Path:
    """Interpreter of the virtual environment `name`, made anew where its requirements have changed.

    Parameters
    ----------
    name
        Folder below ``environments`` in the cache folder.
    requirements
        What pip installs, one call for each sequence, in this order. pip reads its own settings and variables.

    Returns
    -------
    Path
        The environment's ``python``.

    Raises
    ------
    MissingDependencyError
        It cannot be made; nothing of it is left.
    """
    folder = settings().cache_dir / "environments" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    wanted = [list(part) for part in requirements]
    with FileLock(folder.with_suffix(".lock")):
        if _made_for(folder) != wanted:
            try:
                _make(folder, wanted)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return python_of(folder)


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run_command(command: Sequence[str]) -> None:
    """Run a command and wait for it.

    Raises
    ------
    MissingDependencyError
        It fails; the message holds the last line it wrote.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        lines = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
        raise MissingDependencyError(
            f"the environment of a peer could not be made: {' '.join(command[1:4])} ended with {done.returncode}: "
            f"{lines[-1].strip() if lines else 'no message'}. Mend what it says, or name the interpreter of an "
            "environment that you made yourself (--great-python)."
        )


def _made_for(folder: Path) -> object:
    """Requirements of the environment in a folder; None if it is absent or incomplete."""
    marker = folder / MARKER
    if not marker.is_file() or not python_of(folder).exists():
        return None
    return json.loads(marker.read_text(encoding="utf-8"))


def _make(folder: Path, requirements: list[list[str]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    run_command([sys.executable, "-m", "venv", str(folder)])
    for part in requirements:
        pip = [str(python_of(folder)), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
        run_command([*pip, *part])
    (folder / MARKER).write_text(json.dumps(requirements), encoding="utf-8")
