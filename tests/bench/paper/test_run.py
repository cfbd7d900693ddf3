from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.bench.paper import run as paper
from imbllm_autogluon.bench.paper.arms import (
    ARMS,
    GREAT,
    IMBLLM,
    PRED_LLM,
    QUICK_ARMS,
    RANDOM,
    SLOW_ARMS,
    SMOTE_CODES,
)
from imbllm_autogluon.bench.paper.page import METRICS, ROWS, SECONDS
from imbllm_autogluon.bench.paper.run import measure, run
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.tables.files import write_table
from tests.jobs.fits import labelled, mixed_table

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from imbllm_autogluon.tables.labelled import LabelledTable

BARELY = {"layers": 1, "width": 16, "warmup_steps": 0, "steps": 2}
SIZES: dict[Hashable, int] = {"no": 150, "often": 100, "yes": 50}

ONE_OF_TWO = """
import sys, time
from pathlib import Path
from imbllm_autogluon.bench.paper import run as paper

def measure(table, spec, seed, threads, kept):
    with open(sys.argv[1], "a") as calls:
        calls.write(f"{sys.argv[3]} {spec['method']} {seed}\\n")
    time.sleep(0.3)
    return {**dict.fromkeys(paper.METRICS, 50.0), "rows added": 40.0, "seconds": 2.0}

paper.measure = measure
paper.run(quick=True, folder=Path(sys.argv[2]))
"""


