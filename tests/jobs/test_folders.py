"""When a folder may be fitted into, and what is taken out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.jobs.folders import OF_A_PREDICTOR, check_folder, clear_folder

if TYPE_CHECKING:
    from pathlib import Path

LEFT, MINE = ("learner.pkl", "models", "utils"), "thesis.txt"


def filled(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("names", [(), LEFT, OF_A_PREDICTOR], ids=["empty", "interrupted", "finished"])
def test_a_fit_can_be_gone_on_with_in_its_own_folder(tmp_path: Path, names: tuple[str, ...]) -> None:
    check_folder(filled(tmp_path / "fit", *names), force=False, resume=True)
    check_folder(tmp_path / "absent", force=False, resume=True)
    assert not (tmp_path / "absent").exists()


def test_what_no_fit_left_is_refused_by_name_and_kept(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=f"{tmp_path} holds files that no fit left there; name the folder of a"):
        check_folder(filled(tmp_path, *LEFT, MINE), force=False, resume=True)
    with pytest.raises(InvalidInputError, match="holds files that no fit left there"):
        check_folder(tmp_path / MINE, force=False, resume=True)
    assert (tmp_path / MINE).read_text() == MINE


def test_clearing_keeps_what_is_not_of_a_fit_and_removes_a_folder_that_is_then_empty(tmp_path: Path) -> None:
    clear_folder(filled(tmp_path / "fit", *OF_A_PREDICTOR, MINE))
    assert [path.name for path in (tmp_path / "fit").iterdir()] == [MINE]
    clear_folder(filled(tmp_path / "other", *LEFT))
    assert not (tmp_path / "other").exists()
    clear_folder(tmp_path / "absent")
