from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.stored_state import fingerprint, read_state, reading

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}"])
def test_whatever_is_wrong_with_a_state_names_folder_and_remedy(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "state.json").write_text(content)
    message = rf"no usable thing in {tmp_path}.*Delete the folder"
    with pytest.raises(StoredStateError, match=message), reading("thing", tmp_path):
        read_state(tmp_path / "state.json", 1)


def test_another_format_is_named_together_with_the_one_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"format": 2}')
    message = "has format 2; this version reads format 1"
    with pytest.raises(StoredStateError, match=message), reading("thing", tmp_path):
        read_state(tmp_path / "state.json", 1)


def test_a_good_state_is_returned(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"format": 1, "a": 2}')
    with reading("thing", tmp_path):
        assert read_state(tmp_path / "state.json", 1) == {"format": 1, "a": 2}


ARRAY = np.arange(6, dtype=np.int64)


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


def test_a_fingerprint_does_not_depend_on_the_order_of_settings_or_the_layout_of_arrays() -> None:
    square = np.arange(9).reshape(3, 3)
    assert fingerprint({"a": 1, "b": 2}, [square]) == fingerprint({"b": 2, "a": 1}, iter([np.asfortranarray(square)]))


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    assert fingerprint({}, []) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
