from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon._storage import STATE_NAME, reading, writing
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.cache import STUDIES, DiskCache, cache_of, clear_cache, inspect_cache

if TYPE_CHECKING:
    from collections.abc import Callable


def save(entry: dict[str, int], folder: Path) -> None:
    with writing(folder, "thing") as draft:
        draft.data = dict(entry)


def load(folder: Path) -> dict[str, int]:
    with reading(folder, "thing") as stored:
        return stored.data


def new_shelf() -> DiskCache[dict[str, int]]:
    return DiskCache("things", save, load)


def test_an_entry_is_built_once_and_found_by_later_calls_and_other_processes(tmp_path: Path) -> None:
    shelf = new_shelf()
    assert shelf.get_or_build(tmp_path, "k", lambda: {"a": 1}) == ({"a": 1}, True)
    assert shelf.get_or_build(tmp_path, "k", lambda: {"a": 2}) == ({"a": 1}, False)
    assert new_shelf().get_or_build(tmp_path, "k", lambda: {"a": 2}) == ({"a": 1}, False)
    assert shelf.keys(tmp_path) == ["k"]


def test_an_entry_whose_folder_was_deleted_is_stored_again_from_memory(tmp_path: Path) -> None:
    shelf = new_shelf()
    shelf.get_or_build(tmp_path / "root", "k", lambda: {"a": 1})
    shutil.rmtree(tmp_path / "root")
    assert shelf.get_or_build(tmp_path / "root", "k", lambda: {"a": 2}) == ({"a": 1}, False)
    assert new_shelf().get_or_build(tmp_path / "root", "k", lambda: {"a": 3}) == ({"a": 1}, False)


def test_other_keys_and_other_roots_are_other_entries(tmp_path: Path) -> None:
    shelf = new_shelf()
    shelf.get_or_build(tmp_path / "one", "k", lambda: {"a": 1})
    assert shelf.get_or_build(tmp_path / "two", "k", lambda: {"a": 2}) == ({"a": 2}, True)
    assert shelf.get_or_build(tmp_path / "one", "l", lambda: {"a": 3}) == ({"a": 3}, True)


def test_a_broken_entry_is_built_again_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    new_shelf().get_or_build(tmp_path, "k", lambda: {"a": 1})
    (tmp_path / "things" / "k" / STATE_NAME).write_text("{")
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        assert new_shelf().get_or_build(tmp_path, "k", lambda: {"a": 2}) == ({"a": 2}, True)
    assert "broken" in caplog.text
    assert new_shelf().get_or_build(tmp_path, "k", lambda: {"a": 3}) == ({"a": 2}, False)


def test_without_a_root_entries_live_in_memory_only() -> None:
    shelf = new_shelf()
    assert shelf.get_or_build(None, "k", lambda: {"a": 1}) == ({"a": 1}, True)
    assert shelf.get_or_build(None, "k", lambda: {"a": 2}) == ({"a": 1}, False)
    shelf.forget()
    assert shelf.get_or_build(None, "k", lambda: {"a": 3}) == ({"a": 3}, True)


def test_a_folder_that_cannot_be_written_falls_back_to_memory_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    shelf = new_shelf()
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        assert shelf.get_or_build(blocked, "k", lambda: {"a": 1}) == ({"a": 1}, True)
    assert "kept in memory" in caplog.text
    assert shelf.get_or_build(blocked, "k", lambda: {"a": 2}) == ({"a": 1}, False)


def test_an_entry_that_cannot_be_saved_is_kept_in_memory_and_leaves_nothing_half_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def full_disk(entry: dict[str, int], folder: Path) -> None:
        with writing(folder, "thing") as draft:
            (draft.folder / "part").write_text("x")
            raise OSError("no space left on device")

    shelf = DiskCache("things", full_disk, load)
    with caplog.at_level(logging.WARNING, "autogluon.imbllm"):
        assert shelf.get_or_build(tmp_path, "k", lambda: {"a": 1}) == ({"a": 1}, True)
    assert "no space left" in caplog.text
    assert shelf.keys(tmp_path) == []
    assert [path.name for path in (tmp_path / "things").iterdir()] == ["k.lock"]


def test_an_error_of_the_builder_reaches_the_caller_and_frees_the_lock(tmp_path: Path) -> None:
    def fail() -> dict[str, int]:
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        new_shelf().get_or_build(tmp_path, "k", fail)
    assert new_shelf().get_or_build(tmp_path, "k", lambda: {"a": 1}) == ({"a": 1}, True)


def _save_slowly(entry: dict[str, int], folder: Path) -> None:
    with writing(folder, "thing"):
        (folder.parent / "writing").touch()
        time.sleep(60)


def _build_slowly(root: Path) -> None:
    DiskCache("things", _save_slowly, load).get_or_build(root, "k", lambda: {"a": 1})


