"""`imbllm cache` on a predictor, on a cache of its own, and on folders that are neither."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor
from typer.testing import CliRunner

from imbllm_autogluon import cli
from imbllm_autogluon.rebalancing.cache import cache_of
from tests.jobs.fits import binary_outcome, mixed_table

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def cache(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["cache", *map(str, arguments)])


@pytest.fixture
def predictor(tmp_path: Path) -> Path:
    """A copy of a fitted predictor that the test may change."""
    return shutil.copytree(binary_outcome().job.out, tmp_path / "fit")


def test_info_shows_one_generator_and_one_entry_of_rows_for_each_fold(predictor: Path) -> None:
    result = cache("info", predictor)
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines[:3]] == [["generators", "2"], ["rows", "2"], ["warm-ups", "2"]]
    assert result.stdout.splitlines()[-1].startswith(f"{cache_of(predictor)}: ")
    assert float(lines[0][2]) > 0


def test_a_cleared_predictor_predicts_the_same_and_its_cache_is_empty(predictor: Path) -> None:
    rows = mixed_table({"no": 30, "yes": 10}, seed=3).drop(columns="label")
    before = TabularPredictor.load(str(predictor)).predict_proba(rows)
    result = cache("clear", predictor)
    assert (result.exit_code, result.stdout.endswith(" MB deleted.\n")) == (0, True)
    assert result.stdout != "0.0 MB deleted.\n"
    loaded = TabularPredictor.load(str(predictor))
    pd.testing.assert_frame_equal(loaded.predict_proba(rows), before)
    assert loaded.persist()
    pd.testing.assert_frame_equal(loaded.predict_proba(rows), before)
    assert not list(cache_of(predictor).iterdir())
    assert cache("info", predictor).stdout.splitlines()[-1].endswith(": 0.0 MB")


def test_a_cache_of_its_own_is_shown_and_emptied_too(predictor: Path, tmp_path: Path) -> None:
    own = shutil.copytree(cache_of(predictor), tmp_path / "shared")
    assert cache("info", own).stdout.splitlines()[-1].startswith(f"{own}: ")
    assert cache("clear", own).exit_code == 0
    assert not list(own.iterdir())
    assert list(cache_of(predictor).iterdir())


@pytest.mark.parametrize("command", ["info", "clear"])
def test_another_folder_is_one_line_of_error_and_stays(tmp_path: Path, command: str) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "measured.csv").write_text("mine")
    for folder in (tmp_path, tmp_path / "absent"):
        result = cache(command, folder)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"imbllm: {folder} holds no generators, rows or studies; name the folder")
        assert result.stderr.count("\n") == 1
    assert (tmp_path / "rows" / "measured.csv").read_text() == "mine"
