"""A folder holds the old state or the new one, and says what is wrong with it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from imbllm_autogluon._storage import STATE_NAME, delete, fingerprint, kind_of, reading, write_whole, writing
from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARRAY = np.arange(6, dtype=np.int64)


def store(folder: Path, value: Any = 1, note: str = "first") -> None:
    with writing(folder, "thing") as draft:
        (draft.folder / "note.txt").write_text(note)
        draft.data, draft.arrays = {"value": value}, {"x": ARRAY, "y": np.zeros((2, 0))}


def value_in(folder: Path) -> tuple[Any, str]:
    with reading(folder, "thing") as stored:
        assert stored.arrays()["x"].tolist() == ARRAY.tolist()
        return stored.data["value"], (stored.folder / "note.txt").read_text()


def edit(folder: Path, **changes: Any) -> None:
    file = folder / STATE_NAME
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def content(folder: Path) -> Path:
    (found,) = folder.glob("state-*")
    return found


def test_what_was_written_is_read_and_replaced_by_the_next_writing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("of the user")
    store(tmp_path / "deep" / "folder")
    for value, note in ((2, "second"), (3, "third")):
        store(tmp_path, value, note)
        assert value_in(tmp_path) == (value, note)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "mine.txt", content(tmp_path).name, STATE_NAME]


@pytest.mark.parametrize(
    "array",
    [
        np.float64(2.5) * np.ones(()),
        np.arange(12).reshape(3, 4)[:, ::2].T,
        np.array([True]),
        np.zeros(0, dtype=np.uint8),
    ],
)
@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor])
def test_arrays_and_tensors_of_any_layout_keep_shape_dtype_and_values(
    array: Any, convert: Callable[[Any], Any], tmp_path: Path
) -> None:
    with writing(tmp_path, "thing") as draft:
        draft.arrays = {"a": convert(array)}
    with reading(tmp_path, "thing") as stored:
        found, tensor = stored.arrays()["a"], stored.tensors()["a"]
    assert (found.dtype, found.shape, found.tolist()) == (array.dtype, array.shape, array.tolist())
    assert torch.equal(tensor, torch.as_tensor(np.ascontiguousarray(array)).reshape(array.shape))


def test_states_nest(tmp_path: Path) -> None:
    with writing(tmp_path, "whole") as draft:
        store(draft.folder / "part", 7)
    with reading(tmp_path, "whole") as stored:
        assert value_in(stored.folder / "part") == (7, "first")


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize("place", ["imbllm_autogluon._storage.save_file", "os.replace"])
@pytest.mark.parametrize("error", [Killed, OSError("disk full")])
def test_an_interrupted_writing_leaves_the_old_state(
    place: str, error: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(Killed if error is Killed else StoredStateError):
            store(tmp_path, 2, "second")
    assert value_in(tmp_path) == (1, "first")
    assert content(tmp_path).is_dir()


def test_what_a_killed_writer_left_is_swept_away_by_the_next(tmp_path: Path) -> None:
    if os.fork() == 0:
        with writing(tmp_path, "thing"):
            os._exit(0)
    os.wait()
    assert content(tmp_path).is_dir()
    assert kind_of(tmp_path) is None
    store(tmp_path)
    assert value_in(tmp_path) == (1, "first")
    assert content(tmp_path).is_dir()


@pytest.mark.parametrize("value", [object(), {1j}])
def test_data_that_json_cannot_hold_are_refused_and_the_old_state_stays(value: object, tmp_path: Path) -> None:
    store(tmp_path)
    with pytest.raises(StoredStateError, match=r"the thing cannot be stored: .*not JSON serializable"):
        store(tmp_path, value)
    assert value_in(tmp_path) == (1, "first")


def test_an_error_of_the_writer_is_one_of_storing_only_where_it_is_about_what_is_stored(tmp_path: Path) -> None:
    for error, expected in ((InvalidInputError("a cell"), StoredStateError), (KeyError("bug"), KeyError)):
        with pytest.raises(expected), writing(tmp_path, "thing"):
            raise error
    assert not list(tmp_path.iterdir())


def test_a_file_in_place_of_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInputError, match="is a file; name a folder"):
        store(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / STATE_NAME).unlink(), "no usable thing in .*Delete the folder and fit again"),
        (lambda folder: (folder / STATE_NAME).write_text(""), "no usable thing in"),
        (lambda folder: (folder / STATE_NAME).write_text("{"), "no usable thing in"),
        (lambda folder: (folder / STATE_NAME).write_text("[]"), "no usable thing in"),
        (lambda folder: (folder / STATE_NAME).write_text("{}"), "no usable thing in"),
        (lambda folder: edit(folder, kind="generator"), "holds a generator, not a thing"),
        (lambda folder: edit(folder, format=99, version="9.1"), "has format 99; this version reads .* version 9.1"),
        (lambda folder: edit(folder, content="../.."), "is damaged"),
        (lambda folder: edit(folder, content="state-99"), "no usable thing in"),
        (lambda folder: edit(folder, data={}), "no usable thing in"),
        (lambda folder: (content(folder) / "note.txt").unlink(), "no usable thing in"),
        (lambda folder: (content(folder) / "arrays.safetensors").unlink(), "no usable thing in"),
        (lambda folder: (content(folder) / "arrays.safetensors").write_bytes(b"cut"), "no usable thing in"),
    ],
)
def test_broken_missing_and_foreign_states_are_refused(spoil: Any, message: str, tmp_path: Path) -> None:
    store(tmp_path)
    spoil(tmp_path)
    with pytest.raises(StoredStateError, match=message):
        value_in(tmp_path)


def test_a_folder_tells_its_kind(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "absent") is None
    store(tmp_path)
    assert kind_of(tmp_path) == "thing"


def test_deleting_leaves_other_files_alone(tmp_path: Path) -> None:
    delete(tmp_path / "absent")
    store(tmp_path / "own")
    delete(tmp_path / "own")
    assert not (tmp_path / "own").exists()
    (tmp_path / "mine.txt").write_text("mine")
    store(tmp_path)
    delete(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_half_a_file_never_replaces_a_whole_one(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("whole")

    def half(draft: Path) -> None:
        draft.write_text("ha")
        raise OSError("disk full")

    with pytest.raises(TableError, match=r"page\.html cannot be written: disk full\."):
        write_whole(target, half)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize(
    ("settings", "arrays"),
    [
        ({"a": 2, "b": None}, [ARRAY]),
        ({"a": 1}, [ARRAY]),
        ({"a": 1, "b": None}, []),
        ({"a": 1, "b": None}, [ARRAY + 1]),
        ({"a": 1, "b": None}, [ARRAY.reshape(2, 3)]),
        ({"a": 1, "b": None}, [ARRAY.view(np.float64)]),
        ({"a": 1, "b": None}, [ARRAY, ARRAY]),
        ({"a": 1, "b": None}, [ARRAY[:3], ARRAY[3:]]),
    ],
)
def test_a_fingerprint_tells_settings_values_shapes_and_dtypes_apart(settings: Any, arrays: Any) -> None:
    assert fingerprint(settings, arrays) != fingerprint({"a": 1, "b": None}, [ARRAY])


def test_a_fingerprint_does_not_depend_on_order_layout_or_process() -> None:
    square = np.arange(9).reshape(3, 3)
    assert fingerprint({"a": 1, "b": 2}, [square]) == fingerprint({"b": 2, "a": 1}, iter([np.asfortranarray(square)]))
    assert fingerprint({}, []) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
