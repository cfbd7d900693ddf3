"""`imbllm fit`, `predict` and `demo`, of classes and of numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.cli import fits
from imbllm_autogluon.errors import TableError
from imbllm_autogluon.jobs.demo import Demo, DemoResult
from imbllm_autogluon.jobs.predict import load_predictor, read_rows
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.rebalancing.rows import GENERATORS
from imbllm_autogluon.tables.io import read_table, write_table
from tests.cli_commands import imbllm
from tests.jobs.fits import QUICK, binary_outcome, houses, mixed_table
from tests.plugin.classifier_fits import NAME, children
from tests.shared import TINY

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("few_trees")

BINARY = {"no": 60, "yes": 20}

LEAST = [*(part for pair in TINY.items() for part in ("--setting", "{}={}".format(*pair))), "--threads", "1"]

FIT_TINY = [*LEAST, "--family", "LR", "--folds", "2", "--verbosity", "0"]


@pytest.fixture
def train(tmp_path: Path) -> Path:
    write_table(mixed_table(BINARY), tmp_path / "train.csv")
    return tmp_path / "train.csv"


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
    "two wishes": (["--min-recall", "0.8", "--alarms", "5"], "give one of cost_matrix, precision, recall and budget"),
    "cost": (["--cost", "mis=5"], "costs must be those of miss and alarm"),
    "test table": (["--test", "absent.csv"], "absent.csv does not exist"),
    "no such column": (["--ignore", "vists"], "'vists' is no column (did you mean 'visits'?); the other columns are"),
    "label left out": (["--id", "label"], "'label' is the label; the other columns are: amount, visits, city."),
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


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        (".", [], "is not empty"),
        (".", ["--resume"], "holds files that no fit left there"),
        ("new", ["--force", "--resume"], "either replaced (force) or gone on with (resume); not both"),
        ("train.csv/new", [], "is a file; name a folder"),
    ],
)
def test_fit_refuses_a_folder_it_cannot_use_and_keeps_what_is_in_it(
    tmp_path: Path, train: Path, out: str, options: list[str], message: str
) -> None:
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path / out, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


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


def test_ids_are_not_learned_from_and_come_back_with_the_answers(tmp_path: Path, train: Path) -> None:
    frame = read_table(train).assign(visitor_id=[f"{place:03d}" for place in range(80)], note="x", row_id=range(80))
    write_table(frame, train)
    command = ["fit", train, "--label", "label", "--out", tmp_path / "fit", "--id", "visitor_id", "--ignore", "note"]
    result = imbllm(*command, "--metric", "AUC", "--seed", "4", *FIT_TINY)
    assert result.exit_code == 0, result.stderr
    assert "the metric 'AUC' is taken for roc_auc." in result.stderr
    assert "'row_id' may be ids, and are learned from and written like other columns." in result.stderr
    predictor = load_predictor(tmp_path / "fit")
    assert predictor.features() == ["amount", "visits", "city", "row_id"]
    assert "nothing is left to do" in imbllm(*command, "--metric", "auc", "--seed", "4", *FIT_TINY, "--resume").stderr
    assert "seed 4, not 5" in imbllm(*command, "--metric", "auc", "--seed", "5", *FIT_TINY, "--resume").stderr
    assert "seed 4, not None" in imbllm(*command, "--metric", "auc", *FIT_TINY, "--resume").stderr

    write_table(frame.drop(columns=["note", "label"]).iloc[::-1], tmp_path / "test.csv")
    printed = imbllm("predict", tmp_path / "fit", tmp_path / "test.csv").stdout.splitlines()
    assert (printed[0], printed[1][:4], len(printed)) == ("visitor_id,label", "079,", 81)
    write_table(frame[["visitor_id"]].assign(label="yes"), tmp_path / "sample.csv")
    handed_in = ["predict", tmp_path / "fit", tmp_path / "test.csv", "--submission", tmp_path / "sample.csv"]
    written = imbllm(*handed_in, "--out", tmp_path / "out.csv")
    assert "imbllm: classes in 'label'; 80 rows, ids from 'visitor_id'" in written.stderr
    assert sorted((tmp_path / "out.csv").read_text().splitlines()[1:]) == sorted(printed[1:])
    assert imbllm(*handed_in, "--proba").stdout.startswith("visitor_id,label\n000,0.")
    refused = imbllm(*handed_in, "--out", tmp_path / "sample.csv")
    assert "is the table that is read" in refused.stderr
    write_table(frame.head(3), tmp_path / "sample.csv")
    assert imbllm(*handed_in, "--out", tmp_path / "none.csv").exit_code == 2
    assert not (tmp_path / "none.csv").exists()


def test_noisy_rows_reach_the_classifier_of_each_fold_and_count_nowhere_else(tmp_path: Path, train: Path) -> None:
    write_table(read_table(train).assign(id=range(80)), train)
    noisy = mixed_table({"no": 30, "yes": 40}, seed=3).astype({"visits": object})
    noisy.loc[:1, "label"], noisy.loc[9, "visits"] = None, "?"
    write_table(noisy, tmp_path / "noisy.csv")
    named = ["--label", "label", "--id", "id", "--missing", "?", "--family", "IMBLLM_CLF", "--folds", "2", *LEAST]
    for setting in ("steps=4", "pretrain_steps=4", "weighting=inverse"):
        named += ["--setting", f"classifier.{setting}"]
    with_noisy = ["fit", train, "--out", tmp_path / "with", *named, "--noisy", tmp_path / "noisy.csv"]
    result = imbllm(*with_noisy)
    assert result.exit_code == 0, result.stderr
    assert "noisy.csv: 2 rows without 'label' are left out." in result.stderr
    assert imbllm("fit", train, "--out", tmp_path / "without", *named).exit_code == 0

    told, answers = {}, {}
    for name in ("with", "without"):
        predictor = load_predictor(tmp_path / name)
        told[name] = [child.imbllm_report for child in children(predictor, f"{NAME}_BAG_L1")]
        answers[name] = predictor.predict_proba_oof(f"{NAME}_BAG_L1")
    assert [fold["noisy_rows"] for fold in told["with"]] == [68, 68]
    assert [fold["rows"] for fold in told["with"]] == [fold["rows"] for fold in told["without"]]
    assert [fold["held_out"] for fold in told["with"]] == [fold["held_out"] for fold in told["without"]]
    assert [fold["steps"] for fold in told["without"]] == [{"warm-up": 4, "label": 4}] * 2
    assert len(answers["with"]) == 80
    assert not answers["with"].equals(answers["without"])
    page = (tmp_path / "with" / "imbllm_report.html").read_text(encoding="utf-8")
    assert f"<dt>noisy rows</dt><dd>68 of {tmp_path / 'noisy.csv'}</dd>" in page
    assert "2 noisy rows have no label and were left out." in page
    assert "nothing is left to do" in imbllm(*with_noisy, "--resume").stderr
    write_table(noisy.iloc[5:], tmp_path / "noisy.csv")
    assert "holds another fit, with noisy rows '68 rows, 4 columns" in imbllm(*with_noisy, "--resume").stderr


BAD_NOISY: dict[str, tuple[pd.DataFrame | None, list[str], str]] = {
    "no file": (None, ["--family", "IMBLLM_CLF"], "noisy.csv does not exist"),
    "no classifier": (
        mixed_table(BINARY),
        ["--family", "LR"],
        "this fit has none: name it among the families, as in --family GBM --family IMBLLM_CLF.",
    ),
    "numbers": (
        mixed_table(BINARY),
        ["--label", "visits", "--task", "regression"],
        "noisy.csv are for classes; the label 'visits' holds numbers.",
    ),
    "another setting": (
        mixed_table(BINARY),
        ["--family", "IMBLLM_CLF", "--setting", "classifier.weigthing=inverse"],
        "unknown setting 'weigthing' (did you mean 'weighting'?)",
    ),
    "settings of no classifier": (
        None,
        ["--family", "LR", "--setting", "classifier.steps=4"],
        "the settings (steps) are for a language-model classifier, and this fit has none",
    ),
    "a column less": (
        mixed_table(BINARY).drop(columns="city"),
        ["--family", "IMBLLM_CLF"],
        "noisy.csv lacks 1 column(s) of",
    ),
    "another class": (
        mixed_table({"Yes": 9, "no": 3}),
        ["--family", "IMBLLM_CLF"],
        "9 rows hold labels that {train} does not have: 'Yes' (did you mean 'yes'?)",
    ),
    "no labels": (
        mixed_table(BINARY).assign(label=None),
        ["--family", "IMBLLM_CLF"],
        "noisy.csv: the label 'label' is missing in every row; no row is left.",
    ),
}


@pytest.mark.parametrize(("table", "options", "message"), BAD_NOISY.values(), ids=BAD_NOISY)
def test_noisy_rows_that_nothing_can_learn_are_refused_in_one_line(
    tmp_path: Path, train: Path, table: pd.DataFrame | None, options: list[str], message: str
) -> None:
    if table is not None:
        write_table(table, tmp_path / "noisy.csv")
    noisy = [] if "classifier.steps=4" in options else ["--noisy", tmp_path / "noisy.csv"]
    result = imbllm("fit", train, "--label", "label", "--out", tmp_path / "new", *noisy, *options)
    assert result.exit_code == 2, result.output
    assert message.format(train=train) in result.stderr.splitlines()[-1]
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_finished_fit_is_made_anew_with_more_bag_sets_and_the_same_generators(tmp_path: Path, train: Path) -> None:
    command = ["fit", train, "--label", "label", "--out", tmp_path / "fit", "--time-limit", "200", *FIT_TINY]
    assert imbllm(*command).exit_code == 0
    kept = set(GENERATORS.keys(cache_of(tmp_path / "fit")))
    result = imbllm(*command, "--resume", "--bag-sets", "2")
    assert "is made anew; its generators and trials are used again." in result.stderr
    assert result.exit_code == 0, result.stderr
    assert kept < set(GENERATORS.keys(cache_of(tmp_path / "fit")))
    assert "nothing is left to do" in imbllm(*command, "--resume", "--bag-sets", "2").stderr
    assert "nothing is left to do" in imbllm(*command, "--resume").stderr


@pytest.mark.slow
def test_the_example_of_a_competition_ends_with_its_score() -> None:
    tools = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    script = Path(__file__).parents[1] / "examples/competition.sh"
    done = subprocess.run(
        ["sh", script], capture_output=True, text=True, check=False, env={**os.environ, **tools}, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("nobody saw: ")[1]) > 0.95
    assert "probabilities of 'hypothyroid' in 'diagnosis'; 949 rows, ids from 'id'" in done.stderr


def test_rows_are_decided_by_the_wish_of_the_fit_or_by_another_and_a_new_one_fits_nothing(
    tmp_path: Path, train: Path
) -> None:
    command = ["fit", train, "--label", "label", "--out", tmp_path / "fit", *FIT_TINY]
    result = imbllm(*command, "--min-recall", "0.8")
    assert result.exit_code == 0, result.stderr
    assert "for a recall of at least 0.8, by" in result.stdout
    page = (tmp_path / "fit" / "imbllm_report.html").read_text(encoding="utf-8")
    assert "false alarms" in page
    assert "for a recall of at least 0.8" in (tmp_path / "fit" / "imbllm_report.md").read_text(encoding="utf-8")

    def decided(*options: object) -> list[str]:
        predicted = imbllm("predict", tmp_path / "fit", train, *options)
        assert predicted.exit_code == 0, predicted.stderr
        return predicted.stdout.splitlines()[1:]

    chances = [float(line.split(",")[1]) for line in decided("--proba")]
    report = json.loads((tmp_path / "fit" / "imbllm_report.json").read_text(encoding="utf-8"))
    threshold = report["decision"]["threshold"]
    assert decided() == ["yes" if chance > threshold else "no" for chance in chances]
    assert set(decided("--cost", "miss=0,alarm=1")) == {"no"}
    assert set(decided()) == {"yes", "no"}, "the other wish is not kept"
    assert (
        "a wish decides between answers" in imbllm("predict", tmp_path / "fit", train, "--proba", "--alarms", 9).stderr
    )

    models = {path: path.stat().st_mtime_ns for path in (tmp_path / "fit" / "models").rglob("*.pkl")}
    again = imbllm(*command, "--resume", "--cost", "miss=0,alarm=1")
    assert "Nothing is fitted, and decided anew." in again.stdout, again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "fit" / "models").rglob("*.pkl")} == models
    assert set(decided()) == {"no"}
    assert "for the least expected cost" in (tmp_path / "fit" / "imbllm_report.md").read_text(encoding="utf-8")


def test_rows_to_predict_are_read_like_the_training_table(tmp_path: Path) -> None:
    known = SimpleNamespace(type_map_raw={"zip": "object", "n": "int", "when": "datetime"})
    predictor: Any = SimpleNamespace(feature_metadata_in=known)
    (tmp_path / "t.csv").write_text("zip,n,when,more\n8001,07,2020-01-01,1\n8002,?,2020-01-02,2\n")
    rows = read_rows(predictor, tmp_path / "t.csv", ["?"])
    assert (rows["zip"].tolist(), rows["n"].iloc[0], rows["more"].tolist()) == (["8001", "8002"], 7, [1, 2])
    with pytest.raises(TableError, match=r"'n' holds numbers in the table it belongs to.*'\?'"):
        read_rows(predictor, tmp_path / "t.csv")


def test_a_gap_that_comes_with_the_rows_to_predict_is_no_obstacle(tmp_path: Path) -> None:
    rows = mixed_table(BINARY, seed=2).astype({"visits": "Int64"})
    rows.loc[3, "visits"] = None
    write_table(rows, tmp_path / "t.csv")
    result = imbllm("predict", binary_outcome().job.out, tmp_path / "t.csv")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, len(rows) + 1), result.stderr


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


def bad_table(folder: Path, frame: pd.DataFrame) -> Path:
    write_table(frame, folder / "bad.csv")
    return folder / "bad.csv"


BAD_PREDICTIONS: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "no folder": (lambda f: [f / "absent", f / "train.csv"], "absent does not exist; name the folder given to"),
    "no predictor": (lambda f: [f, f / "train.csv"], "holds no finished fit (no predictor.pkl)"),
    "no table": (lambda f: [binary_outcome().job.out, f / "absent.csv"], "absent.csv does not exist"),
    "columns absent": (
        lambda f: [binary_outcome().job.out, bad_table(f, mixed_table(BINARY)[["amount", "label"]])],
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


def test_the_demo_tells_of_each_table_that_is_asked_for_and_ends_with_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, page = [], tmp_path / "demo" / "imbllm_demo.html"

    def run(demo: Demo, name: str) -> DemoResult:
        told.append((demo.families, demo.folds, demo.settings, demo.threads))
        return DemoResult({"headline": name, "arms": [], "metric": "F1", "verdict": f"{name} is done."}, None)

    monkeypatch.setattr(Demo, "run", run)
    monkeypatch.setattr(
        "imbllm_autogluon.jobs.demo.render_demo", lambda found: " ".join(facts["headline"] for facts, _ in found)
    )
    result = imbllm("demo", "--out", page.parent)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.index("hypothyroid is done.") < result.stdout.index("yeast is done.")
    assert result.stdout.endswith(f"Report: {page}\n")
    assert page.read_text(encoding="utf-8") == "hypothyroid yeast"
    assert imbllm("demo", "--out", page.parent, "--quick", "--table", "yeast", "--threads", "2").exit_code == 0
    assert page.read_text(encoding="utf-8") == "yeast"
    assert told[0] == told[1] == (Demo.families, 3, {}, 1)
    assert told[2] == (fits._QUICK_FAMILIES, 2, fits._QUICK, 2)
    refused = imbllm("demo", "--out", page.parent, "--table", "iris")
    assert refused.exit_code == 2
    assert "table must be one of 'hypothyroid', 'yeast'; got 'iris'" in refused.stderr
    assert len(told) == 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_demo_takes_about_three_minutes_of_one_core_and_leaves_a_page_alone(tmp_path: Path) -> None:
    started = time.process_time()
    result = imbllm("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0, result.stderr
    assert time.process_time() - started < 240  # 180 on a quiet machine; next to other processes a third more
    assert len(result.stdout.splitlines()) <= 24
    assert [file.name for file in (tmp_path / "demo").iterdir()] == ["imbllm_demo.html"]


def test_a_fresh_process_predicts_with_twins_it_has_never_seen(tmp_path: Path) -> None:
    outcome = binary_outcome()
    rows = mixed_table(BINARY, seed=2)
    write_table(rows, tmp_path / "t.csv")
    command = [sys.executable, "-m", "imbllm_autogluon.cli", "predict", str(outcome.job.out), str(tmp_path / "t.csv")]
    fresh = subprocess.run(command, capture_output=True, text=True, check=False)
    assert fresh.returncode == 0, fresh.stderr
    assert fresh.stdout.splitlines()[1:] == outcome.predictor.predict(rows).tolist()


TARGET_SETTINGS = ["method=smogn", "n_bins=8", *(f"latent_diff.{key}={value}" for key, value in QUICK.items())]

TARGET_TINY = [
    *(part for setting in TARGET_SETTINGS for part in ("--setting", setting)),
    *("--threads", "1", "--family", "KNN", "--folds", "2", "--verbosity", "0"),
]


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    write_table(houses(), tmp_path / "houses.csv")
    return tmp_path / "houses.csv"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Jobs that would have been run."""
    made: list[Any] = []
    monkeypatch.setattr(fits, "_run", made.append)
    return made


