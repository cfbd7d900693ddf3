"""The folder of a fit: what was begun in it, whether it was finished, and the lock that keeps a second fit out."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._package import __version__
from imbllm_autogluon._storage import files_in, locked, require_writable, write_whole
from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Identity = Mapping[str, Any]  # what is fitted, by words for messages: whatever JSON keeps

_RECORD = "imbllm_fit.json"  # what is fitted, and whether to the end
# What a fit leaves in its folder; nothing else in a folder is ever deleted
_OF_A_FIT = (
    "predictor.pkl", "learner.pkl", "metadata.json", "version.txt", "models", "utils", "logs",
    "imbllm_report.json", "imbllm_report.html", "imbllm_report.md", _RECORD,
)  # fmt: skip


@dataclass(frozen=True)
class FitFolder:
    """The folder of a fit, which may still have to be made."""

    path: Path

    @property
    def is_of_a_fit(self) -> bool:
        """Whether it holds what a fit leaves behind, finished or not, and nothing else."""
        return self.path.is_dir() and files_in(self.path) <= set(_OF_A_FIT)

    @property
    def is_finished(self) -> bool | None:
        """Whether the fit that was begun in it came to its end; None where the folder does not say."""
        finished: bool | None = self.record.get("finished")
        return finished

    @property
    def record(self) -> dict[str, Any]:
        """What a fit of this version noted: ``identity``, ``effort`` and whether it is ``finished``; else empty."""
        try:
            record: dict[str, Any] = json.loads((self.path / _RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record

    @property
    def id_column(self) -> str | None:
        """The column of ids that was kept out of the fit; None where the folder names none."""
        named: str | None = self.record.get("identity", {}).get("ids")
        return named

    def check(self, identity: Identity, *, force: bool, resume: bool) -> None:
        """Raise `InvalidInputError` if a fit of this identity may not or cannot be made here; touches nothing.

        `force` replaces what an earlier fit left, `resume` goes on with a fit of the same identity.
        """
        require_writable(self.path)
        if not self.path.exists():
            return
        if resume:
            if not self.is_of_a_fit:
                raise InvalidInputError(f"{self.path} holds files that no fit left there; name the folder of a fit.")
            self._check_identity(identity)
        elif files_in(self.path) and not force:
            raise InvalidInputError(
                f"the folder {self.path} is not empty; name another, replace a fit with --force, or "
                "go on with an interrupted one with --resume."
            )

    @contextmanager
    def claimed(
        self, identity: Identity, *, force: bool, resume: bool, effort: Identity = MappingProxyType({})
    ) -> Iterator[None]:
        """Lock the folder for a block, made and emptied unless the fit is gone on with; record begin and end.

        `effort` is recorded beside the identity, and may be another one when the fit is gone on with.
        A folder that another process fits into is an `InvalidInputError`, one that cannot be written a `TableError`.
        """
        with locked(self.path):
            self.check(identity, force=force, resume=resume)
            if not resume:
                self.clear()
            self._write_record(identity, effort, finished=False)
            yield
            self._write_record(identity, effort, finished=True)

    def clear(self) -> None:
        """Delete what a fit leaves, but for its lock."""
        for name in _OF_A_FIT:
            left = self.path / name
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)

    def _check_identity(self, identity: Identity) -> None:
        begun: Any = self.record.get("identity")
        if begun is None and files_in(self.path):
            raise InvalidInputError(
                f"{self.path} does not say what was fitted there: an earlier version or another program did it. Name "
                "another folder, or replace it with --force."
            )
        asked: dict[str, Any] = {} if begun is None else json.loads(_as_json(identity))
        differing = [
            f"{what} {begun.get(what)!r}, not {asked.get(what)!r}"
            for what in ({**asked, **begun} if asked else ())
            if begun.get(what) != asked.get(what)
        ]
        if differing:
            raise InvalidInputError(
                f"{self.path} holds another fit, with {'; '.join(differing)}. Go on with what it was begun with, name "
                "another folder, or replace it with --force."
            )

    def _write_record(self, identity: Identity, effort: Identity, *, finished: bool) -> None:
        noted = {"identity": dict(identity), "effort": dict(effort)}
        text = _as_json({"version": __version__, "finished": finished, **noted})
        write_whole(self.path / _RECORD, lambda draft: draft.write_text(text, encoding="utf-8"))


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), indent=1, default=str)
