"""A content-addressed cache of folders, shared by all models of a fold and by all processes of a fit.

An entry is built once, in a temporary folder beside its place, and published by a rename: a reader sees a whole entry
or none. A lock of the operating system, freed when its owner dies, keeps two processes from building the same entry.
A broken entry is deleted and built again. Where the folder cannot be written, entries live in memory.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from filelock import FileLock

from imbllm_autogluon.errors import StoredStateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger("autogluon.imbllm")

T = TypeVar("T")

MOST_IN_MEMORY = 16
"""Entries kept in memory per shelf: the folds of a fit, twice over."""

MARK = "complete"
"""File that a published entry holds."""


class Shelf(Generic[T]):
    """One kind of entry in the cache: how it is saved, loaded, and where.

    Parameters
    ----------
    name
        Folder of this kind of entry.
    save, load
        Write an entry into an empty folder; read it again, raising `StoredStateError` if it is broken.
    """

    def __init__(self, name: str, save: Callable[[T, Path], None], load: Callable[[Path], T]) -> None:
        self.name = name
        self._save = save
        self._load = load
        self._memory: OrderedDict[tuple[Path | None, str], T] = OrderedDict()
        self._stored: set[tuple[Path | None, str]] = set()

    def get_or_build(self, root: Path | None, key: str, build: Callable[[], T]) -> tuple[T, bool]:
        """Return the entry of a key, building it if nobody has.

        Parameters
        ----------
        root
            Folder of the cache, or `None` to use memory only.
        key
            Name of the entry: a hash of everything it depends on.
        build
            Makes the entry.

        Returns
        -------
        entry, built
            The entry, and whether this call built it.
        """
        place = (root, key)
        known = self._memory.get(place)
        if known is not None and not self._was_deleted(root, key):
            self._memory.move_to_end(place)
            return known, False
        # An entry whose folder was deleted since is stored again, for processes that come later.
        entry, built = self._from_disk_or_built(root, key, build if known is None else lambda: known)
        built = built and known is None
        self._memory[place] = entry
        if len(self._memory) > MOST_IN_MEMORY:
            self._memory.popitem(last=False)
        return entry, built

    def find(self, root: Path | None, key: str) -> T | None:
        """The entry of a key, in memory or stored; `None` where there is none. A broken one is deleted."""
        known = self._memory.get((root, key))
        return known if known is not None or root is None else self._read(root / self.name / key)

    def keys(self, root: Path) -> list[str]:
        """Keys of the complete entries below a root."""
        return sorted(mark.parent.name for mark in (root / self.name).glob(f"*/{MARK}"))

    def forget(self) -> None:
        """Empty the memory; folders stay."""
        self._memory.clear()

    def _was_deleted(self, root: Path | None, key: str) -> bool:
        """Whether an entry was on disk once and is not any more."""
        return root is not None and (root, key) in self._stored and not (root / self.name / key / MARK).exists()

    def _from_disk_or_built(self, root: Path | None, key: str, build: Callable[[], T]) -> tuple[T, bool]:
        with contextlib.ExitStack() as stack:
            folder = None if root is None else stack.enter_context(_locked(root / self.name, key))
            if folder is None:
                return build(), True
            found = self._read(folder / key)
            if found is not None:
                self._stored.add((root, key))
                return found, False
            entry = build()
            if self._publish(entry, folder, key):
                self._stored.add((root, key))
            return entry, True

    def _read(self, entry: Path) -> T | None:
        """The entry of a folder; `None` if there is none or it was broken and had to be deleted."""
        if not (entry / MARK).exists():
            return None
        try:
            return self._load(entry)
        except StoredStateError as error:
            log.warning("A broken cache entry is built again (%s).", error)
            shutil.rmtree(entry, ignore_errors=True)
            return None

    def _publish(self, entry: T, folder: Path, key: str) -> bool:
        """Write an entry beside its place and rename it; leftovers of killed writers are swept away first.

        Returns whether that worked.
        """
        for leftover in folder.glob(f".{key}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        draft = folder / f".{key}-{uuid.uuid4().hex}"
        try:
            draft.mkdir()
            self._save(entry, draft)
            (draft / MARK).touch()
            shutil.rmtree(folder / key, ignore_errors=True)
            draft.rename(folder / key)
        except (OSError, StoredStateError) as error:
            shutil.rmtree(draft, ignore_errors=True)
            log.warning("The cache entry could not be stored in %s and is kept in memory (%s).", folder, error)
            return False
        return True


@contextlib.contextmanager
def _locked(folder: Path, key: str) -> Iterator[Path | None]:
    """Hold the lock of one key and yield the folder; `None` where it cannot be written."""
    with contextlib.ExitStack() as stack:
        usable: Path | None = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / f"{key}.lock"))
        except OSError as error:
            log.warning("The cache folder %s cannot be written (%s); generators are kept in memory.", folder, error)
            usable = None
        yield usable
