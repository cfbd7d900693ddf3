"""The folder of a fit: what was begun in it, whether it was finished, and the lock that keeps a second fit out."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._package import __version__
from imbllm_autogluon._storage import LOCK_NAME, locked, write_whole
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


def left_by_a_fit(folder: Path) -> bool:
    """Whether a folder holds what a fit leaves behind, finished or not, and nothing else."""
    return folder.is_dir() and all(path.name in (*_OF_A_FIT, LOCK_NAME) for path in folder.iterdir())


def is_finished(folder: Path) -> bool | None:
    """Whether the fit that was begun in a folder came to its end; None where the folder does not say."""
    finished: bool | None = _record(folder).get("finished")
    return finished


def check_folder(folder: Path, identity: Identity, *, force: bool, resume: bool) -> None:
    """Raise `InvalidInputError` if a fit of this identity may not be made in a folder; touches nothing.

    `force` replaces what an earlier fit left, `resume` goes on with a fit of the same identity.
    """
    if not folder.exists():
        return
    if resume:
        if not left_by_a_fit(folder):
            raise InvalidInputError(f"{folder} holds files that no fit left there; name the folder of a fit.")
        _check_identity(folder, identity)
    elif not folder.is_dir():
        raise InvalidInputError(f"{folder} is a file; name a folder for the predictor.")
    elif any(path.name != LOCK_NAME for path in folder.iterdir()) and not force:
        raise InvalidInputError(
            f"the folder {folder} is not empty; name another, replace a fit with --force, or "
            "go on with an interrupted one with --resume."
        )


@contextmanager
def claimed(folder: Path, identity: Identity, *, force: bool, resume: bool) -> Iterator[None]:
    """Lock the folder of a fit for a block, made and emptied unless the fit is gone on with; record begin and end.

    A folder that another process fits into is an `InvalidInputError`, one that cannot be written a `TableError`.
    """
    with locked(folder):
        check_folder(folder, identity, force=force, resume=resume)
        if not resume:
            clear_folder(folder)
        _write_record(folder, identity, finished=False)
        yield
        _write_record(folder, identity, finished=True)


def clear_folder(folder: Path) -> None:
    """Delete what a fit leaves in a folder, but for its lock."""
    for name in _OF_A_FIT:
        left = folder / name
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def _check_identity(folder: Path, identity: Identity) -> None:
    begun = _record(folder).get("identity")
    if begun is None and any(path.name != LOCK_NAME for path in folder.iterdir()):
        raise InvalidInputError(
            f"{folder} does not say what was fitted there: an earlier version or another program did it. Name another "
            "folder, or replace it with --force."
        )
    differing = [
        f"{what} {begun.get(what)!r}, not {value!r}"
        for what, value in _as_stored(identity).items()
        if begun is not None and begun.get(what) != value
    ]
    if differing:
        raise InvalidInputError(
            f"{folder} holds another fit, with {'; '.join(differing)}. Go on with what it was begun with, name another "
            "folder, or replace it with --force."
        )


def _record(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record


def _write_record(folder: Path, identity: Identity, *, finished: bool) -> None:
    record = {"version": __version__, "finished": finished, "identity": _as_stored(identity)}
    write_whole(folder / _RECORD, lambda draft: draft.write_text(json.dumps(record, indent=1), encoding="utf-8"))


def _as_stored(identity: Identity) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(json.dumps(dict(identity), default=str))
    return stored
