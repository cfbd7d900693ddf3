"""State in folders: JSON, arrays and further files, written whole or not at all, and never as pickle.

A folder holds one state: ``state.json`` with its kind, its data and the name of the subfolder with everything else.
The subfolder is new for each writing and ``state.json`` is replaced last, so that a kill at any moment leaves the old
state or the new one. Two processes must not write into one folder at the same time; the cache holds a lock for that.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from safetensors.numpy import load_file, save_file

from imbllm_autogluon._package import __version__
from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Array = np.ndarray[Any, Any]

_FORMAT = 1  # version of everything that is stored; raised whenever an older reader could misread something
STATE_NAME = "state.json"  # file that a folder with a whole state holds
_LOCK = ".imbllm.lock"  # file in a folder that one process alone may write into
_ARRAYS, _CONTENT = "arrays.safetensors", "state-"


@dataclass
class _Draft:
    """A state that is being written."""

    folder: Path  # for further files, states of other kinds in subfolders among them
    data: dict[str, Any] = field(default_factory=dict)  # whatever `json.dumps` accepts
    arrays: Mapping[str, Any] | None = None  # arrays of NumPy or tensors of torch


@dataclass(frozen=True)
class Stored:
    """A state that was read."""

    folder: Path  # with the further files
    data: dict[str, Any]

    def arrays(self) -> dict[str, Array]:
        """The arrays as they were written."""
        return load_file(self.folder / _ARRAYS)

    def tensors(self) -> dict[str, Any]:
        """The arrays as tensors on the CPU."""
        from safetensors.torch import load_file as load_tensors

        return dict(load_tensors(self.folder / _ARRAYS))


@contextmanager
def writing(folder: Path, kind: str) -> Iterator[_Draft]:
    """Write a state: give the draft its data and arrays, and write further files into its folder.

    The folder is created if need be; a state that it holds is replaced, other files stay. `kind` is what is stored, in
    words that an error can use, such as ``"generator"``. `InvalidInputError` where the folder is a file,
    `StoredStateError` where something cannot be written or stored; an old state then stays as it was.

    >>> from tempfile import mkdtemp
    >>> folder = Path(mkdtemp())
    >>> with writing(folder, "mean") as draft:
    ...     draft.data, draft.arrays = {"rows": 3}, {"mean": np.array([0.5])}
    >>> with reading(folder, "mean") as stored:
    ...     print(stored.data, stored.arrays())
    {'rows': 3} {'mean': array([0.5])}
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidInputError(f"{folder} is a file; name a folder to save into.")
    try:
        draft = _Draft(_new_content(folder))
        yield draft
        _publish(draft, folder, kind)
    except StoredStateError:
        raise
    except (InvalidInputError, OSError) as error:
        raise StoredStateError(f"the {kind} cannot be stored: {error}") from error
    finally:
        _sweep(folder)


def _new_content(folder: Path) -> Path:
    """A subfolder with the next free number: the same files get the same names, whoever writes them."""
    numbers = [int(path.name.removeprefix(_CONTENT)) for path in _contents(folder)]
    content = folder / f"{_CONTENT}{max(numbers, default=0) + 1}"
    content.mkdir(parents=True)
    return content


