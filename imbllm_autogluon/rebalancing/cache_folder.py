"""The folder of a cache, seen from outside: what is in it, and how to empty it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.cache import MARK
from imbllm_autogluon.rebalancing.fold_rows import GENERATORS, POOLS, WARM_UPS

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = ("utils", "imbllm")
"""Where a predictor keeps its cache."""

DELETED = (GENERATORS.name, POOLS.name, WARM_UPS)
"""Folders that can be made again."""

OWN_NAMES = re.compile(r"\.?[0-9a-f]{40}([.-].*)?")
"""Entries, drafts and locks of the cache begin with the hash of what they depend on."""

STUDIES = "study.journal"
"""File of the studies of a predictor."""


@dataclass(frozen=True)
class CachePart:
    """One kind of entry."""

    name: str
    entries: int
    bytes: int
    """On disk, locks and unfinished entries included."""


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds."""

    folder: Path
    parts: tuple[CachePart, ...]


def inspect_cache(folder: Path) -> CacheInfo:
    """Count entries and bytes.

    Parameters
    ----------
    folder
        Of a predictor, or of a cache.

    Raises
    ------
    InvalidInputError
        There is no cache.
    """
    root = _root(folder)
    parts = [_part(name, root / name) for name in DELETED]
    journal = root / STUDIES
    if journal.is_file():
        parts.append(CachePart("studies", 1, journal.stat().st_size))
    return CacheInfo(root, tuple(parts))


def clear_cache(folder: Path) -> int:
    """Delete generators and rows; returns the bytes that were freed.

    Raises
    ------
    InvalidInputError
        There is no cache.
    """
    root = _root(folder)
    freed = 0
    for name in DELETED:
        freed += _part(name, root / name).bytes
        shutil.rmtree(root / name, ignore_errors=True)
    return freed


def _root(folder: Path) -> Path:
    inside = folder.joinpath(*INSIDE)
    if inside.is_dir():
        return inside
    if not any((folder / name).exists() for name in (*DELETED, STUDIES)) or not _only_own(folder):
        raise InvalidInputError(f"{folder} holds no generators, rows or studies; name the folder of a fit with twins.")
    return folder


def _only_own(root: Path) -> bool:
    """Whether nothing but entries would be deleted: a folder called `rows` may be anybody's."""
    return all(OWN_NAMES.fullmatch(path.name) for name in DELETED for path in (root / name).glob("*"))


def _part(name: str, folder: Path) -> CachePart:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    entries = [*folder.glob(f"*/{MARK}"), *folder.glob("*.safetensors")]
    return CachePart(name, len(entries), sum(sizes))
