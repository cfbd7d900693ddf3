"""A content-addressed cache of folders, shared by all models of a fold and by all processes of a fit.

An entry is a state of :mod:`imbllm_autogluon._storage`: a reader sees a whole one or none. It is built once: a lock of
the operating system, freed when its owner dies, keeps two processes from building the same entry. A broken entry is
deleted and built again. Where the folder cannot be written, entries live in memory.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from filelock import FileLock

from imbllm_autogluon._storage import STATE_NAME
from imbllm_autogluon.errors import InvalidInputError, StoredStateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_log = logging.getLogger("autogluon.imbllm")

_T = TypeVar("_T")
STUDIES = "study.journal"
_DELETED = ("generators", "rows", "warm-ups")  # folders that can be made again
_MOST_IN_MEMORY = 16  # entries per shelf: the folds of a fit, twice over
_OWN_NAMES = re.compile(r"\.?[0-9a-f]{40}([.-].*)?")  # of entries, drafts and locks: they begin with a hash


def cache_of(predictor_folder: Path) -> Path:
    """Folder of the generators, rows and studies of one predictor."""
    return predictor_folder / "utils" / "imbllm"


class DiskCache(Generic[_T]):
    """One kind of entry in the folder `name`: `save` writes it as a state, `load` raises `StoredStateError`."""

    def __init__(self, name: str, save: Callable[[_T, Path], None], load: Callable[[Path], _T]) -> None:
        self.name, self._save, self._load = name, save, load
        self._memory: OrderedDict[tuple[Path | None, str], _T] = OrderedDict()
        self._stored: set[tuple[Path | None, str]] = set()

    def get_or_build(self, root: Path | None, key: str, build: Callable[[], _T]) -> tuple[_T, bool]:
        """Return the entry of a key, a hash of all it depends on, and whether this call built it because nobody had.

        Without a root the cache is memory only.
        """
        known = self._memory.get((root, key))
        if known is not None and not self._was_deleted(root, key):
            self._memory.move_to_end((root, key))
            return known, False
        with _locked(None if root is None else root / self.name, key) as folder:
            found = None if folder is None else self._read(folder / key)
            # An entry whose folder was deleted since is stored again, for processes that come later.
            entry = next((each for each in (found, known) if each is not None), None)
            built = entry is None
            entry = build() if entry is None else entry
            if folder is not None and (found is not None or self._publish(entry, folder / key)):
                self._stored.add((root, key))
        self._memory[root, key] = entry
        if len(self._memory) > _MOST_IN_MEMORY:
            self._memory.popitem(last=False)
        return entry, built

    def find(self, root: Path | None, key: str) -> _T | None:
        """The entry of a key, in memory or stored; `None` where there is none. A broken one is deleted."""
        known = self._memory.get((root, key))
        return known if known is not None or root is None else self._read(root / self.name / key)

    def keys(self, root: Path) -> list[str]:
        """Keys of the complete entries below a root."""
        return sorted(mark.parent.name for mark in (root / self.name).glob(f"*/{STATE_NAME}"))

    def forget(self) -> None:
        """Empty the memory; folders stay."""
        self._memory.clear()

    def _was_deleted(self, root: Path | None, key: str) -> bool:
        return root is not None and (root, key) in self._stored and not (root / self.name / key / STATE_NAME).exists()

    def _read(self, entry: Path) -> _T | None:
        """The entry of a folder; `None` if there is none or it was broken and had to be deleted."""
        if not (entry / STATE_NAME).exists():
            return None
        try:
            return self._load(entry)
        except StoredStateError as error:
            _log.warning("A broken cache entry is built again (%s).", error)
            shutil.rmtree(entry, ignore_errors=True)
            return None

    def _publish(self, entry: _T, folder: Path) -> bool:
        try:
            self._save(entry, folder)
        except Exception as error:  # noqa: BLE001 - whatever storing does not succeed in, memory holds the entry as well
            shutil.rmtree(folder, ignore_errors=True)
            _log.warning("The cache entry could not be stored in %s and is kept in memory (%s).", folder, error)
            return False
        return True


@contextlib.contextmanager
def _locked(folder: Path | None, key: str) -> Iterator[Path | None]:
    """Hold the lock of one key and yield the folder; `None` where there is none or it cannot be written."""
    with contextlib.ExitStack() as stack:
        usable = folder
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(folder / f"{key}.lock"))
            except OSError as error:
                _log.warning("The cache folder %s cannot be written (%s); entries are kept in memory.", folder, error)
                usable = None
        yield usable


class _CachePart(NamedTuple):
    name: str
    entries: int
    bytes: int  # on disk, locks and unfinished entries included


def inspect_cache(folder: Path) -> tuple[Path, list[_CachePart]]:
    """Find the cache in a folder, which is a predictor's or the cache's own, and count entries and bytes.

    `InvalidInputError` where there is none.
    """
    root = _cache_in(folder)
    parts = [_part(root / name) for name in _DELETED]
    if (root / STUDIES).is_file():
        parts.append(_CachePart("studies", 1, (root / STUDIES).stat().st_size))
    return root, parts


def clear_cache(folder: Path) -> int:
    """Delete generators and rows of the cache in a folder; returns the bytes that were freed."""
    root = _cache_in(folder)
    freed = sum(_part(root / name).bytes for name in _DELETED)
    for name in _DELETED:
        shutil.rmtree(root / name, ignore_errors=True)
    return freed


def _cache_in(folder: Path) -> Path:
    if cache_of(folder).is_dir():
        return cache_of(folder)
    # Nothing but entries may be deleted: a folder called `rows` may be anybody's.
    foreign = [path for name in _DELETED for path in (folder / name).glob("*") if not _OWN_NAMES.fullmatch(path.name)]
    if foreign or not any((folder / name).exists() for name in (*_DELETED, STUDIES)):
        raise InvalidInputError(f"{folder} holds no generators, rows or studies; name the folder of a fit with twins.")
    return folder


def _part(folder: Path) -> _CachePart:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    entries = [*folder.glob(f"*/{STATE_NAME}"), *folder.glob("*.safetensors")]
    return _CachePart(folder.name, len(entries), sum(sizes))
