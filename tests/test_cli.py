"""What all commands have in common: bad tables, errors, help."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
import typer

from imbllm_autogluon._package import __version__
from imbllm_autogluon.cli.app import _terminate, app
from imbllm_autogluon.jobs.fit import FitJob
from tests.cli_commands import imbllm
from tests.fresh import run_afresh
from tests.jobs.fits import mixed_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

BINARY = {"no": 60, "yes": 20}


def csv(content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "bad.csv").write_text(content, encoding="utf-8")
        return folder / "bad.csv"

    return write


def table(frame: pd.DataFrame, name: str = "bad.csv") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        frame.to_csv(folder / name, index=False) if name.endswith("csv") else frame.to_parquet(folder / name)
        return folder / name

    return write


GOOD = mixed_table(BINARY)

BAD_TABLES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "absent": (lambda folder: folder / "bad.csv", "does not exist"),
    "unknown extension": (table(GOOD, "bad.xlsx"), "tables are read and written as .csv, .parquet, .pq"),
    "empty": (csv(""), "is empty"),
    "header alone": (csv("a,label\n"), "has 0 rows"),
    "repeated column": (csv("a,a,label\n1,2,x\n1,2,y\n"), "'a' occurs more than once"),
    "label absent": (table(GOOD.rename(columns={"label": "lable"})), "no label column 'label' (did you mean 'lable'?)"),
    "one class": (table(GOOD.assign(label="no")), "one class only, 'no'"),
    "label missing": (table(GOOD.assign(label=None)), "is missing in every row"),
    "lists": (table(GOOD.assign(city=[[1]] * 80), "bad.parquet"), "'city' holds list"),
    "class of one row": (table(mixed_table({"no": 50, "yes": 1})), "class 'yes' of the label 'label' has 1 row"),
}


@pytest.mark.parametrize(("make", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
@pytest.mark.parametrize("command", ["fit", "sample"])
def test_a_bad_table_is_one_line_on_stderr_exit_code_2_and_nothing_written(
    tmp_path: Path, command: str, make: Callable[[Path], Path], message: str
) -> None:
    path, out = make(tmp_path), tmp_path / "new" if command == "fit" else tmp_path / "new.csv"
    result = imbllm(command, path, "--label", "label", "--out", out, *(["--balance"] if command == "sample" else []))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert re.fullmatch(r"imbllm: [^\n]+\n", result.stderr)
    assert message in result.stderr
    assert not out.exists()


def test_debug_shows_the_traceback_and_keeps_the_exit_code() -> None:
    result = imbllm("--debug", "fit", "absent.csv", "--label", "label")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("imbllm: absent.csv does not exist.\n")


def test_an_unexpected_error_is_one_line_with_the_way_to_see_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: FitJob) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(FitJob, "run", fail)
    result = imbllm("fit", table(GOOD)(tmp_path), "--label", "label", "--out", tmp_path / "new")
    assert result.exit_code == 1
    assert result.stderr == "imbllm: unexpected ZeroDivisionError: division by zero (imbllm --debug ... shows where)\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_fit_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    monkeypatch.setattr(FitJob, "run", lambda _: signal.raise_signal(number))
    signal.signal(signal.SIGTERM, _terminate)
    result = imbllm("fit", table(GOOD)(tmp_path), "--label", "label", "--out", tmp_path / "new")
    assert signal.getsignal(signal.SIGTERM) == (signal.SIG_DFL if number == signal.SIGTERM else _terminate)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert result.exit_code == code
    assert (
        result.stderr == "imbllm: interrupted. What was made is kept: the same command with --resume goes on with it.\n"
    )


def test_help_and_version_need_neither_torch_nor_a_table() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from imbllm_autogluon import cli; "
        "results = [CliRunner().invoke(cli.app, [o]) for o in ('--version', '--help')]; "
        "print(results[0].stdout, [r.exit_code for r in results], 'torch' in sys.modules)"
    )
    fresh = run_afresh(code)
    assert fresh.stdout.split("\n")[-2].strip() == "[0, 0] False"
    assert f"imbllm {__version__}" in fresh.stdout


def test_help_says_of_every_number_what_it_may_be() -> None:
    commands: list[Any] = [typer.main.get_command(app)]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
    context = typer.Context(commands[0])
    records = [option.get_help_record(context) for command in commands for option in command.params]
    numbers = [record for record in filter(None, records) if re.search("<int|<float|INTEGER|FLOAT", record[0])]
    assert len(numbers) > 9
    assert [name for name, text in numbers if not re.search(r"\d to \d|above|or more|<=", text)] == []


def test_a_wrong_word_for_bars_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBLLM_PROGRESS", "maybe")
    result = imbllm("models", "list")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "IMBLLM_PROGRESS must be 0 or 1" in result.stderr
