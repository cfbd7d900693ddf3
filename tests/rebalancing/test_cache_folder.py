"""The folder of a cache from outside: what it holds, what is deleted, and what is never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.rebalancing.cache import MARK
from imbllm_autogluon.rebalancing.cache_folder import DELETED, INSIDE, STUDIES, clear_cache, inspect_cache

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ["a" * 40, "0123456789" * 4]


def cache_in(root: Path) -> Path:
    """Two generators, one of them unfinished, two entries of rows, a warm-up, locks, and a study."""
    for folder, key in (("generators", KEYS[0]), ("rows", KEYS[0]), ("rows", KEYS[1])):
        entry = root / folder / key
        entry.mkdir(parents=True)
        (entry / MARK).touch()
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


@pytest.mark.parametrize("inside", [(), INSIDE], ids=["a cache of its own", "the cache of a predictor"])
def test_complete_entries_are_counted_and_every_byte(tmp_path: Path, inside: tuple[str, ...]) -> None:
    root = cache_in(tmp_path.joinpath(*inside))
    found = inspect_cache(tmp_path)
    assert found.folder == root
    assert [(part.name, part.entries, part.bytes) for part in found.parts] == [
        ("generators", 1, 17),
        ("rows", 2, 20),
        ("warm-ups", 1, 6),
        ("studies", 1, 3),
    ]


def test_clearing_deletes_what_can_be_made_again_and_says_how_much(tmp_path: Path) -> None:
    cache_in(tmp_path)
    (tmp_path / "thesis.txt").write_text("mine")
    assert clear_cache(tmp_path) == 17 + 20 + 6
    assert names_in(tmp_path) == {STUDIES, "thesis.txt"}
    assert clear_cache(tmp_path) == 0
    assert [(part.name, part.entries) for part in inspect_cache(tmp_path).parts if part.entries] == [("studies", 1)]


def test_the_cleared_cache_of_a_predictor_is_an_empty_one_and_no_error(tmp_path: Path) -> None:
    (cache_in(tmp_path.joinpath(*INSIDE)) / STUDIES).unlink()
    assert clear_cache(tmp_path) == 43
    assert [part.bytes for part in inspect_cache(tmp_path).parts] == [0, 0, 0]
    assert clear_cache(tmp_path) == 0


@pytest.mark.parametrize("name", DELETED)
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