class Recorded:
    """Stands for measurements: what each was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int]] = []
        self.specs: list[dict[str, Any]] = []
        self.rows: set[int] = set()
        self.kept: list[float] = []

    def __call__(
        self, table: LabelledTable, spec: Mapping[str, Any], seed: int, threads: int, kept: float
    ) -> dict[str, float]:
        self.kept.append(kept)
        self.calls.append((spec["method"], seed, threads))
        self.specs.append(dict(spec))
        self.rows.add(len(table.frame))
        return {**dict.fromkeys(METRICS, 50.0), ROWS: 40.0, SECONDS: 2.0}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(paper, "measure", recorded)
    return recorded


def test_every_arm_is_measured_on_every_table_and_split(tmp_path: Path, recorded: Recorded) -> None:
    write_table(mixed_table({"no": 60, "yes": 30}), tmp_path / "visits.csv")
    named = f"{tmp_path / 'visits.csv'}:label"
    page = run(tables=[named], rows=700, repeats=2, threads=2, folder=tmp_path / "results")
    methods = [spec["method"] for spec in ARMS.values()]
    assert recorded.calls == [(method, split, 2) for split in (0, 1) for method in methods] * 2
    tidy = pd.read_csv(tmp_path / "results" / "paper.csv")
    assert list(tidy.columns) == ["table", "split", "arm", "metric", "value", "versions"]
    assert len(tidy) == 2 * 2 * len(ARMS) * (len(METRICS) + 2)
    text = page.read_text(encoding="utf-8")
    assert "Command: `imbllm bench paper --rows 700 --repeats 2 --threads 2 --table visits.csv:label`." in text
    assert "- **visits**: `no` 48 learned, 12 to judge on; `yes` 5 learned, 6 to judge on; to add: 43 of `yes`" in text
    assert str(tmp_path) not in text
    assert "nan" not in text


def test_a_quick_run_has_few_splits_rows_and_arms(tmp_path: Path, recorded: Recorded) -> None:
    page = run(quick=True, folder=tmp_path)
    assert [call[:2] for call in recorded.calls] == [(ARMS[arm]["method"], n) for n in (0, 1) for arm in QUICK_ARMS]
    assert recorded.rows == {1000}
    assert "paper --rows 1000 --repeats 2 --threads 1 --quick`" in page.read_text(encoding="utf-8")


def test_named_arms_are_measured_and_results_may_have_another_name(tmp_path: Path, recorded: Recorded) -> None:
    page = run(quick=True, repeats=1, arms=["ImbLLM, SmolLM2", "CTGAN"], name="paper_slow", folder=tmp_path)
    assert recorded.specs == [*(ARMS[arm] for arm in QUICK_ARMS), *SLOW_ARMS.values()]
    assert {path.name for path in tmp_path.iterdir()} == {"paper_slow.csv", "paper_slow.md"}
    text = page.read_text(encoding="utf-8")
    assert "--threads 1 --results paper_slow --arm 'ImbLLM, SmolLM2' --arm CTGAN --quick`" in text
    assert "- **ImbLLM, SmolLM2**: the same method with the pretrained model" in text


def test_more_of_the_smallest_class_may_be_kept_which_is_another_measurement(
    tmp_path: Path, recorded: Recorded
) -> None:
    run(quick=True, repeats=1, folder=tmp_path)
    page = run(quick=True, repeats=1, kept=1.0, folder=tmp_path)
    assert recorded.kept == [0.2] * len(QUICK_ARMS) + [1.0] * len(QUICK_ARMS)
    assert "--threads 1 --kept 1.0 --quick`" in page.read_text(encoding="utf-8")


def test_other_settings_of_imbllm_are_another_measurement_of_it_alone(tmp_path: Path, recorded: Recorded) -> None:
    run(quick=True, repeats=1, folder=tmp_path)
    page = run(quick=True, repeats=1, settings={"temperature": 1.0, "time_limit": None}, folder=tmp_path)
    assert recorded.specs[len(QUICK_ARMS) :] == [{"method": "imbllm", "temperature": 1.0, "time_limit": None}]
    text = page.read_text(encoding="utf-8")
    assert "--setting temperature=1.0 --setting time_limit=none --quick`" in text


def test_an_interrupted_run_goes_on_and_a_fresh_one_measures_anew(tmp_path: Path, recorded: Recorded) -> None:
    run(rows=700, repeats=1, folder=tmp_path)
    run(rows=700, repeats=2, folder=tmp_path)
    assert len(recorded.calls) == 2 * len(ARMS)
    run(rows=600, repeats=1, folder=tmp_path)
    assert len(recorded.calls) == 3 * len(ARMS), "fewer rows are another measurement"
    run(rows=600, repeats=1, fresh=True, folder=tmp_path)
    assert len(recorded.calls) == 4 * len(ARMS)


def test_two_processes_on_one_folder_share_the_work(tmp_path: Path) -> None:
    calls, results = tmp_path / "calls", tmp_path / "results"
    command = [sys.executable, "-c", ONE_OF_TWO, str(calls), str(results)]
    both = [subprocess.Popen([*command, name]) for name in ("first", "second")]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    lines = [line.split() for line in calls.read_text(encoding="utf-8").splitlines()]
    wanted = sorted([ARMS[arm]["method"], str(split)] for arm in QUICK_ARMS for split in (0, 1))
    assert sorted(line[1:] for line in lines) == wanted, "each once"
    assert {line[0] for line in lines} == {"first", "second"}
    assert sorted(path.name for path in results.iterdir()) == ["paper.csv", "paper.md"]


def test_tables_and_settings_are_checked_before_anything_is_measured(tmp_path: Path, recorded: Recorded) -> None:
    write_table(mixed_table({"no": 60, "yes": 30}), tmp_path / "hypothyroid.csv")
    with pytest.raises(InvalidInputError, match="distinct names; got hypothyroid, hypothyroid"):
        run(tables=[f"{tmp_path / 'hypothyroid.csv'}:label"], folder=tmp_path)
    write_table(mixed_table({"no": 60, "yes": 20}), tmp_path / "small.csv")
    with pytest.raises(InvalidInputError, match="fewer than two classes"):
        run(tables=[f"{tmp_path / 'small.csv'}:label"], folder=tmp_path)
    with pytest.raises(InvalidInputError, match="did you mean 'temperature'"):
        run(settings={"temprature": 1.0}, folder=tmp_path)
    assert not recorded.calls


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm not in (GREAT, PRED_LLM)])
def test_an_arm_has_all_figures(arm: str) -> None:
    found = measure(labelled(SIZES), {**ARMS[arm], **(BARELY if arm == IMBLLM else {})}, 0, 1)
    assert list(found) == [*METRICS, ROWS, SECONDS]
    assert all(0 <= found[name] <= 100 for name in METRICS)
    assert found[ROWS] == ((120 - 80) + (120 - 8) if arm in (RANDOM, SMOTE_CODES, "SMOTE-NC", IMBLLM) else 0)
    assert found[SECONDS] > 0


def test_figures_of_a_seed_are_the_same_again() -> None:
    first, again = (measure(labelled(SIZES), {**ARMS[IMBLLM], **BARELY}, 1, 1) for _ in range(2))
    assert {**first, SECONDS: 0} == {**again, SECONDS: 0}
