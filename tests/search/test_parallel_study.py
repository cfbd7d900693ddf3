"""The example of a study over several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from imbllm_autogluon.rebalancing.fold_rows import GENERATORS
from imbllm_autogluon.search import journal_storage

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "parallel_study.py"

QUICK_WORKER = """
import importlib.util, sys
from pathlib import Path
from imbllm_autogluon.search import SearchSpace
spec = importlib.util.spec_from_file_location("example", sys.argv[1])
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
example.FOLDER, example.TRIALS_EACH = Path(sys.argv[2]), 2
X, y = example.load_hypothyroid()
example.load_hypothyroid = lambda: (X[:600], y[:600])
quick = {"warmup_steps": 2, "steps": 2}
example.SearchSpace = lambda fixed: SearchSpace(method=("imbllm", "random"), interpolation_ratio=(1.0,), fixed=quick)
example.work(int(sys.argv[3]))
"""


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = journal_storage(folder / "study.journal")
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage).trials


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_two_workers_of_the_example_fill_one_study_and_share_its_generators(tmp_path: Path) -> None:
    command = [sys.executable, "-c", QUICK_WORKER, str(EXAMPLE), str(tmp_path)]
    workers = [subprocess.Popen([*command, str(seed)], env=environment()) for seed in (0, 1)]
    assert [worker.wait(200) for worker in workers] == [0, 0]
    made = trials(tmp_path)
    assert len(made) >= 4
    assert {trial.state for trial in made} <= {TrialState.COMPLETE, TrialState.WAITING}
    assert len(GENERATORS.keys(tmp_path / "cache")) == 4


@pytest.mark.slow
def test_the_example_runs_with_its_four_workers(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "best average precision" in done.stdout
    finished = [trial for trial in trials(tmp_path / "imbllm-study") if trial.state.is_finished()]
    assert len(finished) == 12
    assert not [trial for trial in finished if trial.state == TrialState.FAIL]
