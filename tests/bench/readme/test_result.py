from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from imbllm_autogluon.bench.readme.result import Result
from imbllm_autogluon.bench.readme.words import between, marked, named, paragraph, signed_or_zero
from imbllm_autogluon.bench.results import write_results
from imbllm_autogluon.errors import StoredStateError

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "imbllm bench paper --rows 3000 --threads 2 --table houses.csv:price>=9 --table bank.csv:y --setting a=b"

TIDY = pd.DataFrame(
    [("houses", 0, "none", 98.58333333333333), ("houses", 1, "none", 98.91666666666666), ("bank", 0, "none", 1.0)],
    columns=["dataset", "split", "arm", "value"],
).assign(metric="F1")


def result(folder: Path, text: str = f"Command: `{COMMAND}`.") -> Result:
    """Written and read again."""
    write_results("paper", TIDY, TIDY, text, folder)
    return Result.read("paper", folder)


def test_the_origin_has_date_machine_versions_command_and_the_page(tmp_path: Path) -> None:
    found = result(tmp_path)
    last = (tmp_path / "paper.md").read_text(encoding="utf-8").strip().split("\n")[-1]
    assert found.origin("all") == f"<sub>{last}; `{COMMAND}`; [all](imbllm_autogluon/bench/results/paper.md)</sub>"
    assert "torch=" in last


def test_options_settings_and_threads_are_those_of_the_command(tmp_path: Path) -> None:
    found = result(tmp_path)
    assert (found.option("rows"), found.option("folds"), found.settings()) == ("3000", "", ["a=b"])
    assert found.threads == "2 threads"


def test_a_table_cut_in_two_is_named_with_its_limit(tmp_path: Path) -> None:
    found = result(tmp_path)
    assert [found.title(name) for name in ("houses", "bank", "hypothyroid")] == [
        "houses, price ≥ 9",
        "bank",
        "hypothyroid",
    ]


def test_means_are_over_the_splits_and_as_exact_as_those_of_the_page(tmp_path: Path) -> None:
    found = result(tmp_path)
    assert found.by_arm("F1").loc["houses", "none"] == 98.75
    assert found.by_arm("F1", ["ImbLLM", "none"]).columns.tolist() == ["none"], "not every arm was measured"
    assert found.splits == "1 to 2 splits"


def test_a_page_without_its_command_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoredStateError, match=r"paper\.md has lost the line with its command; run the benchmark"):
        result(tmp_path, "no command").origin("all")


def test_the_best_as_printed_are_bold() -> None:
    assert marked(pd.Series([0.31, 0.29, 0.5]), lowest=True).tolist() == ["**0.3**", "**0.3**", "0.5"]
    assert marked(pd.Series([float("nan")])).tolist() == [""]


def test_a_change_that_is_printed_as_zero_has_no_sign() -> None:
    assert [signed_or_zero(value) for value in (-0.04, 0.04, -0.06, 10.0)] == ["0.0", "0.0", "-0.1", "+10.0"]
    assert named(pd.Series({"a": -0.01})) == "a (0.0)"
    assert between(pd.Series([2.0, 1.0])) == "1.0 to 2.0"


def test_lines_break_at_spaces_alone() -> None:
    broken = paragraph("SMOTE-NC " * 30)
    assert max(len(line) for line in broken.split("\n")) <= 140
    assert broken.split() == ["SMOTE-NC"] * 30
