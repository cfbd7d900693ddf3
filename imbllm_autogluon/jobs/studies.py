"""The studies of a fit: which settings of rebalancing were tried together with which models."""

from __future__ import annotations

import base64
import math
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.rebalancing.cache import STUDIES, cache_of
from imbllm_autogluon.search.plots import study_plots
from imbllm_autogluon.search.studies import journal_storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autogluon.tabular import TabularPredictor


@dataclass(frozen=True)
class TrialRecord:
    """One trial."""

    number: int
    state: str
    """``complete``, ``pruned`` or ``fail``."""

    value: float | None
    """Score in AutoGluon's sign."""

    params: Mapping[str, Any]


@dataclass(frozen=True)
class StudyRecord:
    """The trials of one model."""

    name: str
    trials: tuple[TrialRecord, ...]
    best: int | None
    """Number of the best trial."""

    plots: Mapping[str, str]
    """Pictures as data URIs, by title."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, without the pictures."""
        return {name: value for name, value in asdict(self).items() if name != "plots"}


def study_records(predictor: TabularPredictor) -> list[StudyRecord]:
    """Studies in the folder of a predictor, those of a single trial left out.

    Of several studies of one model, which a fit that was gone on with under other settings leaves, the newest.
    """
    import optuna

    journal = cache_of(Path(predictor.path)) / STUDIES
    if not journal.is_file():
        return []
    storage = journal_storage(journal)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    tuned = [study for study in studies if len(study.get_trials(deepcopy=False)) > 1]
    newest = {_title(study): study for study in sorted(tuned, key=_began)}
    return [_record(study) for study in newest.values()]


def _title(study: Any) -> str:
    """Name of the tuned model."""
    return str(study.study_name.rpartition("-")[0])


def _began(study: Any) -> datetime:
    """When the last trial of a study began."""
    times = [trial.datetime_start for trial in study.get_trials(deepcopy=False) if trial.datetime_start]
    return max(times, default=datetime.min)  # noqa: DTZ901 - Optuna's times are naive


def _record(study: Any) -> StudyRecord:
    trials = study.get_trials(deepcopy=False)
    known = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED", "FAIL")]
    complete = [trial for trial in known if trial.state.name == "COMPLETE"]
    best = max(complete, key=lambda trial: trial.value, default=None)
    return StudyRecord(
        _title(study),
        tuple(
            TrialRecord(trial.number, trial.state.name.lower(), _finite(trial.value), trial.params) for trial in known
        ),
        None if best is None else best.number,
        {title: _data_uri(picture) for title, picture in study_plots(study).items()},
    )


def _finite(value: float | None) -> float | None:
    """A score that JSON can hold, or `None`."""
    return value if value is not None and math.isfinite(value) else None


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
