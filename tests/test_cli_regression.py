"""`imbllm fit` and `imbllm predict` with a continuous target."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from imbllm_autogluon import cli, cli_fit
from imbllm_autogluon.tables.io import read_table, write_table
from tests.jobs.fits import QUICK, houses

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from click.testing import Result

SETTINGS = ["method=smogn", "n_bins=8", *(f"latent_diff.{key}={value}" for key, value in QUICK.items())]
TINY = [
    *(part for setting in SETTINGS for part in ("--setting", setting)),
    *("--threads", "1", "--family", "KNN", "--folds", "2", "--verbosity", "0"),
]


def imbllm(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def train(tmp_path: Path) -> Path:
    write_table(houses(), tmp_path / "houses.csv")
    return tmp_path / "houses.csv"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Jobs that would have been run."""
    made: list[Any] = []
    monkeypatch.setattr(cli_fit, "_run", made.append)
    return made


def test_fit_chooses_regression_compares_reports_and_predicts_numbers(tmp_path: Path, train: Path) -> None:
    frame = houses()
    frame.loc[0, "price"] = None
    write_table(frame, train)
    write_table(houses(60, seed=1), tmp_path / "test.parquet")
    test = ["--test", tmp_path / "test.parquet"]
    result = imbllm("fit", train, "--label", "price", "--out", tmp_path / "fit", *test, *TINY)
    assert result.exit_code == 0, result.stderr
    assert f"{train}: 1 rows without 'price' are left out." in result.stderr
    remark = "the label 'price' holds 149 different numbers: regression (change with --task classification)."
    assert f"imbllm: {remark}\n" in result.stderr
    for shown in (
        "KNeighborsImb_BAG_L1",
        "LatentDiff_BAG_L1",
        "latent_diff",
        "few-shot mean absolute error",
        "test rows",
    ):
        assert shown in result.stdout
    assert f"Report: {tmp_path / 'fit' / 'imbllm_report.html'}" in result.stdout
    report = json.loads((tmp_path / "fit" / "imbllm_report.json").read_text())
    assert (report["task"], report["table"]["rows"]) == ("regression", 149)
    assert report["settings"]["latent_diff_parameters"] == QUICK
    assert report["settings"]["metric"] == "mean_absolute_error"

    printed = imbllm("predict", tmp_path / "fit", train)
    assert printed.exit_code == 0, printed.stderr
    lines = printed.stdout.splitlines()
    assert lines[0] == "price"
    assert len(lines) == 151
    assert np.isfinite(np.array(lines[1:], dtype=float)).all()
    refused = imbllm("predict", tmp_path / "fit", train, "--proba")
    assert refused.exit_code == 2
    assert "this predictor answers with numbers ('price'); leave out --proba" in refused.stderr


@pytest.mark.parametrize(
    ("labels", "options", "task", "remark"),
    [
        (houses()["price"], [], "regression", "150 different numbers: regression (change with --task classification)"),
        ([0, 1, 2] * 50, [], "classification", "3 different numbers: classification (change with --task regression)"),
        ([0, 1, 2] * 50, ["--task", "regression"], "regression", ""),
        ([0, 1] * 75, ["--task", "regression"], "regression", ""),
        (list(range(50)) * 3, [], "regression", "50 different numbers: regression"),
        (list(range(50)) * 3, ["--task", "classification"], "classification", ""),
        (["no", "yes"] * 75, [], "classification", ""),
        (["no", "yes"] * 75, ["--task", "classification"], "classification", ""),
    ],
)
def test_the_task_follows_from_the_label_or_the_option(
    tmp_path: Path, jobs: list[Any], labels: object, options: list[str], task: str, remark: str
) -> None:
    write_table(houses().assign(price=labels), tmp_path / "t.csv")
    result = imbllm("fit", tmp_path / "t.csv", "--label", "price", "--out", tmp_path / "fit", *options)
    assert result.exit_code == 0, result.stderr
    assert [job.train.task for job in jobs] == [task]
    assert remark in result.stderr
    assert bool(result.stderr) == bool(remark)


BAD: dict[str, tuple[pd.DataFrame, list[str], str]] = {
    "unknown task": (houses(), ["--task", "regresion"], "task must be one of"),
    "texts": (houses().assign(price="dear"), ["--task", "regression"], "holds no numbers ('dear')"),
    "constant": (houses().assign(price=2.5), ["--task", "regression"], "is 2.5 in all 150 rows"),
    "few rows": (houses(19), [], "is known in 19 rows; at least 20 are needed"),
    "few known": (houses().assign(price=[1.5, 2.5, 3.5, *[None] * 147]), [], "is known in 3 rows"),
    "metric": (houses(), ["--metric", "f1"], "unknown metric 'f1' for a regression label"),
    "no such targets": (
        houses(),
        ["--metric", "many_mae", "--setting", "n_bins=60"],
        "none with rows is many-shot (over 100 rows); there are: few",
    ),
    "positive class": (
        houses(),
        ["--positive-class", "1"],
        "is for two classes; the label 'price' is a number",
    ),
    "method": (houses(), ["--setting", "method=great"], "method 'great' is none for regression"),
    "LatentDiff's setting": (
        houses(),
        ["--setting", "latent_diff.guidnce=2", "--family", "GBM"],
        "'guidnce' (did you mean 'guidance'?)",
    ),
    "LatentDiff's setting without families": (houses(), ["--setting", "latent_diff.guidance=2"], "give families"),
    "LatentDiff's setting for classes": (
        houses(),
        ["--setting", "latent_diff.guidance=2", "--label", "city"],
        "unknown setting 'ag.imbllm.latent_diff.guidance'",
    ),
}


@pytest.mark.parametrize(("table", "options", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_fitted_is_one_line_exit_code_2_and_nothing_written(
    tmp_path: Path, table: pd.DataFrame, options: list[str], message: str
) -> None:
    write_table(table, tmp_path / "bad.csv")
    result = imbllm("fit", tmp_path / "bad.csv", "--label", "price", "--out", tmp_path / "new", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.splitlines()[-1].startswith("imbllm: ")
    assert "different numbers" not in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_test_table_must_hold_targets(tmp_path: Path, train: Path) -> None:
    for prices, message in ((None, "missing in every row"), ("dear", "holds no numbers")):
        write_table(houses(30).assign(price=prices), tmp_path / "test.csv")
        options = ["--out", tmp_path / "new", "--test", tmp_path / "test.csv"]
        result = imbllm("fit", train, "--label", "price", *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert read_table(train).shape == (150, 3)
