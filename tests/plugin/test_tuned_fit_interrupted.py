"""Tuned fits that stop in the middle and are started again with the same folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.tuned_fits import TUNE, fail_at, study_trials, trial_models, trials_of, tuned, watch_fits

TWIN = "LightGBMImb_BAG_L1"


def test_an_interrupted_fit_goes_on_in_a_new_predictor_of_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        watch_fits(patch, fail_at("/T3", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            tuned(tmp_path / "p", num_bag_folds=2)
    before = study_trials(tmp_path / "p", TWIN)
    assert [trial.state.name for trial in before] == ["COMPLETE", "COMPLETE", "RUNNING"]
    seen = watch_fits(monkeypatch)
    predictor = tuned(tmp_path / "p", num_bag_folds=2)
    after = study_trials(tmp_path / "p", TWIN)
    assert trials_of(seen) == ["T4", "T5"]
    assert [trial.state.name for trial in after] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert after[3].params == before[2].params
    assert len(trial_models(predictor, TWIN)) == TUNE["top_k"]


def test_a_finished_fit_that_is_repeated_fits_no_trial_and_other_data_is_another_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trial_models(tuned(tmp_path / "p"), "LightGBMImb")
    seen = watch_fits(monkeypatch)
    assert trial_models(tuned(tmp_path / "p"), "LightGBMImb") == first
    assert seen == []
    tuned(tmp_path / "p", settings={"imbllm.steps": 3}, tune={"num_trials": 1})
    assert trials_of(seen) == ["T1"]


KILLED = """
import os, signal, sys
from pathlib import Path
import pytest
from tests.plugin.tuned_fits import tuned, watch_fits

def at(path):
    if "/T3/S1F2" in path:
        os.kill(os.getpid(), signal.SIGKILL)

watch_fits(pytest.MonkeyPatch(), at)
tuned(Path(sys.argv[1]), num_bag_folds=2)
"""


@pytest.mark.slow
def test_a_killed_fit_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p"
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=root, env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    seen = watch_fits(monkeypatch)
    predictor = tuned(path, num_bag_folds=2)
    trials = study_trials(path, TWIN)
    assert trials_of(seen) == ["T4", "T5"]
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[3].params == trials[2].params
    assert not (path / "models" / TWIN / "T3").exists()
    assert len(trial_models(predictor, TWIN)) == TUNE["top_k"]
