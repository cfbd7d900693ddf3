"""The studies of a fit: which settings of rebalancing were tried together with which models."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.plugin.fold_writer import cache_of
from imbllm_autogluon.rebalancing.cache_folder import STUDIES
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
    """Studies in the folder of a predictor, those of a single trial left out."""
    import optuna

    journal = cache_of(Path(predictor.path)) / STUDIES
    if not journal.is_file():
        return []
    storage = journal_storage(journal)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    return [_record(study) for study in studies if len(study.get_trials(deepcopy=False)) > 1]


def _record(study: Any) -> StudyRecord:
    trials = study.get_trials(deepcopy=False)
    known = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED", "FAIL")]
    complete = [trial for trial in known if trial.state.name == "COMPLETE"]
    best = max(complete, key=lambda trial: trial.value, default=None)
    return StudyRecord(
        study.study_name.rpartition("-")[0],
        tuple(TrialRecord(trial.number, trial.state.name.lower(), trial.value, trial.params) for trial in known),
        None if best is None else best.number,
        {title: _data_uri(picture) for title, picture in study_plots(study).items()},
    )


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
