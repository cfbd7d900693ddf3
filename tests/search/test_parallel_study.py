"""The example of a study over several processes."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from imbllm_autogluon.datasets import load_hypothyroid
from imbllm_autogluon.rebalancing.rows import GENERATORS, ROWS_CACHE
from imbllm_autogluon.search import SearchSpace, journal_storage
from tests.shared import TINY

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "parallel_study.py"


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = journal_storage(folder / "study.journal")
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage).trials


def test_workers_of_the_example_fill_one_study_and_share_its_generators(tmp_path: Path) -> None:
    X, y = load_hypothyroid()
    work: Any = runpy.run_path(str(EXAMPLE))["work"]
    work.__globals__.update(
        FOLDER=tmp_path,
        TRIALS_EACH=2,
        load_hypothyroid=lambda: (X[:600], y[:600]),
        trees=lambda trial: {"max_depth": trial.suggest_int("max_depth", 2, 8), "n_estimators": 5},
        SearchSpace=lambda fixed: SearchSpace(method=("imbllm", "random"), interpolation_ratio=(1.0,), fixed=TINY),
    )
    for worker in (0, 1):
        work(worker)
        for shelf in (GENERATORS, ROWS_CACHE):
            shelf.forget()  # as in another process
    made = trials(tmp_path)
    assert len(made) >= 4
    assert {trial.state for trial in made} <= {TrialState.COMPLETE, TrialState.WAITING}
    assert len(GENERATORS.keys(tmp_path / "cache")) == 4


@pytest.mark.slow
def test_the_example_runs_with_its_four_workers(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "best average precision" in done.stdout
    finished = [trial for trial in trials(tmp_path / "imbllm-study") if trial.state.is_finished()]
    assert len(finished) == 12
    assert not [trial for trial in finished if trial.state == TrialState.FAIL]
