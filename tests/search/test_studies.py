from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import optuna
import pytest
from optuna.trial import TrialState

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.plugin.trials import _retry_interrupted
from imbllm_autogluon.search import journal_storage, open_study
from imbllm_autogluon.search.studies import quiet_optuna, study_name

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """
import os, signal, sys
from pathlib import Path
from imbllm_autogluon.search import journal_storage, open_study

def hit(trial):
    value = trial.suggest_float("x", 0, 1)
    if trial.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return value

open_study("s", journal_storage(Path(sys.argv[1]))).optimize(hit, n_trials=3)
"""


def x(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", 0.0, 1.0)


def five_trials(seed: int, file: Path) -> None:
    open_study("shared", journal_storage(file), seed=seed).optimize(x, n_trials=5)


def test_two_processes_fill_one_study(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "study.journal"
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=five_trials, args=(seed, file)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    trials = open_study("shared", journal_storage(file)).trials
    assert [trial.number for trial in trials] == list(range(10))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert len({trial.params["x"] for trial in trials}) == 10


@pytest.mark.parametrize(
    "content",
    [b"no journal", b"no journal\n", b"no\njournal\n", b'{"a": 1}\n', b"[1, 2]\n", b"3\n", bytes(range(256)) * 3],
)
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "f"
    file.write_bytes(content)
    with pytest.raises(StoredStateError, match=r"is no journal of a study.*Delete it or name another file"):
        journal_storage(file)
    assert file.read_bytes() == content


def test_a_journal_where_a_folder_is_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(StoredStateError, match="cannot be written"):
        journal_storage(tmp_path / "f")


def test_a_half_written_last_line_costs_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    open_study("s", journal_storage(file)).optimize(x, n_trials=2)
    file.write_bytes(file.read_bytes()[:-10])
    open_study("s", journal_storage(file)).optimize(x, n_trials=1)
    states = [trial.state for trial in open_study("s", journal_storage(file)).trials]
    assert states == [TrialState.COMPLETE, TrialState.RUNNING, TrialState.COMPLETE]


def test_the_trial_of_a_killed_process_is_tried_again_with_its_parameters(tmp_path: Path) -> None:
    file = tmp_path / "study.journal"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    study = open_study("s", journal_storage(file))
    left = study.trials[1]
    assert left.state == TrialState.RUNNING
    assert _retry_interrupted(study) == 1
    assert study.trials[1].state == TrialState.FAIL
    study.optimize(x, n_trials=1)
    assert study.trials[2].params == left.params
    assert study.trials[2].user_attrs == {"retried": 1}
    assert _retry_interrupted(study) == 0


def test_a_trial_interrupted_before_its_first_draw_keeps_what_it_was_queued_with() -> None:
    study = open_study("s", first=[{"x": 0.25}])
    study.ask()
    _retry_interrupted(study)
    study.optimize(x, n_trials=1)
    assert study.trials[-1].params == {"x": 0.25}


def test_a_study_that_is_opened_again_goes_on_and_queues_its_first_trials_once(tmp_path: Path) -> None:
    for _ in range(3):
        study = open_study("s", journal_storage(tmp_path / "j"), first=[{"x": 0.5}])
        study.optimize(x, n_trials=1)
    assert len(study.trials) == 3
    assert [trial.params["x"] == 0.5 for trial in study.trials] == [True, False, False]


def test_a_study_that_goes_on_draws_other_trials_than_before(tmp_path: Path) -> None:
    for _ in range(3):
        study = open_study("s", journal_storage(tmp_path / "j"))
        study.optimize(x, n_trials=2)
    assert len({trial.params["x"] for trial in study.trials}) == 6


def test_the_same_seed_draws_the_same_trials_and_another_seed_others() -> None:
    def drawn(seed: int) -> list[float]:
        study = open_study("s", seed=seed)
        study.optimize(x, n_trials=3)
        return [trial.params["x"] for trial in study.trials]

    assert drawn(1) == drawn(1) != drawn(2)


def test_pruning_can_be_turned_off() -> None:
    assert isinstance(open_study("s").pruner, optuna.pruners.MedianPruner)
    assert isinstance(open_study("s", prune=False).pruner, optuna.pruners.NopPruner)


def test_a_study_may_minimize() -> None:
    assert open_study("s", direction="minimize").direction.name == "MINIMIZE"


def test_a_study_name_keeps_its_title_and_changes_with_what_values_depend_on() -> None:
    names = [study_name("title", identity) for identity in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3})]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("title-") and len(name) == len("title-") + 8 for name in names)


def test_optuna_is_quiet_only_inside() -> None:
    optuna.logging.set_verbosity(logging.INFO)
    with quiet_optuna():
        assert optuna.logging.get_verbosity() == logging.WARNING
    assert optuna.logging.get_verbosity() == logging.INFO


def test_the_folder_of_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoredStateError, match=f"{os.sep}file{os.sep}study.journal cannot be written"):
        journal_storage(tmp_path / "file" / "study.journal")
