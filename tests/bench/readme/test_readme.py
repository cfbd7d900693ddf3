from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imbllm_autogluon import cli
from imbllm_autogluon.bench.readme.document import run, with_blocks
from imbllm_autogluon.errors import InvalidInputError, StoredStateError

README = Path(__file__).parents[3] / "README.md"


def stale(folder: Path) -> Path:
    """A copy of README.md with one figure typed by hand."""
    page = README.read_text(encoding="utf-8")
    line = next(line for line in page.split("\n") if line.startswith("| hypothyroid | ImbLLM |"))
    (folder / "README.md").write_text(page.replace(line, f"{line[:-1]}and more |"), encoding="utf-8")
    return folder / "README.md"


def test_the_page_is_what_the_results_give() -> None:
    """It fails when results have changed: `make readme` writes the page anew."""
    assert run(README, check=True) == f"{README} is what the results give"


def test_tables_of_figures_outside_of_blocks_are_those_of_the_demo() -> None:
    page = README.read_text(encoding="utf-8")
    before, demo = with_blocks(page, lambda _: "").split("## Measured")
    typed = [line for line in (before + demo.split("What a single fold costs")[1]).split("\n") if line.startswith("|")]
    assert [line for line in typed if re.search(r"\d\.\d", line) and "`" not in line] == []


def test_a_typed_figure_is_told_with_its_line_and_the_command(tmp_path: Path) -> None:
    page = stale(tmp_path)
    before = page.read_text(encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"line \d+ is .*and more.*; run `make readme`\.$"):
        run(page, check=True)
    assert page.read_text(encoding="utf-8") == before, "a check writes nothing"


def test_the_command_writes_the_page_and_its_check_fails_on_another(tmp_path: Path) -> None:
    page = stale(tmp_path)
    command = ["bench", "readme", "--file", str(page)]
    assert CliRunner().invoke(cli.app, [*command, "--check"]).exit_code != 0
    assert CliRunner().invoke(cli.app, command).stdout == f"{page} written\n"
    assert page.read_text(encoding="utf-8") == README.read_text(encoding="utf-8")
    assert CliRunner().invoke(cli.app, [*command, "--check"]).exit_code == 0


def test_a_page_that_is_not_there_is_told() -> None:
    with pytest.raises(StoredStateError, match=r"there is no page 'elsewhere\.md'; run the command in the folder of"):
        run(Path("elsewhere.md"))
