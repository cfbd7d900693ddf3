"""The virtual environment of be_great, which pins libraries of its own; made once in the cache folder."""

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

GREAT = "be-great==0.0.14"  # MIT licence

SHARED = ("transformers", "peft", "accelerate", "pandas", "numpy")
"""Libraries that do the work of both; next to torch they have the same versions there as here."""


def great_python() -> Path:
    """Interpreter of an environment with be_great, made at the first call and where its requirements have changed.

    Raises
    ------
    MissingDependencyError
        It cannot be made, and nothing of it is left; the message holds pip's last line.
    """
    folder = settings().cache_dir / "environments" / "be_great"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    marker = folder / "requirements.json"  # written last: a folder without it is half an environment
    # torch first and alone: be_great would take any version, and this order never fetches two of them.
    torch = [f"torch=={version('torch').partition('+')[0]}"]
    wanted = json.dumps([torch, [GREAT, *(f"{name}=={version(name)}" for name in SHARED)]])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if python.exists() and marker.is_file() and marker.read_text(encoding="utf-8") == wanted:
            return python
        shutil.rmtree(folder, ignore_errors=True)
        try:
            run_command([sys.executable, "-m", "venv", str(folder)])
            for part in json.loads(wanted):
                run_command([str(python), "-m", "pip", "install", "--progress-bar", "off", *part])
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        marker.write_text(wanted, encoding="utf-8")
    return python


def run_command(command: Sequence[str]) -> None:
    """Run a command and wait for it; an error holds the last line that it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        *_, last = ["no message", *(done.stdout + "\n" + done.stderr).split("\n")[:-1]]
        what = f"{' '.join(command[1:4])} ended with {done.returncode}: {last}"
        raise MissingDependencyError(f"the environment of be_great could not be made: {what}")