def test_fit_chooses_regression_compares_reports_and_predicts_numbers(tmp_path: Path, homes: Path) -> None:
    frame = houses()
    frame.loc[0, "price"] = None
    write_table(frame, homes)
    write_table(houses(60, seed=1), tmp_path / "test.parquet")
    test = ["--test", tmp_path / "test.parquet"]
    result = imbllm("fit", homes, "--label", "price", "--out", tmp_path / "fit", *test, *TARGET_TINY)
    assert result.exit_code == 0, result.stderr
    assert f"{homes}: 1 rows without 'price' are left out." in result.stderr
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

    printed = imbllm("predict", tmp_path / "fit", homes)
    assert printed.exit_code == 0, printed.stderr
    lines = printed.stdout.splitlines()
    assert lines[0] == "price"
    assert len(lines) == 151
    assert np.isfinite(np.array(lines[1:], dtype=float)).all()
    refused = imbllm("predict", tmp_path / "fit", homes, "--proba")
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


def test_infinite_cells_of_training_and_test_tables_are_missing_ones(tmp_path: Path, jobs: list[Any]) -> None:
    path, (number, *_) = tmp_path / "t.csv", houses().select_dtypes("number").columns.drop("price")
    write_table(houses().assign(**{number: houses()[number].astype(float).replace(houses()[number][3], -np.inf)}), path)
    result = imbllm("fit", path, "--label", "price", "--test", path, "--out", tmp_path / "fit")
    assert result.exit_code == 0, result.stderr
    for table in (jobs[0].train, jobs[0].test):
        assert np.isnan(table.frame[number][3])
        assert not np.isinf(table.frame[number]).any()


BAD_TARGETS: dict[str, tuple[pd.DataFrame, list[str], str]] = {
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


@pytest.mark.parametrize(("table", "options", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS)
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


def test_a_test_table_must_hold_targets(tmp_path: Path, homes: Path) -> None:
    for prices, message in ((None, "missing in every row"), ("dear", "holds numbers in the table it belongs to")):
        write_table(houses(30).assign(price=prices), tmp_path / "test.csv")
        options = ["--out", tmp_path / "new", "--test", tmp_path / "test.csv"]
        result = imbllm("fit", homes, "--label", "price", *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert read_table(homes).shape == (150, 3)
