"""Who may fit into which folder, and what a folder says of its fit."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon._storage import files_in
from imbllm_autogluon.errors import InvalidInputError, StoredStateError, TableError
from imbllm_autogluon.jobs.fit import FitJob
from imbllm_autogluon.jobs.folder import _OF_A_FIT, _RECORD, FitFolder
from imbllm_autogluon.jobs.predict import load_predictor
from imbllm_autogluon.tables.io import write_table
from tests.jobs.fits import begun, binary_outcome, copy_of, labelled, mixed_table, tiny_job

if TYPE_CHECKING:
    from pathlib import Path

BINARY = {"no": 150, "yes": 30}
LEFT, MINE = ("learner.pkl", "models", "utils"), "thesis.txt"


def filled(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return folder


def test_a_folder_in_use_is_refused_without_force(tmp_path: Path) -> None:
    filled(tmp_path, MINE)
    with pytest.raises(InvalidInputError, match="is not empty; name another, replace a fit with --force, or go on"):
        FitJob(labelled(BINARY), tmp_path)
    with pytest.raises(InvalidInputError, match="is a file; name a folder"):
        FitJob(labelled(BINARY), tmp_path / MINE)
    FitJob(labelled(BINARY), tmp_path, force=True)
    assert (tmp_path / MINE).read_text() == MINE


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("names", [(), LEFT, _OF_A_FIT], ids=["empty", "interrupted", "finished"])
def test_a_fit_can_be_gone_on_with_in_its_own_folder(tmp_path: Path, names: tuple[str, ...], finished: bool) -> None:
    job = FitJob(labelled(BINARY), tmp_path / "fit", settings={"temperature": 0.5})
    begun(filled(job.out, *names), job, finished=finished)
    assert job.folder.is_of_a_fit
    replace(job, resume=True, time_limit=60, threads=1, verbosity=0)
    FitJob(labelled(BINARY), tmp_path / "absent", resume=True)
    assert not FitFolder(tmp_path / "absent").is_of_a_fit
    assert not (tmp_path / "absent").exists()


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "table": ({"train": labelled(BINARY, seed=1)}, "table '180 rows, 4 columns, .*', not '180 rows, 4 columns, .*'"),
    "label": ({"train": replace(labelled(BINARY), label="visits")}, "label 'label', not 'visits'"),
    "setting": ({"settings": {"temperature": 0.7}}, r"settings {'temperature': 0.5}, not {'temperature': 0.7}"),
    "metric": ({"metric": "f1"}, "metric 'average_precision', not 'f1'"),
    "folds": ({"folds": 3}, "folds 4, not 3"),
    "families": ({"families": ("GBM",)}, r"families \[\], not \['GBM'\]"),
    "positive class": ({"positive_class": "no"}, "positive class 'yes', not 'no'"),
    "preset": ({"presets": ("imbllm_tuned",), "folds": 4}, r"presets \['imbllm'\], not \['imbllm_tuned'\]"),
}


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(("changed", "message"), OTHERS.values(), ids=OTHERS)
def test_another_fit_is_not_gone_on_with_and_the_message_says_what_differs(
    tmp_path: Path, changed: dict[str, Any], message: str, finished: bool
) -> None:
    job = FitJob(labelled(BINARY), tmp_path / "fit", settings={"temperature": 0.5})
    begun(filled(job.out, *LEFT), job, finished=finished)
    with pytest.raises(InvalidInputError, match=f"fit holds another fit, with .*{message}.*--force"):
        replace(job, resume=True, **changed)
    assert (job.out / "learner.pkl").read_text() == "learner.pkl"
    replace(job, force=True, **changed)


def test_a_folder_that_does_not_say_what_it_holds_is_not_gone_on_with(tmp_path: Path) -> None:
    filled(tmp_path / "fit", *LEFT)
    with pytest.raises(InvalidInputError, match="does not say what was fitted there: an earlier version or another"):
        FitJob(labelled(BINARY), tmp_path / "fit", resume=True)
    FitJob(labelled(BINARY), tmp_path / "fit", force=True)


def test_what_no_fit_left_is_refused_by_name_and_kept(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=f"{tmp_path} holds files that no fit left there; name the folder of a"):
        FitJob(labelled(BINARY), filled(tmp_path, *LEFT, MINE), resume=True)
    with pytest.raises(TableError, match="is a file; name a folder"):
        FitJob(labelled(BINARY), tmp_path / MINE, resume=True)
    assert (tmp_path / MINE).read_text() == MINE


def test_clearing_keeps_what_is_not_of_a_fit_and_a_folder_that_is_empty_in_the_end_goes(tmp_path: Path) -> None:
    with FitFolder(filled(tmp_path / "fit", *_OF_A_FIT, MINE)).claimed({}, force=True, resume=False):
        assert files_in(tmp_path / "fit") == {MINE, _RECORD}
    other = FitFolder(tmp_path / "other")
    with contextlib.suppress(KeyError), other.claimed({}, force=False, resume=False):
        filled(other.path, *LEFT)
        other.clear()
        raise KeyError
    assert not other.path.exists()


def test_going_on_where_nothing_can_be_made_is_the_error_of_a_new_fit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for resume in (False, True):
        with pytest.raises(TableError, match="file is a file; name a folder"):
            FitJob(labelled(BINARY), tmp_path / "file" / "fit", resume=resume)


HOLD = """
import sys, time
from pathlib import Path
from imbllm_autogluon.jobs.folder import FitFolder
with FitFolder(Path(sys.argv[1])).claimed({}, force=True, resume=False):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_fit_into_a_folder_is_refused_until_the_first_one_ends_even_by_a_kill(tmp_path: Path) -> None:
    job = tiny_job(labelled(BINARY), tmp_path / "fit", force=True)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(job.out)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        with pytest.raises(InvalidInputError, match="another process is writing into the folder"):
            job.run()
        first.kill()
    assert job.folder.is_finished is False
    with job.folder.claimed(job.identity, force=True, resume=False):
        assert job.folder.is_finished is False
    assert job.folder.is_finished is True


