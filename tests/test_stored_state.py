from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.stored_state import read_state, reading

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
