"""Benchmarks in pieces: each measurement is stored as soon as it is made, so an interrupted run goes on."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock, Timeout

from imbllm_autogluon.bench.results import versions
from imbllm_autogluon.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)


def pieces_of(benchmark: str, *, fresh: bool) -> Path:
    """Folder of a benchmark's pieces; emptied where everything is to be measured anew."""
    work = settings().cache_dir / "bench" / benchmark
    if fresh:
        shutil.rmtree(work, ignore_errors=True)
    return work


def piece_stem(work: Path, name: str, identity: object) -> Path:
    """Path, without suffix, of one measurement: other conditions or library versions are another measurement.

    Parameters
    ----------
    work
        Folder of the benchmark's pieces.
    name
        What a person calls the measurement.
    identity
        JSON-able: everything that the figures depend on, but for versions.
    """
    text = json.dumps([identity, versions()], sort_keys=True)
    plain = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return work / f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def stored_piece(stem: Path, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What an earlier run stored at `stem`, else what `measure` returns now, with ``measured`` (UTC time, ISO)."""
    stored = stem.with_suffix(".json")
    if not stored.is_file():
        log.warning("Measuring %s.", name)
        stem.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.datetime.now(tz=datetime.timezone.utc).isoformat(timespec="minutes")
        draft = stem.with_suffix(".draft")
        draft.write_text(json.dumps({**measure(), "measured": now}), encoding="utf-8")
        draft.replace(stored)
    loaded: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
    return loaded


def measured(work: Path, name: str, identity: object, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """One measurement, stored under what a person calls it and everything it depends on; see :func:`stored_piece`."""
    return stored_piece(piece_stem(work, name, identity), name, measure)


class Piece(NamedTuple):
    """A measurement to be made; see :func:`measured`."""

    name: str
    identity: object
    measure: Callable[[], dict[str, Any]]


def all_measured(work: Path, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    """Measure pieces beside other processes that measure the same ones; returns all, in their order.

    A process leaves out what another has in work, and waits for it when nothing else is left. What a process that was
    killed had in work is measured by one that waits for it: the lock ends with its holder.

    Parameters
    ----------
    work
        Folder of the benchmark's pieces, one for all processes.
    pieces
        Name, identity and measurement of each; equal in all processes.
    """
    work.mkdir(parents=True, exist_ok=True)
    stems = [piece_stem(work, piece.name, piece.identity) for piece in pieces]
    for timeout in (0, -1):  # seconds; -1: for as long as it takes
        for stem, piece in zip(stems, pieces, strict=True):
            _measure_alone(stem, piece, timeout)
    return [stored_piece(stem, piece.name, piece.measure) for stem, piece in zip(stems, pieces, strict=True)]


def _measure_alone(stem: Path, piece: Piece, timeout: float) -> None:
    """Measure a piece unless it is stored, or in work elsewhere for longer than `timeout` seconds."""
    if stem.with_suffix(".json").is_file():
        return
    try:
        with FileLock(stem.with_suffix(".lock"), timeout=timeout):
            stored_piece(stem, piece.name, piece.measure)
    except Timeout:
        log.warning("Another process measures %s.", piece.name)
