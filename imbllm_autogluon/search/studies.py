"""Studies of Optuna that outlive the process that runs them, and their pictures."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import warnings
from typing import TYPE_CHECKING, Any, Literal

from imbllm_autogluon._random import child_seed
from imbllm_autogluon.errors import StoredStateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import optuna
    from optuna.storages.journal import JournalFileOpenLock

_STARTUP_TRIALS = 5  # drawn at random, and finished, before the sampler models or the pruner judges by them
_FEWEST_TRIALS = 4  # finished trials below which importances and parallel coordinates would show noise
_INCHES = (7.2, 3.4)


def journal_storage(file: Path) -> optuna.storages.JournalStorage:
    """A storage in one file, made if need be, for any number of processes; optuna-dashboard reads it too.

    A file that cannot be written, or is no journal, is a `StoredStateError`.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        lock = JournalFileOpenLock(str(file))
        storage = JournalStorage(JournalFileBackend(str(file), lock_obj=lock))
        _mend(file, lock)
        return storage
    except OSError as error:
        raise StoredStateError(f"the study {file} cannot be written: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoredStateError(f"{file} is no journal of a study: {error}. Delete it or name another file.") from error


def _mend(file: Path, lock: JournalFileOpenLock) -> None:
    """Cut off a last line that is only half there (a full disk, a power cut): Optuna 5.0 would spoil the next one."""
    lock.acquire()
    try:
        written = file.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if written:
            # Optuna reports a broken line only if another one follows.
            json.loads(whole.rstrip().rpartition(b"\n")[2])["op_code"]
        if len(whole) < len(written):
            with file.open("r+b") as opened:
                opened.truncate(len(whole))
    finally:
        lock.release()


def study_name(title: str, identity: object) -> str:
    """A title and eight characters of everything that a study's values depend on."""
    text = json.dumps(identity, sort_keys=True, default=str)
    return f"{title}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def open_study(
    name: str,
    storage: optuna.storages.BaseStorage | str | None = None,
    *,
    direction: Literal["maximize", "minimize"] = "maximize",
    seed: int = 0,
    first: Iterable[Mapping[str, Any]] = (),
    prune: bool = True,
) -> optuna.Study:
    """Create a study or go on with the stored one: TPE, and pruning below the median of earlier trials.

    Parameters
    ----------
    name, storage
        Of the study; `None`: in memory.
    direction
        ``"maximize"`` or ``"minimize"``.
    seed
        Of the sampler, 0 or more, together with the number of trials there are. Processes that share a study need
        different ones.
    first
        Parameters of trials to begin with, where the study does not hold them yet.
    prune
        Whether hopeless trials end early.
    """
    import optuna

    pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS) if prune else optuna.pruners.NopPruner()
    with quiet_optuna():
        study = optuna.create_study(
            study_name=name, storage=storage, direction=direction, pruner=pruner, load_if_exists=True
        )
        # A sampler remembers nothing: with the same seed, a continued study would draw its first trials once more.
        sampler_seed = child_seed(seed, "search", len(study.get_trials(deepcopy=False)))
        study.sampler = optuna.samplers.TPESampler(seed=sampler_seed, n_startup_trials=_STARTUP_TRIALS)
        for parameters in first:
            study.enqueue_trial(dict(parameters), skip_if_exists=True)
    return study


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's line for each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def study_plots(study: optuna.Study) -> dict[str, str]:
    """SVG texts by title: history, importances, parallel coordinates, where there are trials enough for them."""
    from matplotlib import pyplot
    from optuna.trial import TrialState
    from optuna.visualization import matplotlib as drawn

    finished = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    wanted: dict[str, Callable[..., Any]] = {"History": drawn.plot_optimization_history} if finished else {}
    if len(finished) >= _FEWEST_TRIALS:
        wanted |= {"Importances": drawn.plot_param_importances, "Parallel coordinates": drawn.plot_parallel_coordinate}
    before = pyplot.get_backend()
    pyplot.switch_backend("agg")
    try:
        with warnings.catch_warnings(), pyplot.rc_context({"svg.hashsalt": study.study_name}):
            warnings.simplefilter("ignore")  # Optuna calls these functions experimental
            pictures = {title: _svg(plot, study) for title, plot in wanted.items()}
    finally:
        pyplot.switch_backend(before)
    return {title: picture for title, picture in pictures.items() if picture}


def _svg(plot: Any, study: optuna.Study) -> str:
    """One picture; nothing where Optuna cannot draw it, such as importances of a single varied parameter."""
    from matplotlib import pyplot

    try:
        figure = plot(study).figure
    except (ValueError, RuntimeError):
        return ""
    figure.set_size_inches(*_INCHES)
    written = io.StringIO()
    figure.savefig(written, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return written.getvalue()
