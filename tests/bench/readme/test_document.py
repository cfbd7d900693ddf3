from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.bench.readme.document import filled, with_blocks
from imbllm_autogluon.errors import InvalidInputError, StoredStateError

if TYPE_CHECKING:
    from pathlib import Path

BEGIN, END = "<!-- from bench/results: paper -->", "<!-- end -->"


def lines(*given: str) -> str:
    return "\n".join(given)


def test_what_stands_outside_of_the_markers_stays() -> None:
    page = lines("before 1.5", "", BEGIN, "old", "older", END, "between", BEGIN, END, "after", "")
    wanted = lines("before 1.5", "", BEGIN, "PAPER", END, "between", BEGIN, "PAPER", END, "after", "")
    assert with_blocks(page, str.upper) == wanted
    assert with_blocks(wanted, str.upper) == wanted


def test_a_block_in_a_list_is_indented_like_its_marker() -> None:
    page = with_blocks(lines("- item", f"  {BEGIN}", f"  {END}"), lambda _: "text\n\n| a |")
    assert page == lines("- item", f"  {BEGIN}", "  text", "", "  | a |", f"  {END}")


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (lines("a", BEGIN, "b"), "the block 'paper' of line 2 does not end; put `<!-- end -->` behind"),
        (lines(BEGIN, "a", BEGIN, END), "line 3 begins a block within 'paper' of line 1"),
        (lines("a", END), "line 2 ends a block, but none has begun"),
        (lines(BEGIN, END, END), "line 3 ends a block, but none has begun"),
        ("<!-- from bench/results paper -->", "line 1 is a broken marker: '<!-- from bench/results paper -->'"),
        (f"see {BEGIN}", "line 1 is a broken marker"),
        (lines(BEGIN, "<!--end-->"), "line 2 is a broken marker: '<!--end-->'; allowed, alone on a line"),
        ("<!-- from bench/results: -->", "line 1 is a broken marker"),
    ],
)
def test_broken_markers_are_told_with_their_lines(page: str, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told.replace("(", r"\(")):
        with_blocks(page, str.upper)


def test_other_comments_are_no_markers() -> None:
    page = "<!-- the legend ends here -->\nThe end -->"
    assert with_blocks(page, str.upper) == page


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(InvalidInputError, match=r"must be one of 'paper', .*got 'papers' \(did you mean 'paper'\?\)"):
        filled(lines(BEGIN.replace("paper", "papers"), END))


def test_a_missing_result_file_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    page = lines(BEGIN.replace("paper", "regression_autogluon"), END)
    with pytest.raises(StoredStateError, match=r"no result file 'regression_autogluon.csv' .*bench regression-autogl"):
        filled(page, tmp_path)
    (tmp_path / "regression_autogluon.csv").touch()
    with pytest.raises(StoredStateError, match=r"no result file 'regression_autogluon\.md'"):
        filled(page, tmp_path)