def _contents(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{_CONTENT}*") if path.name.removeprefix(_CONTENT).isdecimal()]


def _publish(draft: _Draft, folder: Path, kind: str) -> None:
    head = {"kind": kind, "format": _FORMAT, "version": __version__, "content": draft.folder.name, "data": draft.data}
    try:
        text = json.dumps(head)
    except (TypeError, ValueError) as error:
        raise StoredStateError(f"the {kind} cannot be stored: {error}") from error
    if draft.arrays is not None:
        plain = {k: v if isinstance(v, np.ndarray) else v.detach().cpu().numpy() for k, v in draft.arrays.items()}
        save_file({k: np.asarray(v, order="C") for k, v in plain.items()}, draft.folder / _ARRAYS)
    state = draft.folder / f"{STATE_NAME}.draft"
    state.write_text(text, encoding="utf-8")
    os.replace(state, folder / STATE_NAME)  # noqa: PTH105 - says that an existing file is replaced on every system


def _sweep(folder: Path) -> None:
    """Delete the content that no state names: of older states and of killed writers."""
    kept = _entry(folder, "content")
    for content in _contents(folder):
        if content.name != kept:
            shutil.rmtree(content, ignore_errors=True)


@contextmanager
def reading(folder: Path, kind: str) -> Iterator[Stored]:
    """Read a state; whatever goes wrong inside the block is a `StoredStateError` that says what to do.

    So it is where there is no state, where it is of another kind or format, or where a file is absent or damaged.
    """
    try:
        yield _read(folder, kind)
    except StoredStateError:
        raise
    except Exception as error:
        raise StoredStateError(f"no usable {kind} in {folder}: {error}. Delete the folder and fit again.") from error


def _read(folder: Path, kind: str) -> Stored:
    head = _head(folder)
    if head["format"] != _FORMAT:
        raise StoredStateError(
            f"{folder} has format {head['format']}; this version reads format {_FORMAT}. Fit again, or install version "
            f"{head['version']}, which wrote it."
        )
    if head["kind"] != kind:
        raise StoredStateError(f"{folder} holds a {head['kind']}, not a {kind}; name another folder.")
    if not re.fullmatch(rf"{_CONTENT}\d+", head["content"]):
        raise StoredStateError(
            f"no usable {kind} in {folder}: {STATE_NAME} is damaged. Delete the folder and fit again."
        )
    return Stored(folder / head["content"], head["data"])


def _head(folder: Path) -> dict[str, Any]:
    head: dict[str, Any] = json.loads((folder / STATE_NAME).read_text(encoding="utf-8"))
    return head


def kind_of(folder: Path) -> str | None:
    """Kind of the state that a folder holds; None where it holds none."""
    return _entry(folder, "kind")


def _entry(folder: Path, name: str) -> str | None:
    try:
        return str(_head(folder)[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def delete(folder: Path) -> None:
    """Delete the state of a folder, and the folder if nothing else is in it; other files stay."""
    if folder.is_dir():
        (folder / STATE_NAME).unlink(missing_ok=True)
        _sweep(folder)
        if not any(folder.iterdir()):
            folder.rmdir()


def require_writable(folder: Path) -> None:
    """Raise `TableError` unless files can be written into a folder, which may still have to be made."""
    known = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not known.is_dir():
        raise TableError(f"{known} is a file; name a folder.")
    if not os.access(known, os.W_OK):
        raise TableError(f"the folder {folder} cannot be written: no permission to write into {known}.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and hold its lock, freed when its owner dies; nothing is left of a folder that ends up empty.

    `InvalidInputError` at once where another process holds the lock, `TableError` where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK).acquire(timeout=0)
    except Timeout as error:
        raise InvalidInputError(
            f"another process is writing into the folder {folder}; wait until it ends, or name another folder."
        ) from error
    except OSError as error:
        raise TableError(f"the folder {folder} cannot be written: {error.strerror}.") from error
    try:
        with lock:
            yield
    finally:
        if not files_in(folder):
            shutil.rmtree(folder)


def files_in(folder: Path) -> set[str]:
    """Names of what a folder holds beside its lock."""
    return {path.name for path in folder.iterdir()} - {_LOCK}


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a draft next to `path` and put it in place in one step, so that no reader sees half a file.

    `TableError` where the folder is absent or cannot be written.
    """
    draft = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        write(draft)
        os.replace(draft, path)  # noqa: PTH105
    except (OSError, ValueError) as error:
        raise TableError(f"{path} cannot be written: {first_line(error)}.") from error
    finally:
        draft.unlink(missing_ok=True) if draft.parent.is_dir() else None


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts by the names of their files into a folder, made if need be, each whole or not at all.

    `TableError` where the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TableError(f"the folder {folder} cannot be made ({error.strerror}): name another one.") from error
    for name, text in texts.items():
        write_whole(folder / name, partial(Path.write_text, data=text, encoding="utf-8"))


def first_line(error: Exception) -> str:
    """What an error says first, without a full stop."""
    lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def fingerprint(settings: Mapping[str, Any], arrays: Iterable[Array]) -> str:
    """SHA-256 of JSON-able settings and of arrays, shapes and dtypes included."""
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
