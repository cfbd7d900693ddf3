from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from imbllm_autogluon import cli, cli_fit
from imbllm_autogluon._package import __version__
from imbllm_autogluon.datasets import load_hypothyroid
from imbllm_autogluon.jobs.fit import FitJob
from imbllm_autogluon.tables.io import read_table, write_table
from tests.fresh import run_afresh
from tests.jobs.fits import binary_outcome, copy_of, mixed_table
from tests.shared import TINY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

BINARY = {"no": 60, "yes": 20}
LEAST = [*(part for pair in TINY.items() for part in ("--setting", "{}={}".format(*pair))), "--threads", "1"]
FIT_TINY = [*LEAST, "--family", "LR", "--folds", "2", "--verbosity", "0"]


def imbllm(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def train(tmp_path: Path) -> Path:
    write_table(mixed_table(BINARY), tmp_path / "train.csv")
    return tmp_path / "train.csv"


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
    "unknown extension": (lambda folder: folder / "bad.xlsx", "tables are read and written as .csv, .parquet, .pq"),
    "empty": (csv(""), "is empty"),
    "header alone": (csv("a,label\n"), "has 0 rows"),
    "repeated column": (csv("a,a,label\n1,2,x\n1,2,y\n"), "'a' occurs more than once"),
    "label absent": (table(GOOD.rename(columns={"label": "lable"})), "no label column 'label' (did you mean 'lable'?)"),
    "one class": (table(GOOD.assign(label="no")), "one class only, 'no'"),
    "label missing": (table(GOOD.assign(label=None)), "is missing in every row"),
    "infinite": (table(GOOD.assign(amount=float("inf"))), "80 infinite values"),
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


BAD_OPTIONS: dict[str, tuple[list[str], str]] = {
    "metric": (["--metric", "accurracy"], "unknown metric 'accurracy' for a binary label (did you mean 'accuracy'?)"),
    "unknown preset": (["--preset", "bset_quality"], "unknown preset 'bset_quality' (did you mean 'best_quality'?)"),
    "setting without value": (["--setting", "steps"], "must be written as key=value"),
    "unknown setting": (["--setting", "stesp=3"], "unknown setting 'ag.imbllm.stesp'"),
    "value of a setting": (["--setting", "temperature=hot"], "temperature must be a number"),
    "positive class": (["--positive-class", "maybe"], "no class 'maybe'"),
    "folds": (["--folds", "1"], "folds must be a whole number between 2 and 20"),
    "time limit": (["--time-limit", "-5"], "time_limit must be a number"),
    "family": (["--family", "GBMM"], "unknown model family 'GBMM' (did you mean 'GBM'?)"),
    "test table": (["--test", "absent.csv"], "absent.csv does not exist"),
}


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_a_bad_option_of_fit_is_one_line_and_nothing_is_written(
    tmp_path: Path, train: Path, options: list[str], message: str
) -> None:
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path / "new", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_fit_refuses_a_folder_in_use_and_keeps_what_is_in_it(tmp_path: Path, train: Path) -> None:
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path)
    assert result.exit_code == 2
    assert "is not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_fit_goes_on_only_in_the_folder_of_a_fit(tmp_path: Path, train: Path) -> None:
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path, "--resume")
    assert result.exit_code == 2
    assert "holds files that no fit left there" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_fit_refuses_to_replace_and_to_go_on_at_once(tmp_path: Path, train: Path) -> None:
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path / "new", "--force", "--resume")
    assert result.exit_code == 2
    assert "either replaced (force) or gone on with (resume); not both" in result.stderr
    assert not (tmp_path / "new").exists()


def test_fit_refuses_a_folder_that_cannot_be_made(tmp_path: Path, train: Path) -> None:
    result = imbllm("fit", train, "--label", "label", "--out", train / "new")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_debug_shows_the_traceback_and_keeps_the_exit_code() -> None:
    result = imbllm("--debug", "fit", "absent.csv", "--label", "label")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("imbllm: absent.csv does not exist.\n")


def test_an_unexpected_error_is_one_line_with_the_way_to_see_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, train: Path
) -> None:
    def fail(_: FitJob) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(FitJob, "run", fail)
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path / "new")
    assert result.exit_code == 1
    assert result.stderr == "imbllm: unexpected ZeroDivisionError: division by zero (imbllm --debug ... shows where)\n"


