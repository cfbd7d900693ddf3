from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from imbllm_autogluon.bench.speed import run as speed
from imbllm_autogluon.bench.speed.run import ARMS, Arm, SpeedPlan, measure, run, stored_measurement
from imbllm_autogluon.bench.speed_tables import SpeedTable
from imbllm_autogluon.bench.tables import mixed_table
from imbllm_autogluon.errors import ImbLLMError, InvalidInputError

FIGURES = {
    "seconds per epoch": 3.0,
    "loading seconds": 1.0,
    "rows": 10.0,
    "rows/s": 2.0,
    "sampling seconds": 5.0,
    "forward passes": 7.0,
    "tokens per row": 9.0,
    "forward seconds": 4.0,
    "output layer seconds": 0.5,
    "other seconds": 0.5,
    "peak MiB": 100.0,
}
PLAN = SpeedPlan("model", "cpu", Path(sys.executable), threads=1)


@pytest.fixture
def table() -> SpeedTable:
    X, y = mixed_table(40, 6, 10)
    return SpeedTable.of("mixed", X, y, "rare", 10)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str, int]]:
    """Table, arm and seed of each measurement; nothing is loaded, and results go to the test's folder."""
    done: list[tuple[str, str, int]] = []

    def quick(arm: Arm, table: SpeedTable, job: dict[str, Any], plan: SpeedPlan, stem: Path) -> dict[str, Any]:
        done.append((table.name, arm.name, job["seed"]))
        stem.parent.mkdir(parents=True, exist_ok=True)
        figures = dict(FIGURES) if arm.samples else {"seconds per epoch": 2.0, "peak MiB": 90.0}
        if arm.samples:
            figures |= {"valid": 0.0 if arm.is_peer else 1.0, "valid rows/s": 0.0 if arm.is_peer else 2.0}
        return {"figures": figures, "libraries": "torch=1"}

    monkeypatch.setattr(speed, "measure", quick)
    monkeypatch.setattr(speed, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(speed, "_model_folder", lambda backbone: f"/models/{backbone}")
    return done


def quick_run(**changed: Any) -> Path:
    return run(**{"rows": 6, "repeats": 2, "device": "cpu", "great_python": Path(sys.executable), **changed})


def test_arms_take_turns_on_every_table_and_both_files_are_written(
    measured: list[tuple[str, str, int]], tmp_path: Path
) -> None:
    page = quick_run()
    names = [arm.name for arm in ARMS]
    assert [arm for _, arm, _ in measured] == names * 4
    assert [(name, seed) for name, _, seed in measured[:: len(ARMS)]] == [
        ("hypothyroid", 0),
        ("narrow", 0),
        ("hypothyroid", 1),
        ("narrow", 1),
    ]
    tidy = pd.read_csv(tmp_path / "results" / "speed.csv")
    assert list(tidy) == ["table", "arm", "repetition", "metric", "value", "versions"]
    assert page == tmp_path / "results" / "speed.md"
    assert "no valid row in 10 s (2 of 2 runs)" in page.read_text()
    assert "imbllm bench speed --backbone smollm2 --against be_great --rows 6" in page.read_text()


def test_an_interrupted_run_goes_on_where_it_stopped(
    measured: list[tuple[str, str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = speed.measure

    def fails_once(arm: Arm, *others: Any) -> dict[str, Any]:
        if len(measured) == 3:
            measured.append(("", "power cut", 0))
            raise ImbLLMError("power cut")
        return quick(arm, *others)

    monkeypatch.setattr(speed, "measure", fails_once)
    with pytest.raises(ImbLLMError, match="power cut"):
        quick_run(repeats=1)
    quick_run(repeats=1)
    pairs = [entry for entry in measured if entry[1] != "power cut"]
    assert len(pairs) == len(set(pairs)) == 2 * len(ARMS)


@pytest.mark.parametrize(
    ("changed", "again"), [({}, False), ({"fresh": True}, True), ({"epochs": 2}, True), ({"rows": 5}, True)]
)
def test_only_the_same_measurement_is_used_again(
    measured: list[tuple[str, str, int]], changed: dict[str, Any], again: bool
) -> None:
    quick_run()
    first = len(measured)
    quick_run(**changed)
    assert len(measured) == first * (2 if again else 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"against": "tabula"}, "against must be 'be_great'; got 'tabula'"),
        ({"device": "tpu"}, "device must be 'auto', 'cpu' or 'cuda'; got 'tpu'"),
        ({"great_python": Path("nowhere/python")}, "there is no nowhere/python"),
        ({"rows": 1}, "rows must be at least 2; got 1"),
        ({"repeats": 0}, "repeats must be at least 1; got 0"),
        ({"generate": 0}, "generate must be at least 1; got 0"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_measured(
    measured: list[tuple[str, str, int]], changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        quick_run(**changed)
    assert measured == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_gpu_is_refused_and_never_replaced(measured: list[tuple[str, str, int]]) -> None:
    with pytest.raises(InvalidInputError, match="torch sees no GPU"):
        quick_run(device="cuda")
    quick_run(device="auto", repeats=1)


def worker(tmp_path: Path, body: str) -> list[str]:
    """Command of a stand-in worker that runs `body` on `job` and writes the figures."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, os, sys\nfrom pathlib import Path\nimport pandas as pd\n"
        f"job = json.loads(Path(sys.argv[1]).read_text())\n{body}\n"
        f"result = {{'figures': {FIGURES}, 'libraries': os.environ['OMP_NUM_THREADS']}}\n"
        "Path(sys.argv[2]).write_text(json.dumps(result))"
    )
    return [sys.executable, str(script)]


@pytest.mark.parametrize(
    ("is_peer", "body", "valid"),
    [
        (False, "pd.read_parquet(job['rows']).drop(columns='label').to_parquet(job['written'])", 1.0),
        (True, "pd.read_parquet(job['rows']).map(str).replace('nan', None).to_parquet(job['written'])", 1.0),
        (True, "pd.read_parquet(job['rows']).map(lambda _: 'placeholder').to_parquet(job['written'])", 0.0),
    ],
)
def test_both_arms_are_judged_by_what_they_wrote(
    table: SpeedTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_peer: bool, body: str, valid: float
) -> None:
    monkeypatch.setattr(speed, "_command", lambda arm, plan: worker(tmp_path, body))
    result = measure(Arm("arm", is_peer=is_peer), table, {"seed": 0}, PLAN, tmp_path / "piece")
    assert result["figures"]["valid"] == valid
    assert result["figures"]["valid rows/s"] == valid * 10 / 5
    assert result["libraries"] == "1"  # threads


def test_a_failing_worker_is_reported_by_its_last_line_and_nothing_is_stored(
    table: SpeedTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "_command", lambda arm, plan: worker(tmp_path, "raise MemoryError('no room')"))
    with pytest.raises(
        ImbLLMError, match=r"measuring arm ended with exit code 1: MemoryError: no room \(log: .*log.txt"
    ):
        stored_measurement(Arm("arm"), table, 0, PLAN, tmp_path / "work")
    assert not list((tmp_path / "work").glob("*.json"))


def test_be_great_runs_isolated_in_its_own_interpreter() -> None:
    peer = speed._command(Arm("be_great", is_peer=True), PLAN)
    assert peer[:2] == [sys.executable, "-I"]
    assert Path(peer[2]).name == "great_worker.py"
    assert speed._command(Arm("ImbLLM"), PLAN)[1:] == ["-m", "imbllm_autogluon.bench.speed.imbllm_worker"]


def test_both_arms_get_the_same_job_but_for_their_settings(table: SpeedTable) -> None:
    jobs = [speed._job(arm, table, 3, PLAN) for arm in ARMS]
    assert {json.dumps({**job, "settings": {}, "samples": 0}) for job in jobs} == {
        json.dumps({**jobs[0], "settings": {}, "samples": 0})
    }
    assert [job["samples"] for job in jobs] == [100 if arm.samples else 0 for arm in ARMS]


def test_a_masked_backbone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from imbllm_autogluon.language import backbones

    monkeypatch.setattr(backbones, "find_backbone", lambda name: SimpleNamespace(family="masked"))
    with pytest.raises(InvalidInputError, match="'bert' is a masked one"):
        speed._model_folder("bert")


def test_a_folder_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from imbllm_autogluon.language import backbones

    monkeypatch.setattr(
        backbones, "find_backbone", lambda name: SimpleNamespace(family="causal", location=str(tmp_path))
    )
    assert speed._model_folder("smollm2") == str(tmp_path)
