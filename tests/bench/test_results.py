from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench import results
from imbllm_autogluon.bench.results import command_line, flags, versions, write_results
from imbllm_autogluon.errors import MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_command_tells_options_that_are_given_and_files_without_their_folders() -> None:
    told = command_line("paper", ["/data/bank.csv:subscribe"], rows=5000, batch_size=8, steps=None)
    assert told == "imbllm bench paper --rows 5000 --batch-size 8 --table bank.csv:subscribe"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ""),
        ({"quick": False, "family": (), "setting": {}}, ""),
        ({"slow_arms": True, "ablations": True}, " --slow-arms --ablations"),
        ({"family": ["GBM", "RF"], "tuned": True}, " --family GBM --family RF --tuned"),
        ({"setting": {"steps": 5, "time_limit": None}}, " --setting steps=5 --setting time_limit=none"),
    ],
)
def test_flags_stand_as_a_person_would_type_them(given: dict[str, Any], told: str) -> None:
    assert flags(**given) == told


def test_a_result_is_a_page_and_its_figures(tmp_path: Path) -> None:
    tidy = pd.DataFrame({"arm": ["none"], "value": [1.5]})
    page = write_results("paper", tidy, tidy.rename(columns={"value": "F1"}), "What was measured.", tmp_path / "new")
    assert sorted(path.name for path in page.parent.iterdir()) == ["paper.csv", "paper.md"], "no drafts"
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new" / "paper.csv"), tidy)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# paper\n\nWhat was measured.\n\n| arm ")
    assert text.endswith(f"{versions()}\n")


def test_without_the_bench_extra_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"imbllm-autogluon\[bench\]"):
        write_results("paper", pd.DataFrame(), pd.DataFrame(), "", tmp_path / "new")
    assert not (tmp_path / "new").exists()