def test_fit_then_predict_from_a_csv_to_files_and_stdout(tmp_path: Path, train: Path) -> None:
    frame = read_table(train)
    frame.loc[0, "label"] = None
    write_table(frame, train)
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path / "fit", *FIT_TINY)
    assert result.exit_code == 0, result.stderr
    assert f"{train}: 1 rows without 'label' are left out." in result.stderr
    assert "LinearModelImb_BAG_L1" in result.stdout
    assert f"Report: {tmp_path / 'fit' / 'imbllm_report.html'}" in result.stdout
    report = json.loads((tmp_path / "fit" / "imbllm_report.json").read_text())
    assert report["table"]["rows"] == 79
    assert report["settings"]["presets"] == ["imbllm"]

    printed = imbllm("predict", tmp_path / "fit", train)
    assert printed.exit_code == 0, printed.stderr
    lines = printed.stdout.splitlines()
    assert lines[0] == "label"
    assert set(lines[1:]) == {"no", "yes"}
    assert len(lines) == 81
    written = imbllm("predict", tmp_path / "fit", train, "--out", tmp_path / "p.csv")
    assert (written.exit_code, written.stdout) == (0, "")
    assert (tmp_path / "p.csv").read_text() == printed.stdout


def test_predict_keeps_index_and_order_of_a_parquet_table(tmp_path: Path) -> None:
    outcome = binary_outcome()
    rows = mixed_table(BINARY, seed=2).drop(columns="label")
    rows.index = pd.Index([f"r{n}" for n in range(len(rows))], name="row")
    shuffled = rows.sample(frac=1, random_state=1)
    write_table(shuffled, tmp_path / "t.parquet")
    result = imbllm("predict", outcome.job.out, tmp_path / "t.parquet", "--proba", "--out", tmp_path / "p.parquet")
    assert result.exit_code == 0, result.stderr
    predicted = read_table(tmp_path / "p.parquet")
    assert list(predicted.columns) == ["no", "yes"]
    assert predicted.index.equals(shuffled.index)
    assert predicted.sum(axis=1).to_numpy() == pytest.approx(1)
    pd.testing.assert_series_equal(predicted["yes"], outcome.predictor.predict_proba(rows)["yes"].loc[shuffled.index])


BAD_PREDICTIONS: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "no folder": (lambda f: [f / "absent", f / "train.csv"], "absent does not exist; name the folder given to"),
    "no predictor": (lambda f: [f, f / "train.csv"], "holds no finished fit (no predictor.pkl)"),
    "no table": (lambda f: [binary_outcome().job.out, f / "absent.csv"], "absent.csv does not exist"),
    "columns absent": (
        lambda f: [binary_outcome().job.out, table(GOOD[["amount", "label"]])(f)],
        "lacks 2 column(s) that the predictor needs: visits, city.",
    ),
    "target of another type": (lambda f: [f, f / "train.csv", "--out", f / "p.txt"], "'.txt'; tables are"),
    "target in no folder": (lambda f: [f, f / "train.csv", "--out", f / "x" / "p.csv"], "x does not exist"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_PREDICTIONS.values(), ids=BAD_PREDICTIONS)
@pytest.mark.usefixtures("train")
def test_predict_refuses_what_it_cannot_use(
    tmp_path: Path, arguments: Callable[[Path], list[Any]], message: str
) -> None:
    result = imbllm("predict", *arguments(tmp_path))
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_sample_writes_the_wanted_rows_of_one_class_and_nothing_else(tmp_path: Path, train: Path) -> None:
    arguments = ["sample", train, "--label", "label", "--n", "7", "--label-value", "yes", *LEAST, "--out"]
    first = imbllm(*arguments, tmp_path / "a.csv")
    assert first.exit_code == 0, first.stderr
    assert "7 rows written to" in first.stderr
    assert "yes: 20 rows + 7 by language model" in first.stderr
    imbllm(*arguments, tmp_path / "b.csv")
    imbllm(*arguments, tmp_path / "c.parquet", "--seed", "1")
    written, again, other = (read_table(tmp_path / name) for name in ("a.csv", "b.csv", "c.parquet"))
    assert list(written.columns) == list(read_table(train).columns)
    assert written["label"].tolist() == ["yes"] * 7
    pd.testing.assert_frame_equal(written, again)
    assert not written.equals(other)


