"""`imbllm train`, and `imbllm sample` from the folder that it leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from imbllm_autogluon import cli
from imbllm_autogluon._storage import STATE_NAME
from imbllm_autogluon.language import training
from imbllm_autogluon.language.checkpoints import Checkpoint
from imbllm_autogluon.oversampling.synthesizer import _CHECKPOINT as CHECKPOINT
from imbllm_autogluon.tables.io import read_table, write_table
from tests.jobs.fits import mixed_table
from tests.shared import TINY

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from click.testing import Result

SETTINGS = {**TINY, "steps": 4}
LEAST = [*(part for pair in SETTINGS.items() for part in ("--setting", "{}={}".format(*pair))), "--threads", "1"]


def imbllm(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


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
    empty = imbllm("sample", tmp_path, "--balance", "--out", tmp_path / "o.csv")
    assert empty.exit_code == 2
    assert str(tmp_path) in empty.stderr
    assert empty.stderr.count("\n") == 1


def test_train_refuses_a_folder_in_use_and_replaces_a_generator_only_with_force(
    generator: Path, table: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in generator.rglob("*.*")}
    again = imbllm("train", table, "--label", "label", "--out", generator, *LEAST)
    assert (again.exit_code, "train anew with --force" in again.stderr) == (2, True)
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
