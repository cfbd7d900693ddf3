"""`imbllm report` on two files, and on input that cannot be judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from imbllm_autogluon import cli

if TYPE_CHECKING:
    from click.testing import Result


def report(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["report", *map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Real, synthetic and held-out rows."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=300).round(3), "city": rng.choice(["Oslo", "Bergen"], 300)})
    table["sick"] = np.where(np.arange(300) % 3 == 0, "yes", "no")
    parts = {
        "real": table.head(150),
        "holdout": table.tail(90),
        "synthetic": table.iloc[150:210].query("sick == 'yes'"),
    }
    for name, part in parts.items():
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    return {name: tmp_path / f"{name}.csv" for name in parts}


def test_measures_are_listed_and_the_page_is_written(files: dict[str, Path], tmp_path: Path) -> None:
    options = [part for name, path in files.items() for part in (f"--{name}", path)]
    result = report(*options, "--label", "sick", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1] == f"Report: {tmp_path / 'out' / 'quality_report.html'}"
    assert [line.split()[-1] for line in lines if line.startswith("exact copies")] == ["good"]
    stored = json.loads((tmp_path / "out" / "quality_report.json").read_text())
    assert stored["title"] == "synthetic.csv beside real.csv"
    assert stored["classes"] == [
        {"class": "no", "real": 100, "synthetic": 0, "holdout": 60},
        {"class": "yes", "real": 50, "synthetic": 20, "holdout": 30},
    ]
    assert lines[-2] == stored["headline"]


def test_label_and_held_out_rows_may_be_left_out(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = report("--real", files["real"], "--synthetic", files["synthetic"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "imbllm-quality" / "quality_report.md").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to report: the folder of a fit, or --real FILE"),
        (["--real", "real.csv"], "and --synthetic FILE"),
        (["--real", "absent.csv", "--synthetic", "synthetic.csv"], "absent.csv does not exist"),
        (["--real", "real.csv", "--synthetic", "bad.csv"], "the synthetic table has no column 'city'"),
        (
            ["--real", "real.csv", "--synthetic", "bad.csv", "--label", "sick"],
            "bad.csv has no label column 'sick'",
        ),
        (["--real", "real.csv", "--synthetic", "synthetic.csv", "--out", "real.csv"], "real.csv is a file"),
        (["somewhere", "--label", "sick"], "--label belongs to two files"),
        (["somewhere"], "somewhere"),
    ],
)
def test_what_cannot_be_reported_is_one_line_and_exit_code_2(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"x": [1.0], "y": [2]}).to_csv("bad.csv", index=False)
    result = report(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("imbllm-quality").exists()