def test_after_a_kill_in_the_middle_of_a_write_the_next_run_recovers(tmp_path: Path) -> None:
    writer = multiprocessing.get_context("fork").Process(target=_build_slowly, args=(tmp_path,))
    writer.start()
    deadline = time.monotonic() + 20
    while not (tmp_path / "things" / "writing").exists():
        assert time.monotonic() < deadline, "the writer never began to write"
        time.sleep(0.02)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert new_shelf().get_or_build(tmp_path, "k", lambda: {"a": 2}) == ({"a": 2}, True)
    assert len(list((tmp_path / "things" / "k").glob("state-*"))) == 1, "the killed writer's leftover is still there"


def _count_builds(root: Path, counter: Path) -> None:
    def build() -> dict[str, int]:
        with counter.open("a") as file:
            file.write("built\n")
        time.sleep(0.3)
        return {"a": 1}

    DiskCache("things", save, load).get_or_build(root, "k", build)


def test_processes_that_want_the_same_entry_at_once_build_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    counter = tmp_path / "counter"
    workers = [context.Process(target=_count_builds, args=(tmp_path, counter)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counter.read_text() == "built\n"


def test_memory_forgets_the_entry_unused_for_longest() -> None:
    shelf = new_shelf()
    for i in range(17):
        shelf.get_or_build(None, str(i), lambda i=i: {"a": i})  # type: ignore[misc]
    assert shelf.get_or_build(None, "16", lambda: {"a": -1}) == ({"a": 16}, False)
    assert shelf.get_or_build(None, "0", lambda: {"a": -1}) == ({"a": -1}, True)


def test_an_entry_can_be_looked_up_in_memory_or_on_disk_without_building_it(tmp_path: Path) -> None:
    shelf = new_shelf()
    assert shelf.find(tmp_path, "k") is None
    shelf.get_or_build(tmp_path, "k", lambda: {"a": 1})
    assert shelf.find(tmp_path, "k") == new_shelf().find(tmp_path, "k") == {"a": 1}
    assert shelf.find(None, "k") is None
    shelf.get_or_build(None, "k", lambda: {"a": 2})
    assert shelf.find(None, "k") == {"a": 2}


KEYS = ["a" * 40, "0123456789" * 4]


def cache_in(root: Path) -> Path:
    """Two generators, one of them unfinished, two entries of rows, a warm-up, locks, and a study."""
    for folder, key in (("generators", KEYS[0]), ("rows", KEYS[0]), ("rows", KEYS[1])):
        entry = root / folder / key
        entry.mkdir(parents=True)
        (entry / STATE_NAME).touch()
        (entry / "weights.bin").write_bytes(bytes(10))
        (root / folder / f"{key}.lock").touch()
    (root / "generators" / f".{KEYS[1]}-0af3").mkdir()
    (root / "generators" / f".{KEYS[1]}-0af3" / "half.bin").write_bytes(bytes(7))
    (root / "warm-ups").mkdir()
    (root / "warm-ups" / f"{KEYS[0]}.safetensors").write_bytes(bytes(5))
    (root / "warm-ups" / f".{KEYS[0]}.safetensors-9f").write_bytes(bytes(1))
    (root / STUDIES).write_bytes(bytes(3))
    return root


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("inside", [Path, cache_of], ids=["a cache of its own", "the cache of a predictor"])
def test_complete_entries_are_counted_and_every_byte(tmp_path: Path, inside: Callable[[Path], Path]) -> None:
    root = cache_in(inside(tmp_path))
    assert inspect_cache(tmp_path) == (
        root,
        [
            ("generators", 1, 17),
            ("rows", 2, 20),
            ("warm-ups", 1, 6),
            ("studies", 1, 3),
        ],
    )


def test_clearing_deletes_what_can_be_made_again_and_says_how_much(tmp_path: Path) -> None:
    cache_in(tmp_path)
    (tmp_path / "thesis.txt").write_text("mine")
    assert clear_cache(tmp_path) == 17 + 20 + 6
    assert names_in(tmp_path) == {STUDIES, "thesis.txt"}
    assert clear_cache(tmp_path) == 0
    assert [(part.name, part.entries) for part in inspect_cache(tmp_path)[1] if part.entries] == [("studies", 1)]


def test_the_cleared_cache_of_a_predictor_is_an_empty_one_and_no_error(tmp_path: Path) -> None:
    (cache_in(cache_of(tmp_path)) / STUDIES).unlink()
    assert clear_cache(tmp_path) == 43
    assert [part.bytes for part in inspect_cache(tmp_path)[1]] == [0, 0, 0]
    assert clear_cache(tmp_path) == 0


@pytest.mark.parametrize("name", ["generators", "rows", "warm-ups"])
@pytest.mark.parametrize("foreign", ["data.csv", "2024-01", "a" * 39, f"{'a' * 40}x"])
def test_a_folder_that_only_shares_a_name_with_the_cache_is_refused_and_kept(
    tmp_path: Path, name: str, foreign: str
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / foreign).write_text("mine")
    for command in (inspect_cache, clear_cache):
        with pytest.raises(InvalidInputError, match="holds no generators, rows or studies; name the folder of a fit"):
            command(tmp_path)
    assert (tmp_path / name / foreign).read_text() == "mine"


def test_an_absent_or_empty_folder_is_refused_by_name(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InvalidInputError, match=f"{folder} holds no generators"):
            inspect_cache(folder)