def test_a_predictor_whose_fit_goes_on_or_was_interrupted_is_not_loaded(tmp_path: Path) -> None:
    job = copy_of(binary_outcome(), tmp_path / "fit").job
    assert job.is_reported
    load_predictor(begun(job.out, job, finished=True))
    with pytest.raises(
        StoredStateError, match=r"the fit in .* is not finished: .* repeat its 'imbllm fit' with --resume"
    ):
        load_predictor(begun(job.out, job))
    assert not job.is_reported


def test_a_predictor_that_cannot_be_loaded_is_named_even_where_the_error_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError

    monkeypatch.setattr(TabularPredictor, "load", fail)
    with pytest.raises(StoredStateError, match=r"the predictor in .* cannot be loaded: AssertionError\.$"):
        load_predictor(filled(tmp_path / "fit", "predictor.pkl"))


FIT = ["--label", "label", "--family", "LR", "--folds", "2", "--verbosity", "2", "--threads", "1", "--setting"]


def imbllm_fit(folder: Path, *options: str) -> subprocess.Popen[str]:
    """The command in a process of its own; the generators of two folds take some seconds."""
    command = [
        sys.executable,
        "-m",
        "imbllm_autogluon.cli",
        "fit",
        "train.csv",
        "--out",
        "fit",
        *FIT,
        "steps=60",
        *options,
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": _heed_interrupts}
    return subprocess.Popen(command, cwd=folder, text=True, **pipes)


def _heed_interrupts() -> None:
    """Undo what a shell does to processes that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stopped(folder: Path, seconds: float, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """A fit, gone on with where there is one, that gets a signal so long after it took its folder."""
    record = folder / "fit" / _RECORD
    before = record.stat().st_mtime_ns if record.exists() else 0
    process = imbllm_fit(folder, "--resume")
    while process.poll() is None and (not record.exists() or record.stat().st_mtime_ns == before):
        time.sleep(0.02)
    time.sleep(seconds)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_fit_that_is_stopped_at_any_moment_says_how_to_go_on_and_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    write_table(mixed_table(BINARY), tmp_path / "train.csv")
    rng = np.random.default_rng(number)
    for seconds in rng.uniform(0, 7, size=4):
        result = stopped(tmp_path, seconds, number)
        assert "Traceback" not in result.stderr
        if FitFolder(tmp_path / "fit").is_finished:  # stopped while comparing or leaving
            break
        # A shell has 128 + number for both; an interpreter interrupted within a C extension ends by the signal.
        assert result.returncode in ((-9,) if number == signal.SIGKILL else (128 + number, -number))
        assert number == signal.SIGKILL or result.stderr.endswith("the same command with --resume goes on with it.\n")
        with pytest.raises(StoredStateError, match="is not finished"):
            load_predictor(tmp_path / "fit")
    process = imbllm_fit(tmp_path, "--resume")
    err = process.communicate(timeout=200)[1]
    assert process.returncode == 0, err
    assert load_predictor(tmp_path / "fit").predict(mixed_table(BINARY)).nunique() == 2
    assert not list((tmp_path / "fit").rglob("*.draft"))
    assert "nothing is left to do" in imbllm_fit(tmp_path, "--resume").communicate(timeout=60)[1]