def test_sample_balances_every_rarer_class(tmp_path: Path) -> None:
    path, out = tmp_path / "train.parquet", tmp_path / "o.csv"
    write_table(mixed_table({0: 40, 1: 20, 2: 10}), path)
    result = imbllm("sample", path, "--label", "label", "--balance", *LEAST, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert read_table(out)["label"].value_counts().to_dict() == {2: 30, 1: 20}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "either --balance, or --n together with --label-value"),
        (["--n", "5"], "either --balance"),
        (["--balance", "--label-value", "yes"], "either --balance"),
        (["--balance", "--n", "5", "--label-value", "yes"], "either --balance"),
        (["--n", "0", "--label-value", "yes"], "the number of rows of 'yes' must be"),
        (["--n", "5", "--label-value", "yse"], "no class 'yse' (did you mean 'yes'?)"),
        (["--balance", "--setting", "temprature=1"], "unknown setting 'temprature' (did you mean 'temperature'?)"),
    ],
)
def test_sample_refuses_what_it_cannot_write(tmp_path: Path, train: Path, options: list[str], message: str) -> None:
    result = imbllm("sample", train, "--label", "label", "--out", tmp_path / "o.csv", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not (tmp_path / "o.csv").exists()


def test_sample_refuses_a_measured_number(tmp_path: Path) -> None:
    path = table(GOOD.assign(label=GOOD["amount"]))(tmp_path)
    result = imbllm("sample", path, "--label", "label", "--balance", "--out", tmp_path / "o.csv")
    assert (result.exit_code, "this command is for classes" in result.stderr) == (2, True)
    assert not (tmp_path / "o.csv").exists()


def test_sample_refuses_balanced_classes(tmp_path: Path) -> None:
    write_table(mixed_table({"no": 20, "yes": 20}), tmp_path / "train.csv")
    result = imbllm("sample", tmp_path / "train.csv", "--label", "label", "--balance", "--out", tmp_path / "o.csv")
    assert (result.exit_code, "there is nothing to balance" in result.stderr) == (2, True)


def test_the_demo_replaces_an_earlier_one_and_ends_with_leaderboard_scores_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = load_hypothyroid()
    monkeypatch.setattr("imbllm_autogluon.datasets.load_hypothyroid", lambda: (X[::4], y[::4]))
    monkeypatch.setattr(cli_fit, "QUICK", TINY)
    monkeypatch.setattr(cli_fit, "_QUICK_FAMILIES", ("LR",))
    copy_of(binary_outcome(), tmp_path / "demo")
    result = imbllm("demo", "--quick", "--threads", "1", "--out", tmp_path / "demo")
    assert result.exit_code == 0, result.stderr
    for shown in ("LinearModelImb_BAG_L1", "WeightedEnsemble_L2Plain", "average precision", "ROC AUC", "log-loss"):
        assert shown in result.stdout
    assert "Scores on 238 test rows" in result.stdout
    assert "Generators trained: 2" in result.stdout
    assert "the UCI hypothyroid table" in (tmp_path / "demo" / "imbllm_report.html").read_text(encoding="utf-8")


def test_a_fresh_process_predicts_with_twins_it_has_never_seen(tmp_path: Path) -> None:
    outcome = binary_outcome()
    rows = mixed_table(BINARY, seed=2)
    write_table(rows, tmp_path / "t.csv")
    command = [sys.executable, "-m", "imbllm_autogluon.cli", "predict", str(outcome.job.out), str(tmp_path / "t.csv")]
    fresh = subprocess.run(command, capture_output=True, text=True, check=False)
    assert fresh.returncode == 0, fresh.stderr
    assert fresh.stdout.splitlines()[1:] == outcome.predictor.predict(rows).tolist()


def test_help_and_version_need_neither_torch_nor_a_table() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from imbllm_autogluon import cli; "
        "results = [CliRunner().invoke(cli.app, [o]) for o in ('--version', '--help')]; "
        "print(results[0].stdout, [r.exit_code for r in results], 'torch' in sys.modules)"
    )
    fresh = run_afresh(code)
    assert fresh.stdout.split("\n")[-2].strip() == "[0, 0] False"
    assert f"imbllm {__version__}" in fresh.stdout
